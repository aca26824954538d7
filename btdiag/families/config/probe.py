"""Preflights of the origins that files allow beside the web app's own, a handshake that trusts the declared CA alone,
and GET / again and again where replicas are declared and answers tell them apart. No key, nothing is followed."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from btdiag.config.stated import CUSTOM_CA
from btdiag.core.handshake import Certificate, Connection, Distrust
from btdiag.core.measurement import NotAsked, PerAddress, Unknown, measurement
from btdiag.core.target import Mode, Target, Way
from btdiag.families.config.facts import DeclaredTrust, OriginTrial, OriginTrials, SeenReplicas
from btdiag.families.config.plan import PATH, WEB_APP, asked_origins, declared_count, replica_of, requests_for
from btdiag.net.certificates import certificate
from btdiag.net.limits import CORS_ANSWER, HEALTH_ANSWER
from btdiag.net.retry import settled
from btdiag.net.streams import DialError
from btdiag.net.wire import Wire


def _planned(target: Target, mode: Mode) -> list[str]:
    named, _ = asked_origins(target)
    return [f"OPTIONS {target.url_for(PATH)} (preflight, {len(named) + 1} origins)"] if named else []


@measurement(budget=17, why="preflights side by side, 4 s each, up to three times more", sends=_planned)
async def declared_origins(serving_way: Way, wire: Wire, target: Target) -> OriginTrials:
    """What the target answers to each origin that a file of --config allows."""
    named, left_out = asked_origins(target)
    if not named:
        raise NotAsked("no file of --config allows an origin", "--config PATH")
    trials = await asyncio.gather(*(_tried(serving_way, wire, target, origin) for origin in (WEB_APP, *named)))
    return OriginTrials(trials=tuple(trials), left_out=left_out)


async def _tried(way: Way, wire: Wire, target: Target, origin: str) -> OriginTrial:
    headers = (
        ("Origin", origin),
        ("Access-Control-Request-Method", "GET"),
        ("Access-Control-Request-Headers", "authorization"),
    )
    url = target.url_for(PATH)
    seen = await settled(lambda: wire.exchange(way, "OPTIONS", url, headers=headers, limits=CORS_ANSWER))
    return OriginTrial(origin=origin, own=origin == WEB_APP, exchange=seen)


def _pems(target: Target) -> list[str]:
    return [setting.value for setting in target.settings if setting.name == CUSTOM_CA]


@measurement(
    budget=6,
    why="one handshake, 5 s at most",
    sends=lambda target, mode: ["a TLS handshake that trusts the declared CA alone"] if _pems(target) else [],
)
async def declared_trust(
    serving_way: Way, connection: PerAddress[Connection], wire: Wire, target: Target
) -> DeclaredTrust:
    """Whether the CA that a file of --config declares verifies the chain that the target presents."""
    pems = _pems(target)
    if not pems:
        raise NotAsked("no file of --config holds a CA", "--config PATH")
    if target.scheme == "http":
        raise NotAsked("the target is an http:// URL: no certificate is involved")
    label = serving_way.route.label
    shown = connection.facts[label].handshake if label in connection.facts else None
    declared = _declared("\n".join(pems))
    found = DeclaredTrust(label=label, declared=declared, chain=shown.chain if shown else ())
    try:
        context = _trusting("\n".join(pems), target)
        stream = await wire.dial(serving_way.route, tls=True, context=context)
    except DialError as error:
        cause = error.__cause__
        if not isinstance(cause, ssl.SSLCertVerificationError):
            raise Unknown(f"no handshake with {label}: {error.failure.detail}") from None
        said = Distrust(code=cause.verify_code, message=cause.verify_message)
        return DeclaredTrust(label=label, declared=declared, chain=found.chain, distrust=said)
    except ssl.SSLError:
        raise Unknown("the CA of the files is none that this machine's OpenSSL can read") from None
    await stream.close()
    return found


def _declared(pem: str) -> tuple[Certificate, ...]:
    try:
        parsed = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        return ()
    ders = (one.public_bytes(Encoding.DER) for one in parsed)
    return tuple(one for der in ders if (one := certificate(der)) is not None)


def _trusting(pem: str, target: Target) -> ssl.SSLContext:
    """A context that trusts these certificates alone, an intermediate among them as much as a root; whom they are for
    is another check's matter."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=pem)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.set_alpn_protocols(["http/1.1"])
    if target.client_cert is not None:
        context.load_cert_chain(target.client_cert, target.client_key)
    return context


def _asked(target: Target, mode: Mode) -> list[str]:
    count = declared_count(target)
    if count is None:
        return []
    return [f"GET {target.url_for('/')} (up to {requests_for(count)} times, where answers name replicas)"]


@measurement(budget=20, why="one request, then up to 39 in rounds of ten, 6 s each at most", sends=_asked)
async def seen_replicas(serving_way: Way, wire: Wire, target: Target) -> SeenReplicas:
    """Which replicas answer, where a file of --config declares their number and answers tell them apart."""
    count = declared_count(target)
    if count is None:
        raise NotAsked("no file of --config states one number of API replicas", "--config PATH")
    url = target.url_for("/")
    first = replica_of(await settled(lambda: wire.exchange(serving_way, "GET", url, limits=HEALTH_ANSWER)))
    if first is None:
        return SeenReplicas(asked=1)
    named, asked, left = Counter([first[1]]), 1, requests_for(count) - 1
    while left > 0:
        some = min(left, 10)
        answers = await asyncio.gather(
            *(wire.exchange(serving_way, "GET", url, limits=HEALTH_ANSWER) for _ in range(some))
        )
        named.update(told[1] for one in answers if (told := replica_of(one)) is not None and told[0] == first[0])
        asked, left = asked + some, left - some
    return SeenReplicas(
        asked=asked,
        answers=tuple(sorted(named.items())),
        told_by=first[0],
    )
