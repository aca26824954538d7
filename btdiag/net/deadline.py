"""When the measuring ends: a moment that every request in flight, and every one to come, gives way to.

A request that is cut off so has seen something all the same: a silence of ENOUGH_S seconds is a fact of the server's, a
shorter one says nothing, and raises OutOfTime.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Iterator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TypeVar

from btdiag.core.measurement import OutOfTime
from btdiag.net.limits import ENOUGH_S

Seen = TypeVar("Seen")

ROUNDING_S = 0.05  # timers of the event loop and of a request start a little apart


class Deadline:
    """The end of a run, or of one measurement in it (`above` is the run's then: the earlier of both counts).

    `reason` says in a report why it came: "the run's budget of 12 s ended first". Times are the event loop's, seconds.
    """

    def __init__(self, reason: str = "", above: Deadline | None = None) -> None:
        self.reason = reason
        self._at = math.inf
        self._above = above
        self._open: set[asyncio.Timeout] = set()

    def _chain(self) -> Iterator[Deadline]:
        deadline: Deadline | None = self
        while deadline is not None:
            yield deadline
            deadline = deadline._above

    def _nearest(self) -> Deadline:
        return min(self._chain(), key=lambda deadline: deadline._at)

    def left(self) -> float:
        """Seconds until the end; negative when it is over, infinite when none was set."""
        return min([deadline._at for deadline in self._chain()]) - asyncio.get_running_loop().time()

    def end(self, at: float, reason: str = "") -> None:
        """Let it be at this moment at the latest; what is in flight ends then."""
        if at < self._at:
            self._at, self.reason = at, reason or self.reason
            for timeout in self._open:
                if (timeout.when() or math.inf) > at:
                    timeout.reschedule(at)

    def within(self, seconds: float) -> AbstractAsyncContextManager[None]:
        """As asyncio.timeout(seconds), but never beyond the deadline; OutOfTime where that has passed already."""
        return _Within(self, seconds)

    def over(self) -> OutOfTime:
        """What to raise when there is no time left."""
        return OutOfTime(self._nearest().reason or "the run ended first")

    def waited(self, error: BaseException, lasted_s: float, limit_s: float) -> float:
        """For how many seconds something was waited for that broke after `lasted_s`: its own limit, or less where the
        deadline came first; OutOfTime where that is too short to mean anything."""
        own = not isinstance(error, TimeoutError) or error.errno is not None or self.left() > 0
        if own or lasted_s >= limit_s - ROUNDING_S:
            return limit_s
        if lasted_s < ENOUGH_S:
            raise self.over() from None
        return round(lasted_s, 1)


class _Within(AbstractAsyncContextManager[None]):
    """A time limit that every deadline above it knows of. No generator: a target is asked some fifty times so."""

    __slots__ = ("_deadline", "_seconds", "_timeout")

    def __init__(self, deadline: Deadline, seconds: float) -> None:
        self._deadline = deadline
        self._seconds = seconds

    async def __aenter__(self) -> None:
        left = self._deadline.left()
        if left <= 0:
            raise self._deadline.over()
        self._timeout = asyncio.timeout(min(max(self._seconds, 0.0), left))
        await self._timeout.__aenter__()
        for deadline in self._deadline._chain():
            deadline._open.add(self._timeout)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for deadline in self._deadline._chain():
            deadline._open.discard(self._timeout)
        await self._timeout.__aexit__(kind, error, trace)


async def in_time(asked: Awaitable[Seen]) -> Seen | None:
    """What came of something that others do without; None when there was no time for it."""
    try:
        return await asked
    except OutOfTime:
        return None


async def seen_in_time(*asked: Awaitable[Seen]) -> tuple[Seen, ...]:
    """What came of several requests, in order, without those that had no time; OutOfTime when none had."""
    done = await asyncio.gather(*asked, return_exceptions=True)
    for one in done:
        if isinstance(one, BaseException) and not isinstance(one, OutOfTime):
            raise one
    seen = tuple(one for one in done if not isinstance(one, BaseException))
    if not seen:
        raise next(one for one in done if isinstance(one, OutOfTime))
    return seen
