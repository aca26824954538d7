"""AWS: Application Load Balancer, CloudFront (standard and real-time) and API Gateway logs, by their documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from btdiag.logs import quick, times
from btdiag.logs.event import CLOSED, RACE_S, UNRELATED, Event, Fits, closed_after
from btdiag.logs.products.common import of_backend, split_request, status_alone, target_of
from btdiag.logs.times import logged_number

_ALB = re.compile(
    rb"^(http|https|h2|grpcs|ws|wss) (\S+) (app/\S+) (\S+) (\S+) (-?[\d.]+) (-?[\d.]+) (-?[\d.]+) (\d{3}|-) (\d{3}|-) "
    rb'(\d+) (\d+) "([^"]*)" "([^"]*)" (\S+) (\S+) (\S+) "([^"]*)" "([^"]*)" "([^"]*)" (\S+) (\S+) "([^"]*)"'
)


class Alb:
    """Access logs of an Application Load Balancer. A file holds one node; its name says which."""

    product, format = "aws-alb", "aws-alb"
    resolution_s = 1e-3
    replays = True
    quick = quick.alb()

    def parse(self, line: bytes) -> Event | None:
        match = _ALB.match(line)
        if match is None:
            return None
        words = match.groups()
        end, begin = times.iso(words[1]), times.iso(words[21])
        if end is None:
            return None
        found = Event()
        found.end = end
        spent = [logged_number(one) or 0.0 for one in words[5:8]]
        found.start = begin if begin is not None else end - sum(max(one, 0) for one in spent)
        found.client, found.agent, found.ident = words[3], words[13], words[17]
        found.upstream = words[4] if words[4] != b"-" else b""
        found.method, url = split_request(words[12])
        found.path = target_of(url)
        if words[8] == b"-":
            return UNRELATED
        found.status = int(words[8])
        if words[9] != b"-":
            return of_backend(found, found.status)
        return _alb_own(found, found.status, spent, words[22])


def _alb_own(found: Event, status: int, spent: list[float], actions: bytes) -> Event:
    """The target's status is missing: the load balancer answered."""
    found.made_by_backend = False
    unreached = spent[1] < 0
    if status == 502 and not unreached:
        found.took = spent[1]
        found.fits = closed_after(found.took)
    elif status == 502:
        found.fits = ("refused", "tls_to_backend", "race", "backend_closed", "backend_crash")
    elif status == 504:
        found.fits = ("connect_timeout", "upstream_timeout") if unreached else ("upstream_timeout",)
        found.sure = not unreached
    elif status == 503:
        found.fits = ("no_healthy_target",) if not found.upstream else ("overload", "no_healthy_target")
    elif status == 460:
        found.fits, found.sure = ("client_abort",), True
    elif status in (413, 414):
        found.fits, found.sure = ("request_too_large",), True
    elif status == 400:
        found.fits = ("request_too_large",)
    elif status == 429:
        found.fits, found.sure = ("rate_limited",), True
    elif status == 403 and b"waf" in actions:
        found.fits = ()
    elif status >= 500:
        found.fits = ("overload", "app_5xx")
    return found


_RESULTS: Mapping[bytes, tuple[Fits, bool]] = {
    b"OriginDnsError": (("upstream_dns",), True),
    b"OriginConnectError": (("refused", "tls_to_backend", "connect_timeout"), False),
    b"OriginReadError": ((*CLOSED, "cut_midbody"), False),
    b"OriginWriteError": ((*CLOSED, "cut_midbody"), False),
    b"AbortedOrigin": ((*CLOSED, "cut_midbody"), False),
    b"OriginZeroSizeObjectError": (("cut_midbody",), False),
    b"OriginCommError": (("upstream_timeout", "connect_timeout", *CLOSED), False),
    b"OriginHeaderTooBigError": (("response_too_large",), True),
    b"OriginInvalidResponseError": (("response_too_large", "plain_to_tls_backend"), False),
    b"ClientCommError": (("client_abort",), True),
    b"ClientHungUpRequest": (("client_abort",), True),
    b"CapacityExceeded": (("overload",), True),
    b"LimitExceeded": (("overload", "rate_limited"), False),
}
_NEEDED = (b"sc-status", b"cs-method", b"x-edge-detailed-result-type")
_REALTIME: Mapping[bytes, int] = {
    b"timestamp": 0, b"c-ip": 1, b"time-to-first-byte": 2, b"sc-status": 3, b"cs-method": 5, b"cs-uri-stem": 8,
    b"x-edge-request-id": 11, b"time-taken": 14, b"cs(User-Agent)": 17, b"x-edge-detailed-result-type": -8,
}  # fmt: skip


