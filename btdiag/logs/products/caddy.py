"""Caddy: an answer of its own is empty and has no header but its name; the error log has Go's words for the cause."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from btdiag.logs.event import RACE_S, UNRELATED, Event, closed_after
from btdiag.logs.products.common import of_backend
from btdiag.logs.products.traefik import cause
from btdiag.logs.times import iso, logged_number


def _request(found: Event, record: Mapping[str, Any]) -> bool:
    """Fill in what both logs share; False where it is missing."""
    request = record.get("request")
    moment = record.get("ts")
    end = logged_number(moment) if not isinstance(moment, str) else logged_number(moment) or iso(moment.encode())
    if not isinstance(request, Mapping) or end is None:
        return False
    found.end = end
    found.start = end - (logged_number(record.get("duration")) or 0.0)
    found.method = str(request.get("method", "")).encode("utf-8", "replace")
    found.path = str(request.get("uri", "")).encode("utf-8", "replace")
    found.client = f"{request.get('remote_ip', '')}:{request.get('remote_port', '')}".encode()
    found.status = int(logged_number(record.get("status")) or 0)
    return True


class AccessLog:
    """`log` of a site: one record a request."""

    product, format = "caddy", "caddy-access-json"
    resolution_s = 1e-3
    replays = True

    def accepts(self, record: Mapping[str, Any]) -> bool:
        """Whether the keys are those of this format."""
        return "request" in record and "resp_headers" in record and "ts" in record

    def event(self, record: Mapping[str, Any]) -> Event | None:
        """The request of one record. Caddy does not say which backend it asked: a pool is told by the path."""
        found = Event()
        if not _request(found, record) or logged_number(record.get("status")) is None:
            return None
        status, took = found.status, found.end - found.start
        headers = record.get("resp_headers")
        own = logged_number(record.get("size")) == 0 and isinstance(headers, Mapping) and "Date" not in headers
        if status in (0, 499):
            found.fits, found.sure = ("client_abort",), True
        elif status in (414, 431) or (own and status == 413):
            found.fits, found.sure = ("request_too_large",), True
        elif own and status == 502:
            found.took, found.made_by_backend = took, False
            found.fits = _empty_502(took)
        elif own and status == 503:
            found.fits = ("no_healthy_target", "overload")
        elif own and status == 504:
            found.fits, found.took = ("upstream_timeout", "connect_timeout"), took
        else:
            of_backend(found, status)
        return found


def _empty_502(took: float) -> tuple[str, ...]:
    more = ("upstream_dns", "tls_to_backend", "request_too_large")
    if took > RACE_S:
        return (*closed_after(took), "connect_timeout", *more)
    return (*closed_after(took), "refused", *more)


class CaddyErrorLog:
    """`http.log.error` and the reverse proxy's own words."""

    product, format = "caddy", "caddy-error-json"
    resolution_s = 1e-3
    replays = False

    def accepts(self, record: Mapping[str, Any]) -> bool:
        """Whether the keys are those of this format."""
        return "level" in record and "msg" in record and "ts" in record

    def event(self, record: Mapping[str, Any]) -> Event | None:
        """A failure that the log tells of."""
        found = Event()
        found.is_request = False
        message = str(record.get("msg", ""))
        if "aborting with incomplete response" in message:
            return self._cut(found, record)
        if not str(record.get("logger", "")).startswith("http.log.error") or not _request(found, record):
            return UNRELATED if isinstance(record.get("ts"), int | float | str) else None
        found.fits, found.sure = cause(message)
        if found.fits[:1] == ("race",):
            found.took = found.end - found.start
            found.fits = closed_after(found.took)
        if found.fits == ("client_abort",):
            found.sure = found.status in (0, 499)
        return found if found.fits else UNRELATED

    def _cut(self, found: Event, record: Mapping[str, Any]) -> Event | None:
        moment = logged_number(record.get("ts"))
        if moment is None:
            return None
        found.start = found.end = moment
        words = str(record.get("error", ""))
        found.fits = ("client_abort",) if "context canceled" in words else ("cut_midbody",)
        if "timeout" in words:
            found.fits = ("cut_midbody", "upstream_timeout")
        found.sure = len(found.fits) == 1
        return found
