"""The backend watched past its server's own default, where a run has no time for what is declared."""

from __future__ import annotations

from btdiag.core.exchange import Exchange
from btdiag.core.measurement import NotAsked, Waits, measurement
from btdiag.core.target import Mode, Target
from btdiag.families.keepalive.facts import BackendIdle
from btdiag.families.keepalive.plan import early_look
from btdiag.families.keepalive.probe.idle import (
    BACKEND,
    STAGGER_S,
    WATCHED,
    backend_fact,
    open_and_ask,
    wait_for_ends,
    way_past,
)
from btdiag.net.timed import close_all
from btdiag.net.wire import Wire


@measurement(
    budget=20,
    why="four connections, one request each",
    idle=early_look,
    sends=lambda target, mode: (
        [f"GET {target.backend}/ on {WATCHED} connections, held past the server's default"]
        if early_look(target, mode)
        else []
    ),
)
async def early_backend_idle(
    target: Target, mode: Mode, wire: Wire, waits: Waits, backend_root: Exchange
) -> BackendIdle:
    """Whether the backend closes by its own default, where the budget does not hold the declared time."""
    wait = early_look(target, mode)
    if not wait:
        raise NotAsked("the budget holds the declared keep-alive")
    way = await way_past(target, wire, backend_root)
    connections = await open_and_ask(wire, way, str(target.backend), "/", WATCHED, STAGGER_S)
    try:
        await wait_for_ends(connections, waits, wait, BACKEND)
        return backend_fact(way.route.label, connections)
    finally:
        await close_all(connections)
