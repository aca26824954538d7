"""One line of a log as the judgement sees it, and the words for what can have happened to a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias

Fits: TypeAlias = tuple[str, ...]
"""Kinds that fit, the likeliest first; none for a request without a fault."""

KINDS: Mapping[str, str] = {
    "race": "lost on a connection that the backend was just closing",
    "race_retried": "met a connection that the backend was just closing, and retried",
    "backend_closed": "closed by the backend while it was waited for",
    "backend_crash": "lost when the backend crashed",
    "backend_restart": "lost when the backend restarted",
    "plain_to_tls_backend": "sent as plain HTTP to a port that speaks TLS",
    "refused": "refused by the backend's port",
    "tls_to_backend": "lost in the TLS handshake with the backend",
    "upstream_dns": "lost because the backend's name was not found",
    "no_healthy_target": "without a healthy backend to go to",
    "overload": "turned away because the load balancer's limits were reached",
    "connect_timeout": "given up because the backend did not accept a connection in time",
    "upstream_timeout": "given up because the backend did not answer in time",
    "cut_midbody": "cut off in the body of the answer",
    "request_too_large": "larger than the load balancer takes",
    "response_too_large": "answered with headers larger than the load balancer takes",
    "client_abort": "left by the client before the answer was complete",
    "rate_limited": "turned away by a rate limit",
    "cors_preflight_refused": "a browser's preflight that was refused",
    "app_5xx": "answered with an error by the backend itself",
}
"""Each kind, and what it says of a request."""

CLOSED: Fits = ("race", "backend_closed", "backend_crash", "backend_restart", "plain_to_tls_backend")
"""What "the connection ended before an answer" can be."""

RACE_S = 0.076
"""Seconds that a race takes at most: 47 ms one by one with 20 ms to the backend, 76 ms when 200 arrive at once
(measured on seven products, 677 failures). What waited longer was no race, unless the backend is farther away or all
answers of that moment were as slow (`judging`)."""


def closed_after(took_s: float | None) -> Fits:
    """The kinds of an attempt that ended without an answer after so many seconds; None where the log does not say."""
    if took_s is not None and took_s > RACE_S:
        return CLOSED[1:4]
    return CLOSED


class Event:
    """One line, or one record of several lines. One is made for each line of a log, so it is a plain class whose
    defaults cost nothing; what a parser does not know stays as it is here.

    Times are seconds since 1970. `upstream` names the pool, `node` the load balancer's instance where the line names
    one, `connection` the very connection to the backend, `fresh` whether it was new. `took` is how long the first
    attempt lasted. `fits` is empty for a good request; `sure` says that the line alone settles the first of them;
    `joined` is what is left of `fits` by other files. `retried` marks one that succeeded after a lost attempt,
    `same_address` that both went to one address. `number` is an nginx connection number; `ident` a request id. A line
    of an error log has `is_request` False. `last_good` and `next_good` are when good requests of its upstream began,
    `pace` how long the slower of these took where they were under way at the same time; a race may last `limit`. `raw`
    is the beginning of the line.
    """

    line = 0
    start = 0.0
    end = 0.0
    method = b""
    path = b""
    status = 0
    upstream = b""
    connection = b""
    node = b""
    fresh: bool | None = None
    took: float | None = None
    fits: Fits = ()
    sure = False
    retried = False
    same_address = False
    made_by_backend: bool | None = None
    number = 0
    ident = b""
    client = b""
    agent = b""
    is_request = True
    age: float | None = None
    size = -1
    text = b""
    raw = b""
    joined: Fits | None = None
    last_good: float | None = None
    next_good: float | None = None
    pace = 0.0
    limit = RACE_S


UNRELATED = Event()
"""What a parser returns for a line that it knows and that speaks of no request: a start, a stop, a health check."""


class Parser(Protocol):
    """Reads one format. `resolution_s` is that of its time stamps; `pool` says whether idle ages can be replayed."""

    product: str
    format: str
    resolution_s: float
    replays: bool

    def parse(self, line: bytes) -> Event | None:
        """The event; UNRELATED for a line of the format that tells of no request; None for one that is none."""
        ...
