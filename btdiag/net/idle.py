"""Work that counts as waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from btdiag.core.measurement import Waits

Work = TypeVar("Work")


async def while_idle(work: Awaitable[Work], waits: Waits, seconds: float, what: str) -> Work:
    """The outcome of work that mostly waits, for at most so many seconds: it counts as an idle wait, as long as it
    lasts."""
    working = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(waits.idle(seconds, what))
    try:
        return await working
    finally:
        working.cancel()
        waiting.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)
