"""Varnish: varnishncsa writes 503 for everything; the backend's side (`varnishncsa -b`) and varnishlog tell all."""

from __future__ import annotations

import re

from btdiag.logs import times
from btdiag.logs.event import CLOSED, RACE_S, UNRELATED, Event, Fits, closed_after
from btdiag.logs.products.common import of_backend, split_request, status_alone, target_of
from btdiag.logs.times import logged_number

_503: Fits = (
    "refused", "race", "backend_closed", "backend_crash", "backend_restart", "plain_to_tls_backend",
    "no_healthy_target", "upstream_timeout", "connect_timeout", "overload", "response_too_large", "upstream_dns",
    "tls_to_backend", "app_5xx",
)  # fmt: skip
_LINE = re.compile(
    rb'^(\S+) \S+ (\S+) \[([^\]]+)\] "(\S+ https?://(?:[^"\\]|\\.)*)" (\d{3}) (\d+|-) "([^"]*)" "((?:[^"\\]|\\.)*)"'
    rb"(?: (\d+) ([\d.]+|-|) (\w+|-) (\w+|-)(?: vxid=(\d+))?)?"
)
_UNKNOWN_METHOD = re.compile(rb'^\S+ \S+ \S+ \[[^\]]+\] "(?:-|\S*) https?://\S* ?[^"]*" 400 ')


class Ncsa:
    """varnishncsa, plain, or with duration, time to the first byte, handling and vxid."""

    product, format = "varnish", "varnish-ncsa"
    resolution_s = 1.0
    replays = True

    def parse(self, line: bytes) -> Event | None:
        match = _LINE.match(line)
        if match is None:
            return UNRELATED if _UNKNOWN_METHOD.match(line) else None
        client, _, moment, request, status, size, _, agent, micro, _, handling, _, vxid = match.groups()
        start = times.clf_time(moment)
        if start is None:
            return None
        found = Event()
        found.status = code = int(status)
        took = int(micro) / 1e6 if micro else None
        found.start, found.end = start, start + (took or 0.0)
        found.method, url = split_request(request)
        found.path = target_of(url)
        found.client, found.agent, found.ident = client, agent, vxid or b""
        found.size = int(size) if size.isdigit() else 0
        if code == 400 and not found.method:
            return UNRELATED
        return self._judged(found, code, took, handling)

    def _judged(self, found: Event, code: int, took: float | None, handling: bytes | None) -> Event:
        if micro_known(took):
            self.format = "varnish-ncsa-rich"
        if code != 503:
            return status_alone(found, code) if code in (413, 414, 429) else _not_certain(of_backend(found, code))
        found.took = took
        if took is not None and took <= RACE_S:
            found.fits = tuple(kind for kind in _503 if kind not in ("upstream_timeout", "connect_timeout"))
        elif took is not None:
            found.fits = tuple(kind for kind in ("upstream_timeout", "connect_timeout", *_503) if kind != "race")
        else:
            found.fits = _503
        return found


def micro_known(took: float | None) -> bool:
    """Whether the line says how long the request took."""
    return took is not None


def _not_certain(found: Event) -> Event:
    if found.fits[:1] == ("app_5xx",):
        found.sure = found.status != 500
    return found


_BACKEND = re.compile(
    rb'^(\S+) \[([^\]]+)\] "(\S+ https?://(?:[^"\\]|\\.)*)" (\d{3}) (\d+|-) (\d+|-) ttfb=([\d.]+|-|) vxid=(\d+) '
    rb'err="((?:[^"\\]|\\.)*)" open="([^"]*)"'
)


class VarnishBackend:
    """`varnishncsa -b` with FetchError and BackendOpen: the exact connection, and whether it was reused."""

    product, format = "varnish", "varnish-ncsa-backend"
    resolution_s = 1.0
    replays = True

    def __init__(self) -> None:
        self._known = _Known()

    def parse(self, line: bytes) -> Event | None:
        match = _BACKEND.match(line)
        if match is None:
            return None
        _, moment, request, status, _, micro, ttfb, vxid, error, opened = match.groups()
        start = times.clf_time(moment)
        if start is None:
            return None
        found = Event()
        found.status = int(status)
        first_byte = logged_number(ttfb)
        found.start = start
        found.end = start + (int(micro) / 1e6 if micro.isdigit() and micro != b"0" else first_byte or 0.0)
        found.method, url = split_request(request)
        found.path, found.ident = target_of(url), vxid
        _opened(found, opened)
        found.took = first_byte
        return _judged(found, [error] if error not in (b"-", b"") else [], found.status, self._known)


def _opened(found: Event, words: bytes) -> None:
    """`27 api 127.0.0.1 33941 127.0.0.1 32810 reuse`: backend, its address, our port, reused or new."""
    parts = words.split()
    if len(parts) >= 6:
        found.upstream = parts[1] + b" " + parts[2] + b":" + parts[3]
        found.connection = parts[4] + b":" + parts[5]
        found.fresh = parts[6] == b"connect" if len(parts) > 6 else None


