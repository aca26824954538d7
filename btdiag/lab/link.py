"""The network between two hops: a relay that delays what passes, and that may forget idle flows as a NAT does."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from btdiag.lab.http import CHUNK


class Link:
    """Carries connections to (host, port). `delay` is one way, in seconds, and a connection takes a round trip to be
    made, as far as its client can tell: what it sends waits for that. A flow in which nothing passed for
    `drops_idle_after` seconds is forgotten without a word: whatever is sent on it then disappears."""

    def __init__(self, host: str, port: int, *, delay: float, drops_idle_after: float | None) -> None:
        self._address = (host, port)
        self._delay = delay
        self._drops_idle_after = math.inf if drops_idle_after is None else drops_idle_after

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until both sides have closed."""
        far_reader, far_writer = await asyncio.open_connection(*self._address)
        flow = _Flow(self._delay, self._drops_idle_after)
        try:
            made = asyncio.get_running_loop().time() + 2 * self._delay
            await asyncio.gather(flow.carry(reader, far_writer, made), flow.carry(far_reader, writer))
        finally:
            far_writer.close()


class _Flow:
    """One connection under way, both directions."""

    def __init__(self, delay: float, drops_idle_after: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._delay = delay
        self._drops_idle_after = drops_idle_after
        self._last = self._loop.time()

    async def carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, not_before: float = 0.0) -> None:
        """Carry one direction; what comes sooner leaves at the loop time `not_before`."""
        arrival = not_before + self._delay
        while True:
            piece = await _received(source)
            if self._forgotten():
                await asyncio.Event().wait()
            # Strictly increasing: timers of the same instant run in no particular order.
            arrival = max(self._loop.time() + self._delay, arrival + 1e-6)
            self._loop.call_at(arrival, _deliver(sink, piece))
            if not piece:
                return

    def _forgotten(self) -> bool:
        now = self._loop.time()
        if now - self._last > self._drops_idle_after:
            self._last = -math.inf
            return True
        self._last = now
        return False


async def _received(source: asyncio.StreamReader) -> bytes:
    try:
        return await source.read(CHUNK)
    except ConnectionError:
        return b""


def _deliver(sink: asyncio.StreamWriter, piece: bytes) -> Callable[[], None]:
    if not piece:
        return sink.close
    return lambda: None if sink.is_closing() else sink.write(piece)
