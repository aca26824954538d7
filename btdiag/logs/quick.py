"""Plainly good lines of text formats in one expression: most lines of any log, and all that idle ages need of them.

What an expression here does not match is read in full by its format; the two agree on every line that both read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from btdiag.logs import times

Span = Callable[[Sequence[bytes]], tuple[float, float] | None]
"""Begin and end of a request from the groups of an expression, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Quick:
    """`match` reads a good line; `span` makes begin and end of its groups; the other numbers say which group holds
    method, upstream, connection, path and the load balancer's node, -1 for none."""

    match: Callable[[bytes], re.Match[bytes] | None]
    span: Span
    method: int
    upstream: int = -1
    connection: int = -1
    path: int = -1
    node: int = -1


_HEAD = rb'^\S+ \S+ \S+ \[([^\]]{20,40})\] "([A-Z]{3,7}) (/[^/? "\\]*(?:/[^/? "\\]*)?)[^"\\]*" [23]\d\d (?:\d+|-)'
_AGENT = rb' "[^"\\]*" "[^"\\]*"'
_PLAIN_HEAD = rb'^[^ ]+ [^ ]+ [^ ]+ \[[^\]]+\] "([A-Z]{3,7}) [^"]*" [23]\d\d [^ ]+ "[^"]*" "[^"]*"'
"""nginx writes a quote within a value as \\x22; classes of one character are the fast ones."""


def _local_end(groups: Sequence[bytes]) -> tuple[float, float] | None:
    end = times.clf_time(groups[0])
    return None if end is None else (end, end)


def quick_combined() -> Quick:
    """The combined format: the time stamp is all that is known."""
    regex = re.compile(_HEAD + _AGENT + rb'(?: "[^"\\]*")*$')
    return Quick(regex.match, _local_end, method=1, path=2)


def quick_ingress() -> Quick:
    """ingress-nginx as it comes, answered by its first attempt."""
    regex = re.compile(_HEAD + _AGENT + rb" \d+ ([\d.]+) \[[^\]]*\] \[[^\]]*\] ([^\s,\-][^\s,]*) \d+ [\d.]+ \d{3} \w+$")

    def span(groups: Sequence[bytes]) -> tuple[float, float] | None:
        end = times.clf_time(groups[0])
        return None if end is None else (end - float(groups[3]), end)

    return Quick(regex.match, span, method=1, upstream=4)


def paired(keys: Sequence[bytes], roles: Sequence[str], quoted: Sequence[bool]) -> Quick | None:
    """nginx with name=value pairs, among them $msec, $request_time and $upstream_addr; None without them. `quoted`
    says which values stand in quotes."""
    if not {"msec", "request_time", "upstream_addr"} <= set(roles) or "pid" in roles:
        return None
    tail = b"".join(
        rb" " + re.escape(key) + rb"=" + (rb'"%s"' if in_quotes else rb"%s") % _value(role, in_quotes)
        for key, role, in_quotes in zip(keys, roles, quoted, strict=True)
    )
    regex = re.compile(_PLAIN_HEAD + tail + rb"$")
    order = [role for role in roles if role in ("msec", "request_time", "upstream_addr")]
    end_at, took_at = 1 + order.index("msec"), 1 + order.index("request_time")

    def span(groups: Sequence[bytes]) -> tuple[float, float]:
        end = float(groups[end_at])
        return end - float(groups[took_at]), end

    return Quick(regex.match, span, method=0, upstream=1 + order.index("upstream_addr"))


def _value(role: str, in_quotes: bool) -> bytes:
    """What a value of a good line holds."""
    special = {
        "msec": rb"(\d{10}\.\d{3})",
        "request_time": rb"(\d+\.\d{3})",
        "upstream_addr": rb'([^ ",\-][^ ",]*)',
        "completion": rb"OK",
    }
    return special.get(role, rb'[^"]*' if in_quotes else rb"[^ ]*")


_TARGET = rb"(\d+\.\d+\.\d+\.\d+:\d+|\[[0-9a-f:]+\]:\d+)"


def alb() -> Quick:
    """An Application Load Balancer's line whose target answered with the same status."""
    regex = re.compile(
        rb"^\w+ (\S{20,32}) app/\S+ \S+ " + _TARGET + rb" [\d.]+ [\d.]+ [\d.]+ ([23]\d\d) \3 \d+ \d+ "
        rb'"([A-Z]{3,7}) [^"]*" "[^"]*" \S+ \S+ \S+ "[^"]*" "[^"]*" "[^"]*" \S+ (\S{20,32}) "'
    )

    def span(groups: Sequence[bytes]) -> tuple[float, float] | None:
        end, begin = times.iso(groups[0]), times.iso(groups[4])
        return None if end is None or begin is None else (begin, end)

    return Quick(regex.match, span, method=3, upstream=1)


def haproxy() -> Quick:
    """`option httplog` with nothing to tell: state `----`."""
    regex = re.compile(
        rb"^(?:[^\[]{0,80}?(\S+) haproxy\[\d+\]: )?\S+:\d+ \[([^\]]{20,40})\] \S+ ([^\s/]+/[^\s<]+) "
        rb"(\d+)/\d+/\d+/\d+/\+?(\d+) [23]\d\d \+?\d+ \S+ \S+ ---- \d+/\d+/\d+/\d+/\+?\d+ \d+/\d+ "
        rb'(?:\{[^}]*\} )*"([A-Z]{3,7}) [^"]*"$'
    )

    def span(groups: Sequence[bytes]) -> tuple[float, float] | None:
        moment = times.clf_time(groups[1])
        return None if moment is None else (moment + int(groups[3]) / 1000, moment + int(groups[4]) / 1000)

    return Quick(regex.match, span, method=5, upstream=2, node=0)


_ENVOY = rb'^\[(\d{4}-\d\d-\d\dT[^\]]{8,30})\] "([A-Z]{3,7}) [^"\\]*" [23]\d\d - '


def _started(groups: Sequence[bytes]) -> tuple[float, float] | None:
    start = times.iso(groups[0])
    return None if start is None else (start, start + int(groups[2]) / 1000)


def envoy() -> Quick:
    """Envoy's default format without a flag."""
    regex = re.compile(_ENVOY + rb'\d+ \d+ (\d+) \S+ "[^"]*" "[^"\\]*" "[^"]*" "[^"]*" "([^"\-][^"]*)"')
    return Quick(regex.match, _started, method=1, upstream=3)


def istio() -> Quick:
    """Istio's default format without a flag: it names the connection."""
    regex = re.compile(
        _ENVOY + rb'via_upstream \S+ "[^"\\]*" \d+ \d+ (\d+) \S+ "[^"]*" "[^"\\]*" "[^"]*" "[^"]*" "([^"\-][^"]*)" \S+ '
        rb"([^\s\-]\S*) \S+ \S+"
    )
    return Quick(regex.match, _started, method=1, upstream=3, connection=4)
