"""nginx and ingress-nginx: what their fields and their error log say of a request.

`$upstream_header_time` is filled only when the backend sent a header; `$upstream_status` mirrors the 502 and 504 that
nginx made itself (measured, nginx 1.22).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from btdiag.logs import times
from btdiag.logs.event import RACE_S, UNRELATED, Event, Fits, closed_after
from btdiag.logs.products.common import (
    LB_502,
    first,
    last,
    of_backend,
    seconds_of_first,
    split_request,
    status_alone,
    target_of,
)
from btdiag.logs.times import logged_number

_NONE = (b"-", b"")
_OWN_PAGE = range(150, 176)  # nginx's own error pages, with and without its version
_PADDED = range(545, 580)  # the same with the padding that browsers get
_OWN_HEADER_PAGE = range(222, 245)  # "400 Request Header Or Cookie Too Large"
_PADDED_HEADER_PAGE = range(622, 650)


def nginx_event(fields: Mapping[str, bytes]) -> Event | None:
    """The request that the variables of an access log tell of; None where the status is none."""
    found = Event()
    status = fields.get("status", b"")
    if len(status) != 3 or not status.isdigit():
        return None
    found.status = code = int(status)
    if not _timed(found, fields):
        return None
    request = fields.get("request")
    if request is not None:
        found.method, found.path = split_request(request)
    else:
        found.method, found.path = fields.get("method", b""), fields.get("uri", b"")
    if b"://" in found.path[:12]:
        found.path = target_of(found.path)
    address = fields.get("upstream_addr")
    found.ident, found.node = fields.get("request_id", b""), fields.get("pid", b"")
    found.number = int(fields["connection"]) if fields.get("connection", b"").isdigit() else 0
    found.client, found.agent = fields.get("client", b""), fields.get("agent", b"")
    size = fields.get("bytes", b"")
    found.size = int(size) if size.isdigit() else -1
    if address is None:
        return _bare(found, code)
    found.upstream = last(address)
    return _rich(found, code, fields, address)


def _timed(found: Event, fields: Mapping[str, bytes]) -> bool:
    msec = fields.get("msec")
    if msec:
        end = logged_number(msec)
    elif "time_iso" in fields:
        end = times.iso(fields["time_iso"])
    else:
        end = times.clf_time(fields.get("time_local", b""))
    if end is None:
        return False
    taken = fields.get("request_time")
    found.end = end
    found.start = end - (logged_number(taken) or 0.0) if taken else end
    return True


def _bare(found: Event, code: int) -> Event:
    """A format without any word of the backend: the size of nginx's own pages is the only hint."""
    if code == 400 and (found.size in _OWN_HEADER_PAGE or found.size in _PADDED_HEADER_PAGE):
        found.fits, found.sure = ("request_too_large",), False
        return found
    status_alone(found, code)
    own_page = found.size in _OWN_PAGE or found.size in _PADDED
    if code == 502 and not own_page:  # the backend's own, or Apache's
        found.fits = (*LB_502, "upstream_timeout", "app_5xx")
    elif code == 500 and not own_page:
        found.fits = ("app_5xx", "tls_to_backend", "upstream_dns")
    return found


def _rich(found: Event, code: int, fields: Mapping[str, bytes], address: bytes) -> Event:
    if 100 <= code < 400 and b"," not in address:
        found.made_by_backend = address not in _NONE
        if fields.get("completion") == b"":
            found.fits, found.sure = ("client_abort",), True
        return found
    if code == 499:
        found.fits, found.sure = ("client_abort",), True
        return found
    if address in _NONE:
        return _own(found, code)
    header = fields.get("uht")
    if header is not None and last(header) not in _NONE:
        of_backend(found, code)
        return _after_attempts(found, fields) if b"," in address else found
    if header is None and _answered(code, fields):
        found.made_by_backend = True
        of_backend(found, code)
        found.sure = found.sure and code < 500
        return _after_attempts(found, fields) if b"," in address else found
    found.made_by_backend = False
    if code == 504:
        return _late(found, fields)
    return _closed(found, code, fields, address)


