"""Watching a stream of events: when does each piece of it arrive? Hung up on as soon as that is known."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace

from btdiag.core.exchange import Exchange, Header
from btdiag.core.measurement import NotAsked, Unknown, measurement
from btdiag.core.target import Mode, Target, Way
from btdiag.families.gateway.facts.streams import FLOWING, LATE, STREAM_PATH, StreamSeen, readable_bytes, says_packed
from btdiag.net.deadline import in_time
from btdiag.net.endpoint import backend_way
from btdiag.net.limits import Limits
from btdiag.net.retry import again_while
from btdiag.net.streams import DialError, Stream
from btdiag.net.wire import Wire

WATCH = 4.0  # seconds; a hop that buffers holds a live stream back for longer
ENOUGH = 3  # pieces that came one by one show that nothing is held back
KEPT = 16 * 1024  # bytes of the body
BURST = 0.1  # seconds between bytes that were sent at once
MOST = 1000  # pieces that are noted
HEAD = 64 * 1024  # bytes in which the head must end
_EVENTS = ("Accept", "text/event-stream")
AS_CLIENTS_ASK: tuple[Header, ...] = (_EVENTS, ("Accept-Encoding", "gzip, deflate"))  # a hop that packs may hold back
UNPACKED: tuple[Header, ...] = (_EVENTS, ("Accept-Encoding", "identity"))
_HEAD_END = b"\r\n\r\n"
GATEWAY = frozenset({502, 503, 504})


def _planned(target: Target, mode: Mode) -> list[str]:
    return [f"GET {target.url_for(STREAM_PATH)} (hung up on after the first events, or {WATCH:g} s)"]


@measurement(
    budget=25, why="5 s to connect, 4 s of watching, and again after a gateway's error or a late event", sends=_planned
)
async def stream_seen(serving_way: Way, wire: Wire, target: Target) -> StreamSeen:
    """When the pieces of the API's event stream arrive through the load balancer. What is late once may be a machine
    that was busy: it is watched again, and the sooner one counts; beside it, the stream without compression."""
    url = target.url_for(STREAM_PATH)

    def once() -> Awaitable[StreamSeen]:
        return _watch(serving_way, wire, url)

    first = await again_while(lambda seen: seen.exchange.status in GATEWAY, once)
    if not (first.is_stream or first.silent) or first.first_s <= LATE:
        return first
    again, plain = await asyncio.gather(in_time(once()), in_time(_watch(serving_way, wire, url, UNPACKED)))
    return replace(min(first, again or first, key=lambda seen: seen.first_s), plain=plain)


def _planned_direct(target: Target, mode: Mode) -> list[str]:
    return [f"GET {target.backend}{STREAM_PATH} (as above)"] if target.backend else []


@measurement(budget=15, why="5 s to connect for each of two addresses, 4 s of watching", sends=_planned_direct)
async def backend_stream(wire: Wire, target: Target) -> StreamSeen:
    """When they arrive from the API server itself."""
    return await _watch(await backend_way(target, wire), wire, f"{target.backend}{STREAM_PATH}")


async def _watch(way: Way, wire: Wire, url: str, headers: Sequence[Header] = AS_CLIENTS_ASK) -> StreamSeen:
    watched = await watch_stream(way, wire, url, WATCH, ENOUGH, headers)
    return StreamSeen(exchange=watched.exchange, pieces=tuple(watched.pieces), watched=watched.over_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A stream watched to its end, until enough pieces had come, or until the time was over. Seconds since the request:
    `pieces` when events or parts of them came, `last_s` the last bytes of all (0 for none), `over_s` the end;
    `longest_s` is the longest silence that more bytes followed, `gap_s` the last one of more than BURST seconds."""

    exchange: Exchange
    pieces: tuple[float, ...]
    last_s: float
    longest_s: float
    gap_s: float
    over_s: float


async def watch_stream(
    way: Way, wire: Wire, url: str, seconds: float, enough: int, headers: Sequence[Header] = AS_CLIENTS_ASK
) -> Watched:
    """GET a stream of events and note when its bytes come, for at most so long or until so many pieces are there."""
    if way.route.proxy is not None and url.startswith("http:"):
        raise NotAsked("a stream is not watched on plain http:// through a proxy, which may hold it back itself")
    try:
        stream = await wire.dial_url(way, url)
    except DialError as error:
        raise Unknown(f"no connection to watch {url} on: {error.failure.detail}") from error
    reader = _Timed(stream, enough)
    stream.reader = reader
    limits = Limits(total=seconds, body=KEPT)
    try:
        asker = wire.provoking()  # the stream is left before its end
        seen = await asker.send_on(stream, "GET", url, headers=headers, with_key=True, limits=limits)
    finally:
        stream.abort()
    return Watched(
        exchange=seen,
        pieces=tuple(reader.pieces),
        last_s=reader.last,
        longest_s=reader.longest,
        gap_s=reader.gap,
        over_s=time.perf_counter() - reader.started,
    )


class _Timed(asyncio.StreamReader):
    """Reads from a stream's own reader and notes when bytes came; ends it after `enough` pieces of the body that did
    not all come at once."""

    def __init__(self, stream: Stream, enough: int) -> None:
        super().__init__()
        self._source = stream.reader
        self._enough = enough
        self._head = self._body = b""
        self._in_body = False
        self._read = 0
        self.started = time.perf_counter()
        self.last = self.longest = self.gap = 0.0
        self.pieces: list[float] = []

    async def read(self, n: int = -1) -> bytes:
        """The next bytes; none once enough is known."""
        if len(self.pieces) >= self._enough and self.pieces[-1] - self.pieces[0] > FLOWING:
            return b""  # less apart, they may be one event that came in several packets
        data = await self._source.read(n)
        if data:
            now = time.perf_counter() - self.started
            silent, self.last = now - self.last, now
            self.longest = max(self.longest, silent)
            self.gap = silent if silent > BURST else self.gap
            if self._is_body(data) and len(self.pieces) < MOST:
                self.pieces.append(now)
        return data

    def _is_body(self, data: bytes) -> bool:
        """Whether something of the body can be read from these bytes: they stand behind the empty line that ends the
        head, and where they are packed there is more to unpack."""
        if not self._in_body:
            whole = self._head + data
            end = whole.find(_HEAD_END, 0, HEAD)
            self._head = whole[: end if end >= 0 else HEAD]
            if end < 0:
                return False
            self._in_body, data = True, whole[end + len(_HEAD_END) :]
        if not says_packed(self._head) or len(self._body) > HEAD:
            return bool(data)
        self._body += data
        before, self._read = self._read, readable_bytes(self._head, self._body)
        return self._read > before
