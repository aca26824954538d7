"""Asking again when a gateway hiccup came in an answer's place: how steady the target is, other measurements tell."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from btdiag.core.answers import is_gateway_hiccup
from btdiag.core.exchange import Exchange
from btdiag.core.sender import sent_on

QUICK_ENOUGH = 2.0  # seconds; a failure that took longer is not tried again
RETRIES = 3

Seen = TypeVar("Seen")


async def settled(ask: Callable[[], Awaitable[Exchange]]) -> Exchange:
    """The answer, asked for again when a quick gateway hiccup came in its place."""
    return await again_while(_is_quick_hiccup, ask)


async def followed(ask: Callable[[str], Awaitable[Exchange]], url: str) -> Exchange:
    """The answer; where it sends every client on within the same place, what is answered there: one step of it."""
    seen = await ask(url)
    onward = sent_on(seen)
    return await ask(onward) if onward else seen


async def again_while(passing: Callable[[Seen], bool], ask: Callable[[], Awaitable[Seen]]) -> Seen:
    """What is seen, looked for again at most RETRIES times while it is something that passes."""
    seen = await ask()
    for _ in range(RETRIES):
        if not passing(seen):
            break
        seen = await ask()
    return seen


def _is_quick_hiccup(seen: Exchange) -> bool:
    return is_gateway_hiccup(seen) and seen.timing.total_s <= QUICK_ENOUGH
