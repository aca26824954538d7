"""What the plain http:// port beside an https:// target answers."""

from __future__ import annotations

from dataclasses import replace

from btdiag.core.exchange import Phase
from btdiag.core.handshake import Connection, blocked_measurement
from btdiag.core.measurement import NotAsked, PerAddress, measurement
from btdiag.core.target import Route, Target
from btdiag.core.urls import bracketed
from btdiag.families.connection.facts import PlainHttp
from btdiag.families.connection.probe.tls_versions import speaks_tls
from btdiag.net.limits import PLAIN_HTTP_ANSWER
from btdiag.net.wire import Wire

HANDSHAKE = 2.0  # seconds for the question whether the port speaks TLS


@measurement(
    budget=8,
    why="one request of 5 s, one handshake of 2 s",
    sends=lambda target, mode: [f"GET http://{target.host}:{target.plain_port}/"] if target.plain_port else [],
)
async def plain_http(
    routes: tuple[Route, ...], connection: PerAddress[Connection], wire: Wire, target: Target
) -> PlainHttp:
    """The answer to GET http:// on the plain port, at the first address whose https works (a redirect needs it)."""
    if target.scheme == "http" or target.plain_port is None:
        raise NotAsked("no plain http:// port belongs to this target")
    facts = connection.facts
    working = [route for route in routes if route.label in facts and facts[route.label].blocked_by is None]
    if not working:
        raise blocked_measurement(facts)
    route = replace(working[0], port=target.plain_port)
    host = bracketed(target.host)
    port = "" if target.plain_port == 80 else f":{target.plain_port}"
    answer = await wire.exchange(route, "GET", f"http://{host}{port}{target.path}/", limits=PLAIN_HTTP_ANSWER)
    connected = answer.failure is None or answer.failure.phase not in {Phase.TCP, Phase.PROXY}
    doubtful = connected and answer.status in {None, 400}
    return PlainHttp(answer=answer, speaks_tls=doubtful and await speaks_tls(wire, route, HANDSHAKE))
