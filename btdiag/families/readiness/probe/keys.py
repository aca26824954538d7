"""The way of the API key: GET /ping without a key, with a made-up one, with the key in another header and past the load
balancer. Nothing is written, and the key goes only where core/credential.py lets it."""

from __future__ import annotations

from dataclasses import replace

from btdiag.core.credential import logs_in
from btdiag.core.exchange import Exchange
from btdiag.core.measurement import Blocked, NotAsked, Scope, Unknown, measurement
from btdiag.core.target import Mode, Target, Way
from btdiag.families.readiness.facts import KeyTrials
from btdiag.families.readiness.plan import REFUSED
from btdiag.net.endpoint import backend_way
from btdiag.net.limits import HEALTH_ANSWER
from btdiag.net.retry import settled
from btdiag.net.wire import Wire

MADE_UP = "Bearer sk-btdiag-made-up-0000"
_LIMITS = HEALTH_ANSWER


def _planned(target: Target, mode: Mode) -> list[str]:
    if target.api_key is None:
        return []
    ping = target.url_for("/ping")
    direct = [f"GET {target.backend}/ping with the API key"] if target.backend else []
    asked = [
        f"GET {ping} without a key",
        f"GET {ping} with a made-up key",
        f"GET {ping} with the key in {TOKEN}",
        *direct,
    ]
    return [f"{one}, where the API key was refused" for one in asked]


TOKEN = "x-bt-auth-token"


@measurement(
    budget=40,
    why="four requests of at most 6 s each, one after the other, and a connection to the backend",
    scope=Scope.ADDRESS,
    sends=_planned,
)
async def key_trials(way: Way, wire: Wire, target: Target, ping: Exchange) -> KeyTrials:
    """How GET /ping is answered otherwise, where it refused the key: that tells who refuses, and what."""
    if ping.key_withheld or ping.failure or ping.status not in REFUSED or logs_in(target):
        raise NotAsked("the API key was not refused")
    url = target.url_for("/ping")
    none = await settled(lambda: wire.exchange(way, "GET", url, limits=_LIMITS))
    made_up = await settled(lambda: wire.exchange(way, "GET", url, headers=_made_up(), limits=_LIMITS))
    token = await wire.exchange(way, "GET", url, with_key=True, key_in=TOKEN, limits=_LIMITS)
    return KeyTrials(none=none, made_up=made_up, token=_kept(token), direct=await _direct(wire, target))


def _made_up() -> tuple[tuple[str, str], ...]:
    return (("Authorization", MADE_UP),)


async def _direct(wire: Wire, target: Target) -> Exchange | None:
    try:
        way = await backend_way(target, wire)
    except (NotAsked, Blocked, Unknown):
        return None
    return _kept(await wire.exchange(way, "GET", f"{target.backend}/ping", with_key=True, limits=_LIMITS))


def _kept(seen: Exchange) -> Exchange | None:
    """The exchange if the key was sent in it; the body of a success names a person."""
    if seen.key_withheld:
        return None
    return replace(seen, body="[withheld]") if seen.status == 200 else seen
