"""What becomes of a refused key when one thing is changed: no key, a made-up one, another header, past the balancer.

Sent, where GET /ping was refused with the key and nowhere else: GET /ping again, four times at most. Recorded: the
answers."""

from __future__ import annotations

from btdiag.core.credential import MADE_UP, no_key
from btdiag.core.exchange import Exchange
from btdiag.core.measurement import Blocked, NotAsked, PerAddress, Unknown, measurement
from btdiag.core.target import Target, Way
from btdiag.families.readiness.facts import REFUSED, KeyContrast
from btdiag.families.readiness.probe.health import without_person
from btdiag.net.endpoint import routes_to
from btdiag.net.limits import HEALTH_ANSWER
from btdiag.net.request import Shape
from btdiag.net.wire import Wire

OTHER_HEADER = "x-bt-auth-token"  # the product's own, beside Authorization
_IN_OTHER_HEADER = Shape(key_header=OTHER_HEADER)
_BARE = Shape(bare=True)


@measurement(
    budget=20,
    why="four requests, one after the other, the health checks' 5 s each; most are answered at once",
    sends=lambda target, mode: (
        [f"GET {target.url_for('/ping')} without the key, with a made-up one, and otherwise, where the key is refused"]
        if target.api_key
        else []
    ),
)
async def key_contrast(ping: PerAddress[Exchange], serving_way: Way, wire: Wire, target: Target) -> KeyContrast:
    """GET /ping with one thing changed, where it was refused with the key."""
    if target.api_key is None:
        raise NotAsked(no_key(target))
    if not any(one.status in REFUSED and not one.key_withheld for one in ping.facts.values()):
        raise NotAsked("GET /ping is not refused")
    url = target.url_for("/ping")

    async def ask(*headers: tuple[str, str]) -> Exchange:
        return await wire.exchange(serving_way, "GET", url, headers=headers, shape=_BARE, limits=HEALTH_ANSWER)

    without, made_up = await ask(), await ask(("Authorization", MADE_UP))
    other = await wire.exchange(
        serving_way, "GET", url, with_key=True, shape=Shape(key_header=OTHER_HEADER), limits=HEALTH_ANSWER
    )
    return KeyContrast(
        without=without,
        made_up=made_up,
        other_header=None if other.key_withheld else without_person(other),
        direct=await _direct(target, wire),
    )


async def _direct(target: Target, wire: Wire) -> Exchange | None:
    """The same with the key past the load balancer, on the first address that takes a connection; None where there is
    no --backend, where it is out of reach, or where the key may not go there."""
    if target.backend is None:
        return None
    try:
        routes = await routes_to(target.backend, target)
    except (Blocked, Unknown):
        return None
    for route in routes:
        seen = await wire.exchange(route, "GET", f"{target.backend}/ping", with_key=True, limits=HEALTH_ANSWER)
        if seen.status is not None:
            return None if seen.key_withheld else without_person(seen)
    return None
