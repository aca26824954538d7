"""Reaching out from where btdiag runs: each host that this place needs, and each that must stay blocked.

A host is tried as the target itself is: its name, its addresses, TLS with a second look where it breaks, one GET; where
SDKs log in also one login without a key. All at once, so that ten dead hosts take as long as one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace

from btdiag.config.targets import environment_proxy
from btdiag.judge.address import is_ipv6
from btdiag.judge.dns_addresses import misleading, unusable
from btdiag.judge.egress_facts import Egress, Host, HostTrial, hosts
from btdiag.judge.handshake import Connection
from btdiag.judge.resolution import Resolution, Source
from btdiag.judge.sdk_facts import LOGIN
from btdiag.measurement import measurement
from btdiag.model import Mode, Proxy, Route, Target, Way
from btdiag.probe.body import JSON
from btdiag.probe.connection import connection
from btdiag.probe.dns import resolution
from btdiag.probe.trust import Contexts
from btdiag.probe.wire import Limits, Wire
from btdiag.urls import url_parts

ANSWER = Limits(total=6.0)  # seconds, connecting included
ADDRESSES = 2  # of each IP version: whether a network lets a host through is the same for all of a pool


def _planned(target: Target, mode: Mode) -> list[str]:
    names = ", ".join(dict.fromkeys(host.name for host in hosts(target)))
    lines = [f"A and AAAA queries for {names} (none through a proxy)"] if names else []
    for host in hosts(target):
        purpose = "must stay blocked" if host.expect_blocked else f"for {host.why}"
        lines.append(f"HEAD / and GET {host.url} ({purpose})")
        if host.calls_api:
            lines.append(f"{LOGIN.method} {host.url.rstrip('/')}{LOGIN.path} (no key)")
    return lines


@measurement(
    budget=40,
    why="names 12 s, connecting with a second look 14 s, one answer 6 s and one login 6 s, all hosts at once",
    sends=_planned,
)
async def egress(target: Target, wire: Wire) -> Egress:
    """What becomes of each host of the role, of --allow and of --expect-blocked, tried from here."""
    return Egress(trials=tuple(await asyncio.gather(*(_trial(host, target, wire) for host in hosts(target)))))


async def _trial(host: Host, target: Target, wire: Wire) -> HostTrial:
    proxy, note = _proxy_for(host.url, target)
    there = _there(host, target, proxy)
    found = await resolution(there) if proxy is None else _by_proxy(there, proxy)
    bad = () if proxy else tuple(dict.fromkeys((*unusable(found), *misleading(found, there))))
    trial = HostTrial(
        host=host,
        resolution=found,
        misled=bad,
        proxy=proxy.url if proxy else "",
        proxy_note=proxy.source if proxy else note,
    )
    own = Wire(there, user_agent=wire.user_agent, contexts=Contexts(target))
    try:
        return await _reached_out(trial, _routes(found, bad, there), there, own)
    finally:
        wire.requests_sent += own.requests_sent
        wire.connections_opened += own.connections_opened


async def _reached_out(trial: HostTrial, routes: Sequence[Route], there: Target, wire: Wire) -> HostTrial:
    connections = await asyncio.gather(*(connection(route, wire, there) for route in routes))
    trial = replace(trial, connections=tuple(connections))
    way = _best(routes, connections)
    if way is None:
        return trial
    answer = await wire.exchange(way, "GET", there.url_for("") if there.path else there.url_for("/"), limits=ANSWER)
    if not trial.host.calls_api or not way.verify:
        return replace(trial, answer=answer)
    login = await wire.exchange(way, "POST", there.url_for(LOGIN.path), headers=(JSON,), body=b"{}", limits=ANSWER)
    return replace(trial, answer=answer, api=login)


def _there(host: Host, target: Target, proxy: Proxy | None) -> Target:
    """The host as a target of its own: without anything that belongs to the data plane alone."""
    parts = url_parts(host.url)
    own = (parts.host, parts.port) == (target.host, target.port)
    return replace(
        target,
        url=parts.normal,
        scheme=parts.scheme,
        host=parts.host,
        port=parts.port,
        path=parts.path,
        resolve=target.resolve if own else (),
        proxy=proxy,
        api_key=None,
        headers=(),
        client_cert=None,
        client_key=None,
    )


def _proxy_for(url: str, target: Target) -> tuple[Proxy | None, str]:
    """The proxy for one URL: what was given for the run, else what the environment says for this very host."""
    given = target.proxy is not None and target.proxy.source in {"--proxy", "the lab"}
    if given or target.lab_scenario is not None or target.proxy_note == "--no-proxy":
        return target.proxy, target.proxy_note
    return environment_proxy(os.environ, url)


def _by_proxy(there: Target, proxy: Proxy) -> Resolution:
    return Resolution(name=there.host, source=Source.RESOLVER, addresses=(), proxy=proxy.url)


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
