"""Many small requests on few connections: a handshake costs more than the request, on both sides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from btdiag.core.exchange import Exchange, Header, Trouble
from btdiag.core.target import Way
from btdiag.net.limits import HEALTH_ANSWER
from btdiag.net.retry import settled
from btdiag.net.streams import DialError, Stream
from btdiag.net.wire import Wire

CONNECTIONS = 2
_MAY_BE_STALE = frozenset({Trouble.CLOSED, Trouble.RESET})  # a kept connection closed under us: ask once more alone


class Kept:
    """Asks on at most CONNECTIONS connections of one way, each used again while it lasts."""

    def __init__(self, way: Way, wire: Wire) -> None:
        self._way = way
        self._wire = wire
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._idle: list[Stream] = []

    async def ask(
        self, method: str, url: str, *, headers: Sequence[Header] = (), body: bytes = b"", with_key: bool = False
    ) -> Exchange:
        """One request; asked for again, on a connection of its own, where a kept one or a gateway broke off."""

        async def alone() -> Exchange:
            return await self._wire.exchange(
                self._way, method, url, headers=headers, body=body, with_key=with_key, limits=HEALTH_ANSWER
            )

        async with self._free:
            stream = await self._stream(url)
            if stream is None:
                return await settled(alone)
            seen = await self._wire.send_on(
                stream, method, url, headers=headers, body=body, with_key=with_key, limits=HEALTH_ANSWER
            )
            self._put_back(stream)
        stale = seen.failure is not None and seen.failure.trouble in _MAY_BE_STALE
        return await settled(alone) if stale or seen.status in {502, 503, 504} else seen

    async def _stream(self, url: str) -> Stream | None:
        """A connection to ask on; None where there is none, or where only whole exchanges work (http by proxy)."""
        if self._idle:
            return self._idle.pop()
        if self._way.route.proxy is not None and url.startswith("http:"):
            return None
        try:
            return await self._wire.dial_url(self._way, url)
        except DialError:
            return None

    def _put_back(self, stream: Stream) -> None:
        if stream.reusable:
            self._idle.append(stream)
        else:
            stream.abort()

    async def close(self) -> None:
        """Let go of all connections."""
        await asyncio.gather(*(stream.close() for stream in self._idle))


@asynccontextmanager
async def kept_way(way: Way, wire: Wire) -> AsyncIterator[Kept]:
    """A Kept whose connections are closed at the end."""
    asker = Kept(way, wire)
    try:
        yield asker
    finally:
        await asker.close()
