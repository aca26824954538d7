"""One GET to a URL beside the target (--backend, --brainstore): resolved as the target's name is, never through a "
"proxy."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from btdiag.core.exchange import Exchange, Header, Phase, Trouble
from btdiag.core.measurement import Blocked, NotAsked, Unknown
from btdiag.core.resolution import Resolution
from btdiag.core.target import Route, Target, Way
from btdiag.core.urls import port_of
from btdiag.net.limits import Limits
from btdiag.net.names import resolve
from btdiag.net.streams import DialError
from btdiag.net.wire import Wire

BACKEND_AGREES = "readiness.backend-agrees"


async def backend_way(target: Target, wire: Wire) -> Way:
    """The way to --backend, past the load balancer: its first address that takes a connection. Its certificate is not
    verified, for nothing secret is sent. Raises NotAsked without --backend, Blocked when nothing takes a
    connection."""
    if target.backend is None:
        raise NotAsked("no --backend was given", "--backend http://HOST:8000")
    detail = ""
    for route in await routes_to(target.backend, target):
        way = Way(route=route, verify=False)
        try:
            stream = await wire.dial_url(way, target.backend)
        except DialError as error:
            detail = error.failure.detail
        else:
            await stream.close()
            return way
    raise Blocked(BACKEND_AGREES, f"no connection to the backend {target.backend}: {detail}")


async def backend_way_if_any(target: Target, wire: Wire) -> Way | None:
    """The way to --backend for a comparison that does without it: None where there is none, or none that works."""
    try:
        return await backend_way(target, wire)
    except (NotAsked, Blocked, Unknown):
        return None


MAX_ADDRESSES = (
    4  # tried one after the other, as programs do: "localhost" is ::1 first, and a port-forward is IPv4 only
)


async def routes_to(url: str, target: Target) -> tuple[Route, ...]:
    """The ways to a URL's host, in the system's order; raises Unknown when its name does not resolve from here."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", port_of(parts)
    found = await resolved(url, target)
    if not found.addresses:
        raise Unknown(f"{host} does not resolve from this machine, so {url} could not be asked")
    return tuple(Route(label=f"{host}:{port}", address=one, port=port) for one in found.addresses[:MAX_ADDRESSES])


async def resolved(url: str, target: Target) -> Resolution:
    """What the target's resolvers say of a URL's host."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", port_of(parts)
    given = target.addresses_given(host, port)
    return await resolve(replace(target, host=host, port=port, proxy=None, resolve=given))


async def get(url: str, target: Target, wire: Wire, limits: Limits) -> Exchange:
    """GET a URL on the first of its addresses that takes the connection, without the API key. Certificates that are not
    trusted are no obstacle: behind a load balancer they are often made out to other names; `tls_verified` tells."""
    routes = await routes_to(url, target)
    for route in routes[:-1]:
        seen = await _get_on(route, url, wire, as_forwarded(target, url), limits)
        if seen.failure is None or seen.failure.phase is not Phase.TCP:
            return seen
    return await _get_on(routes[-1], url, wire, as_forwarded(target, url), limits)


def as_forwarded(target: Target, url: str) -> tuple[Header, ...]:
    """What a load balancer tells the API server behind it: how its client came. An API that redirects to https does
    not do so then, as behind its load balancer. Nothing for other URLs."""
    if target.backend is None or not url.startswith(target.backend):
        return ()
    return ("X-Forwarded-Proto", target.scheme), ("X-Forwarded-Host", target.authority)


async def _get_on(route: Route, url: str, wire: Wire, headers: tuple[Header, ...], limits: Limits) -> Exchange:
    seen = await wire.exchange(route, "GET", url, headers=headers, limits=limits)
    if seen.failure is not None and (seen.failure.phase, seen.failure.trouble) == (Phase.TLS, Trouble.UNTRUSTED):
        return await wire.exchange(Way(route=route, verify=False), "GET", url, headers=headers, limits=limits)
    return seen
