"""Does the API stay up while the run waits? A GET / now and then, each on a new connection through the load balancer.

Sent: one request every second or so, as often as a health check; none once the target throttles. Recorded: when each
was sent, and what came."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from btdiag.core.exchange import Exchange
from btdiag.core.measurement import NotAsked, Waits, measurement
from btdiag.core.target import Mode, Target, Way
from btdiag.families.keepalive.facts import Look, Watch
from btdiag.families.keepalive.plan import consented, front_wait
from btdiag.net.limits import Limits
from btdiag.net.wire import Wire

SOONEST_S = 0.5  # between two requests: a guest asks no more often than a health check
MOST = 60  # requests
OTHERS = 3  # requests after one that failed
ANSWER_S = 5.0  # seconds for one answer: what takes longer is as good as away for a health check
AWAY = frozenset({502, 503, 504})  # what a load balancer says when no server takes the request


def pause_s(target: Target, mode: Mode) -> float:
    """Seconds between two requests."""
    return max(SOONEST_S, front_wait(target, mode) / MOST)


def _wait(target: Target, mode: Mode) -> float:
    return 0.0 if consented(target, mode) else front_wait(target, mode)


def _asked(target: Target, mode: Mode) -> list[str]:
    if consented(target, mode):
        return []
    return [f"GET {target.url_for('/')} every {pause_s(target, mode):.1f} s, while idle connections age"]


@measurement(
    budget=20,
    why="one request a second, the last of which may stay unanswered for five",
    idle=_wait,
    sends=_asked,
)
async def api_watch(target: Target, mode: Mode, wire: Wire, waits: Waits, serving_way: Way) -> Watch:
    """Whether the API is there at every moment of the run."""
    if consented(target, mode):
        raise NotAsked("it is not watched while volleys are fired: a load balancer may take servers out for them")
    loop = asyncio.get_running_loop()
    began, looks = loop.time(), list[Look]()
    every = pause_s(target, mode)

    def ask() -> Awaitable[Exchange]:
        return wire.exchange(serving_way, "GET", target.url_for("/"), limits=Limits(total=ANSWER_S))

    while loop.time() - began < front_wait(target, mode) and len(looks) < 2 * MOST:
        at = loop.time()
        seen = await ask()
        looks.append(await _look(at - began, seen, ask))
        if seen.status == 429:
            break
        await waits.idle(max(0.05, at + every - loop.time()), "the API, looked at now and then")
    return Watch(label=serving_way.route.label, every_s=every, looks=tuple(looks))


async def _look(at_s: float, seen: Exchange, ask: Callable[[], Awaitable[Exchange]]) -> Look:
    """With a failure others are asked at once: one broken server of several leaves some of them an answer."""
    what = str(seen.status) if seen.status is not None else seen.failure.trouble.value if seen.failure else "no answer"
    if _answered(seen):
        return Look(at_s=round(at_s, 3), answered=True, what=what)
    others = await asyncio.gather(*(ask() for _ in range(OTHERS)))
    return Look(at_s=round(at_s, 3), answered=False, what=what, mixed=any(map(_answered, others)))


def _answered(seen: Exchange) -> bool:
    return seen.status is not None and seen.status not in AWAY
