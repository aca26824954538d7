"""Which TLS versions the target takes: one handshake for each version, on the first address that accepts TCP."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import Callable

from btdiag.core.exchange import Phase, Trouble
from btdiag.core.handshake import Connection, TlsVersions, VersionTrial, blocked_measurement
from btdiag.core.measurement import NotAsked, PerAddress, measurement
from btdiag.core.target import Route, Target
from btdiag.families.connection.judge.reach import demands_certificate
from btdiag.net.streams import DialError
from btdiag.net.wire import Wire

_VERSIONS = {
    "TLS 1.0": ssl.TLSVersion.TLSv1,
    "TLS 1.1": ssl.TLSVersion.TLSv1_1,
    "TLS 1.2": ssl.TLSVersion.TLSv1_2,
    "TLS 1.3": ssl.TLSVersion.TLSv1_3,
}
VERSION_NAMES = {"TLSv1": "TLS 1.0", "TLSv1.1": "TLS 1.1", "TLSv1.2": "TLS 1.2", "TLSv1.3": "TLS 1.3"}
_OLD = frozenset({"TLS 1.0", "TLS 1.1"})
_LEGACY = 0x4  # SSL_OP_LEGACY_SERVER_CONNECT, which Python 3.11 has no name for
_HANDSHAKE, _CERTIFICATE_REQUEST = 22, 13  # content type and message type in RFC 8446 appendix B


@measurement(
    budget=6,
    why="four handshakes side by side, 5 s each at most",
    sends=lambda target, mode: ["a TLS handshake for each of TLS 1.0 to 1.3"] if target.scheme == "https" else [],
)
async def tls_versions(
    routes: tuple[Route, ...], connection: PerAddress[Connection], wire: Wire, target: Target
) -> TlsVersions:
    """Which of TLS 1.0, 1.1, 1.2 and 1.3 the target takes."""
    if target.scheme == "http":
        raise NotAsked("the target is an http:// URL: no TLS is involved")
    facts = connection.facts
    candidates = [route for route in routes if route.label in facts and _worth_trying(facts[route.label])]
    if not candidates:
        raise blocked_measurement(facts)
    route = min(candidates, key=lambda route: _preference(facts[route.label]))
    trials = await asyncio.gather(*(_trial(wire, route, target, version) for version in _VERSIONS))
    return TlsVersions(label=route.label, trials=tuple(trials))


def _worth_trying(one: Connection) -> bool:
    """An address that was silent in one handshake would only be so in four more, and one that demands a client
    certificate refuses each version for that."""
    silent = one.failure is not None and one.failure.trouble is Trouble.TIMEOUT
    return one.broke_at in {None, Phase.TLS} and not silent and not demands_certificate(one)


def _preference(one: Connection) -> int:
    """An address that knows old versions only is what the user must hear of; then one that works."""
    return 0 if one.outdated else 1 if one.broke_at is None else 2


async def _trial(wire: Wire, route: Route, target: Target, version: str) -> VersionTrial:
    """Silence and trouble of our own are no answer: only what the server says or does counts as refused."""
    try:
        key = (version, target.client_cert, target.client_key)
        context = wire.kept_context(key, lambda: version_context(version, version, target))
        stream = await wire.dial(route, tls=True, context=context)
    except DialError as error:
        refused = error.failure.refuses_tls
        ours = "NO_PROTOCOLS" in error.failure.detail or "NO_CIPHERS" in error.failure.detail
        return VersionTrial(
            version=version, accepted=False if refused and not ours else None, detail=error.failure.detail
        )
    except OSError as error:
        return VersionTrial(version=version, accepted=None, detail=f"not possible with this machine's OpenSSL: {error}")
    await stream.close()
    return VersionTrial(version=version, accepted=True)


async def speaks_tls(wire: Wire, route: Route, timeout: float) -> bool:
    """Whether a TLS handshake completes on the route within `timeout` seconds, trusted or not."""
    try:
        stream = await wire.dial(route, tls=True, verify=False, timeout=timeout)
    except DialError:
        return False
    await stream.close()
    return True


class _Listening(ssl.SSLContext):
    """A context that reports each TLS message; the attribute is SSLContext's own, without a public name."""

    _msg_callback: Callable[[object, str, object, int, int, bytes], None]


async def asks_certificate(wire: Wire, route: Route, timeout: float) -> bool:
    """Whether the server asks for a client certificate in its handshake (CertificateRequest, RFC 8446 section 4.3.2).

    Seen through OpenSSL's message callback; False where this Python does not offer it.
    """
    context = _Listening(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    seen: list[int] = []

    def heard(_connection: object, _direction: str, _version: object, content: int, kind: int, _data: bytes) -> None:
        if content == _HANDSHAKE:
            seen.append(int(kind))

    if not hasattr(context, "_msg_callback"):
        return False
    context._msg_callback = heard
    with contextlib.suppress(DialError):
        await (await wire.dial(route, tls=True, context=context, timeout=timeout)).close()
    return _CERTIFICATE_REQUEST in seen


def lax_context(target: Target) -> ssl.SSLContext:
    """A context that takes all that OpenSSL can: every suite and key size, signatures with SHA-1, servers without
    secure renegotiation (RFC 5746). It trusts every certificate, and nothing but the handshake is made with it."""
    context = version_context("TLS 1.2", "TLS 1.3", target)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.options |= ssl.OP_LEGACY_SERVER_CONNECT if hasattr(ssl, "OP_LEGACY_SERVER_CONNECT") else _LEGACY
    return context


def version_context(oldest: str, newest: str, target: Target) -> ssl.SSLContext:
    """A context that speaks only these TLS versions ("TLS 1.0" ...), trusts every certificate and shows the target's
    client certificate. Raises OSError (ssl.SSLError) where OpenSSL does not have the version."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if oldest in _OLD:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # their MD5/SHA-1 signatures are below today's level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that they are deprecated is what we test for
        context.minimum_version, context.maximum_version = _VERSIONS[oldest], _VERSIONS[newest]
    if target.client_cert is not None:
        context.load_cert_chain(target.client_cert, target.client_key)
    return context
