"""The same harmless request again: is it one server that answers, and does it matter how many ask at once?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from btdiag.core.answers import Roots
from btdiag.core.exchange import Exchange
from btdiag.core.measurement import NotMeasured, OutOfTime, Scope, Waits, measurement
from btdiag.core.target import Mode, Target, Way
from btdiag.families.readiness.facts import Repeats
from btdiag.families.readiness.plan import ALONE, SLOWLY, bad_answers, fails_at_once, fine_alone, good
from btdiag.net.limits import HEALTH_ANSWER
from btdiag.net.retry import followed
from btdiag.net.wire import Wire

AGAIN = 3  # GET /version, beside the one that is asked anyway: one of two versions stays unseen in 12 % of runs
AGAIN_DEEP = 11  # the same in 1 of 2,000
ENOUGH_S = 2.0  # seconds after which no further repeat is begun: a slow server is no server of two kinds
PAUSE_S = 0.1  # seconds; ten requests a second are below what gateways limit
SLOW_PAUSE_S = 0.3  # between those that are asked while nothing else is: what limits less is met by one user alone
QUIET_S = 2.0  # that is waited until nothing else is
TOGETHER = 6  # a browser has as many connections to one host over HTTP/1.1

Ask = Callable[[], Awaitable[Exchange]]


@measurement(
    budget=30,
    why="four rounds that begin within 2 to 6 s each, and whose last answer may take 6 s",
    scope=Scope.ADDRESS,
    sends=lambda target, mode: [
        f"GET {target.url_for('/version')} ({AGAIN_DEEP if mode.deep else AGAIN} times more)",
        f"GET {target.url_for('/')} (up to {2 * (ALONE + TOGETHER)} times more, where some of several at once failed)",
    ],
)
async def repeats(
    way: Way, wire: Wire, target: Target, mode: Mode, waits: Waits, roots: Roots, version: Exchange | NotMeasured
) -> Repeats:
    """GET /version again one at a time; GET / again, alone and several at once, where some at once had failed."""
    if not any(good(one) for one in roots.exchanges):
        return Repeats()
    steady = not isinstance(version, NotMeasured) and version.failure is None
    ask = _asking(wire, way, target.url_for("/version"))
    seen = Repeats(versions=await one_at_a_time(ask, AGAIN_DEEP if mode.deep else AGAIN) if steady else ())
    if not bad_answers(roots.exchanges[1:]):
        return seen
    ask = _asking(wire, way, target.url_for("/"))
    seen = replace(seen, alone=await one_at_a_time(ask, ALONE, PAUSE_S))
    if not fine_alone(seen.alone):
        if not fails_at_once(roots.exchanges[1:]):
            return seen
        async with waits.alone(within=QUIET_S):
            return replace(seen, slowly=await one_at_a_time(ask, SLOWLY, SLOW_PAUSE_S))
    seen = replace(seen, at_once=(*await together(ask, TOGETHER), *await together(ask, TOGETHER)))
    if not fails_at_once(seen.at_once):
        return seen
    return replace(seen, in_a_row=await one_at_a_time(ask, ALONE))


def _asking(wire: Wire, way: Way, url: str) -> Ask:
    return lambda: followed(lambda at: wire.exchange(way, "GET", at, limits=HEALTH_ANSWER), url)


async def one_at_a_time(ask: Ask, times: int, pause_s: float = 0.0) -> tuple[Exchange, ...]:
    """The answers to at most `times` requests; fewer where they take long, or where the run ends."""
    seen: list[Exchange] = []
    began = time.monotonic()
    while len(seen) < times and time.monotonic() - began < ENOUGH_S + times * pause_s:
        try:
            seen.append(await ask())
        except OutOfTime:
            break
        if pause_s:
            await asyncio.sleep(pause_s)
    return tuple(seen)


async def together(ask: Ask, times: int) -> tuple[Exchange, ...]:
    """The answers to `times` requests sent at once, without those that the end of the run cut off."""
    done = await asyncio.gather(*(ask() for _ in range(times)), return_exceptions=True)
    return tuple(one for one in done if isinstance(one, Exchange))
