"""One harmless request to every class of routes that a load balancer may send to a backend of its own."""

from __future__ import annotations

import asyncio

from btdiag.judge.cors_survey import UNKNOWN_PATH
from btdiag.judge.credential import logs_in
from btdiag.judge.exchange import Exchange
from btdiag.judge.limits_routes import ROUTE_CLASSES, RouteAnswers, RouteClass
from btdiag.measurement import NotAsked, measurement
from btdiag.model import Mode, Target, Way
from btdiag.probe.body import JSON
from btdiag.probe.kept import kept
from btdiag.probe.wire import Wire


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

    async def ask(route: RouteClass) -> tuple[RouteClass, Exchange]:
        body, headers = (b"{}", (JSON,)) if route.method == "POST" else (b"", ())
        url = target.url_for(route.path)
        return route, await asker.ask(route.method, url, headers=headers, body=body)

    unknown = RouteClass(name="none", method="GET", path=UNKNOWN_PATH)
    async with kept(serving_way, wire) as asker:
        *answers, (_, control) = await asyncio.gather(*(ask(route) for route in (*ROUTE_CLASSES, unknown)))
    return RouteAnswers(answers=tuple(answers), unknown=control)
