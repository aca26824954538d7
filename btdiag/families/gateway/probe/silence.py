"""How long a silent answer is left alone: the API's stream of events, held until somebody ends it.

No request makes the data plane slow on purpose. Its stream of events is the one answer that may stay silent without any
work behind it; where it does not, nothing can be seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from btdiag.core.exchange import Header
from btdiag.core.measurement import NotAsked, Waits, measurement
from btdiag.core.target import Mode, Target, Way
from btdiag.families.gateway.facts.streams import FLOWING_S, STREAM_PATH, HeldStream, StreamSeen, StreamSilence
from btdiag.families.gateway.probe.streams import AS_CLIENTS_ASK, GATEWAY, UNPACKED, watch_stream
from btdiag.families.keepalive.plan import front_wait
from btdiag.net.endpoint import backend_way_if_any
from btdiag.net.idle import while_idle
from btdiag.net.retry import again_while
from btdiag.net.wire import Wire

HELD = 2  # streams; only a timer ends both at the same age
STAGGER_S = 1.0  # seconds between them: a restart of the API ends both at the same moment, and so at other ages
_ALL = 10**9  # no number of pieces ends the watch


def _planned(target: Target, mode: Mode) -> list[str]:
    wait = front_wait(target, mode)
    held = [f"GET {target.url_for(STREAM_PATH)} on {HELD} connections, held for {wait:g} s or until they end"]
    return [*held, f"GET {target.backend}{STREAM_PATH} (as above)"] if target.backend else held


@measurement(
    budget=20,
    why="5 s to connect for each of two addresses of the API server, and one second between the streams",
    idle=front_wait,
    sends=_planned,
)
async def silence(
    serving_way: Way, wire: Wire, target: Target, mode: Mode, waits: Waits, stream_seen: StreamSeen
) -> StreamSilence:
    """How long the API's event stream is left alone while it is silent, through the load balancer and beside it."""
    if not (stream_seen.is_stream or stream_seen.silent):
        raise NotAsked(
            f"no answer stays silent long enough to be watched (GET {STREAM_PATH} is answered "
            f"{stream_seen.exchange.status}): after how many seconds the hops give up a slow answer was not seen"
        )
    wait = front_wait(target, mode)
    url = target.url_for(STREAM_PATH)
    forms = (AS_CLIENTS_ASK, UNPACKED)  # what packs may hold back; a timer ends both alike
    fronts = [_hold(serving_way, wire, url, wait, number * STAGGER_S, form) for number, form in enumerate(forms)]
    held = asyncio.gather(_beside(wire, target, wait), asyncio.gather(*fronts))
    direct, front = await while_idle(held, waits, wait, "silent answer")
    return StreamSilence(front=tuple(front), direct=direct, watched_s=wait)


async def _beside(wire: Wire, target: Target, seconds: float) -> HeldStream | None:
    way = await backend_way_if_any(target, wire)
    return None if way is None else await _hold(way, wire, f"{target.backend}{STREAM_PATH}", seconds, 0.0, UNPACKED)


async def _hold(way: Way, wire: Wire, url: str, seconds: float, after: float, headers: Sequence[Header]) -> HeldStream:
    """One stream, from `after` until the end of the wait; asked for again where a gateway's error comes at once."""
    await asyncio.sleep(after)
    seen = await again_while(
        lambda one: one.exchange.status in GATEWAY and one.over_s <= FLOWING_S,
        lambda: watch_stream(way, wire, url, seconds - after, _ALL, headers),
    )
    return HeldStream(
        exchange=seen.exchange,
        last_s=seen.last_s,
        longest_s=seen.longest_s,
        gap_s=seen.gap_s,
        over_s=seen.over_s,
        events=len(seen.pieces),
    )
