"""Apache httpd: its access log with the fields that tell who answered, and its error log in pairs of lines.

A backend slower than ProxyTimeout gives 502, not 504 (measured, 2.4.71); `%L` and `%{error-notes}n` are set only when
httpd made the answer.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping

from btdiag.logs import times
from btdiag.logs.event import CLOSED, RACE_S, UNRELATED, Event, Fits, closed_after
from btdiag.logs.products.common import LB_502, of_backend, split_request, status_alone
from btdiag.logs.times import logged_number

_NONE = (b"-", b"")
_QUICK_S = 0.02  # a refusal or a worker that is set aside answers within 5 ms (measured); a wait for a worker is longer


def apache_event(fields: Mapping[str, bytes]) -> Event | None:
    """The request of an access log; None where its status or time is none."""
    status = fields.get("status", b"")
    if len(status) != 3 or not status.isdigit():
        return None
    found = Event()
    found.status = code = int(status)
    start = times.clf_time(fields.get("time_local", b""))
    if start is None:
        return None
    took = logged_number(fields.get("duration_us", b""))
    found.start = start
    found.end = start + (took / 1e6 if took is not None else 0.0)
    found.method, found.path = split_request(fields.get("request", b""))
    found.client, found.agent = fields.get("client", b""), fields.get("agent", b"")
    found.ident = fields.get("log_id", b"").replace(b"-", b"")
    size = fields.get("bytes", b"")
    found.size = int(size) if size.isdigit() else 0
    if "note" not in fields and "log_id" not in fields:
        return _bare(found, code)
    return _rich(found, code, fields, took / 1e6 if took is not None else None)


def _bare(found: Event, code: int) -> Event:
    status_alone(found, code)
    if code == 502:
        found.fits = (*LB_502, "upstream_timeout", "app_5xx")
    elif code == 503:
        found.fits = ("refused", "no_healthy_target", "connect_timeout", "overload", "app_5xx")
    elif code == 500:
        found.fits = ("app_5xx", "tls_to_backend", "upstream_dns")
    return found


def _rich(found: Event, code: int, fields: Mapping[str, bytes], took: float | None) -> Event:
    note = fields.get("note", b"-")
    own = note not in _NONE or fields.get("log_id", b"-") not in _NONE
    if b"exceeds server limit" in note or code in (413, 414, 431):
        found.fits, found.sure = ("request_too_large",), True
        return found
    if not own or code < 500:
        of_backend(found, code)
        found.sure = found.sure and code < 500
        return found
    found.made_by_backend = False
    found.took = took
    found.fits, found.sure = _own(code, note, took, fields.get("worker", b"-") not in _NONE)
    return found


def _own(code: int, note: bytes, took: float | None, balanced: bool) -> tuple[Fits, bool]:
    if b"DNS lookup failure" in note:
        return ("upstream_dns",), True
    if b"SSL Handshake" in note:
        return ("tls_to_backend",), True
    if code == 502 and note in _NONE:
        return ("response_too_large", "app_5xx"), False
    if code == 502:
        waited = took is not None and took > RACE_S
        return ((*CLOSED[1:4], "upstream_timeout") if waited else closed_after(took)), False
    if code == 503:
        quick = took is None or took <= _QUICK_S
        if balanced:
            return (("no_healthy_target", "refused", "overload") if quick else ("overload", "connect_timeout")), False
        return (("refused", "no_healthy_target") if quick else ("connect_timeout", "overload")), False
    return ("app_5xx",), False


_ERROR = re.compile(
    rb"^\[(\w{3} \w{3} [ \d]\d [\d:.]{8,15} \d{4})\] \[([\w.-]*):(\w+)\] \[pid ([^\]]{1,40})\] (.*)", re.DOTALL
)
_CLIENT = re.compile(rb"\[client ([^\]]+)\]")
_ADDRESS = re.compile(rb"attempt to connect to (\S+)")
_PATH = re.compile(rb"returned by (\S+)")
_REMEMBERED = 1024
_CODES: tuple[tuple[bytes, Fits, bool], ...] = (
    (b"AH00941", ("overload",), True),
    (b"AH10124", ("response_too_large",), True),
    (b"AH01106", ("response_too_large",), True),
    (b"AH02039", ("tls_to_backend",), True),
    (b"AH01084", ("tls_to_backend", *CLOSED), False),
    (b"AH01961", ("tls_to_backend",), False),
    (b"AH00565", ("request_too_large",), True),
    (b"AH00566", ("request_too_large",), True),
    (b"AH00567", ("request_too_large",), True),
    (b"AH01588", ("request_too_large",), True),
    (b"AH00135", ("request_too_large",), False),
)


class ApacheErrorLog:
    """Apache's error log. A failure has two or three lines; the later ones mean what the first of their thread did."""

    product, format = "apache", "apache-error"
    resolution_s = 1e-3
    replays = False

    def __init__(self) -> None:
        self._threads: OrderedDict[bytes, tuple[Fits, bool, bytes]] = OrderedDict()

    def parse(self, line: bytes) -> Event | None:
        match = _ERROR.match(line)
        if match is None:
            return None
        moment = times.ctime(match[1])
        if moment is None:
            return None
        text = match[5]
        told = self._told(text, match[4])
        if told is None:
            return UNRELATED
        found = Event()
        found.start = found.end = moment
        found.is_request = False
        found.fits, found.sure, found.upstream = told
        client = _CLIENT.search(text)
        found.client = client[1] if client else b""
        path = _PATH.search(text)
        found.path = path[1] if path else b""
        return found

    def _told(self, text: bytes, thread: bytes) -> tuple[Fits, bool, bytes] | None:
        address = _ADDRESS.search(text)
        if b"AH00957" in text or b"AH00958" in text:
            return self._remember(thread, *_connect(text), address[1] if address else b"")
        if b"AH01102" in text:
            if b"(70007)" in text:
                return self._remember(thread, ("upstream_timeout",), True, b"")
            return self._remember(thread, CLOSED, False, b"")
        if b"DNS lookup failure" in text:
            return ("upstream_dns",), True, b""
        if b"SSL Handshake" in text:
            return self._remember(thread, ("tls_to_backend",), True, b"")
        if any(code in text for code in (b"AH01114", b"AH00898", b"AH00959", b"AH01097")):
            return self._threads.get(thread) or _follower(text)
        if b"AH01110" in text:
            stalled = b"(70007)" in text
            return (
                (("cut_midbody", "upstream_timeout", "client_abort") if stalled else ("cut_midbody",)),
                not stalled,
                b"",
            )
        for code, fits, sure in _CODES:
            if code in text:
                return self._remember(thread, fits, sure, b"")
        return None

    def _remember(self, thread: bytes, fits: Fits, sure: bool, upstream: bytes) -> tuple[Fits, bool, bytes]:
        self._threads[thread] = fits, sure, upstream
        if len(self._threads) > _REMEMBERED:
            self._threads.popitem(last=False)
        return fits, sure, upstream


def _connect(text: bytes) -> tuple[Fits, bool]:
    if b"(70007)" in text or b"(110)" in text:
        return ("connect_timeout",), True
    if b"(111)" not in text:
        return ("refused", "connect_timeout"), False
    return ("refused", "no_healthy_target"), False


def _follower(text: bytes) -> tuple[Fits, bool, bytes] | None:
    if b"AH01114" in text:
        return ("refused", "connect_timeout", "tls_to_backend", "no_healthy_target"), False, b""
    if b"Error reading from remote server" in text:
        return (*CLOSED, "upstream_timeout"), False, b""
    if b"AH01097" in text:
        return ("tls_to_backend", *CLOSED), False, b""
    return None
