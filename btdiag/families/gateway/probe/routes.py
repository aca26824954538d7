"""One harmless request to every class of routes that a load balancer may send to a backend of its own."""

from __future__ import annotations

import asyncio

from btdiag.core.credential import logs_in
from btdiag.core.exchange import Exchange, Header
from btdiag.core.measurement import NotAsked, Waits, measurement
from btdiag.core.product import JSON, UNKNOWN_PATH
from btdiag.core.target import Mode, Target, Way
from btdiag.families.gateway.facts.routes import ROUTE_CLASSES, MoreAnswers, RouteAnswers, RouteClass
from btdiag.families.gateway.judge.routes import silent, unreached
from btdiag.families.keepalive.plan import front_wait
from btdiag.net.endpoint import backend_way
from btdiag.net.idle import while_idle
from btdiag.net.limits import Limits
from btdiag.net.reuse import Kept, kept_way
from btdiag.net.wire import Wire


def _planned(target: Target, mode: Mode) -> list[str]:
    if logs_in(target):
        return []
    classes = [f"{route.method} {target.url_for(route.path)} (no key, empty JSON)" for route in ROUTE_CLASSES]
    return [*classes, f"GET {target.url_for(UNKNOWN_PATH)}"]


@measurement(budget=26, why="each request at most four times, together two rounds of 6 s and more", sends=_planned)
async def route_answers(serving_way: Way, wire: Wire, target: Target) -> RouteAnswers:
    """What each class of routes answers to a request that can neither read nor write anything."""
    if logs_in(target):
        raise NotAsked("--header logs in every request, and these must not be: POST to routes that write")

    unknown = RouteClass(name="none", method="GET", path=UNKNOWN_PATH)
    async with kept_way(serving_way, wire) as asker:
        *answers, (_, control) = await asyncio.gather(
            *(_ask(asker, target.url_for(""), route) for route in (*ROUTE_CLASSES, unknown))
        )
    return RouteAnswers(answers=tuple(answers), unknown=control)


async def _ask(asker: Kept, base: str, route: RouteClass) -> tuple[RouteClass, Exchange]:
    return route, await asker.ask(route.method, base + route.path, headers=_headers(route), body=_body(route))


def _headers(route: RouteClass) -> tuple[Header, ...]:
    return (JSON,) if route.method == "POST" else ()


def _body(route: RouteClass) -> bytes:
    return b"{}" if route.method == "POST" else b""


def _planned_direct(target: Target, mode: Mode) -> list[str]:
    return [f"what does not reach the API above, at {target.backend}"] if target.backend else []


@measurement(budget=30, why="eight requests at most, two at a time, 6 s each at worst", sends=_planned_direct)
async def direct_routes(wire: Wire, target: Target, route_answers: RouteAnswers) -> MoreAnswers:
    """What the API server itself answers on the routes that did not seem to reach it."""
    routes = unreached(route_answers)
    if not routes:
        raise NotAsked("every class of routes reaches the API")
    way = await backend_way(target, wire)
    async with kept_way(way, wire) as asker:
        answers = await asyncio.gather(*(_ask(asker, str(target.backend), route) for route in routes))
    return MoreAnswers(answers=tuple(answers))


@measurement(
    budget=10,
    why="the time to connect",
    idle=front_wait,
    sends=lambda target, mode: ["what is not answered within 6 s above, once more, with more patience"],
)
async def slow_routes(
    serving_way: Way, wire: Wire, target: Target, mode: Mode, waits: Waits, route_answers: RouteAnswers
) -> MoreAnswers:
    """What becomes of the routes that gave no answer in the usual time: an answer after all, or a gateway's 504."""
    routes = silent(route_answers)
    if not routes:
        raise NotAsked("every class of routes answers in time")
    wait = front_wait(target, mode)

    async def patient(route: RouteClass) -> tuple[RouteClass, Exchange]:
        seen = await wire.exchange(
            serving_way,
            route.method,
            target.url_for(route.path),
            headers=_headers(route),
            body=_body(route),
            limits=Limits(total=wait),
        )
        return route, seen

    asking = asyncio.gather(*(patient(route) for route in routes))
    return MoreAnswers(answers=tuple(await while_idle(asking, waits, wait, "slow route")))
