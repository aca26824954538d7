"""Google Cloud's HTTPS load balancer in Cloud Logging: `statusDetails` says who ended a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from btdiag.logs import times
from btdiag.logs.event import RACE_S, Event, Fits, closed_after
from btdiag.logs.products.common import of_backend, target_of
from btdiag.logs.times import logged_number

_DETAILS: Mapping[str, tuple[Fits, bool]] = {
    "failed_to_connect_to_backend": (("refused", "tls_to_backend", "connect_timeout"), False),
    "failed_to_pick_backend": (("no_healthy_target",), False),
    "backend_timeout": (("upstream_timeout",), True),
    "backend_response_headers_too_long": (("response_too_large",), True),
    "backend_connection_closed_after_partial_response_sent": (("cut_midbody",), True),
    "backend_early_response_with_non_error_status": ((), False),
    "client_disconnected_before_any_response": (("client_abort",), True),
    "client_disconnected_after_partial_response": (("client_abort",), True),
    "client_timed_out": (("client_abort",), False),
    "headers_too_long": (("request_too_large",), True),
    "request_header_fields_too_large": (("request_too_large",), True),
    "uri_too_long": (("request_too_large",), True),
    "body_too_large": (("request_too_large",), True),
    "throttled_by_security_policy": (("rate_limited",), True),
    "ssl_certificate_chain_verification_failed": (("tls_to_backend",), False),
    "handled_by_identity_aware_proxy": ((), False),
    "denied_by_security_policy": ((), False),
}


class CloudLogging:
    """Entries of `loadbalancing.googleapis.com/requests`, one a line."""

    product, format = "gcp-lb", "gcp-https-lb-json"
    resolution_s = 1e-3
    replays = True

    def accepts(self, record: Mapping[str, Any]) -> bool:
        """Whether the keys are those of this format."""
        return "httpRequest" in record and "jsonPayload" in record

    def event(self, record: Mapping[str, Any]) -> Event | None:
        """The request of one record. The time stamp is its arrival."""
        request, payload = record.get("httpRequest"), record.get("jsonPayload")
        start = times.iso(str(record.get("timestamp", "")).encode())
        if not isinstance(request, Mapping) or not isinstance(payload, Mapping) or start is None:
            return None
        status = logged_number(request.get("status", 0))
        if status is None:
            return None
        found = Event()
        found.status = code = int(status)
        took = logged_number(request.get("latency")) or 0.0
        found.start, found.end = start, start + took
        found.method = str(request.get("requestMethod", "")).encode("utf-8", "replace")
        found.path = target_of(str(request.get("requestUrl", "")).encode("utf-8", "replace"))
        found.client = str(request.get("remoteIp", "")).encode("utf-8", "replace")
        found.agent = str(request.get("userAgent", "")).encode("utf-8", "replace")
        found.upstream = _pool(record, request)
        found.ident = str(record.get("insertId", "")).encode("utf-8", "replace")
        return _judged(found, code, str(payload.get("statusDetails", "")), took)


def _judged(found: Event, code: int, details: str, took: float) -> Event:
    if details == "response_sent_by_backend":
        return of_backend(found, code)
    found.made_by_backend = False
    if details == "backend_connection_closed_before_data_sent_to_client":
        found.took = took
        found.fits = closed_after(took)
    elif details == "banned_by_security_policy" or (code == 429 and "security_policy" in details):
        found.fits, found.sure = ("rate_limited",), True
    elif details in _DETAILS:
        found.fits, found.sure = _DETAILS[details]
        if details == "failed_to_connect_to_backend" and took > RACE_S:
            found.fits = ("connect_timeout", "refused", "tls_to_backend")
    elif code >= 500:
        found.fits = ("no_healthy_target", "overload", "app_5xx")
    return found


def _pool(record: Mapping[str, Any], request: Mapping[str, Any]) -> bytes:
    resource = record.get("resource")
    labels = resource.get("labels") if isinstance(resource, Mapping) else None
    service = labels.get("backend_service_name", "") if isinstance(labels, Mapping) else ""
    return f"{service} {request.get('serverIp', '')}".strip().encode("utf-8", "replace")
