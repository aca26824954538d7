"""Envoy and Istio: response flags say who ended a request; details and the transport failure say how.

One flag, UC, stands for a race, a crash, a backend that hangs up and plain HTTP to a TLS port: duration and idle age
tell them apart. `%UPSTREAM_LOCAL_ADDRESS%` (in Istio's default format) names the very connection.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from btdiag.logs import quick, times
from btdiag.logs.event import UNRELATED, Event, Fits, closed_after
from btdiag.logs.products.common import of_backend, split_request
from btdiag.logs.times import logged_number

_SLOW_S = 0.2  # a refusal answers at once; a connect timeout is not set lower than this

_FLAGS: Mapping[bytes, tuple[Fits, bool]] = {
    b"DC": (("client_abort",), True),
    b"UT": (("upstream_timeout",), True),
    b"SI": (("upstream_timeout",), False),
    b"UO": (("overload",), True),
    b"OM": (("overload",), True),
    b"RL": (("rate_limited",), True),
    b"RLSE": (("rate_limited",), False),
    b"UH": (("no_healthy_target", "upstream_dns"), False),
    b"LH": (("no_healthy_target",), False),
    b"UMSDR": (("upstream_timeout",), True),
    b"DF": (("upstream_dns",), True),
    b"DT": (("upstream_timeout",), False),
}


def envoy_event(fields: Mapping[str, bytes]) -> Event | None:
    """The request that the operators of an access log tell of."""
    start = times.iso(fields.get("start", b""))
    status = fields.get("status", b"")
    if start is None or not status.isdigit() or len(status) > 3:
        return None
    found = Event()
    found.status = code = int(status)
    took = logged_number(fields.get("duration_ms", b""))
    found.start = start
    found.end = start + (took / 1000 if took is not None else 0.0)
    if "request" in fields:
        found.method, found.path = split_request(fields["request"])
    else:
        found.method, found.path = fields.get("method", b""), fields.get("path", b"")
    found.ident, found.agent = fields.get("request_id", b""), fields.get("agent", b"")
    host = fields.get("upstream_host", b"-")
    cluster = fields.get("cluster", b"")
    found.upstream = host if host not in (b"-", b"") else cluster
    found.client = fields.get("client", b"")
    local = fields.get("local_address", b"-")
    identity = local if local not in (b"-", b"") else fields.get("upstream_connection_id", b"")
    found.connection = identity if identity not in (b"0", b"-", b"") else b""
    attempts = logged_number(fields.get("attempts", b"1"))
    found.retried = code < 500 and attempts is not None and attempts > 1
    if found.retried:
        found.connection = b""  # it is that of the last attempt, which was answered
    return _judged(found, code, fields, took)


def _judged(found: Event, code: int, fields: Mapping[str, bytes], took: float | None) -> Event:
    flags = fields.get("flags", b"-")
    if flags in (b"-", b""):
        return _own_answer(found, code, fields.get("details", b"-"))
    found.made_by_backend = False
    seconds = took / 1000 if took is not None else None
    for flag in flags.split(b","):
        fits, sure = _by_flag(flag, code, fields, seconds)
        if fits:
            found.fits, found.sure = fits, sure
            if flag == b"UC":
                found.took = seconds
            break
    return found


def _own_answer(found: Event, code: int, details: bytes) -> Event:
    """No flag: the backend answered, or Envoy by a filter or a route of its own."""
    if details in (b"-", b"", b"via_upstream"):
        return of_backend(found, code)
    if code in (413, 431) or b"payload_too_large" in details or b"headers_too_large" in details:
        found.fits, found.sure = ("request_too_large",), True
    elif code == 429:
        found.fits, found.sure = ("rate_limited",), True
    elif found.method == b"OPTIONS" and 400 <= code < 500:
        found.fits, found.sure = ("cors_preflight_refused",), True
    return found


def _by_flag(flag: bytes, code: int, fields: Mapping[str, bytes], took: float | None) -> tuple[Fits, bool]:
    if flag in _FLAGS:
        return _FLAGS[flag]
    if flag in (b"UC", b"UR", b"LR"):
        details = fields.get("details", b"") + fields.get("failure", b"")
        return (("tls_to_backend",), True) if b"TLS_error" in details else (closed_after(took), False)
    if flag == b"UF":
        return _unconnected(fields, took)
    if flag == b"UPE":
        return (("cut_midbody",), True) if 0 < code < 400 else (("response_too_large", "plain_to_tls_backend"), False)
    if flag == b"DPE":
        return (("request_too_large",), code in (413, 431)) if code != 400 else ((), False)
    return (), False


def _unconnected(fields: Mapping[str, bytes], took: float | None) -> tuple[Fits, bool]:
    told = fields.get("details", b"") + b" " + fields.get("failure", b"")
    if b"TLS" in told or b"CERTIFICATE" in told:
        return ("tls_to_backend",), True
    if b"onnection_refused" in told or b"onnection refused" in told:
        return ("refused",), True
    if b"timeout" in told:
        return ("connect_timeout",), True
    if took is not None and took >= _SLOW_S:
        return ("connect_timeout", "tls_to_backend", "refused"), False
    return ("refused", "tls_to_backend", "connect_timeout"), False


_BEGIN = rb'^\[(\d{4}-\d\d-\d\dT[^\]]{8,30})\] "((?:[^"\\]|\\.)*)" (\d{1,3}) (\S+) '
_DEFAULT = re.compile(
    _BEGIN + rb'(\d+|-) (\d+|-) (\d+|-) (\d+|-) "([^"]*)" "((?:[^"\\]|\\.)*)" "([^"]*)" "([^"]*)" "([^"]*)"'
)
_ISTIO = re.compile(
    _BEGIN + rb'(\S+) (\S+) "((?:[^"\\]|\\.)*)" (\d+|-) (\d+|-) (\d+|-) (\d+|-) "([^"]*)" "((?:[^"\\]|\\.)*)" '
    rb'"([^"]*)" "([^"]*)" "([^"]*)" (\S+) (\S+) (\S+) (\S+)'
)
_ISTIO_ROLES = (
    "start", "request", "status", "flags", "details", "", "failure", "", "", "duration_ms", "", "", "agent",
    "request_id", "", "upstream_host", "cluster", "local_address",
)  # fmt: skip
_DEFAULT_ROLES = (
    "start", "request", "status", "flags", "", "", "duration_ms", "", "", "agent", "request_id", "", "upstream_host",
)  # fmt: skip
_TALK = re.compile(rb"^\[\d{4}-\d\d-\d\d [\d:.]+\]\[\d+\]\[\w+\]|^\d{4}-\d\d-\d\dT[\d:.]+Z\t\w+\t")


class TextLog:
    """Envoy's default format, and Istio's."""

    product, format = "envoy", "envoy-default"
    resolution_s = 1e-3
    replays = True

    def __init__(self) -> None:
        self.quick = quick.envoy()

    def parse(self, line: bytes) -> Event | None:
        match = _ISTIO.match(line)
        if match is not None:
            if self.format != "istio-default":
                self.format, self.quick = "istio-default", quick.istio()
            return envoy_event(dict(zip(_ISTIO_ROLES, match.groups(), strict=False)))
        match = _DEFAULT.match(line)
        if match is not None:
            return envoy_event(dict(zip(_DEFAULT_ROLES, match.groups(), strict=False)))
        return UNRELATED if _TALK.match(line) else None


_KEYS: Mapping[str, tuple[str, ...]] = {
    "start": ("start_time", "timestamp", "time"),
    "status": ("response_code", "status"),
    "flags": ("response_flags", "flags"),
    "details": ("response_code_details", "details"),
    "failure": ("upstream_transport_failure_reason",),
    "duration_ms": ("duration", "duration_ms"),
    "method": ("method",),
    "path": ("path", "x-envoy-original-path", "x_envoy_original_path"),
    "request_id": ("request_id", "x_request_id"),
    "upstream_host": ("upstream_host",),
    "cluster": ("upstream_cluster",),
    "local_address": ("upstream_local_address",),
    "upstream_connection_id": ("upstream_connection_id",),
    "attempts": ("upstream_request_attempt_count",),
    "agent": ("user_agent",),
    "client": ("downstream_remote_address",),
}


class EnvoyJsonLog:
    """JSON with Envoy's or Istio's keys."""

    product, format = "envoy", "envoy-json"
    resolution_s = 1e-3
    replays = True

    def accepts(self, record: Mapping[str, Any]) -> bool:
        """Whether the keys are those of this format."""
        return "response_flags" in record and ("response_code" in record or "start_time" in record)

    def event(self, record: Mapping[str, Any]) -> Event | None:
        """The request of one record."""
        fields: dict[str, bytes] = {}
        for role, names in _KEYS.items():
            value = next((record[name] for name in names if record.get(name) is not None), None)
            if value is not None:
                fields[role] = str(value).encode("utf-8", "replace")
        return envoy_event(fields)
