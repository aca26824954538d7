"""One read and one preflight, without the key, and as much again for contrast where they do not speak for themselves.

Nothing is written: routes that write are asked by OPTIONS alone.
"""

from __future__ import annotations

import asyncio

from btdiag.core.exchange import Exchange
from btdiag.core.measurement import measurement
from btdiag.core.product import UNKNOWN_PATH
from btdiag.core.target import Mode, Target, Way
from btdiag.families.retention.facts import KNOWN, PREFLIGHTS, READ, RetentionRoutes
from btdiag.families.retention.judge import may_be_lost, well
from btdiag.net.limits import HEALTH_ANSWER
from btdiag.net.retry import settled
from btdiag.net.wire import Wire

_PREFLIGHT = (
    ("Origin", "https://www.braintrust.dev"),
    ("Access-Control-Request-Method", "POST"),
    ("Access-Control-Request-Headers", "authorization"),
)


def _planned(target: Target, mode: Mode) -> list[str]:
    return [
        f"GET {target.url_for(READ)}",
        *(f"OPTIONS {target.url_for(path)}" for path in PREFLIGHTS),
        f"GET {target.url_for(UNKNOWN_PATH)} and OPTIONS {target.url_for(KNOWN)}, where these seem lost",
    ]


@measurement(
    budget=38, why="two requests side by side, and two after them, 6 s each, up to three times more", sends=_planned
)
async def retention_routes(serving_way: Way, wire: Wire, target: Target) -> RetentionRoutes:
    """What the routes of retention answer to somebody without a key."""

    async def ask(method: str, path: str) -> Exchange:
        headers = _PREFLIGHT if method == "OPTIONS" else ()
        url = target.url_for(path)
        return await settled(lambda: wire.exchange(serving_way, method, url, headers=headers, limits=HEALTH_ANSWER))

    read, *preflights = await asyncio.gather(ask("GET", READ), *(ask("OPTIONS", one) for one in PREFLIGHTS))
    # for contrast and last, so that a moment in which nothing was served is over by then
    unknown = await ask("GET", UNKNOWN_PATH) if may_be_lost(read) else None
    known = None if all(map(well, preflights)) else await ask("OPTIONS", KNOWN)
    return RetentionRoutes(
        read=read, unknown=unknown, known=known, preflights=tuple(zip(PREFLIGHTS, preflights, strict=True))
    )
