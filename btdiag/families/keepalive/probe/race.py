"""The keep-alive race, fired: volleys of harmless POSTs at the moment the backend lets go of idle connections.

Sent: N requests at once to a path nobody knows (404), each with a two-byte body; one in eight is a GET. The front
connections are held, so that the load balancer's pool holds N connections of one age. plan.py says what to do next,
induction.py does it. Bounds: --connections, the limit of open files, four periods, 22 volleys of 15 s; it stops at once
when throttled, when a control fails, and when the race is proved. Nothing is written to the
target; but it can cause the very 502s that it looks for, and a load balancer may take servers out for that (nginx:
10 s): hence opt-in (--induce) for all but lab targets.
"""

from __future__ import annotations

import asyncio
from dataclasses import fields

from btdiag.core.measurement import NotAsked, Waits, measurement
from btdiag.core.target import Mode, Target, Way
from btdiag.families.keepalive.aim import PERIODS
from btdiag.families.keepalive.facts import Race
from btdiag.families.keepalive.plan import consented, race_wait
from btdiag.families.keepalive.probe.backend import WATCHED
from btdiag.families.keepalive.probe.induction import ODD_METHOD, Induction
from btdiag.families.keepalive.probe.volleys import GET_EVERY, Battery, connection_limit
from btdiag.net.timed import close_all
from btdiag.net.wire import Wire


def _volleys(target: Target, mode: Mode) -> list[str]:
    if not consented(target, mode):
        return []
    url, count = target.url_for(mode.probe_path or "/btdiag-RANDOM"), connection_limit(mode.connections)
    periods = mode.periods or PERIODS
    odd = [] if target.backend else [f"{ODD_METHOD} {url}, to see whether Node.js answers"]
    lines = [
        f"POST {url}, to see who answers",
        *odd,
        f"POST {url} (one in {GET_EVERY} a GET) on {count} connections at once: a volley",
        f"the volley again: warm-up and controls, and {periods} times at most at the age of the backend's keep-alive",
    ]
    return lines + [f"GET {target.backend}/ on {WATCHED} connections"] * bool(target.backend)


@measurement(
    budget=60,
    why="up to 22 volleys, each over in a second or cut off at 15 s, and 40 s until servers taken out are back",
    idle=race_wait,
    sends=_volleys,
    provokes="requests on connections that close, and a method that Node does not know",
)
async def race(target: Target, mode: Mode, wire: Wire, waits: Waits, serving_way: Way) -> Race:
    """What the load balancer does with requests that reach the backend just as it closes idle connections."""
    if not consented(target, mode):
        raise NotAsked(
            "volleys are opt-in: they can cost real requests, and make a load balancer take servers out for seconds",
            "--induce",
        )
    began = asyncio.get_running_loop().time()
    battery = Battery(target=target, way=serving_way, wire=wire, path="", began=began)
    induction = Induction(target=target, mode=mode, wire=wire, waits=waits, battery=battery)
    try:
        stop = await induction.run()
        seen = induction.seen()
        return Race(**{one.name: getattr(seen, one.name) for one in fields(seen)}, stop=stop)
    finally:
        await close_all(induction.direct)
        await battery.close()
