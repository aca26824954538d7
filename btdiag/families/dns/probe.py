"""Name resolution: what every resolver of the target says, and the routes that follow from it."""

from __future__ import annotations

from btdiag.core.address import parsed_address
from btdiag.core.finding import Verdict
from btdiag.core.measurement import Blocked, Unknown, measurement
from btdiag.core.resolution import (
    TESTED_ADDRESSES,
    Resolution,
)
from btdiag.core.target import Mode, Route, Target
from btdiag.families.dns.judge.addresses import unusable
from btdiag.families.dns.remedy import why_unresolved
from btdiag.net.names import resolve
from btdiag.net.nameserver import SAMPLE


def _queries(target: Target, mode: Mode) -> list[str]:
    if target.resolve or parsed_address(target.host):
        return []
    asked = (resolver.address or "the system's resolver and its name servers" for resolver in target.resolvers)
    more = (
        f"where a query is lost or answers take seconds, {2 * SAMPLE} more to that name server; where the system gives "
        "addresses that its name servers do not, the same again and for the name as the search list completes it"
    )
    return [*(f"A and AAAA queries for {target.host} to {resolver}" for resolver in asked), more]


@measurement(
    budget=25,
    why="a system resolver whose first name server is dead answers after 5 to 15 s; where it is slow or differs from "
    "DNS, both are asked once more",
    sends=_queries,
)
async def resolution(target: Target) -> Resolution:
    """What every resolver says about the target's name: A and AAAA, aliases, time to live, errors."""
    return await resolve(target)


@measurement(budget=1, why="no I/O")
async def routes(target: Target, resolution: Resolution) -> tuple[Route, ...]:
    """The ways to the target: each usable address, or the proxy that resolves the name itself."""
    if target.proxy:
        return (Route(label=f"proxy {resolution.proxy}", address=None, port=target.port, proxy=target.proxy),)
    bad = unusable(resolution)
    usable = [address for address in resolution.addresses if address not in bad]
    if not usable:
        raise _no_route(resolution)
    return tuple(Route(label=address, address=address, port=target.port) for address in usable[:TESTED_ADDRESSES])


def _no_route(resolution: Resolution) -> Blocked | Unknown:
    if resolution.addresses:
        return Blocked("dns.addresses-are-usable", f"{resolution.name} resolves to no address that can be connected to")
    failure = why_unresolved(resolution)
    if failure.verdict is Verdict.INCONCLUSIVE:
        return Unknown(failure.summary)
    return Blocked("dns.resolves", failure.summary)
