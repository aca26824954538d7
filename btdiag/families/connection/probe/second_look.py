"""A handshake that breaks off is followed by the few questions that its kind leaves open."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace

from btdiag.core.address import parsed_address
from btdiag.core.exchange import Trouble
from btdiag.core.handshake import Connection, Handshake
from btdiag.core.packets import SMALL
from btdiag.core.target import Route, Target
from btdiag.core.urls import bracketed
from btdiag.families.connection.probe.tls_versions import (
    VERSION_NAMES,
    asks_certificate,
    lax_context,
    version_context,
)
from btdiag.net.certificates import handshake_of
from btdiag.net.limits import GREETING
from btdiag.net.request import PROXY_UNKNOWN
from btdiag.net.sockets import Packing
from btdiag.net.streams import DialError
from btdiag.net.wire import Wire

UNASKED = 0.5  # seconds; what resets every connection does so within a round trip
SECOND_LOOK = 1.5  # seconds for the one further question after a failure
SMALL_PACKETS = 3.0  # seconds; a few lost packets are sent again within that
AFTER_A_LINE = Packing(before=PROXY_UNKNOWN)
REFUSALS = frozenset({Trouble.ALERT, Trouble.RESET, Trouble.CLOSED})
_QUESTIONABLE = REFUSALS | {Trouble.PROTOCOL, Trouble.TIMEOUT}


async def second_look(made: Connection, route: Route, wire: Wire, target: Target) -> Connection:
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
