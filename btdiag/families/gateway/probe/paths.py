"""Paths that hops like to rewrite or to redirect: a doubled slash, one at the end, an encoded one; without the key."""

from __future__ import annotations

import asyncio

from btdiag.core.measurement import measurement
from btdiag.core.target import Mode, Target, Way
from btdiag.families.gateway.facts.routes import PATHS, PathAnswers
from btdiag.net.endpoint import backend_way
from btdiag.net.reuse import kept_way
from btdiag.net.wire import Wire


def _planned(target: Target, mode: Mode) -> list[str]:
    return [f"GET {target.url_for(path)}" for path in PATHS]


@measurement(budget=26, why="each request at most four times, together two rounds of 6 s and more", sends=_planned)
async def path_answers(serving_way: Way, wire: Wire, target: Target) -> PathAnswers:
    """How the paths are answered through the load balancer."""
    return await _asked(serving_way, wire, target.url_for(""))


def _planned_direct(target: Target, mode: Mode) -> list[str]:
    return [f"GET {target.backend}{path}" for path in PATHS] if target.backend else []


@measurement(budget=30, why="the same, and 5 s to connect", sends=_planned_direct)
async def direct_paths(wire: Wire, target: Target) -> PathAnswers:
    """How the API server itself answers them."""
    return await _asked(await backend_way(target, wire), wire, str(target.backend))


async def _asked(way: Way, wire: Wire, base: str) -> PathAnswers:
    async with kept_way(way, wire) as asker:
        answers = await asyncio.gather(*(asker.ask("GET", base + path) for path in PATHS))
    return PathAnswers(answers=tuple(zip(PATHS, answers, strict=True)))
