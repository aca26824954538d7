"""One handshake that offers what browsers offer: their suites, HTTP/2 first, TLS 1.2 and 1.3.

Sent: one TLS handshake, no request. Recorded: version, suite and protocol that the server chose, or how it broke
off."""

from __future__ import annotations

import ssl

from btdiag.core.handshake import Connection, blocked_measurement
from btdiag.core.measurement import NotAsked, PerAddress, Unknown, measurement
from btdiag.core.target import Route, Target
from btdiag.families.browser.facts import SUITES, BrowserHandshake
from btdiag.net.streams import DialError
from btdiag.net.trust import Contexts
from btdiag.net.wire import Wire


@measurement(
    budget=7,
    why="one handshake of 5 s at most",
    sends=lambda target, mode: ["a TLS handshake with a browser's cipher suites"] if target.scheme == "https" else [],
)
async def browser_handshake(
    routes: tuple[Route, ...], connection: PerAddress[Connection], wire: Wire, target: Target
) -> BrowserHandshake:
    """What the server makes of a handshake as browsers make it, on the first address where one came about."""
    if target.scheme == "http":
        raise NotAsked("the target is an http:// URL: no TLS is involved")
    sound = [route for route in routes if (one := connection.facts.get(route.label)) and one.handshake]
    if not sound:
        raise blocked_measurement(connection.facts)
    return await _handshake(wire, sound[0], target)


async def _handshake(wire: Wire, route: Route, target: Target) -> BrowserHandshake:
    try:
        context = browser_context(target)
        stream = await wire.dial(route, tls=True, context=context)
    except DialError as error:
        if error.failure.refuses_tls:
            return BrowserHandshake(label=route.label, failure=error.failure)
        raise Unknown(f"a second handshake with {route.label} did not come about: {error.failure.detail}") from error
    except OSError as error:
        raise Unknown(f"this machine's OpenSSL cannot offer a browser's suites: {error}") from error
    agreed = stream.ssl_object
    seen = BrowserHandshake(
        label=route.label,
        version=(agreed.version() or "") if agreed else "",
        cipher=(agreed.cipher() or ("",))[0] if agreed else "",
        alpn=stream.alpn,
    )
    await stream.close()
    return seen


def browser_context(target: Target) -> ssl.SSLContext:
    """A context of its own that offers a browser's suites; whether the certificate is trusted is not asked here."""
    context = Contexts(target).get(target.host, verify=False, alpn=("h2", "http/1.1"))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(SUITES))
    return context
