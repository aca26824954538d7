"""Connecting: TCP (or the proxy), TLS verified, the certificates, and one HEAD request, for every address.

If verification fails, the connection is made once more without it: the chain is what tells why, and what lies behind is
still worth knowing. A handshake that breaks off is followed by the one question that its kind leaves open.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from datetime import UTC, datetime

from btdiag.core.address import parsed_address
from btdiag.core.exchange import Phase, Trouble
from btdiag.core.handshake import Astray, Connection, Distrust, Handshake, ProxyReply
from btdiag.core.measurement import Blocked, NotAsked, Scope, Unknown, measurement
from btdiag.core.packets import SMALL
from btdiag.core.resolution import Resolution
from btdiag.core.target import Route, Target, Way
from btdiag.core.urls import bracketed
from btdiag.families.connection.judge.reach import excused_by_family, lacks_route
from btdiag.families.connection.probe.tls_versions import (
    VERSION_NAMES,
    asks_certificate,
    lax_context,
    speaks_tls,
    version_context,
)
from btdiag.families.dns.judge.addresses import misleading
from btdiag.net.certificates import handshake_of
from btdiag.net.deadline import in_time
from btdiag.net.limits import GREETING, PLAIN_GREETING
from btdiag.net.request import PROXY_UNKNOWN
from btdiag.net.sockets import Packing
from btdiag.net.streams import DialError, Stream
from btdiag.net.tunnel import ProxyAnswer
from btdiag.net.wire import Wire

UNASKED = 0.5  # seconds; what resets every connection does so within a round trip
SECOND_LOOK = 1.5  # seconds for the one further question after a failure
SMALL_PACKETS = 3.0  # seconds; a few lost packets are sent again within that
AFTER_A_LINE = Packing(before=PROXY_UNKNOWN)
_REFUSALS = frozenset({Trouble.ALERT, Trouble.RESET, Trouble.CLOSED})
_QUESTIONABLE = _REFUSALS | {Trouble.PROTOCOL, Trouble.TIMEOUT}


@measurement(
    budget=16,
    scope=Scope.ADDRESS,
    why="5 s to connect, again without verification, 1 s greeting, 3 s second look",
    sends=lambda target, mode: [f"TCP connection to port {target.port}, TLS handshake, HEAD {target.url_for('/')}"],
)
async def connection(route: Route, wire: Wire, target: Target, astray: Astray) -> Connection:
    """Whether one address takes a TCP and a TLS connection, with which certificates, and its first answer."""
    if astray.is_proved:
        raise Blocked("dns.resolvers-agree", f"{route.label} is not where DNS leads, and not the target")
    return await reach(route, wire, target)


@measurement(
    budget=20,
    why="no I/O where DNS and programs agree; else two connections of 16 s at once",
    sends=lambda target, mode: [
        f"where programs here get other addresses for {target.host} than DNS gives: the same to one address of either"
    ],
)
async def astray(routes: tuple[Route, ...], resolution: Resolution, wire: Wire, target: Target) -> Astray:
    """Where programs here are led instead of where DNS leads, if they are, and what both places come to."""
    detour = resolution.detour
    if detour is None:
        return Astray()
    straight = [Route(label=address, address=address, port=target.port) for address in detour.straight[:1]]
    there, *other = await asyncio.gather(*(reach(route, wire, target) for route in (routes[0], *straight)))
    return Astray(detour=detour, there=there, straight=other[0] if other else None)


async def reach(route: Route, wire: Wire, target: Target) -> Connection:
    """The same for any place: whether it takes connections, with which certificates, and its first answer."""
    now = datetime.now(UTC)
    if target.scheme == "http":
        return await _plain(route, wire, target, now)
    made = await _secured(route, wire, target, now, verify=True)
    if made.failure is not None and made.failure.phase is Phase.TLS:
        return await in_time(_second_look(made, route, wire, target)) or made
    unanswered = made.greeting.failure if made.greeting is not None else None
    if unanswered is not None and unanswered.trouble in _REFUSALS:
        return replace(made, asks_certificate=bool(await in_time(asks_certificate(wire, route, SECOND_LOOK))))
    return made


@measurement(budget=1, scope=Scope.ADDRESS, why="no I/O")
async def way(route: Route, connection: Connection, resolution: Resolution, target: Target) -> Way:
    """The route, if requests can be sent on it, and whether its certificate is trusted."""
    failed_check = connection.blocked_by
    if failed_check is None:
        return Way(route=route, verify=connection.distrust is None)
    failure = connection.trouble
    if failure is not None and excused_by_family(connection.label, failure, resolution.addresses):
        raise NotAsked(f"this machine has no route to {connection.label}: {failure.detail}")
    if failure is not None and (failure.trouble is Trouble.LOCAL or lacks_route(connection.label, failure)):
        raise Unknown(f"from this machine: {connection.why_blocked}")
    by = "dns.addresses-are-usable" if route.address in misleading(resolution, target) else failed_check
    raise Blocked(by, connection.why_blocked)


async def connect(route: Route, wire: Wire, target: Target, timeout: float) -> Connection:
    """Whether a connection comes about within `timeout` seconds, its certificate verified; no request is sent."""
    now = datetime.now(UTC)
    try:
        stream = await wire.dial(route, tls=target.scheme == "https", timeout=timeout)
    except DialError as error:
        return _unmade(route, error, now)
    await stream.close()
    return Connection(
        label=route.label,
        port=route.port,
        tls=target.scheme == "https",
        started_at=now,
        timing=stream.timing,
        proxied=route.proxy is not None,
        proxy_reply=_reply(stream.proxy_answer),
    )


async def _secured(route: Route, wire: Wire, target: Target, now: datetime, *, verify: bool) -> Connection:
    try:
        stream = await wire.dial(route, tls=True, verify=verify)
    except DialError as error:
        broken = _unmade(route, error, now)
        if not (verify and error.failure.trouble is Trouble.UNTRUSTED and error.failure.phase is Phase.TLS):
            return broken
        return replace(
            await _secured(route, wire, target, now, verify=False), distrust=_distrust(error), timing=error.timing
        )
    try:
        return await _greeted(route, wire, target, now, stream)
    finally:
        await stream.close()


async def _greeted(route: Route, wire: Wire, target: Target, now: datetime, stream: Stream) -> Connection:
    agreed = handshake_of(stream.ssl_object) if stream.ssl_object else None
    return Connection(
        label=route.label,
        port=route.port,
        tls=True,
        started_at=now,
        timing=stream.timing,
        handshake=agreed,
        greeting=await in_time(wire.send_on(stream, "HEAD", target.url_for("/"), limits=GREETING)),
        proxied=route.proxy is not None,
        proxy_reply=_reply(stream.proxy_answer),
    )


async def _plain(route: Route, wire: Wire, target: Target, now: datetime) -> Connection:
    """An http:// target. An answer that is none, or 400, raises the question whether the port speaks TLS."""
    greeting = await wire.exchange(route, "HEAD", target.url_for("/"), limits=PLAIN_GREETING)
    early = greeting.failure if greeting.failure and greeting.failure.phase in {Phase.TCP, Phase.PROXY} else None
    silent = (
        greeting.failure is not None and greeting.failure.trouble is Trouble.TIMEOUT
    )  # TLS would say what it misses
    suspicious = early is None and not silent and greeting.status in {None, 400}
    return Connection(
        label=route.label,
        port=route.port,
        tls=False,
        started_at=now,
        timing=greeting.timing,
        failure=early,
        greeting=greeting,
        proxied=route.proxy is not None,
        speaks_tls=suspicious and bool(await in_time(speaks_tls(wire, route, SECOND_LOOK))),
    )


