"""One connection for two hosts: browsers use an HTTP/2 connection for every host that certificate and address fit."""

from __future__ import annotations

from urllib.parse import urlsplit

from btdiag.core.certificate_names import speaks_for
from btdiag.core.measurement import NotAsked, Unknown, measurement
from btdiag.core.target import Mode, Target, Way
from btdiag.families.gateway.facts.protocols import Shared
from btdiag.families.gateway.probe.protocols import H2
from btdiag.net.endpoint import routes_to
from btdiag.net.limits import HEALTH_ANSWER
from btdiag.net.retry import settled
from btdiag.net.streams import DialError, Stream
from btdiag.net.wire import Wire

HEALTH_PATH = "/health"  # of the AI gateway


def _planned(target: Target, mode: Mode) -> list[str]:
    if target.gateway is None:
        return []
    return [f"GET {target.gateway}{HEALTH_PATH}, and once more on a connection to {target.host}"]


@measurement(budget=30, why="two requests of at most 6 s, with 5 s to connect each", sends=_planned)
async def shared_connection(serving_way: Way, wire: Wire, target: Target) -> Shared:
    """What the AI gateway's host (--gateway) answers on an HTTP/2 connection that was opened to the target, where
    browsers would use that, and on one of its own."""
    parts = urlsplit(target.gateway or "")
    other = parts.hostname or ""
    if target.scheme != "https" or parts.scheme != "https" or other == target.host:
        raise NotAsked("no other https:// host of the data plane was named (--gateway URL)")
    address, port = serving_way.route.address, parts.port or 443
    routes = await routes_to(target.gateway or "", target)
    if address is None or port != serving_way.route.port or all(route.address != address for route in routes):
        raise NotAsked(f"{other} is at another address than {target.host}: no connection is shared")
    url = f"{target.gateway}{HEALTH_PATH}"
    try:
        stream = await wire.dial(serving_way.route, tls=True, verify=serving_way.verify, alpn=H2)
    except DialError as error:
        raise Unknown(f"no connection to {target.host}: {error.failure.detail}") from error
    try:
        if stream.alpn != "h2" or not speaks_for(_names(stream), other):
            raise NotAsked(f"browsers share no connection between {target.host} and {other} (certificate, HTTP/2)")
        shared = await wire.send_on(stream, "GET", url, limits=HEALTH_ANSWER)
    finally:
        await stream.close()
    alone = await settled(lambda: wire.exchange(serving_way, "GET", url, http2=True, limits=HEALTH_ANSWER))
    return Shared(host=other, shared=shared, alone=alone)


def _names(stream: Stream) -> tuple[str, ...]:
    """The DNS names of the verified certificate; none where it was not verified."""
    certificate = (stream.ssl_object.getpeercert() if stream.ssl_object else None) or {}
    entries = certificate.get("subjectAltName", ())
    return tuple(str(entry[1]) for entry in entries if isinstance(entry, tuple) and entry[0] == "DNS")
