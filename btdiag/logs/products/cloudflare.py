"""Cloudflare Logpush (http_requests): codes 520 to 530 are its own; no handshake means a reused connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from btdiag.logs import times
from btdiag.logs.event import Event, Fits, closed_after
from btdiag.logs.products.common import of_backend
from btdiag.logs.times import logged_number

_CODES: Mapping[int, tuple[Fits, bool]] = {
    521: (("refused",), True),
    522: (("connect_timeout",), True),
    523: (("connect_timeout", "refused", "upstream_dns"), False),
    524: (("upstream_timeout",), True),
    525: (("tls_to_backend",), True),
    526: (("tls_to_backend",), True),
    530: (("upstream_dns",), False),
    499: (("client_abort",), True),
    413: (("request_too_large",), True),
    414: (("request_too_large",), True),
    431: (("request_too_large",), True),
    429: (("rate_limited",), True),
    504: (("upstream_timeout", "connect_timeout"), False),
}

_TEXTS = (
    ("method", "ClientRequestMethod"),
    ("path", "ClientRequestURI"),
    ("client", "ClientIP"),
    ("agent", "ClientRequestUserAgent"),
    ("ident", "RayID"),
    ("upstream", "OriginIP"),
    ("node", "EdgeColoCode"),
)


class Logpush:
    """One JSON record a request."""

    product, format = "cloudflare", "cloudflare-logpush-json"
    resolution_s = 1e-3
    replays = True

    def accepts(self, record: Mapping[str, Any]) -> bool:
        """Whether the keys are those of this format."""
        return "EdgeResponseStatus" in record and "EdgeStartTimestamp" in record

    def event(self, record: Mapping[str, Any]) -> Event | None:
        """The request of one record; times as RFC 3339, or seconds or nanoseconds since 1970."""
        start, end = _moment(record.get("EdgeStartTimestamp")), _moment(record.get("EdgeEndTimestamp"))
        status = logged_number(record.get("EdgeResponseStatus"))
        if start is None or status is None:
            return None
        found = Event()
        found.status = code = int(status)
        found.start, found.end = start, end if end is not None else start
        for name, key in _TEXTS:
            setattr(found, name, str(record.get(key) or "").encode("utf-8", "replace"))
        shakes = [logged_number(record.get(f"Origin{kind}HandshakeDurationMs")) for kind in ("TCP", "TLS")]
        found.fresh = any(shakes) if None not in shakes else None
        origin = logged_number(record.get("OriginResponseStatus"))
        if origin:
            return of_backend(found, code)
        return _own(found, code, record)


def _own(found: Event, code: int, record: Mapping[str, Any]) -> Event:
    found.made_by_backend = False
    took = logged_number(record.get("OriginResponseDurationMs"))
    if code in (502, 520):
        found.took = took / 1000 if took is not None else found.end - found.start
        found.fits = closed_after(found.took)
        if code == 520:
            found.fits = (*found.fits, "response_too_large")
        if found.fresh:
            found.fits = tuple(kind for kind in found.fits if kind != "race")
    elif code in _CODES:
        found.fits, found.sure = _CODES[code]
    elif code in (500, 503):
        found.fits = ("overload", "no_healthy_target")
    return found


def _moment(value: object) -> float | None:
    if isinstance(value, str):
        return times.iso(value.encode("utf-8", "replace"))
    found = logged_number(value)
    if found is None and isinstance(value, int):
        return value / 1e9
    return found / 1e9 if found is not None and found > 1e11 else found
