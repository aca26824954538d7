"""HAProxy: the four letters of the termination state say who ended a request and when; its timers say how far it came.

Some races leave no line at all (a later request of a held connection): a clean log proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from btdiag.logs import quick, times
from btdiag.logs.event import UNRELATED, Event, Fits, closed_after
from btdiag.logs.products.common import of_backend, split_request
from btdiag.logs.times import logged_number

_LINE = re.compile(
    rb"^(?:[^\[]{0,200}?(\S+) haproxy\[\d+\]: )?(?:\S+ )?(\S+):(\d+) \[([^\]]{20,40})\] (\S+) ([^\s/]+)/(\S+) "
    rb"\+?(-?\d+)/(-?\d+)/(-?\d+)/(-?\d+)/\+?(-?\d+) (\d{3}|-1) \+?(\d+) \S+ \S+ (\S{4}) "
    rb'\d+/\d+/\d+/\d+/\+?\d+ \d+/\d+ (?:\{[^}]*\} )*"([^"]*)'
    rb'(?:"(?: (\d+\.\d+\.\d+\.\d+:\d+|\[?[0-9a-fA-F:]+\]?:\d+)(?: (.{1,200}))?)?)?'
)
"""The last two, `%bi:%bp` and the TLS error, are not in `option httplog`: they settle what the states leave open."""

_TALK = re.compile(rb"^.{0,200}?haproxy\[\d+\]: (?!\S+:\d+ \[[^\]]{20,40}\] \S+ \S+ [-+\d])")
_HEALTH = re.compile(rb"Server (\S+?)/(\S+) is DOWN, reason: ([^,]*)(?:.*?info: \"([^\"]*)\")?")
_CLIENT_LEFT = (b"CH", b"CD", b"CC", b"CQ", b"CL")
_STATES: Mapping[bytes, tuple[Fits, bool]] = {
    b"sC": (("connect_timeout",), True),
    b"sH": (("upstream_timeout",), True),
    b"sQ": (("overload",), True),
    b"SD": (("cut_midbody",), True),
    b"sD": (("cut_midbody", "upstream_timeout"), False),
    b"PH": (("response_too_large", "app_5xx"), False),
    b"RC": (("overload",), False),
    b"RQ": (("overload",), False),
}


def _event(end_state: bytes, status: int, timers: tuple[float, float, float, float, float], server: bytes,
           found: Event) -> Event:  # fmt: skip
    """What state, status and timers (TR, Tw, Tc, Tr, Ta in ms) say."""
    found.status = status
    state = end_state[:2]
    if state == b"--":
        return of_backend(found, status)
    if state in _CLIENT_LEFT:
        found.fits, found.sure = ("client_abort",), True
    elif state == b"PR":
        found.fits, found.sure = _by_rule(status)
    elif state == b"SH":
        waited = sum(max(one, 0) for one in timers[:3])
        found.took = max(timers[4] - waited, 0.0) / 1000
        found.fits = closed_after(found.took)
    elif state == b"SC":
        found.fits, found.sure = _unconnected(timers, server)
    elif state in _STATES:
        found.fits, found.sure = _STATES[state]
    elif status == 429:
        found.fits, found.sure = ("rate_limited",), True
    elif state in (b"CR", b"cR"):
        return UNRELATED  # a connection without a request: a health check over TCP, or an idle client
    return found


def _unconnected(timers: tuple[float, float, float, float, float], server: bytes) -> tuple[Fits, bool]:
    if server == b"<NOSRV>":
        return ("no_healthy_target", "upstream_dns"), False
    return ("refused", "tls_to_backend", "no_healthy_target"), False


def _by_rule(status: int) -> tuple[Fits, bool]:
    if status in (413, 414, 431):
        return ("request_too_large",), True
    if status == 429:
        return ("rate_limited",), True
    return (("request_too_large",), False) if status == 400 else ((), False)


class HttpLog:
    """`option httplog`, with or without the syslog prefix."""

    product, format = "haproxy", "haproxy-httplog"
    resolution_s = 1e-3
    replays = True
    quick = quick.haproxy()

    def __init__(self) -> None:
        self.down: dict[bytes, Fits] = {}

    def parse(self, line: bytes) -> Event | None:
        match = _LINE.match(line)
        if match is None:
            return self._talk(line)
        moment = times.clf_time(match[4])
        if moment is None:
            return None
        node, client, port, _, _, backend, server, *rest = match.groups()
        timers = tuple(float(one) for one in rest[:5])
        found = Event()
        found.client, found.node = client + b":" + port, node or b""
        found.start = moment + max(timers[0], 0) / 1000
        found.end = moment + timers[4] / 1000
        found.upstream = backend + b"/" + server
        found.method, found.path = split_request(rest[8])
        found.connection = rest[9] or b""
        told = self._known(_event(rest[7], int(rest[5]), timers, server, found), backend)  # type: ignore[arg-type]
        if rest[10] and told.fits[:1] == ("refused",):
            tls = b"SSL" in rest[10] or b"ertificate" in rest[10] or b"handshake" in rest[10]
            told.fits = ("tls_to_backend",) if tls else tuple(one for one in told.fits if one != "tls_to_backend")
        return told

    def _known(self, found: Event, backend: bytes) -> Event:
        """What health checks said of the backend before tells causes apart that the states do not."""
        said = self.down.get(backend)
        if said and found.fits[:1] in (("refused",), ("no_healthy_target",)):
            found.fits = tuple(dict.fromkeys((*(kind for kind in said if kind in found.fits), *found.fits)))
        return found

    def _talk(self, line: bytes) -> Event | None:
        down = _HEALTH.search(line[:2000])
        if down:
            reason = down[3]
            if len(self.down) < 1000:
                self.down[down[1]] = ("tls_to_backend",) if b"Layer6" in reason else ("no_healthy_target", "refused")
            return UNRELATED
        return UNRELATED if _TALK.match(line[:2000]) else None


class HaproxyJsonLog:
    """A `log-format` that writes JSON with the letters of the manual for its keys."""

    product, format = "haproxy", "haproxy-json"
    resolution_s = 1.0
    replays = False

    def accepts(self, record: Mapping[str, Any]) -> bool:
        """Whether the keys are those of this format."""
        state = record.get("ts", record.get("termination_state"))
        return isinstance(state, str) and len(state) == 4 and ("Tc" in record or "Ta" in record)

    def event(self, record: Mapping[str, Any]) -> Event | None:
        """The request of one record."""
        text = str(record.get("time", record.get("date", ""))).encode()
        moment = times.clf_time(text) if b"/" in text[:4] else times.iso(text)
        status = logged_number(record.get("status"))
        if moment is None or status is None:
            return None
        timers = tuple(logged_number(record.get(name)) or 0.0 for name in ("TR", "Tw", "Tc", "Tr", "Ta"))
        found = Event()
        found.start, found.end = moment, moment + max(timers[4], 0) / 1000
        found.method = str(record.get("method", "")).encode()
        found.path = str(record.get("uri", record.get("path", ""))).encode()
        server = str(record.get("server", "")).encode()
        found.upstream = str(record.get("backend", "")).encode() + b"/" + server
        pair = str(record.get("term_src", record.get("bc_src", "")))
        if "->" in pair and not pair.startswith("-"):
            found.connection = pair.encode()
        state = str(record.get("ts", record.get("termination_state"))).encode()
        return _event(state, int(status), timers, server, found)  # type: ignore[arg-type]
