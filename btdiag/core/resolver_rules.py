"""What /etc/resolv.conf and /etc/gai.conf tell the C library, read as glibc reads them: pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

_LARGEST = {"timeout": 30, "attempts": 5, "ndots": 15}  # glibc's own caps (resolv.conf(5))


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolverRules:
    """The options of resolv.conf(5) that decide how programs ask: `timeout_s` seconds for an answer, `attempts` rounds
    over all name servers, `ndots` dots from which on a name is asked as it stands first; `use_vc` is TCP for every
    question, `single_request` A and AAAA one after the other."""

    timeout_s: int = 5
    attempts: int = 2
    ndots: int = 1
    use_vc: bool = False
    single_request: bool = False

    @property
    def patience_s(self) -> int:
        """Seconds after which a question to one name server is given up."""
        return self.timeout_s * self.attempts


def resolver_rules(text: str, more: str = "") -> ResolverRules:
    """The options lines of a resolv.conf, then those of the variable RES_OPTIONS: what comes last counts."""
    words: list[str] = []
    for line in text.splitlines():
        if re.match(r"options[ \t]", line):  # at the very start of the line, as glibc wants it
            words += line.split()[1:]
    words += more.split()
    numbers = {"timeout": 5, "attempts": 2, "ndots": 1}
    for word in words:
        name, _, value = word.partition(":")
        if name in numbers and (digits := re.match(r"\d+", value)):
            numbers[name] = min(int(digits[0]), _LARGEST[name])
    return ResolverRules(
        timeout_s=max(1, numbers["timeout"]),
        attempts=max(1, numbers["attempts"]),
        ndots=numbers["ndots"],
        use_vc=any(word.startswith("use-vc") for word in words),
        single_request=any(word.startswith("single-request") for word in words),
    )


Precedences = tuple[tuple[ipaddress.IPv6Network, int], ...]
"""The policy table of RFC 6724 section 2.1: prefix and precedence."""

_OTHERS = ipaddress.IPv6Network("::/0")
_OTHERS_RANK = 40
_BUILT_IN: Precedences = (  # gai.conf(5)
    (ipaddress.IPv6Network("::1/128"), 50),
    (_OTHERS, _OTHERS_RANK),
    (ipaddress.IPv6Network("2002::/16"), 30),
    (ipaddress.IPv6Network("::/96"), 20),
    (ipaddress.IPv6Network("::ffff:0:0/96"), 10),
)


def precedences(text: str = "") -> Precedences:
    """The table that a gai.conf makes: one precedence line in it puts the built-in table out of force (gai.conf(5))."""
    found: list[tuple[ipaddress.IPv6Network, int]] = []
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) == 3 and words[0] == "precedence" and words[2].isdecimal():
            network = _prefix(words[1])
            found += [(network, int(words[2][:9]))] if network is not None else []
    if not found:
        return _BUILT_IN
    return (*found, *(() if any(network == _OTHERS for network, _ in found) else ((_OTHERS, _OTHERS_RANK),)))


def _prefix(text: str) -> ipaddress.IPv6Network | None:
    try:
        return ipaddress.IPv6Network(text, strict=False)
    except ValueError:
        return None


def precedence(address: str, table: Sequence[tuple[ipaddress.IPv6Network, int]]) -> int:
    """The precedence of an address, that of the longest prefix which holds it; an IPv4 address counts as ::ffff:A."""
    one = ipaddress.ip_address(address.partition("%")[0])
    six = one if isinstance(one, ipaddress.IPv6Address) else ipaddress.IPv6Address(f"::ffff:{one}")
    return max(((network.prefixlen, rank) for network, rank in table if six in network), default=(0, 0))[1]
