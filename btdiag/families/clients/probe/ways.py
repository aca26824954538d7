"""The ways that other clients take, tried where this run takes another one."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from btdiag.config.secretive import proxy_parts
from btdiag.core.measurement import measurement
from btdiag.core.target import Proxy, Route, Secret, Target
from btdiag.families.clients.facts import ClientWays, Surroundings, WayTrial
from btdiag.families.clients.probe.surroundings import environment_of
from btdiag.families.connection.probe.connect import connect
from btdiag.net.names import resolve
from btdiag.net.wire import Wire

PATIENCE = 3.0  # seconds for one connection: whether there is another way is worth no more
MOST = 2  # ways; more than two proxies beside this run's own are no case of this world


@measurement(
    budget=10,
    why="the name 3 s and a connection 3 s, where proxy variables send other clients another way",
    sends=lambda target, mode: (
        ["one connection on the way of clients that read the proxy variables in another way"]
        if target.proxy is not None
        else []
    ),
)
async def client_ways(surroundings: Surroundings, wire: Wire, target: Target) -> ClientWays:
    """Whether connections come about on the ways that other clients take by the proxy variables."""
    own = target.proxy.url if target.proxy else ""
    others = dict.fromkeys(one.proxy for one in surroundings.readings if one.fault is None and one.proxy != own)
    trials = [_tried(proxy, surroundings, wire, target) for proxy in list(others)[:MOST]]
    return ClientWays(own=own, trials=tuple(await asyncio.gather(*trials)))


async def _tried(proxy: str, here: Surroundings, wire: Wire, target: Target) -> WayTrial:
    if proxy:
        name = next(one.reading.variable for one in here.readings if one.proxy == proxy)
        _, login = proxy_parts(environment_of(target)[name])
        asked = Proxy(url=proxy, source=name, credentials=Secret(login) if login else None)
        route = Route(label=f"proxy {proxy}", address=None, port=target.port, proxy=asked)
        return WayTrial(proxy=proxy, connection=await connect(route, wire, target, PATIENCE))
    try:
        async with asyncio.timeout(PATIENCE):
            found = await resolve(replace(target, proxy=None))
    except TimeoutError:
        return WayTrial(proxy="", connection=None)
    if not found.addresses:
        return WayTrial(proxy="", connection=None)
    address = found.addresses[0]
    route = Route(label=address, address=address, port=target.port)
    return WayTrial(proxy="", connection=await connect(route, wire, target, PATIENCE))