async def _second_look(made: Connection, route: Route, wire: Wire, target: Target) -> Connection:
    """What the failed handshake leaves open: does the port speak plain HTTP, refuse the name, know old TLS only, or
    offer what OpenSSL refuses by itself?"""
    trouble = made.failure.trouble if made.failure else None
    if trouble not in _QUESTIONABLE:
        return made
    plain, nameless, outdated, lax, asks, hangs_up = await asyncio.gather(
        _plain_status(wire, route, target),
        _without_sni(wire, route, target),
        _outdated(wire, route, target),
        _lax(wire, route, target),
        asks_certificate(wire, route, SECOND_LOOK),
        _hangs_up(wire, route),
    )
    return replace(
        made,
        plain_status=plain,
        without_sni=nameless,
        outdated=outdated,
        lax=lax,
        asks_certificate=asks,
        hangs_up=hangs_up,
        small_packets=await _in_small_packets(wire, route, trouble),
        after_proxy_line=await _after_proxy_line(wire, route, trouble),
    )


async def _plain_status(wire: Wire, route: Route, target: Target) -> int | None:
    if route.proxy is not None:  # it would not tunnel plain HTTP, and answer itself
        return None
    host = bracketed(target.host)
    limits = replace(GREETING, total=SECOND_LOOK)
    answer = await wire.exchange(route, "HEAD", f"http://{host}:{target.port}/", limits=limits)
    return answer.status


