"""Two handshakes: one that shows the chain to every trust store, one with a ClientHello as large as browsers send."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path

from btdiag.core.exchange import Phase
from btdiag.core.handshake import Connection, got_furthest
from btdiag.core.measurement import Blocked, NotAsked, PerAddress, Unknown, measurement
from btdiag.core.target import Route, Target
from btdiag.families.clients.facts import ChainTrials, HelloTry, LargeHello
from btdiag.families.clients.plan import declared_clients
from btdiag.families.clients.probe.surroundings import environment_of
from btdiag.net.certificates import chain_of
from btdiag.net.failures import EXPECTED, failure_of
from btdiag.net.hello import answers_hello, client_hello
from btdiag.net.stores import Stores
from btdiag.net.streams import DialError
from btdiag.net.wire import Wire

HANDSHAKE = 3.0  # seconds; the address has answered a handshake before
HELLO_SIZE = 1_800  # bytes; Chrome's with X25519MLKEM768 has more than 1,700
AGAIN = 2  # times each, by turns, where a large one is not answered


@measurement(
    budget=8,
    why="one handshake 3 s, Node.js asked for its list 3 s",
    sends=lambda target, mode: ["a TLS handshake, to read the certificates"] if target.scheme == "https" else [],
)
async def chain_trials(
    routes: tuple[Route, ...], connection: PerAddress[Connection], wire: Wire, target: Target
) -> ChainTrials:
    """Which trust stores of this machine accept the certificates of the first address that shows trusted ones."""
    spoken = _spoken(routes, connection.facts, target)
    trusted = [route for route in spoken if connection.facts[route.label].distrust is None]
    if not trusted:
        raise Blocked("connection.tls-is-trusted", "the certificate is not trusted by this run either")
    route = trusted[0]
    try:
        stream = await wire.dial(route, tls=True, verify=False, timeout=HANDSHAKE)
    except DialError as error:
        raise Unknown(f"a further handshake did not complete: {error.failure.detail}") from None
    chain = chain_of(stream.ssl_object) if stream.ssl_object else ()
    await stream.close()
    environment = environment_of(target)
    given = target.ca_file is not None and Path(environment.get("SSL_CERT_FILE", "")) != target.ca_file
    stores = await Stores(environment, target.ca_file if given else None, declared_clients(target)).judge(chain)
    return ChainTrials(
        label=route.label,
        stores=stores,
        assumed=str(target.ca_file) if given else "",
        python=sys.version_info[:2],
    )


def _spoken(routes: tuple[Route, ...], connections: Mapping[str, Connection], target: Target) -> list[Route]:
    """The routes on which TLS came about, and requests can be sent."""
    if target.scheme == "http":
        raise NotAsked("the target is an http:// URL: no TLS is involved")
    spoken = [route for route in routes if route.label in connections and connections[route.label].broke_at is None]
    if not spoken:
        furthest = got_furthest(connections)
        if furthest is None or furthest.blocked_by is None:
            raise NotAsked("no address was tried")
        raise Blocked(furthest.blocked_by, furthest.why_blocked)
    return spoken


@measurement(
    budget=16,
    why="one ClientHello 3 s; where it is not answered four more, by turns",
    sends=lambda target, mode: [f"a ClientHello of {HELLO_SIZE:,} bytes"] if target.scheme == "https" else [],
)
async def large_hello(
    routes: tuple[Route, ...], connection: PerAddress[Connection], wire: Wire, target: Target
) -> LargeHello:
    """Whether a ClientHello that does not fit into one packet is answered."""
    route = _spoken(routes, connection.facts, target)[0]
    large = [await _tried(route, wire, target, HELLO_SIZE)]
    small: list[HelloTry] = []
    if not large[0].answered:
        small.append(await _tried(route, wire, target, 0))
        for _ in range(AGAIN - 1):
            large.append(await _tried(route, wire, target, HELLO_SIZE))
            small.append(await _tried(route, wire, target, 0))
    return LargeHello(label=route.label, large=tuple(large), small=tuple(small))


async def _tried(route: Route, wire: Wire, target: Target, size: int) -> HelloTry:
    hello = client_hello(target.host, size)
    try:
        stream = await wire.dial(route, tls=False, timeout=HANDSHAKE)
    except DialError as error:
        return HelloTry(size=len(hello), answered=False, detail=f"no connection: {error.failure.detail}")
    try:
        async with asyncio.timeout(HANDSHAKE):
            answered, detail = await answers_hello(stream, hello)
    except (*EXPECTED, ssl.SSLError) as error:
        return HelloTry(size=len(hello), answered=False, detail=failure_of(error, Phase.TLS).detail)
    finally:
        stream.abort()
    return HelloTry(size=len(hello), answered=answered, detail=detail)
