"""Ctrl-C and SIGTERM at any moment of a run: what was measured is still judged and reported."""

from __future__ import annotations

import asyncio
import signal
import time
from types import FrameType


class Interrupt:
    """Ctrl-C (SIGINT) or SIGTERM: the first one ends the measuring, a second one the process."""

    def __init__(self) -> None:
        self.requested = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def install(self) -> None:
        """Take over both signals."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        if self._loop is not None and self._stop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)

    def attach(self, loop: asyncio.AbstractEventLoop) -> asyncio.Event:
        """The event that is set by a signal, from now on or already."""
        self._loop, self._stop = loop, asyncio.Event()
        if self.requested:
            self._stop.set()
        return self._stop

    def sleep(self, seconds: float) -> bool:
        """Let seconds pass between runs; False if a signal came meanwhile."""
        end = time.monotonic() + seconds
        while not self.requested and (left := end - time.monotonic()) > 0:
            time.sleep(min(0.1, left))
        return not self.requested
