"""Which hosts the web app's page calls, and which addresses they have from here: target, AI gateway and bucket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from btdiag.core.address import Space, space
from btdiag.core.credential import MADE_UP
from btdiag.core.measurement import PerAddress, measurement
from btdiag.core.product import UNKNOWN_PATH
from btdiag.core.resolution import AddressSource, Resolution, is_local_name
from btdiag.core.target import Route, Target, Way
from btdiag.families.egress.ways import proxy_for
from btdiag.families.lna.facts import BUCKET, GATEWAY, TARGET_ITSELF, CalledHost
from btdiag.net.endpoint import MAX_ADDRESSES, resolved

PATH = "/version"
GATEWAY_PATH = "/health"


@measurement(budget=14, why="two names are looked up side by side, 12 s each at worst")
async def page_places(
    target: Target, resolution: Resolution, routes: tuple[Route, ...], way: PerAddress[Way]
) -> tuple[CalledHost, ...]:
    """The target, and the AI gateway and the bucket where they are named, each with its addresses."""
    itself = _itself(target, resolution, way_for(target, routes, way))
    others = [
        (GATEWAY, f"{target.gateway.rstrip('/')}{GATEWAY_PATH}", f"{target.gateway.rstrip('/')}{UNKNOWN_PATH}")
        if target.gateway
        else None,
        (BUCKET, target.bucket, "") if target.bucket else None,
    ]
    return (itself, *await asyncio.gather(*(_other(*one, target) for one in others if one)))


def way_for(target: Target, routes: Iterable[Route], ways: PerAddress[Way]) -> Way:
    """The way that the browser is sent: the first that works, not to a public address if there is another one."""
    working = [ways.facts[route.label] for route in routes if route.label in ways.facts]
    private = [way for way in working if not _is_public(way.route.address, target)]
    return (private or working)[0]


def _is_public(address: str | None, target: Target) -> bool:
    return address is not None and space(address, target.address_spaces) is Space.PUBLIC


def _itself(target: Target, resolution: Resolution, used: Way) -> CalledHost:
    spaces = {space(address, target.address_spaces) for address in resolution.addresses}
    return CalledHost(
        what=TARGET_ITSELF,
        url=target.url_for(PATH),
        unknown=target.url_for(UNKNOWN_PATH),
        addresses=resolution.addresses,
        guarded=spaces != {Space.PUBLIC},
        address=_pinned(target, resolution, used),
        proxy=target.proxy.url if target.proxy else "",
        bearer=MADE_UP if used.behind_login else "",
    )


def _pinned(target: Target, resolution: Resolution, used: Way) -> str:
    """The address that the browser is told, where it could not find it by itself: no system DNS gives it."""
    own = resolution.source is AddressSource.RESOLVER and target.resolvers[0].address is None
    return "" if own or resolution.source is AddressSource.LITERAL or target.proxy else used.route.address or ""


async def _other(what: str, url: str, unknown: str, target: Target) -> CalledHost:
    """A place beside the target; one whose name does not resolve here has no addresses, and the browser tells."""
    place = CalledHost(what=what, url=url, unknown=unknown)
    proxy, _ = proxy_for(place.shown, target)
    if proxy is not None:
        return replace(place, proxy=proxy.url)
    known = await resolved(url, target)
    found = known.addresses[:MAX_ADDRESSES]
    if not found:
        return replace(place, nameless=known.denied)
    by_itself = target.resolvers[0].address is None or is_local_name(place.host) or place.host in found
    return replace(
        place,
        addresses=found,
        guarded=any(not _is_public(address, target) for address in found),
        address="" if by_itself else found[0],
    )