def _answered(code: int, fields: Mapping[str, bytes]) -> bool:
    """Without `$upstream_header_time`: did the backend send a body, or a status that nginx makes itself seldom?"""
    length = last(fields.get("upstream_length", b"-"))
    return code not in (502, 504) or length not in (b"0", *_NONE)


def _after_attempts(found: Event, fields: Mapping[str, bytes]) -> Event:
    """An answer that came after lost attempts. The same address twice and at once: a connection that was closing."""
    took = seconds_of_first(fields.get("urt", b""))
    address = fields.get("upstream_addr", b"")
    connected = first(fields.get("uct", b"?")) not in _NONE
    lost = first(fields.get("upstream_status", b"")) == b"502" and first(fields.get("uht", b"-")) in _NONE
    if lost and connected and took is not None and took <= RACE_S:
        found.took = took
        found.same_address = first(address) == last(address)
        found.retried = found.same_address or "uct" in fields
        found.upstream = first(address)
    return found


def _own(found: Event, code: int) -> Event:
    """No backend was asked: nginx answered by itself."""
    found.made_by_backend = False
    if code in (413, 414, 431, 494):
        found.fits, found.sure = ("request_too_large",), True
    elif code == 400 and (found.size < 0 or found.size in _OWN_HEADER_PAGE or found.size in _PADDED_HEADER_PAGE):
        found.fits, found.sure = ("request_too_large",), found.size > 0
    elif code == 429:
        found.fits, found.sure = ("rate_limited",), True
    elif code == 503:
        found.fits = ("rate_limited", "no_healthy_target")
    elif code == 502:
        found.fits = ("upstream_dns",)
    elif code in (500, 504):
        found.fits = ("overload", "app_5xx") if code == 500 else ("upstream_dns", "upstream_timeout")
    elif found.method == b"OPTIONS" and 400 <= code < 500:
        found.fits, found.sure = ("cors_preflight_refused",), True
    return found


def _late(found: Event, fields: Mapping[str, bytes]) -> Event:
    connect = fields.get("uct")
    found.took = logged_number(last(fields.get("urt", b"")))
    if connect is None:
        found.fits = ("upstream_timeout", "connect_timeout")
    else:
        found.fits, found.sure = (("connect_timeout",) if last(connect) in _NONE else ("upstream_timeout",)), True
    return found


def _closed(found: Event, code: int, fields: Mapping[str, bytes], address: bytes) -> Event:
    found.took = seconds_of_first(fields.get("urt", b""))
    found.upstream = first(address)
    if b":" not in last(address) and b"/" not in last(address):  # the name of the upstream: none was tried
        found.upstream = last(address)
        found.fits = ("no_healthy_target", "overload")
        return found
    received = fields.get("ubr")
    if code == 9:
        found.fits = ("plain_to_tls_backend", "app_5xx")
    elif received is not None and last(received) not in (b"0", *_NONE):
        found.fits, found.sure = ("response_too_large",), True
    elif "uct" in fields:
        connected = first(fields["uct"]) not in _NONE
        found.fits = closed_after(found.took) if connected else _unconnected(address)
        if not connected:
            found.fresh = True
    else:
        found.fits = _without_connect_time(found.took)
        if b"," in address:
            found.fits = (*found.fits, "no_healthy_target")
    return found


def _unconnected(addresses: bytes) -> Fits:
    """No connection; where several backends were tried, none of them is there."""
    several = len({one.strip() for one in addresses.split(b",")}) > 1
    return ("refused", "no_healthy_target", "tls_to_backend") if several else ("refused", "tls_to_backend")


def _without_connect_time(took: float | None) -> Fits:
    if took is not None and took > RACE_S:
        return (*closed_after(took), "tls_to_backend")
    return (*closed_after(took), "refused", "tls_to_backend", "response_too_large")