class CloudFront:
    """Standard logs (columns named by `#Fields`), and real-time logs in the order of all fields."""

    product, format = "aws-cloudfront", "cloudfront-standard"
    resolution_s = 1.0
    replays = False

    def __init__(self) -> None:
        self._columns: dict[bytes, int] = {}

    def parse(self, line: bytes) -> Event | None:
        if line.startswith(b"#"):
            return self._header(line)
        words = line.split(b"\t")
        if self._columns:
            return self._event(words, self._columns) if len(words) >= len(self._columns) else None
        if len(words) < 40 or not re.fullmatch(rb"\d{10}\.\d{3}", words[0]) or not words[3].isdigit():
            return None
        self.format, self.resolution_s = "cloudfront-realtime", 1e-3
        results = [index for index, word in enumerate(words[20:], 20) if word in _RESULTS or word in _PLAIN]
        columns = dict(_REALTIME)
        columns[b"x-edge-detailed-result-type"] = results[-1] if results else 31
        return self._event(words, columns)

    def _header(self, line: bytes) -> Event | None:
        if line.startswith(b"#Fields:"):
            names = line[8:].split()
            columns = {name: index for index, name in enumerate(names)}
            if not all(name in columns for name in _NEEDED):
                return None
            self._columns = columns
        return UNRELATED if line.startswith((b"#Fields:", b"#Version:")) else None

    def _event(self, words: list[bytes], columns: Mapping[bytes, int]) -> Event | None:
        def word(name: bytes) -> bytes:
            index = columns.get(name, -1)
            return words[index] if 0 <= index < len(words) else b"-"

        stamp = (
            logged_number(word(b"timestamp"))
            if b"timestamp" in columns
            else times.iso(word(b"date") + b" " + word(b"time"))
        )
        status = word(b"sc-status")
        if stamp is None or not status.isdigit() or len(status) > 3:
            return None
        found = Event()
        found.end, found.status = stamp, int(status)
        found.took = logged_number(word(b"time-taken"))
        found.start = stamp - (found.took or 0.0)
        found.method, found.path = word(b"cs-method"), word(b"cs-uri-stem")
        found.ident, found.client, found.agent = word(b"x-edge-request-id"), word(b"c-ip"), word(b"cs(User-Agent)")
        result = word(b"x-edge-detailed-result-type")
        if result in _RESULTS:
            found.made_by_backend = False
            found.fits, found.sure = _RESULTS[result]
            if found.fits[0] == "race" and found.took is not None and found.took > RACE_S:
                found.fits = tuple(kind for kind in found.fits if kind != "race")
            return found
        if found.status == 0:
            found.fits, found.sure = ("client_abort",), True
            return found
        return of_backend(found, found.status)


_PLAIN = frozenset(
    {
        b"Hit", b"Miss", b"RefreshHit", b"Error", b"Redirect", b"Pass", b"LambdaGeneratedResponse",
        b"FunctionGeneratedResponse", b"OriginShieldHit", b"MissGeneratedResponse", b"AccessDenied",
    }
)  # fmt: skip


class ApiGateway:
    """API Gateway with `$context` variables as JSON, under their own names."""

    product, format = "aws-api-gateway", "aws-api-gateway-json"
    resolution_s = 1e-3
    replays = True

    def accepts(self, record: Mapping[str, Any]) -> bool:
        """Whether the keys are those of this format."""
        known = ("integrationStatus", "integrationLatency", "errorResponseType", "routeKey", "resourcePath")
        return sum(name in record for name in known) >= 2 and "status" in record

    def event(self, record: Mapping[str, Any]) -> Event | None:
        """The request of one record."""
        epoch = logged_number(record.get("requestTimeEpoch"))
        start = epoch / 1000 if epoch is not None else times.clf_time(str(record.get("requestTime", "")).encode())
        status = logged_number(record.get("status"))
        if start is None or status is None:
            return None
        found = Event()
        found.status = code = int(status)
        found.start = start
        found.end = start + (logged_number(record.get("responseLatency")) or 0.0) / 1000
        found.method = str(record.get("httpMethod", "")).encode("utf-8", "replace")
        found.path = str(record.get("path", record.get("resourcePath", ""))).encode("utf-8", "replace")
        found.ident = str(record.get("requestId", "")).encode("utf-8", "replace")
        found.client = str(record.get("ip", "")).encode("utf-8", "replace")
        latency = logged_number(record.get("integrationLatency"))
        return _gateway(found, code, record, latency / 1000 if latency is not None else None)


def _gateway(found: Event, code: int, record: Mapping[str, Any], took: float | None) -> Event:
    kind = str(record.get("errorResponseType", record.get("error.responseType", "-")))
    if logged_number(record.get("integrationStatus")) is not None and kind in ("-", ""):
        return of_backend(found, code)
    found.made_by_backend = False
    if kind == "INTEGRATION_TIMEOUT":
        found.fits, found.sure = ("upstream_timeout",), True
    elif kind in ("THROTTLED", "QUOTA_EXCEEDED"):
        found.fits, found.sure = ("rate_limited",), True
    elif kind == "REQUEST_TOO_LARGE" or code in (413, 414):
        found.fits, found.sure = ("request_too_large",), True
    elif kind == "INTEGRATION_FAILURE" or (kind in ("-", "") and code in (502, 503)):
        found.took = took
        late = ("connect_timeout",) if took is not None and took > 1 else ()
        found.fits = (*closed_after(took), "refused", "tls_to_backend", "upstream_dns", *late)
    elif code == 499:
        found.fits, found.sure = ("client_abort",), True
    elif kind in ("-", ""):
        status_alone(found, code)
    elif code >= 500:
        found.fits = ("app_5xx",)
    return found
