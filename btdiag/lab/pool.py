"""The load balancer's idle connections to the backend, kept for reuse and closed after an idle time of their own."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

from btdiag.lab.http import HEAD_LIMIT
from btdiag.lab.plan import PoolOrder

CONNECT_TIMEOUT = 3.0


@dataclass(slots=True, eq=False)
class Upstream:
    """One connection to the backend. `reused` says that it has carried a request before."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    reused: bool = False
    expiry: asyncio.TimerHandle | None = None

    @property
    def alive(self) -> bool:
        """Whether nothing has been heard yet of its end. The backend's FIN may be under way all the same."""
        return not (self.reader.at_eof() or self.writer.is_closing() or self.reader.exception())


class Pool:
    """Idle connections to one address. It closes those that idle for `idle` seconds, and keeps at most `size`."""

    def __init__(self, host: str, port: int, *, idle: float, order: PoolOrder, size: int) -> None:
        self._address = (host, port)
        self._idle_time = idle
        self._order = order
        self._size = size
        self._idle: list[Upstream] = []

    @property
    def name(self) -> str:
        """The address, as a log has it."""
        return f"{self._address[0]}:{self._address[1]}"

    async def take(self) -> Upstream:
        """An idle connection that looks alive, else a fresh one; OSError or TimeoutError when that cannot be made."""
        while self._idle:
            upstream = self._idle.pop(self._next())
            if upstream.expiry is not None:
                upstream.expiry.cancel()
            if upstream.alive:
                upstream.reused = True
                return upstream
            upstream.writer.close()
        return await self.connect()

    async def connect(self) -> Upstream:
        """A fresh connection."""
        async with asyncio.timeout(CONNECT_TIMEOUT):
            reader, writer = await asyncio.open_connection(*self._address, limit=HEAD_LIMIT)
        return Upstream(reader, writer)

    def give(self, upstream: Upstream) -> None:
        """Put a connection back after a complete response."""
        if not upstream.alive or len(self._idle) >= self._size:
            upstream.writer.close()
            return
        upstream.expiry = asyncio.get_running_loop().call_later(self._idle_time, self._expire, upstream)
        self._idle.append(upstream)

    def close(self) -> None:
        """Close all that are idle."""
        while self._idle:
            self._expire(self._idle[-1])

    def _next(self) -> int:
        return {"lifo": -1, "fifo": 0, "random": random.randrange(len(self._idle))}[self._order]

    def _expire(self, upstream: Upstream) -> None:
        if upstream.expiry is not None:
            upstream.expiry.cancel()
        self._idle.remove(upstream)
        upstream.writer.close()
