"""An upload that takes long: sent slowly, once, to a path that does not exist; with --deep only."""

from __future__ import annotations

import asyncio

from btdiag.core.exchange import Exchange
from btdiag.core.measurement import NotAsked, Waits, measurement
from btdiag.core.product import JSON, UNKNOWN_PATH
from btdiag.core.target import Mode, Target, Way
from btdiag.families.gateway.facts.requests import SlowUpload
from btdiag.families.keepalive.plan import front_wait
from btdiag.net.endpoint import backend_way_if_any
from btdiag.net.idle import while_idle
from btdiag.net.limits import HEALTH_ANSWER, Limits
from btdiag.net.request import Shape
from btdiag.net.retry import settled
from btdiag.net.wire import Wire

BODY = b"{" + b" " * 65_534 + b"}"  # 64 KiB in a minute are more than the 500 bytes a second that Apache demands
AFTER_S = 6.0  # seconds for the answer, once all is sent


def _wait(target: Target, mode: Mode) -> float:
    return front_wait(target, mode) if mode.deep else 0.0


def _planned(target: Target, mode: Mode) -> list[str]:
    if not mode.deep:
        return []
    urls = [target.url_for(UNKNOWN_PATH), *([f"{target.backend}{UNKNOWN_PATH}"] if target.backend else [])]
    took = f"{len(BODY) // 1024} KiB, sent over {front_wait(target, mode):g} s"
    return [f"POST {urls[0]} with {len(BODY) // 1024} KiB at once", *(f"POST {url} with {took}" for url in urls)]


@measurement(
    budget=25,
    why="5 s to connect for each of two addresses, and 6 s for each answer",
    idle=_wait,
    sends=_planned,
    provokes="an upload that hops may give up",
)
async def slow_upload(serving_way: Way, wire: Wire, target: Target, mode: Mode, waits: Waits) -> SlowUpload:
    """How an upload is answered that takes as long as the other waits of the run, beside the same one sent at once."""
    if not mode.deep:
        raise NotAsked("slow uploads are tried with --deep only", "--deep")
    wait, url = front_wait(target, mode), target.url_for(UNKNOWN_PATH)
    at_once = await settled(
        lambda: wire.exchange(serving_way, "POST", url, headers=(JSON,), body=BODY, limits=HEALTH_ANSWER)
    )
    asking = asyncio.gather(_sent(serving_way, wire, url, wait), _beside(wire, target, wait))
    slow, direct = await while_idle(asking, waits, wait, "slow upload")
    return SlowUpload(at_once=at_once, slow=slow, direct=direct, over_s=wait)


async def _sent(way: Way, wire: Wire, url: str, over_s: float) -> Exchange:
    limits, shape = Limits(total=over_s + AFTER_S), Shape(over_s=over_s)
    return await wire.exchange(way, "POST", url, headers=(JSON,), body=BODY, shape=shape, limits=limits)


async def _beside(wire: Wire, target: Target, over_s: float) -> Exchange | None:
    way = await backend_way_if_any(target, wire)
    return None if way is None else await _sent(way, wire, f"{target.backend}{UNKNOWN_PATH}", over_s)
