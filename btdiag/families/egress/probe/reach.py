"""Reaching out from where btdiag runs: each host that this place needs, and each that must stay blocked.

A host is tried as the target itself is: its name, its addresses, TLS with a second look where it breaks, one GET; where
SDKs log in also a login without a key, small and larger. All at once, so that ten dead hosts take as long as one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace

from btdiag.core.address import is_ipv6
from btdiag.core.exchange import Exchange, Phase
from btdiag.core.handshake import Connection
from btdiag.core.measurement import measurement
from btdiag.core.product import JSON, UPGRADE
from btdiag.core.resolution import AddressSource, Resolution
from btdiag.core.target import Proxy, Route, Target, Way
from btdiag.core.urls import url_parts
from btdiag.families.connection.probe.connect import connect, reach
from btdiag.families.dns.judge.addresses import misleading, unusable
from btdiag.families.egress.facts import LARGER, TELEMETRY, Egress, Host, HostTrial, hosts
from btdiag.families.egress.judge.answers import is_stopped, met_silence
from btdiag.families.egress.judge.trust import trusted_authorities, wants_stores
from btdiag.families.egress.plan import planned
from btdiag.families.egress.probe.stores import judged_by
from btdiag.families.egress.ways import exempted_from, proxy_for
from btdiag.families.sdk.needs import LOGIN
from btdiag.net.limits import EGRESS_ANSWER, Limits
from btdiag.net.names import resolve
from btdiag.net.stores import Stores
from btdiag.net.streams import DialError
from btdiag.net.trust import Contexts
from btdiag.net.wire import Wire

PATIENCE = 1.0  # seconds; most hosts are connected to in a tenth of that
OTHER_WAY = 2.0  # seconds; whether there is another way is worth no more
ADDRESSES = 8  # of each IP version: firewalls that go by addresses often know only some of a pool
PATIENCE_S = 15.0  # seconds more for what met silence: boxes that inspect hold the first request for as long
PATIENT = Limits(total=PATIENCE_S)
_LOGIN_WITH_MORE = b'{"padding": "' + b"x" * (LARGER - 15) + b'"}'


@measurement(
    budget=90,
    why="names 25 s, connecting with a second look 14 s, two answers 12 s, another way 4 s or trust stores 2 s, what "
    "met silence once more for 15 s; all hosts at once",
    sends=planned,
)
async def egress(target: Target, wire: Wire) -> Egress:
    """What becomes of each host of the role, of --allow and of --expect-blocked, tried from here."""
    stores = Stores({} if target.lab_scenario is not None else os.environ)
    contexts = Contexts(target)  # one for all hosts: loading a trust store takes 20 ms
    trials = (_trial(host, target, wire, contexts, stores) for host in hosts(target))
    done = await asyncio.gather(*trials)
    vouched = trusted_authorities(done)
    return Egress(trials=tuple(replace(trial, vouched=vouched) for trial in done))


async def _trial(host: Host, target: Target, wire: Wire, contexts: Contexts, stores: Stores) -> HostTrial:
    proxy, note = proxy_for(host.url, target)
    there = _there(host, target, proxy)
    found = await resolve(there) if proxy is None else _by_proxy(there, proxy)
    bad = () if proxy else _led_astray(found, there)
    trial = HostTrial(
        host=host,
        resolution=found,
        misled=bad,
        proxy=proxy.url if proxy else "",
        proxy_note=proxy.source if proxy else note,
    )
    own = Wire(
        there, user_agent=wire.user_agent, contexts=contexts, deadline=wire.deadline, counts=wire.counts, own=False
    )
    routes = _routes(found, bad, there)
    trial = await _connected(trial, routes, there, target, own)
    trial = await _asked(trial, _best(routes, trial.connections), there, own)
    if wants_stores(trial) and (target.lab_scenario is None or _untrusted(trial)):
        spoken = next(route for route, one in zip(routes, trial.connections, strict=True) if one.handshake)
        trial = replace(trial, stores=await judged_by(stores, spoken, own))
    return trial


def _led_astray(found: Resolution, there: Target) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*unusable(found), *misleading(found, there))))


def _untrusted(trial: HostTrial) -> bool:
    return any(one.distrust is not None for one in trial.connections)


async def _asked(trial: HostTrial, way: Way | None, there: Target, wire: Wire) -> HostTrial:
    """The requests that the product makes there, side by side, on the way that works."""
    if way is None:
        return trial
    get, login, large, upgrade, telemetry = await asyncio.gather(
        wire.exchange(way, "GET", there.url_for("") if there.path else there.url_for("/"), limits=EGRESS_ANSWER),
        _login(trial.host, way, there, wire, b"{}"),
        _login(trial.host, way, there, wire, _LOGIN_WITH_MORE),
        _upgrade(trial.host, way, there, wire),
        _telemetry(trial.host, way, there, wire),
    )
    trial = replace(trial, answer=get, api=login, api_large=large, upgrade=upgrade, telemetry=telemetry)
    if met_silence(get.failure):
        patient = await wire.exchange(way, "GET", get.url, limits=PATIENT)
        return replace(trial, patient=patient)
    if login is None or not is_stopped(login):
        return trial
    return replace(trial, api_get=await wire.exchange(way, "GET", there.url_for(LOGIN.path), limits=EGRESS_ANSWER))


async def _login(host: Host, way: Way, there: Target, wire: Wire, body: bytes) -> Exchange | None:
    """A login without a key; nothing is sent to a server that does not prove to be the host."""
    if not host.calls_api or not way.verify:
        return None
    return await wire.exchange(way, "POST", there.url_for(LOGIN.path), headers=(JSON,), body=body, limits=EGRESS_ANSWER)


async def _telemetry(host: Host, way: Way, there: Target, wire: Wire) -> Exchange | None:
    """A look at where telemetry goes; a GET, so that nothing is sent there."""
    if not host.takes_telemetry:
        return None
    return await wire.exchange(way, "GET", there.url_for(TELEMETRY), limits=EGRESS_ANSWER)


async def _upgrade(host: Host, way: Way, there: Target, wire: Wire) -> Exchange | None:
    if not host.upgrades or not way.verify:
        return None
    try:
        stream = await wire.dial(way.route, tls=there.scheme == "https")
    except DialError:
        return None  # it took connections a moment ago: says nothing of upgrades
    try:
        return await wire.send_on(stream, "GET", there.url_for("/"), headers=UPGRADE, limits=EGRESS_ANSWER)
    finally:
        stream.abort()


async def _connected(trial: HostTrial, routes: Sequence[Route], there: Target, target: Target, wire: Wire) -> HostTrial:
    """The connections and, where none of them is trusted, one on the other way, which is begun early where they take
    long: a dead proxy costs no more time than any dead host."""
    connecting = asyncio.gather(*(reach(route, wire, there) for route in routes))
    other: asyncio.Task[tuple[str, Connection | None]] | None = None
    try:
        if not (await asyncio.wait({connecting}, timeout=PATIENCE))[0]:
            other = asyncio.create_task(_other_way(trial, there, target, wire))
        made = [await _awaited(one, route, wire, there) for one, route in zip(await connecting, routes, strict=True)]
        trial = replace(trial, connections=tuple(made))
        if any(one.blocked_by is None and one.distrust is None for one in trial.connections):
            return trial
        words, one = await (other or _other_way(trial, there, target, wire))
        return replace(trial, other_way=words, other=one)
    finally:
        connecting.cancel()
        if other is not None:
            other.cancel()
            await asyncio.gather(other, return_exceptions=True)


async def _awaited(one: Connection, route: Route, wire: Wire, there: Target) -> Connection:
    """The connection or, where its handshake met silence, one that is given more time."""
    silent = one.failure is not None and one.failure.phase is Phase.TLS and met_silence(one.failure)
    if not silent or one.without_sni == "succeeded" or one.small_packets:
        return one
    slow = await connect(route, wire, there, timeout=PATIENCE_S)
    return slow if slow.failure is None else one


async def _other_way(trial: HostTrial, there: Target, target: Target, wire: Wire) -> tuple[str, Connection | None]:
    """Past the proxy, or through the one that NO_PROXY takes the host out of: what it is called ("" without one), and
    the connection; None where the name does not resolve."""
    if trial.proxy:
        words, direct = "directly", replace(there, proxy=None)
        try:
            async with asyncio.timeout(OTHER_WAY):
                found = await resolve(direct)
        except TimeoutError:
            return "", None
        routes = _routes(found, _led_astray(found, direct), direct)[:1]
    elif (proxy := exempted_from(trial.host.url, target)) is not None:
        words = f"through the proxy {proxy.url} ({proxy.source})"
        routes = _routes(trial.resolution, (), replace(there, proxy=proxy))
    else:
        return "", None
    return words, await connect(routes[0], wire, there, timeout=OTHER_WAY) if routes else None


def _there(host: Host, target: Target, proxy: Proxy | None) -> Target:
    """The host as a target of its own: without anything that belongs to the data plane alone."""
    parts = url_parts(host.url)
    return replace(
        target,
        url=parts.normal,
        scheme=parts.scheme,
        host=parts.host,
        port=parts.port,
        path=parts.path,
        resolve=target.addresses_given(parts.host, parts.port),
        proxy=proxy,
        api_key=None,
        headers=(),
        client_cert=None,
        client_key=None,
    )


def _by_proxy(there: Target, proxy: Proxy) -> Resolution:
    return Resolution(name=there.host, source=AddressSource.RESOLVER, addresses=(), proxy=proxy.url)


def _routes(found: Resolution, bad: Sequence[str], there: Target) -> tuple[Route, ...]:
    if there.proxy is not None:
        return (Route(label=f"proxy {there.proxy.url}", address=None, port=there.port, proxy=there.proxy),)
    usable = [address for address in found.addresses if address not in bad]
    chosen = [a for a in usable if is_ipv6(a)][:ADDRESSES] + [a for a in usable if not is_ipv6(a)][:ADDRESSES]
    return tuple(Route(label=address, address=address, port=there.port) for address in chosen)


def _best(routes: Sequence[Route], connections: Sequence[Connection]) -> Way | None:
    """The first way on which a request can be sent, a trusted one before others."""
    working = [(route, one) for route, one in zip(routes, connections, strict=True) if one.blocked_by is None]
    working.sort(key=lambda pair: pair[1].distrust is not None)
    return Way(route=working[0][0], verify=working[0][1].distrust is None) if working else None
