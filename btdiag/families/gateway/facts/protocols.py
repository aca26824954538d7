"""What the front offers beside plain HTTP/1.1."""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.core.exchange import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Http2:
    """GET / over HTTP/1.1, and over HTTP/2 some times; no answers where the handshake did not agree on it."""

    plain: Exchange
    answers: tuple[Exchange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """Another host of the data plane, asked on an HTTP/2 connection to the target and on one of its own."""

    host: str
    shared: Exchange
    alone: Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Compressed:
    """GET /version with gzip and deflate accepted, and with neither."""

    packed: Exchange
    plain: Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """A WebSocket asked for through the load balancer, and at the API server itself (None without --backend); `plain`
    is the same path asked without an upgrade, where no WebSocket was opened."""

    front: Exchange
    direct: Exchange | None
    plain: Exchange | None = None
