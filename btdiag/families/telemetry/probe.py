"""Two reads without the key, where a file says that the endpoints are off; telemetry itself is judged by what reaching
out from here came to."""

from __future__ import annotations

import asyncio

from btdiag.config.stated import SYSADMIN
from btdiag.core.exchange import Exchange
from btdiag.core.measurement import NotAsked, measurement
from btdiag.core.product import UNKNOWN_PATH
from btdiag.core.target import Mode, Target, Way
from btdiag.families.telemetry.facts import ENDPOINTS, SysadminAnswers
from btdiag.net.limits import HEALTH_ANSWER
from btdiag.net.retry import settled
from btdiag.net.wire import Wire


def _planned(target: Target, mode: Mode) -> list[str]:
    if not any(setting.name == SYSADMIN for setting in target.settings):
        return []
    return [f"GET {target.url_for(path)}" for path in (*ENDPOINTS, UNKNOWN_PATH)]


@measurement(budget=25, why="three requests side by side, 6 s each, up to three times more", sends=_planned)
async def sysadmin_answers(serving_way: Way, wire: Wire, target: Target) -> SysadminAnswers:
    """What the endpoints for Braintrust's administrators answer, where they are declared off."""
    if not any(setting.name == SYSADMIN for setting in target.settings):
        raise NotAsked("no file of --config switches the sysadmin endpoints off", "--config PATH")

    async def ask(path: str) -> Exchange:
        url = target.url_for(path)
        return await settled(lambda: wire.exchange(serving_way, "GET", url, limits=HEALTH_ANSWER))

    unknown, *answers = await asyncio.gather(ask(UNKNOWN_PATH), *(ask(path) for path in ENDPOINTS))
    return SysadminAnswers(trials=tuple(zip(ENDPOINTS, answers, strict=True)), unknown=unknown)