_ERROR = re.compile(rb"^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(\w+)\] (\d+)#\d+: (?:\*(\d+) )?(.*)", re.DOTALL)
_ERROR_FIELDS = re.compile(rb', (client|request|upstream|host): ("(?:[^"\\]|\\.)*"|[^,]*)')
_URL_HOST = re.compile(rb"^\w+://([^/]+)")
_CLOSED: Fits = (*closed_after(None), "race_retried")
"""The error log does not say whether the next attempt was answered."""

_WORDS: tuple[tuple[bytes, bytes, Fits, bool], ...] = (
    (b"upstream prematurely closed connection", b"while reading response header", _CLOSED, False),
    (b"upstream prematurely closed connection", b"while reading upstream", ("cut_midbody",), True),
    (b"recv() failed (104", b"while reading response header", _CLOSED, False),
    (b"recv() failed (104", b"while reading upstream", ("cut_midbody",), True),
    (b"readv() failed (104", b"", ("cut_midbody",), True),
    (b"writev() failed (", b"while sending request to upstream", _CLOSED, False),
    (b"send() failed (", b"while sending request to upstream", _CLOSED, False),
    (b"connect() failed (110", b"", ("connect_timeout",), True),
    (b"connect() failed (", b"while connecting to upstream", ("refused",), True),
    (b"connect() to ", b"while connecting to upstream", ("refused",), True),
    (b"upstream timed out", b"while connecting to upstream", ("connect_timeout",), True),
    (b"upstream timed out", b"while SSL handshaking to upstream", ("tls_to_backend", "connect_timeout"), False),
    (b"upstream timed out", b"while reading upstream", ("upstream_timeout", "cut_midbody"), False),
    (b"upstream timed out", b"", ("upstream_timeout",), True),
    (b"SSL_do_handshake() failed", b"to upstream", ("tls_to_backend",), True),
    (b"upstream SSL certificate", b"", ("tls_to_backend",), True),
    (b"peer closed connection in SSL handshake", b"to upstream", ("tls_to_backend",), True),
    (b"could not be resolved", b"", ("upstream_dns",), True),
    (b"no resolver defined to resolve", b"", ("upstream_dns",), True),
    (b"no live upstreams", b"", ("no_healthy_target", "overload"), False),
    (b"worker_connections are not enough", b"", ("overload",), True),
    (b"upstream sent too big header", b"", ("response_too_large",), True),
    (b"client intended to send too large body", b"", ("request_too_large",), True),
    (b"client sent too large", b"", ("request_too_large",), True),
    (b"client sent too long", b"", ("request_too_large",), True),
    (b"limiting requests", b"", ("rate_limited",), True),
    (b"limiting connections", b"", ("rate_limited",), True),
    (b"upstream sent no valid HTTP", b"", ("plain_to_tls_backend", "app_5xx"), False),
    (b"client prematurely closed connection", b"", ("client_abort",), True),
)


class NginxErrorLog:
    """nginx's error log."""

    product, format = "nginx", "nginx-error"
    resolution_s = 1.0
    replays = False

    def parse(self, line: bytes) -> Event | None:
        match = _ERROR.match(line)
        if match is None:
            return None
        moment = times.iso(match[1])
        if moment is None:
            return None
        text = match[5]
        for words, where, fits, sure in _WORDS:
            if words in text and where in text:
                return self._event(match, text, moment, fits, sure)
        return UNRELATED

    def _event(self, match: re.Match[bytes], text: bytes, moment: float, fits: Fits, sure: bool) -> Event:
        found = Event()
        found.start = found.end = moment
        found.is_request = False
        found.fits, found.sure = fits, sure
        found.number = int(match[4] or 0)
        for name, value in _ERROR_FIELDS.findall(text[:20_000]):
            if name == b"request":
                found.method, found.path = split_request(value.strip(b'"'))
            elif name == b"client":
                found.client = value
            elif name == b"upstream":
                host = _URL_HOST.match(value.strip(b'"'))
                found.upstream = host[1] if host else b""
        return found
