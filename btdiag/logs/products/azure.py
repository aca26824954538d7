"""Azure Front Door and Application Gateway: the words of their error information."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from btdiag.logs import times
from btdiag.logs.event import UNRELATED, Event, Fits, closed_after
from btdiag.logs.products.common import of_backend, target_of
from btdiag.logs.times import logged_number

_DOOR: Mapping[str, tuple[Fits, bool]] = {
    "OriginConnectionRefused": (("refused",), True),
    "OriginTimeout": (("upstream_timeout", "connect_timeout"), False),
    "OriginConnectionError": (("refused", "connect_timeout", "tls_to_backend"), False),
    "OriginInvalidResponse": (("response_too_large", "upstream_timeout", "plain_to_tls_backend"), False),
    "DNSFailure": (("upstream_dns",), True),
    "DNSNameNotResolved": (("upstream_dns",), True),
    "DNSTimeout": (("upstream_dns",), True),
    "SSLHandshakeError": (("tls_to_backend",), True),
    "SSLInvalidRootCA": (("tls_to_backend",), True),
    "SSLInvalidCipher": (("tls_to_backend",), True),
    "SSLMismatchedSNI": (("tls_to_backend",), True),
    "CertificateNameCheckFailed": (("tls_to_backend",), True),
    "ResponseHeaderTooBig": (("response_too_large",), True),
    "ClientDisconnected": (("client_abort",), True),
    "UnspecifiedClientError": (("client_abort",), False),
    "RateLimited": (("rate_limited",), True),
}


class FrontDoor:
    """Front Door's access log (diagnostic settings)."""

    product, format = "azure-front-door", "azure-front-door-json"
    resolution_s = 1e-3
    replays = True

    def accepts(self, record: Mapping[str, Any]) -> bool:
        """Whether the keys are those of this format."""
        return isinstance(record.get("properties"), Mapping) and "FrontDoor" in str(record.get("category", ""))

    def event(self, record: Mapping[str, Any]) -> Event | None:
        """The request of one record. The time is that of its end."""
        properties = record["properties"]
        end = times.iso(str(record.get("time", "")).encode())
        status = logged_number(properties.get("httpStatusCode", properties.get("httpStatus")))
        if end is None or status is None:
            return None
        found = Event()
        found.status = code = int(status)
        took = logged_number(properties.get("timeTaken")) or 0.0
        found.end, found.start = end, end - took
        _named(found, properties)
        found.upstream = str(properties.get("originIp", "")).encode("utf-8", "replace")
        error = str(properties.get("errorInfo", "NoError"))
        if error in ("NoError", "") and code != 499:
            return of_backend(found, code)
        found.made_by_backend = False
        if error == "OriginConnectionAborted":
            found.took = took
            found.fits = closed_after(took)
        elif error in _DOOR:
            found.fits, found.sure = _DOOR[error]
        elif code == 499:
            found.fits, found.sure = ("client_abort",), True
        elif code >= 500:
            found.fits = ("app_5xx", "no_healthy_target")
        return found


def _named(found: Event, properties: Mapping[str, Any]) -> None:
    def text(name: str) -> bytes:
        return str(properties.get(name) or "").encode("utf-8", "replace")

    found.method, found.path = text("httpMethod"), target_of(text("requestUri"))
    found.agent, found.client = text("userAgent"), text("clientIp") or text("clientIP")
    found.ident = text("trackingReference") or text("transactionId")
    found.node = text("pop") or text("instanceId")


class AppGateway:
    """Application Gateway's access log (v2)."""

    product, format = "azure-app-gateway", "azure-app-gateway-json"
    resolution_s = 1.0
    replays = True

    def accepts(self, record: Mapping[str, Any]) -> bool:
        """Whether the keys are those of this format."""
        category = str(record.get("category", ""))
        return isinstance(record.get("properties"), Mapping) and "ApplicationGatewayAccess" in category

    def event(self, record: Mapping[str, Any]) -> Event | None:
        """The request of one record; the gateway's own probes are none."""
        properties = record["properties"]
        end = times.iso(str(record.get("timeStamp", record.get("time", ""))).encode())
        status = logged_number(properties.get("httpStatus"))
        if end is None or status is None:
            return None
        found = Event()
        found.status = code = int(status)
        took = logged_number(properties.get("timeTaken")) or 0.0
        found.end, found.start = end, end - took
        _named(found, properties)
        found.upstream = str(properties.get("serverRouted") or record.get("backendPoolName") or "").encode()
        port = str(properties.get("upstreamSourcePort") or "")
        found.connection = port.encode() if port not in ("", "0", "-") else b""
        if "probe" in str(properties.get("userAgent", "")).lower() and found.client == b"127.0.0.1":
            return UNRELATED
        return _gateway(found, code, properties, took)


def _gateway(found: Event, code: int, properties: Mapping[str, Any], took: float) -> Event:
    error = str(properties.get("error_info", ""))
    if "UPSTREAM_CLOSED_CONNECTION" in error:
        found.took = took
        found.fits = closed_after(took)
    elif "UPSTREAM_NO_LIVE" in error:
        routed = bool(properties.get("serverRouted"))
        found.fits = ("refused", "no_healthy_target") if routed else ("no_healthy_target", "refused")
    elif "UPSTREAM_TIMED_OUT" in error:
        found.fits = ("upstream_timeout", "connect_timeout")
    elif "CLIENT_CLOSED_REQUEST" in error or code == 499:
        found.fits, found.sure = ("client_abort",), True
    elif "CLIENT_TIMED_OUT" in error:
        found.fits = ("client_abort",)
    elif code in (413, 414):
        found.fits, found.sure = ("request_too_large",), True
    elif "ERRORINFO_INVALID_HEADER" in error:
        found.fits = ("request_too_large", "response_too_large")
    elif logged_number(properties.get("serverStatus")) is not None:
        return of_backend(found, code)
    elif code in (502, 504):
        found.fits = ("refused", "no_healthy_target", "upstream_timeout", "connect_timeout", *closed_after(took))
    else:
        return of_backend(found, code)
    found.made_by_backend = False
    return found
