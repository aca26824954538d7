"""Preflights of the origins that files allow, and of the web app's own as the contrast. No key, nothing is followed."""

from __future__ import annotations

import asyncio

from btdiag.core.measurement import NotAsked, measurement
from btdiag.core.target import Mode, Target, Way
from btdiag.families.config.facts import OriginTrial, OriginTrials
from btdiag.families.config.plan import PATH, WEB_APP, asked_origins
from btdiag.net.limits import CORS_ANSWER
from btdiag.net.retry import settled
from btdiag.net.wire import Wire


def _planned(target: Target, mode: Mode) -> list[str]:
    named, _ = asked_origins(target)
    return [f"OPTIONS {target.url_for(PATH)} (preflight, {len(named) + 1} origins)"] if named else []


@measurement(budget=17, why="preflights side by side, 4 s each, up to three times more", sends=_planned)
async def declared_origins(serving_way: Way, wire: Wire, target: Target) -> OriginTrials:
    """What the target answers to each origin that a file of --config allows."""
    named, left_out = asked_origins(target)
    if not named:
        raise NotAsked("no file of --config allows an origin", "--config PATH")
    trials = await asyncio.gather(*(_tried(serving_way, wire, target, origin) for origin in (WEB_APP, *named)))
    return OriginTrials(trials=tuple(trials), left_out=left_out)


async def _tried(way: Way, wire: Wire, target: Target, origin: str) -> OriginTrial:
    headers = (
        ("Origin", origin),
        ("Access-Control-Request-Method", "GET"),
        ("Access-Control-Request-Headers", "authorization"),
    )
    url = target.url_for(PATH)
    seen = await settled(lambda: wire.exchange(way, "OPTIONS", url, headers=headers, limits=CORS_ANSWER))
    return OriginTrial(origin=origin, own=origin == WEB_APP, exchange=seen)
