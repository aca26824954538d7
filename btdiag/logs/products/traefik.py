"""Traefik: its access log mirrors its own 502 as the origin's; the length of its own texts gives it away.

"Bad Gateway" has 11 characters, "Gateway Timeout" 15, "Internal Server Error" and "Client Closed Request" 21 (measured,
3.7). The cause stands only in the DEBUG log; TLS errors at the default level too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from btdiag.logs import times
from btdiag.logs.event import RACE_S, UNRELATED, Event, Fits, closed_after
from btdiag.logs.products.common import of_backend
from btdiag.logs.times import logged_number

_OWN = {502: 11, 504: 15, 500: 21, 499: 21, 503: 19}


def _own_fits(status: int, took: float | None) -> tuple[Fits, bool]:
    if status == 504:
        return ("upstream_timeout", "connect_timeout"), False
    if status == 500:
        return ("tls_to_backend",), False
    if took is not None and took > RACE_S:
        return (*closed_after(took), "upstream_dns", "response_too_large"), False
    return (*closed_after(took), "refused", "upstream_dns", "response_too_large"), False


def _without_service(found: Event, status: int) -> Event:
    """No service was asked: a middleware or the router answered."""
    found.made_by_backend = False
    if status in (413, 414, 431):
        found.fits, found.sure = ("request_too_large",), True
    elif status == 429:
        found.fits = ("rate_limited", "overload")
    elif status == 503:
        found.fits = ("no_healthy_target", "overload")
    elif status == 499:
        found.fits, found.sure = ("client_abort",), True
    elif found.method == b"OPTIONS" and status in (400, 401, 403, 405):
        found.fits, found.sure = ("cors_preflight_refused",), True
    elif status >= 500:
        found.fits = ("no_healthy_target", "overload", "app_5xx")
    return found


class TraefikJsonLog:
    """The access log as JSON."""

    product, format = "traefik", "traefik-json"
    resolution_s = 1e-3
    replays = True

    def accepts(self, record: Mapping[str, Any]) -> bool:
        """Whether the keys are those of this format."""
        return "DownstreamStatus" in record or ("OriginStatus" in record and "RequestMethod" in record)

    def event(self, record: Mapping[str, Any]) -> Event | None:
        """The request of one record; durations are nanoseconds."""
        start = times.iso(str(record.get("StartUTC") or record.get("time", "")).encode())
        status = logged_number(record.get("DownstreamStatus", record.get("OriginStatus")))
        if start is None or status is None:
            return None
        found = Event()
        found.status = code = int(status)
        duration = logged_number(record.get("Duration")) or 0.0
        found.start, found.end = start, start + duration / 1e9
        found.method = str(record.get("RequestMethod", "")).encode("utf-8", "replace")
        found.path = str(record.get("RequestPath", "")).encode("utf-8", "replace")
        found.agent = str(record.get("request_User-Agent", "")).encode("utf-8", "replace")
        found.client = str(record.get("ClientAddr", "")).encode("utf-8", "replace")
        found.upstream = str(record.get("ServiceAddr") or record.get("ServiceURL") or "").encode("utf-8", "replace")
        origin = logged_number(record.get("OriginDuration")) or 0.0
        silent = code >= 400 and origin == 0 and not logged_number(record.get("OriginStatus"))
        if silent or not record.get("ServiceName"):
            return _without_service(found, code)
        return self._served(found, code, record, origin / 1e9)

    def _served(self, found: Event, code: int, record: Mapping[str, Any], took: float) -> Event:
        retries = logged_number(record.get("RetryAttempts")) or 0
        if code == 499:
            found.fits, found.sure = ("client_abort",), True
            return found
        size = logged_number(record.get("OriginContentSize"))
        if size is None or not logged_number(record.get("OriginStatus")):
            size = logged_number(record.get("DownstreamContentSize"))
        if code in _OWN and size == _OWN[code]:
            found.made_by_backend, found.took = False, took if not retries else None
            found.fits, found.sure = _own_fits(code, found.took)
            return found
        if code < 400 and logged_number(record.get("OriginStatus")) == 0:
            found.text = b"no origin status"
            return found
        found.retried = code < 500 and retries > 0
        return of_backend(found, code)


_COMMON = re.compile(
    rb'^(\S+) - (\S+) \[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}|-) (\d+|-) "([^"]*)" "((?:[^"\\]|\\.)*)" '
    rb'(\d+) "([^"]*)" "([^"]*)" (\d+)ms'
)


class CommonLog:
    """Traefik's own extension of the common log format."""

    product, format = "traefik", "traefik-common"
    resolution_s = 1.0
    replays = True

    def parse(self, line: bytes) -> Event | None:
        match = _COMMON.match(line)
        if match is None:
            return None
        client, _, moment, request, status, size, _, agent, _, router, url, took = match.groups()
        start = times.clf_time(moment)
        if start is None or status == b"-":
            return None
        found = Event()
        found.status = code = int(status)
        found.start, found.end = start, start + int(took) / 1000
        found.method, _, rest = request.partition(b" ")
        found.path = rest.rpartition(b" ")[0]
        found.client, found.agent = client, agent
        found.upstream = url if url != b"-" else b""
        if url in (b"-", b"") and code != 499:
            return _without_service(found, code) if router != b"-" or code != 404 else found
        if code == 499:
            found.fits, found.sure = ("client_abort",), True
        elif code in _OWN and size == str(_OWN[code]).encode():
            found.took = int(took) / 1000
            found.fits, found.sure = _own_fits(code, found.took)
        else:
            of_backend(found, code)
        return found


