"""What several products share: request lines, lists of attempts, and the application's own answers. Pure."""

from __future__ import annotations

from btdiag.logs.event import Event, Fits
from btdiag.logs.times import logged_number

LB_502: Fits = (
    "race",
    "backend_closed",
    "backend_crash",
    "backend_restart",
    "refused",
    "no_healthy_target",
    "tls_to_backend",
    "plain_to_tls_backend",
    "upstream_dns",
    "response_too_large",
    "overload",
)
"""What a 502 of the load balancer's own making can be where nothing but the status is logged."""


def split_request(line: bytes) -> tuple[bytes, bytes]:
    """Method and target of a request line; a line that is none gives an empty method."""
    method, _, rest = line.partition(b" ")
    target = rest.rpartition(b" ")[0] if b" HTTP/" in rest else rest
    return (method, target) if method.isalpha() else (b"", line[:200])


def target_of(url: bytes) -> bytes:
    """Path and query of an absolute URL, or of what is none already."""
    if b"://" in url[:12]:
        rest = url.split(b"://", 1)[1]
        slash = rest.find(b"/")
        return rest[slash:] if slash >= 0 else b"/"
    return url


def path_class(target: bytes) -> bytes:
    """The path without query, ids and what lies below its second name: `/v1/project`."""
    path = target.partition(b"?")[0]
    return b"/".join(path.split(b"/")[:3])[:80]


def of_backend(event: Event, status: int) -> Event:
    """An answer of the backend itself: its errors, its rate limit, and preflights that it refuses."""
    event.made_by_backend = True
    if status == 429:
        event.fits, event.sure = ("rate_limited",), True
    elif event.method == b"OPTIONS" and status >= 400:
        event.fits = ("cors_preflight_refused",) if status < 500 else ("app_5xx", "cors_preflight_refused")
        event.sure = status < 500
    elif status >= 500:
        event.fits, event.sure = ("app_5xx",), True
    return event


def status_alone(event: Event, status: int) -> Event:
    """Where only the status is logged: what it can be, never sure unless no other cause gives it."""
    if status in (413, 414, 431, 494):
        event.fits, event.sure = ("request_too_large",), status != 413
    elif status == 429:
        event.fits, event.sure = ("rate_limited",), True
    elif status == 499:
        event.fits, event.sure = ("client_abort",), True
    elif event.method == b"OPTIONS" and 400 <= status < 500:
        event.fits, event.sure = ("cors_preflight_refused",), True
    elif status == 502:
        event.fits = (*LB_502, "app_5xx")
    elif status == 503:
        event.fits = ("no_healthy_target", "refused", "overload", "rate_limited", "app_5xx", "connect_timeout")
    elif status == 504:
        event.fits = ("upstream_timeout", "connect_timeout", "app_5xx")
    elif status >= 500:
        event.fits = ("app_5xx",)
    return event


def first(values: bytes) -> bytes:
    """The first of several attempts: `0.404, 0.000`, `A : B`."""
    if b"," in values:
        values = values.partition(b",")[0]
    return values.partition(b" : ")[0].strip()


def last(values: bytes) -> bytes:
    """The last of several attempts."""
    if b"," in values:
        values = values.rpartition(b",")[2]
    return values.rpartition(b" : ")[2].strip()


def seconds_of_first(values: bytes) -> float | None:
    """How long the first attempt lasted."""
    return logged_number(first(values))
