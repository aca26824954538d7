"""Does the API answer: GET / several times, /version, /ping and /status on every address; the backend and Brainstore
directly where their URLs were given. Nothing is written anywhere, and no redirect is followed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace

from btdiag.core.answers import Roots
from btdiag.core.credential import no_key
from btdiag.core.exchange import Exchange
from btdiag.core.measurement import NotAsked, Scope, measurement
from btdiag.core.target import Mode, Target, Way
from btdiag.net.deadline import seen_in_time
from btdiag.net.endpoint import get
from btdiag.net.limits import HEALTH_ANSWER
from btdiag.net.retry import followed, settled
from btdiag.net.wire import Wire

TIMES = 6  # requests for GET /: one of three backends broken stays unseen in 9 % of runs on one address
TIMES_DEEP = 30  # the same for one of ten: 4 %
HEAD_START = 1.0  # seconds for the first request alone, so that its time is not that of a burst
_WHY = "two rounds of at most 6 s each, the health checks' 5 s and one more"


@measurement(
    budget=13,
    why=_WHY,
    scope=Scope.ADDRESS,
    sends=lambda target, mode: [f"GET {target.url_for('/')} ({TIMES_DEEP if mode.deep else TIMES} times)"],
    first=True,
)
async def roots(way: Way, wire: Wire, target: Target, mode: Mode) -> Roots:
    """GET / some times on connections of their own, as health checks do: one, and soon after it the others at once."""

    def ask() -> Awaitable[Exchange]:
        return wire.exchange(way, "GET", target.url_for("/"), limits=HEALTH_ANSWER)

    first = asyncio.ensure_future(ask())
    try:
        await asyncio.wait([first], timeout=HEAD_START)
        others = (ask() for _ in range((TIMES_DEEP if mode.deep else TIMES) - 1))
        return Roots(exchanges=await seen_in_time(first, *others))
    finally:
        first.cancel()


@measurement(budget=13, why=_WHY, scope=Scope.ADDRESS, sends=lambda target, mode: [f"GET {target.url_for('/version')}"])
async def version(way: Way, wire: Wire, target: Target) -> Exchange:
    """GET /version without the key: the API's JSON, if it is the API that answers."""

    def ask(url: str) -> Awaitable[Exchange]:
        return settled(lambda: wire.exchange(way, "GET", url, limits=HEALTH_ANSWER))

    return await followed(ask, target.url_for("/version"))


@measurement(budget=13, why=_WHY, scope=Scope.ADDRESS, sends=lambda target, mode: [f"GET {target.url_for('/status')}"])
async def status(way: Way, wire: Wire, target: Target) -> Exchange:
    """GET /status, the old readiness path that never recovers once it has failed."""
    return await settled(lambda: wire.exchange(way, "GET", target.url_for("/status"), limits=HEALTH_ANSWER))


@measurement(
    budget=13,
    why=_WHY,
    scope=Scope.ADDRESS,
    sends=lambda target, mode: [f"GET {target.url_for('/ping')} with the API key"] if target.api_key else [],
)
async def ping(way: Way, wire: Wire, target: Target) -> Exchange:
    """GET /ping with the API key. The body of a success names a person and is not kept."""
    if target.api_key is None:
        raise NotAsked(no_key(target))
    return without_person(
        await settled(lambda: wire.exchange(way, "GET", target.url_for("/ping"), with_key=True, limits=HEALTH_ANSWER))
    )


def without_person(seen: Exchange) -> Exchange:
    """An answer of /ping to keep: the body of a success names a person, and is not kept."""
    return replace(seen, body="[withheld]") if seen.status == 200 and seen.body else seen


@measurement(
    budget=25,
    why="up to four addresses, each the health checks' 5 s and one more; most answer at once",
    sends=lambda target, mode: [f"GET {target.backend}/"] if target.backend else [],
)
async def backend_root(wire: Wire, target: Target) -> Exchange:
    """GET / at the API server itself, past the load balancer."""
    if target.backend is None:
        raise NotAsked("no --backend URL was given", "--backend http://HOST:8000")
    return await settled(lambda: get(f"{target.backend}/", target, wire, HEALTH_ANSWER))


@measurement(
    budget=25,
    why="up to four addresses, each the health checks' 5 s and one more; most answer at once",
    sends=lambda target, mode: [f"GET {target.brainstore}/"] if target.brainstore else [],
)
async def brainstore_root(wire: Wire, target: Target) -> Exchange:
    """GET / at Brainstore, as its readiness probe does."""
    if target.brainstore is None:
        raise NotAsked("no --brainstore URL was given", "--brainstore http://HOST:4000")
    return await settled(lambda: get(f"{target.brainstore}/", target, wire, HEALTH_ANSWER))