_CAUSES: tuple[tuple[str, Fits, bool], ...] = (
    ("connection refused", ("refused",), True),
    ("no such host", ("upstream_dns",), True),
    ("dial tcp: lookup ", ("upstream_dns",), True),
    ("no route to host", ("refused", "connect_timeout"), False),
    ("server misbehaving", ("upstream_dns",), True),
    ("first record does not look like a TLS handshake", ("tls_to_backend",), True),
    ("malformed HTTP response", ("plain_to_tls_backend",), False),
    ("tls: ", ("tls_to_backend",), True),
    ("x509: ", ("tls_to_backend",), True),
    ("http: request body too large", ("request_too_large",), True),
    ("timeout awaiting response headers", ("upstream_timeout",), True),
    ("i/o timeout", ("connect_timeout",), True),
    ("context deadline exceeded", ("upstream_timeout", "connect_timeout"), False),
    ("context canceled", ("client_abort",), False),
    ("connection reset by peer", closed_after(None), False),
    ("broken pipe", closed_after(None), False),
    ("use of closed network connection", closed_after(None), False),
    ("EOF", closed_after(None), False),
    ("server closed idle connection", closed_after(None), False),
    ("no upstreams available", ("no_healthy_target", "overload"), False),
    ("server response headers exceeded", ("response_too_large",), True),
)
"""The words of Go's http client, which Traefik and Caddy hand on."""


def cause(error: str) -> tuple[Fits, bool]:
    """What the words of Go's http client say."""
    return next(((fits, sure) for words, fits, sure in _CAUSES if words in error), ((), False))


_LOG_TEXT = re.compile(
    rb"^(\d{4}-\d\d-\d\dT\S+) (?:\x1b\[\d+m)*(?:DBG|INF|WRN|ERR|FTL|DEBUG|INFO|WARN|ERROR)\b(.*)", re.DOTALL
)
_LOG_ERROR = re.compile(rb'error=(?:\x1b\[[\d;]*m)*("(?:[^"\\]|\\.)*"|\S+)')
_STATUS = re.compile(rb"\b(?:502 Bad Gateway|504 Gateway Timeout|500 Internal Server Error|503 Service|499 Client)")


def _of_log(moment: float | None, message: str, error: str) -> Event | None:
    if moment is None:
        return None
    if not _STATUS.search(message.encode("utf-8", "replace")):
        return UNRELATED
    found = Event()
    found.start = found.end = moment
    found.is_request = False
    found.fits, found.sure = cause(error)
    found.status = int(message[:3]) if message[:3].isdigit() else 0
    return found if found.fits else UNRELATED


class ProgramLog:
    """Traefik's own log as JSON."""

    product, format = "traefik", "traefik-log-json"
    resolution_s = 1.0
    replays = False

    def accepts(self, record: Mapping[str, Any]) -> bool:
        """Whether the keys are those of this format."""
        return "level" in record and "message" in record and "time" in record and "logger" not in record

    def event(self, record: Mapping[str, Any]) -> Event | None:
        """A failure that the log tells of."""
        moment = times.iso(str(record.get("time", "")).encode())
        return _of_log(moment, str(record.get("message", "")), str(record.get("error", "")))


class ProgramText:
    """Traefik's own log as text."""

    product, format = "traefik", "traefik-log"
    resolution_s = 1.0
    replays = False

    def parse(self, line: bytes) -> Event | None:
        match = _LOG_TEXT.match(line)
        if match is None:
            return None
        status = _STATUS.search(match[2])
        error = _LOG_ERROR.search(match[2])
        words = error[1].decode("utf-8", "replace") if error else ""
        return _of_log(times.iso(match[1]), status[0].decode() if status else "", words)
