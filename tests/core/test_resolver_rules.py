"""resolv.conf and gai.conf as glibc reads them."""

from __future__ import annotations

import pytest

from btdiag.core.resolver_rules import ResolverRules, precedence, precedences, resolver_rules


@pytest.mark.parametrize(
    ("text", "more", "rules"),
    [
        ("", "", ResolverRules()),
        ("nameserver 192.0.2.53\noptions ndots:5", "", ResolverRules(ndots=5)),
        ("options timeout:1 attempts:1\noptions attempts:3", "", ResolverRules(timeout_s=1, attempts=3)),
        ("options timeout:99 attempts:99 ndots:99", "", ResolverRules(timeout_s=30, attempts=5, ndots=15)),
        ("options\tuse-vc single-request-reopen", "", ResolverRules(use_vc=True, single_request=True)),
        (" options use-vc\n#options use-vc\noptionsuse-vc", "", ResolverRules()),  # not at the start of a line
        ("options timeout:1", "timeout:2 use-vc", ResolverRules(timeout_s=2, use_vc=True)),  # RES_OPTIONS comes last
        ("options timeout: attempts:x ndots", "", ResolverRules()),
    ],
)
def test_options(text: str, more: str, rules: ResolverRules) -> None:
    assert resolver_rules(text, more) == rules


def test_patience_is_for_all_attempts() -> None:
    assert resolver_rules("options timeout:3 attempts:2").patience_s == 6


SIX, FOUR, TUNNEL, SELF = "2001:db8::1", "192.0.2.1", "2002:c000:201::1", "::1"


@pytest.mark.parametrize(
    ("text", "ranks"),
    [
        ("", (40, 10, 30, 50)),
        ("precedence ::ffff:0:0/96 100", (40, 100, 40, 40)),  # one line, and the built-in table is gone
        ("#precedence ::ffff:0:0/96 100\nlabel ::/0 1", (40, 10, 30, 50)),
        ("precedence ::/0 5 # low\nprecedence ::ffff:0:0/96 7", (5, 7, 5, 5)),
        ("precedence nonsense 100\nprecedence ::/0", (40, 10, 30, 50)),
    ],
)
def test_precedences(text: str, ranks: tuple[int, ...]) -> None:
    table = precedences(text)
    assert tuple(precedence(address, table) for address in (SIX, FOUR, TUNNEL, SELF)) == ranks
