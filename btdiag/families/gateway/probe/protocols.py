"""What the front offers beside plain HTTP/1.1: HTTP/2, HTTP/3, compressed answers, WebSockets. One request each."""

from __future__ import annotations

import asyncio

from btdiag.core.answers import is_gateway_hiccup
from btdiag.core.exchange import Exchange
from btdiag.core.measurement import NotAsked, Unknown, measurement
from btdiag.core.product import UPGRADE
from btdiag.core.target import Mode, Target, Way
from btdiag.families.gateway.facts.protocols import Compressed, Http2, Upgrade
from btdiag.net.endpoint import backend_way_if_any
from btdiag.net.limits import HEALTH_ANSWER, Limits
from btdiag.net.retry import again_while, settled
from btdiag.net.streams import DialError
from btdiag.net.wire import Wire

H2 = ("h2", "http/1.1")
TIMES = 3  # over HTTP/2: one failure may be chance
ACCEPTED = "gzip, deflate"  # what the SDKs' HTTP libraries all unpack
REALTIME = "/v1/proxy/realtime"  # the product's only WebSocket route on a data plane


@measurement(
    budget=45,
    why="four requests of at most 6 s, side by side, each with 5 s to connect and again after a hiccup",
    sends=lambda target, mode: [f"GET {target.url_for('/')} over HTTP/2, where that is offered ({TIMES} times)"],
)
async def http2(serving_way: Way, wire: Wire, target: Target) -> Http2:
    """Whether HTTP/2 is offered in the handshake, and how GET / is answered over it, beside HTTP/1.1."""
    if target.scheme == "http":
        raise NotAsked("HTTP/2 is agreed on in a TLS handshake, which http:// does not have")
    url = target.url_for("/")
    plain, asked = await asyncio.gather(
        settled(lambda: wire.exchange(serving_way, "GET", url, limits=HEALTH_ANSWER)),
        asyncio.gather(*(_over_http2(serving_way, wire, url) for _ in range(TIMES))),
    )
    return Http2(plain=plain, answers=tuple(one for one in asked if one is not None))


async def _over_http2(way: Way, wire: Wire, url: str) -> Exchange | None:
    """The answer over HTTP/2, asked for again after a hiccup, as over HTTP/1.1; None where it is not agreed on."""
    return await again_while(
        lambda seen: seen is not None and is_gateway_hiccup(seen), lambda: _once_over_http2(way, wire, url)
    )


async def _once_over_http2(way: Way, wire: Wire, url: str) -> Exchange | None:
    try:
        stream = await wire.dial(way.route, tls=True, verify=way.verify, alpn=H2)
    except DialError:
        return None
    try:
        return await wire.send_on(stream, "GET", url, limits=HEALTH_ANSWER) if stream.alpn == "h2" else None
    finally:
        await stream.close()


@measurement(
    budget=13,
    why="one request, again after a gateway's error",
    sends=lambda target, mode: [f"GET {target.url_for('/version')} with Accept-Encoding: {ACCEPTED}"],
)
async def compressed(serving_way: Way, wire: Wire, target: Target) -> Compressed:
    """GET /version as SDKs ask for it, which unpack gzip and deflate, and beside it for an answer as it is."""
    url = target.url_for("/version")

    async def ask(accepted: str) -> Exchange:
        headers = (("Accept-Encoding", accepted),)
        return await settled(lambda: wire.exchange(serving_way, "GET", url, headers=headers, limits=HEALTH_ANSWER))

    packed, plain = await asyncio.gather(ask(ACCEPTED), ask("identity"))
    return Compressed(packed=packed, plain=plain)


def _planned_upgrade(target: Target, mode: Mode) -> list[str]:
    bases = [target.origin + target.path, *([target.backend] if target.backend else [])]
    asked = [f"GET {base}{REALTIME} with Upgrade: websocket (no key; closed at once)" for base in bases]
    return [*asked, f"GET {target.url_for(REALTIME)} without it, where none is opened"]


@measurement(budget=25, why="one request each way, 5 s to connect for each of two addresses", sends=_planned_upgrade)
async def upgrade(serving_way: Way, wire: Wire, target: Target) -> Upgrade:
    """Whether a WebSocket can be opened through the load balancer, and at the API server itself."""
    url = target.url_for(REALTIME)
    front, direct = await asyncio.gather(_upgraded(serving_way, wire, url), _upgraded_beside(wire, target))
    if front.status == 101:
        return Upgrade(front=front, direct=direct)
    plain = await settled(lambda: wire.exchange(serving_way, "GET", url, limits=HEALTH_ANSWER))
    return Upgrade(front=front, direct=direct, plain=plain)


async def _upgraded_beside(wire: Wire, target: Target) -> Exchange | None:
    way = await backend_way_if_any(target, wire)
    return None if way is None else await _upgraded(way, wire, f"{target.backend}{REALTIME}")


async def _upgraded(way: Way, wire: Wire, url: str) -> Exchange:
    if way.route.proxy is not None and url.startswith("http:"):
        raise NotAsked("a WebSocket is not asked for on plain http:// through a proxy, which may refuse it itself")
    return await settled(lambda: _asked_to_upgrade(way, wire, url))


async def _asked_to_upgrade(way: Way, wire: Wire, url: str) -> Exchange:
    try:
        stream = await wire.dial_url(way, url)
    except DialError as error:
        raise Unknown(f"no connection to open a WebSocket on: {error.failure.detail}") from error
    try:
        return await wire.send_on(
            stream, "GET", url, headers=UPGRADE, limits=Limits(total=HEALTH_ANSWER.total, body=4096)
        )
    finally:
        stream.abort()
