"""The fact of one HTTP request: what was sent, what came back, and if nothing usable did, how and when it broke."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

Header = tuple[str, str]
_NUMBER = re.compile(r"[0-9]{1,12}")  # what a server sends may have thousands of digits


class Phase(StrEnum):
    """Where on the way an exchange stood when it failed, in order."""

    TCP = "tcp"
    PROXY = "proxy"
    TLS = "tls"
    SEND = "send"
    HEADERS = "headers"
    BODY = "body"


class Trouble(StrEnum):
    """How it failed."""

    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    RESET = "reset"
    CLOSED = "closed"  # FIN before the answer was complete ("empty reply" when nothing came)
    PROTOCOL = "protocol"  # what came is no HTTP, or no TLS
    TOO_LARGE = "too-large"  # header or body beyond our limit
    UNTRUSTED = "untrusted"  # certificate verification failed
    ALERT = "tls-alert"
    PROXY_REFUSED = "proxy-refused"  # a status other than 2xx to CONNECT
    LOCAL = "local"  # this machine refused (EPERM, no descriptors): says nothing of the target


_FORBIDS = {4: frozenset({9, 10, 13}), 6: frozenset({1, 5, 6})}
_PORT_UNREACHABLE = {4: 3, 6: 4}
_WORDS = {
    4: {0: "network unreachable", 1: "host unreachable", 3: "port unreachable", 9: "network prohibited",
        10: "host prohibited", 13: "prohibited by a filter"},
    6: {0: "no route", 1: "prohibited by a filter", 3: "address unreachable", 4: "port unreachable",
        5: "source address not allowed", 6: "route rejected"},
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Icmp:
    """The ICMP message that ended a connection attempt: `sender` is who sent it, `own` that it is this machine; `code`
    that of "destination unreachable" (RFC 792 and RFC 1812 section 5.2.7.1, RFC 4443 section 3.1), `version` 4 or 6."""

    sender: str
    version: int
    code: int
    own: bool = False

    @property
    def rejects(self) -> bool:
        """Whether a filter wrote it: it says so, or it is "port unreachable", which no host says to TCP: a closed port
        answers with a reset (RFC 9293 section 3.10.7.1)."""
        return self.code in _FORBIDS[self.version] or self.code == _PORT_UNREACHABLE[self.version]

    @property
    def words(self) -> str:
        """ "203.0.113.1 says: prohibited by a filter (ICMP code 13)"."""
        said = _WORDS[self.version].get(self.code, "unreachable")
        who = f"this machine itself ({self.sender})" if self.own else self.sender
        return f"{who} says: {said} (ICMP{'v6' if self.version == 6 else ''} code {self.code})"


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpCounters:
    """What Linux counted on a connection that went silent: packets sent and not acknowledged, packets sent again,
    packets received while an earlier one was missing, bytes received, the round trip (seconds), and the largest
    segments that it sends and has received (bytes)."""

    unacknowledged: int
    resent: int
    out_of_order: int = 0
    received: int = 0
    round_trip_s: float = 0.0
    largest_sent: int = 0
    largest_received: int = 0

    @property
    def lost_up(self) -> bool:
        """Whether what was sent never arrived: it was sent again, and is not acknowledged all the same."""
        return self.unacknowledged > 0 and self.resent >= _SENT_AGAIN

    @property
    def lost_down(self) -> bool:
        """Whether something sent to us never arrived: later packets did."""
        return self.out_of_order > 0


_SENT_AGAIN = 2  # a single one may be lost anywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How an exchange or a connection broke. `detail` is what the system or library said, escaped, at most 300
    characters; `errno` the number where there was one; `icmp` who sent word of it, where the system tells; `counters`
    what the system counted on a connection that went silent."""

    phase: Phase
    trouble: Trouble
    detail: str
    errno: int | None = None
    icmp: Icmp | None = None
    counters: TcpCounters | None = None

    @property
    def refuses_tls(self) -> bool:
        """Whether the server turned a handshake down, in words or by ending it: silence, and trouble of this machine,
        are no answer."""
        said_no = {Trouble.ALERT, Trouble.CLOSED, Trouble.RESET, Trouble.PROTOCOL}
        return self.phase is Phase.TLS and self.trouble in said_no


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds each phase took; None when it was not reached (or not part of it)."""

    tcp_s: float | None = None
    tcp_resent: int = 0  # how often the first packet (SYN) was sent again, where the system tells
    proxy_s: float | None = None
    tls_s: float | None = None
    first_byte_s: float | None = None  # from the request's last byte sent to the answer's first; 0: came before that
    total_s: float = 0.0  # from before connecting to the end of the body, or to the failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what became of it.

    `label` is the route's. `started_at` is RFC 3339 UTC with milliseconds. Header names and values are as received,
    order and repeats kept, undecodable bytes as backslash escapes; credentials in `request_headers` read "[withheld]".
    `body` is at most `Limits.body` bytes of the decoded body; `body_truncated` says that there was more; `body_bytes`
    counts what was read on the wire. `interim` are the 1xx answers before the real one. `status` may be set together
    with `failure` (a body that broke off).
    """

    method: str
    url: str
    label: str
    started_at: str
    request_headers: tuple[tuple[str, str], ...]
    address: str | None = None
    local_port: int | None = None
    http_version: str | None = None
    status: int | None = None
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    body_bytes: int = 0
    body_truncated: bool = False
    timing: Timing = Timing()
    interim: tuple[int, ...] = ()
    failure: Failure | None = None
    tls_verified: bool | None = None  # None: no TLS
    key_withheld: str | None = None  # why the API key was not sent although it was asked for

    def header(self, name: str) -> str | None:
        """The value of a header, repeated ones joined with ", " (RFC 9110 section 5.3); None when it is absent."""
        values = self.header_values(name)
        return ", ".join(values) if values else None

    def number(self, name: str) -> int | None:
        """The value of a header that has a whole number in it, of at most 12 digits; None for anything else."""
        value = (self.header(name) or "").strip()
        return int(value) if _NUMBER.fullmatch(value) else None

    @property
    def from_cache(self) -> bool:
        """Whether a cache says that it gave this answer from its store (RFC 9111 section 5.1; X-Cache is a custom)."""
        kept = self.header("x-cache") or self.header("cf-cache-status") or self.header("x-cache-status") or ""
        return (self.number("age") or 0) > 0 or kept.lower().startswith("hit")

    def header_values(self, name: str) -> tuple[str, ...]:
        """Each value of a header as received, in order."""
        wanted = name.lower()
        return tuple([value for key, value in self.headers if key.lower() == wanted])
