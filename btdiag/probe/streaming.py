"""Watching a stream of events: when does each piece of it arrive? Hung up on as soon as that is known."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

from btdiag.judge.limits_streams import STREAM_PATH, StreamSeen
from btdiag.measurement import NotAsked, Unknown, measurement
from btdiag.model import Mode, Target, Way
from btdiag.probe.endpoint import routes_to
from btdiag.probe.health import RETRIES
from btdiag.probe.wire import DialError, Limits, Stream, Wire

WATCH = 4.0  # seconds; a hop that buffers holds a live stream back for longer
ENOUGH = 3  # pieces that came one by one show that nothing is held back
LIMITS = Limits(total=WATCH, body=16 * 1024)
_ACCEPT = ("Accept", "text/event-stream")
_HEAD_END = b"\r\n\r\n"
_GATEWAY = frozenset({502, 503, 504})


def _planned(target: Target, mode: Mode) -> list[str]:
    return [f"GET {target.url_for(STREAM_PATH)} (hung up on after the first events, or {WATCH:g} s)"]


@measurement(budget=25, why="5 s to connect, 4 s of watching, and again after a gateway's error", sends=_planned)
async def stream_seen(serving_way: Way, wire: Wire, target: Target) -> StreamSeen:
    """When the pieces of the API's event stream arrive through the load balancer."""
    seen = await _watch(serving_way, wire, target.url_for(STREAM_PATH))
    for _ in range(RETRIES):
        if seen.exchange.status not in _GATEWAY:
            break
        seen = await _watch(serving_way, wire, target.url_for(STREAM_PATH))
    return seen


def _planned_direct(target: Target, mode: Mode) -> list[str]:
    return [f"GET {target.backend}{STREAM_PATH} (as above)"] if target.backend else []


@measurement(budget=15, why="5 s to connect for each of two addresses, 4 s of watching", sends=_planned_direct)
async def backend_stream(wire: Wire, target: Target) -> StreamSeen:
    """When they arrive from the API server itself."""
    if target.backend is None:
        raise NotAsked("no --backend URL was given", "--backend http://HOST:8000")
    routes = await routes_to(target.backend, target)
    for route in routes[:-1]:
        try:
            return await _watch(Way(route=route, verify=False), wire, target.backend + STREAM_PATH)
        except Unknown:
            continue
    return await _watch(Way(route=routes[-1], verify=False), wire, target.backend + STREAM_PATH)


async def _watch(way: Way, wire: Wire, url: str) -> StreamSeen:
    parts = urlsplit(url)
    if way.route.proxy is not None and parts.scheme == "http":
        raise NotAsked("a stream is not watched on plain http:// through a proxy, which may hold it back itself")
    try:
        stream = await wire.dial(
            way.route, tls=parts.scheme == "https", server_name=parts.hostname or "", verify=way.verify
        )
    except DialError as error:
        raise Unknown(f"no connection to watch {url} on: {error.failure.detail}") from error
    watched = _Watched(stream)
    stream.reader = watched
    try:
        seen = await wire.send_on(stream, "GET", url, headers=(_ACCEPT,), with_key=True, limits=LIMITS)
    finally:
        stream.abort()
    return StreamSeen(exchange=seen, pieces=tuple(watched.pieces), watched=time.perf_counter() - watched.started)


class _Watched(asyncio.StreamReader):
    """Reads from a stream's own reader and notes when pieces of the body came; ends it after ENOUGH of them."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._source = stream.reader
        self._head: bytes | None = b""
        self.started = time.perf_counter()
        self.pieces: list[float] = []

    async def read(self, n: int = -1) -> bytes:
        """The next bytes; none once enough is known."""
        if len(self.pieces) >= ENOUGH:
            return b""
        data = await self._source.read(n)
        if data and self._is_body(data):
            self.pieces.append(time.perf_counter() - self.started)
        return data

    def _is_body(self, data: bytes) -> bool:
        """Whether bytes of the body are among these: those behind the empty line that ends the head."""
        if self._head is None:
            return True
        self._head = (self._head + data)[: LIMITS.header]
        end = self._head.find(_HEAD_END)
        if end < 0:
            return False
        beyond, self._head = self._head[end + len(_HEAD_END) :], None
        return bool(beyond)
