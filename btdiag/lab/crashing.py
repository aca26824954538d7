"""A server whose process ends and is started again: all its connections end at one moment, new ones are refused."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Sequence

from btdiag.lab.net import Listeners, Serve, bound
from btdiag.lab.target import LOCAL

AWAY_S = 0.4  # seconds until it listens again: Node.js takes about as long to start


class Crashing:
    """Serves on the port for each of `lives` (seconds, again from the first after the last), away in between. The first
    life begins with the first connection, so that what a run sees does not depend on when it began."""

    def __init__(self, port: int, serve: Serve, lives: Sequence[float]) -> None:
        self._port = port
        self._serve = serve
        self._lives = lives
        self._listeners = Listeners()
        self._used = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen, and begin to live when somebody comes."""
        await self._listen()
        self._task = asyncio.ensure_future(self._live())

    async def _listen(self) -> None:
        self._listeners = Listeners()
        sock = bound(LOCAL, self._port, reuse=True)
        self._listeners.keep(sock)
        await self._listeners.listen(sock, self._connected)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._used.set()
        await self._serve(reader, writer)

    async def _live(self) -> None:
        await self._used.wait()
        for seconds in itertools.cycle(self._lives):
            await asyncio.sleep(seconds)
            await self._listeners.close()
            await asyncio.sleep(AWAY_S)
            await self._listen()

    async def close(self) -> None:
        """End for good."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._listeners.close()