_ERRORS: tuple[tuple[bytes, Fits, bool], ...] = (
    (b"errno 111", ("refused",), True),
    (b"errno 0 (Success)", ("refused", "connect_timeout", "no_healthy_target"), False),  # remembered for a second
    (b"errno 110", ("connect_timeout",), True),
    (b"errno 113", ("refused", "connect_timeout"), False),
    (b"first byte timeout", ("upstream_timeout",), True),
    (b"between bytes timeout", ("upstream_timeout", "cut_midbody"), False),
    (b"unhealthy", ("no_healthy_target",), True),
    (b": busy", ("overload",), True),
    (b"overflow", ("response_too_large",), True),
    (b"http format error", ("response_too_large", "plain_to_tls_backend"), False),
    (b"straight insufficient bytes", ("cut_midbody",), True),
    (b"chunked", ("cut_midbody",), True),
    (b"eof", ("cut_midbody",), False),
    (b"No backend", ("no_healthy_target", "upstream_dns"), False),
)


class _Known:
    """Why connecting to a backend failed last: Varnish remembers a failure for a second, and then logs no reason."""

    def __init__(self) -> None:
        self._last: dict[bytes, tuple[float, Fits]] = {}

    def told(self, backend: bytes, moment: float, fits: Fits, error: bytes) -> Fits:
        """The kinds of a failure; of one without a reason those of the one before."""
        if b"errno 0" in error:
            before = self._last.get(backend)
            return before[1] if before is not None and abs(moment - before[0]) <= _REMEMBERED_S else fits
        if b"errno" in error and len(self._last) < _MOST_BACKENDS:
            self._last[backend] = moment, fits
        return fits


_REMEMBERED_S = 3.0  # a second, and time stamps in whole seconds
_MOST_BACKENDS = 1_000


def _judged(found: Event, errors: list[bytes], status: int, known: _Known) -> Event:
    if not errors:
        return of_backend(found, status)
    error = errors[0]
    found.made_by_backend = False
    if b"HTC eof" in error or b"HTC idle" in error or b"Resource temporarily" in error or b"errno 104" in error:
        if status < 500:  # the second attempt was answered
            found.retried = found.fresh is False and found.took is not None and found.took <= RACE_S
            found.same_address = found.retried
            return found
        found.fits = closed_after(found.took)
        if found.fresh:
            found.fits = tuple(kind for kind in found.fits if kind != "race")
        elif found.fresh is False:
            found.fits = tuple(kind for kind in found.fits if kind != "plain_to_tls_backend")
        return found
    found.fits, found.sure = next(((fits, sure) for words, fits, sure in _ERRORS if words in error), (CLOSED, False))
    found.fits = known.told(error.partition(b":")[0], found.start, found.fits, error)
    return found


_TAG = re.compile(rb"^[-*]{1,3} +(\w+) +(.*?)\s*$")


class _Group:
    """What the tags of one group add up to. Times are seconds since 1970; `sent` is when the first attempt began."""

    def __init__(self) -> None:
        self.event = Event()
        self.status = b""
        self.errors: list[bytes] = []
        self.fetched = False
        self.begun: float | None = None
        self.sent: float | None = None
        self.ended: float | None = None
        self._opened = self._timed = False

    def take(self, name: bytes, value: bytes) -> bool:
        """One tag; False for a time stamp that is none."""
        found = self.event
        if name in (b"ReqMethod", b"BereqMethod"):
            found.method = found.method or value
        elif name in (b"ReqURL", b"BereqURL"):
            found.path = found.path or target_of(value)
        elif name in (b"RespStatus", b"BerespStatus"):
            self.fetched = self.fetched or name == b"BerespStatus"
            self.status = value if name == b"RespStatus" else self.status or value
        elif name == b"FetchError":
            self.errors.append(value)
            found.took = 0.0 if found.took is None else found.took
        elif name == b"BackendOpen" and not self._opened:
            self._opened = True
            _opened(found, value)
        elif name == b"Timestamp":
            return self._time(value)
        return True

    def _time(self, value: bytes) -> bool:
        moment = logged_number(value.partition(b": ")[2].partition(b" ")[0])
        if moment is None:
            return False
        self.begun = moment if self.begun is None else self.begun
        self.ended = moment
        if value.startswith(b"Bereq:") and self.sent is None:
            self.sent = moment
        elif self.sent is not None and self.errors and not self._timed:
            self._timed, self.event.took = True, moment - self.sent
        return True


class Log:
    """varnishlog in groups: a record is a request with what it made Varnish ask of its backend."""

    product, format = "varnish", "varnishlog"
    resolution_s = 1e-3
    replays = True

    def __init__(self) -> None:
        self._known = _Known()

    def parse(self, record: bytes) -> Event | None:
        lines = record.split(b"\n")
        if b"<< " not in lines[0]:
            return None
        group = _Group()
        for line in lines:
            tag = _TAG.match(line[:4000])
            if tag is not None and not group.take(tag[1], tag[2]):
                return None
        found = group.event
        if group.begun is None or group.ended is None:
            return UNRELATED if b"<< Session" in lines[0] else None
        found.start, found.end = group.sent or group.begun, group.ended
        return self._settled(found, group.status, group.errors, group.fetched)

    def _settled(self, found: Event, status: bytes, errors: list[bytes], fetched: bool) -> Event | None:
        if len(status) != 3 or not status.isdigit():
            return UNRELATED
        found.status = int(status)
        if found.status == 503 and not errors and not fetched:  # grouped by transaction: the fetch stands elsewhere
            found.fits = _503
            return found
        return _judged(found, errors, found.status, self._known)