async def _without_sni(wire: Wire, route: Route, target: Target) -> str:
    if parsed_address(target.host) is not None:  # there was no server name in the first place
        return ""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        stream = await wire.dial(route, tls=True, server_name="", context=context, timeout=SECOND_LOOK)
    except DialError as error:
        return error.failure.detail
    await stream.close()
    return "succeeded"


async def _hangs_up(wire: Wire, route: Route) -> bool:
    """Whether the other side ends a connection on which nothing has been sent."""
    try:
        stream = await wire.dial(route, tls=False, timeout=SECOND_LOOK)
    except DialError as error:
        return error.failure.trouble in {Trouble.RESET, Trouble.CLOSED}
    try:
        return not await asyncio.wait_for(stream.reader.read(1), UNASKED)
    except TimeoutError:
        return False
    except OSError:
        return True
    finally:
        stream.abort()


async def _in_small_packets(wire: Wire, route: Route, trouble: Trouble | None) -> bool:
    """Whether a handshake that met silence completes where no packet is longer than every path carries."""
    if trouble is not Trouble.TIMEOUT:
        return False
    try:
        stream = await wire.dial(route, tls=True, verify=False, timeout=SMALL_PACKETS, packing=Packing(segment=SMALL))
    except DialError:
        return False
    await stream.close()
    return True


async def _after_proxy_line(wire: Wire, route: Route, trouble: Trouble | None) -> bool:
    """Whether a handshake that was cut off completes after a line of the PROXY protocol."""
    if route.proxy is not None or trouble not in {Trouble.RESET, Trouble.CLOSED}:
        return False
    try:
        stream = await wire.dial(route, tls=True, verify=False, timeout=SECOND_LOOK, packing=AFTER_A_LINE)
    except DialError:
        return False
    await stream.close()
    return True


async def _outdated(wire: Wire, route: Route, target: Target) -> str:
    try:
        context = version_context("TLS 1.0", "TLS 1.1", target)
        stream = await wire.dial(route, tls=True, context=context, timeout=SECOND_LOOK)
    except (DialError, OSError):
        return ""
    version = VERSION_NAMES.get(stream.ssl_object.version() or "", "") if stream.ssl_object else ""
    await stream.close()
    return version


async def _lax(wire: Wire, route: Route, target: Target) -> Handshake | None:
    """What is agreed on where OpenSSL refuses nothing."""
    try:
        stream = await wire.dial(route, tls=True, context=lax_context(target), timeout=SECOND_LOOK)
    except (DialError, OSError):
        return None
    agreed = handshake_of(stream.ssl_object) if stream.ssl_object else None
    await stream.close()
    return agreed


def _unmade(route: Route, error: DialError, now: datetime) -> Connection:
    return Connection(
        label=route.label,
        port=route.port,
        tls=True,
        started_at=now,
        timing=error.timing,
        failure=error.failure,
        proxied=route.proxy is not None,
        proxy_reply=_reply(error.proxy_answer),
    )


def _distrust(error: DialError) -> Distrust:
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Distrust(code=cause.verify_code, message=cause.verify_message)
    return Distrust(code=0, message=error.failure.detail)


def _reply(answer: ProxyAnswer | None) -> ProxyReply | None:
    return ProxyReply(status=answer.status, reason=answer.reason, headers=answer.headers) if answer else None
