"""Waiting, the only way: each idle wait is planned, shown and counted, and gives way to whoever wants quiet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass(slots=True)
class Quiet:
    """Who is active on one target (or on several of one host), so that a volley can be alone.

    `active` counts the measurements that are neither ended, nor in an idle wait, nor queueing to be alone.
    """

    active: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def enter(self) -> None:
        """One more is active; waits while somebody is alone."""
        async with self.lock:
            self.active += 1

    def leave(self) -> None:
        """One less is active."""
        self.active -= 1
        self.changed.set()

    async def only_one(self) -> None:
        """Return when at most one is active."""
        while self.active > 1:
            self.changed.clear()
            await self.changed.wait()


class WaitLog:
    """The waits of one measurement: gives `Waits` to its function, and tells afterwards how long it waited.

    `remaining` gives the seconds left of the run, `progress` gets (measurement, what for, seconds) of each wait.
    """

    def __init__(
        self, name: str, quiet: Quiet, remaining: Callable[[], float], progress: Callable[[str, str, float], None]
    ) -> None:
        self._name = name
        self._quiet = quiet
        self._progress = progress
        self._spans: list[tuple[float, float]] = []
        self._idle = 0
        self._alone = False
        self.remaining = remaining

    @property
    def waited_s(self) -> float:
        """Seconds spent in idle waits; waits that ran side by side count once."""
        total, end = 0.0, float("-inf")
        for start, stop in sorted(self._spans):
            total += max(0.0, stop - max(start, end))
            end = max(end, stop)
        return total

    async def idle(self, seconds: float, what: str) -> None:
        """Let `seconds` pass; `what` names what is waited for."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        self._progress(self._name, what, seconds)
        self._idle += 1
        if self._idle == 1:
            self._quiet.leave()
        try:
            try:
                await asyncio.sleep(seconds)
            finally:  # a wait that is cut short has been waited for all the same
                self._spans.append((start, loop.time()))
            if self._idle == 1 and not self._alone:
                async with self._quiet.lock:
                    pass
        finally:
            self._idle -= 1
            if self._idle == 0:
                self._quiet.active += 1

    @asynccontextmanager
    async def alone(self, within: float | None = None) -> AsyncIterator[None]:
        """Wait until no other measurement is active (at most `within` seconds), then hold off those that would be."""
        self._quiet.leave()
        try:
            await self._quiet.lock.acquire()
        finally:
            self._quiet.active += 1
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._quiet.only_one()
            self._alone = True
            yield
        finally:
            self._alone = False
            self._quiet.lock.release()
