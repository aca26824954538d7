"""What the front offers beside plain HTTP/1.1: does HTTP/2 work, do compressed answers unpack, do WebSockets pass?

Nothing of it has to be offered. What is offered is used by browsers and libraries without asking, and must work.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from btdiag.core import evidence
from btdiag.core.answers import exchange_proofs, in_words, is_gateway_hiccup, rate_limited
from btdiag.core.exchange import Exchange, Trouble
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.sender import Confidence, json_body, sender
from btdiag.families.gateway.facts.protocols import Compressed, Http2, Shared, Upgrade
from btdiag.families.gateway.facts.routes import RouteAnswers
from btdiag.families.gateway.judge.routes import is_kept_from_api

ROUTES_REACH_THEIR_BACKEND = "gateway.routes-reach-their-backend"
ACCEPTED = frozenset({"gzip", "x-gzip", "deflate", "identity", ""})


def http2_works_where_offered(found: Http2, other: Shared | NotMeasured) -> Finding:
    """The claim of gateway.http2-works-where-offered."""
    limited = [seen for seen in (found.plain, *found.answers) if seen.status == 429]
    if limited:
        return rate_limited(limited[0])
    broken = [seen for seen in found.answers if seen.failure is not None or seen.status != found.plain.status]
    if not broken or _local(broken):
        return _misled(other) if isinstance(other, Shared) and _is_misled(other) else _offered(found, other)
    if found.plain.failure is not None or is_gateway_hiccup(found.plain):
        return Finding(
            verdict=Verdict.INCONCLUSIVE,
            summary=f"GET / is answered {in_words(found.plain)} over HTTP/1.1 too, so that HTTP/2 cannot be judged",
            hop=HopName.LOAD_BALANCER,
            owner=Owner.LOAD_BALANCER,
            expected="an answer over HTTP/1.1 to compare",
            seen=in_words(found.plain),
            evidence=(_protocols(found),),
        )
    share = f"{len(broken)} of {len(found.answers)}"
    return Finding(
        verdict=Verdict.FAIL if len(broken) == len(found.answers) else Verdict.WARN,
        summary=f"HTTP/2 is offered and does not work: {share} GET / over it give {_how(broken[0])}, and "
        f"{in_words(found.plain)} over HTTP/1.1; browsers take HTTP/2, SDKs mostly do not and see nothing of it",
        answer="The web app fails where SDKs work: HTTP/2 is offered and broken",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected=f"{in_words(found.plain)} over HTTP/2 too",
        seen=f"{_how(broken[0])} ({share})",
        evidence=(_protocols(found), evidence.exchange(broken[0])),
        remedy=Remedy(
            text="Let the listener that offers h2 in its handshake (ALPN) speak it, or take h2 out of the offer.",
            snippets=(
                Snippet(product="HAProxy", code="bind :443 ssl crt /etc/haproxy/tls.pem alpn h2,http/1.1"),
                Snippet(product="nginx", code="listen 443 ssl http2;"),
            ),
        ),
        sources=("RFC 9113 section 3.2", "RFC 7301"),
    )


def _local(broken: Sequence[Exchange]) -> bool:
    return all(seen.failure is not None and seen.failure.trouble is Trouble.LOCAL for seen in broken)


def _how(seen: Exchange) -> str:
    return f"{in_words(seen)} ({seen.failure.detail})" if seen.failure else in_words(seen)


def _is_misled(other: Shared) -> bool:
    """The answer differs on the shared connection, and is not the 421 that makes browsers open another."""
    return None not in {other.shared.status, other.alone.status} and other.shared.status not in {
        other.alone.status,
        421,
        429,
    }


def _misled(other: Shared) -> Finding:
    shared, alone = in_words(other.shared), in_words(other.alone)
    return Finding(
        verdict=Verdict.WARN,
        summary=f"on an HTTP/2 connection to the target, {other.host} answers {shared}, and {alone} on one of its own: "
        "browsers use one connection for both, as address and certificate are the same",
        answer="Browsers may get one host's answers from the other: both share a connection",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected=f"{alone} on both, or 421 Misdirected Request",
        seen=shared,
        evidence=(evidence.exchange(other.shared), evidence.exchange(other.alone)),
        remedy=Remedy(
            text="Route by the Host header (:authority) and not by the server name of the TLS handshake, or give each "
            "host a certificate of its own, or answer 421 to hosts that this listener does not serve."
        ),
        sources=("RFC 9113 section 9.1.1", "RFC 9110 section 15.5.20"),
    )


def _offered(found: Http2, other: Shared | NotMeasured) -> Finding:
    told = "HTTP/2 is offered and works" if found.answers else "HTTP/2 is not offered, which is no fault"
    alternative = next((value for seen in (*found.answers, found.plain) if (value := seen.header("alt-svc"))), None)
    third = f"; advertised beside it, and not tried: {alternative}" if alternative else "; HTTP/3 is not advertised"
    both = f"; {other.host} may share its connections" if isinstance(other, Shared) else ""
    return Finding(verdict=Verdict.PASS, summary=told + third + both, evidence=(_protocols(found),))


def _protocols(found: Http2) -> Evidence:
    rows = [(seen.http_version or "none", _how(seen)) for seen in (found.plain, *found.answers)]
    return evidence.table(f"GET / on {found.plain.label}", ("protocol", "answer"), rows)


def compressed_answers_unpack(found: Compressed) -> Finding:
    """The claim of gateway.compressed-answers-unpack."""
    packed, plain = found.packed, found.plain
    limited = [seen for seen in (packed, plain) if seen.status == 429]
    if limited:
        return rate_limited(limited[0])
    coding = _coding(packed)
    unpacked = packed.failure is None or packed.failure.trouble is not Trouble.PROTOCOL
    if not unpacked and plain.failure is None:
        return _unreadable(packed, f"an answer marked Content-Encoding: {coding or 'none'} that cannot be unpacked")
    if coding not in ACCEPTED:
        return _unreadable(packed, f"Content-Encoding: {coding}, which was not among those accepted")
    if packed.status == plain.status and json_body(plain) is not None and json_body(packed) is None and coding:
        return _unreadable(packed, f"an answer marked Content-Encoding: {coding} that unpacks to no JSON")
    if _coding(plain) not in {"", "identity"}:
        return _unasked(plain)
    path = urlsplit(packed.url).path
    told = f"comes as {coding} and unpacks" if coding else "comes uncompressed, which is no fault,"
    return Finding(verdict=Verdict.PASS, summary=f"GET {path} {told} where gzip and deflate are accepted")


def _route_is_lost(routes: RouteAnswers) -> bool:
    """Ordinary requests of the same class do not reach the API either."""
    return any(
        route.path.startswith("/v1/proxy") and is_kept_from_api(seen, routes.unknown) for route, seen in routes.answers
    )


def _coding(seen: Exchange) -> str:
    return (seen.header("content-encoding") or "").strip().lower()


def _unreadable(seen: Exchange, what: str) -> Finding:
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"GET {urlsplit(seen.url).path} with Accept-Encoding: gzip, deflate gets {what}: SDKs and browsers "
        "cannot read it, curl without --compressed can",
        answer="SDKs and browsers cannot read answers: their compression is broken",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="an answer as it is, or packed as gzip or deflate",
        seen=what,
        evidence=exchange_proofs(seen),
        remedy=Remedy(
            text="Turn compression off at the hop that packs the API's answers, or let it happen at one hop only.",
            snippets=(Snippet(product="nginx", code="gzip off;"),),
        ),
        sources=("RFC 9110 sections 8.4 and 12.5.3",),
    )


def _unasked(seen: Exchange) -> Finding:
    return Finding(
        verdict=Verdict.WARN,
        summary=f"GET {urlsplit(seen.url).path} is answered as {_coding(seen)} to a client that accepts no coding: "
        "curl, health checks and simple clients cannot read it",
        answer="Answers are compressed for clients that did not ask for it",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="an answer as it is to Accept-Encoding: identity",
        seen=f"Content-Encoding: {_coding(seen)}",
        evidence=exchange_proofs(seen),
        remedy=Remedy(text="Let the hop that packs answers heed Accept-Encoding (and send Vary: Accept-Encoding)."),
        sources=("RFC 9110 section 12.5.3",),
    )


def websockets_pass(found: Upgrade, routes: RouteAnswers | NotMeasured) -> Finding:
    """The claim of gateway.websockets-pass."""
    front, direct = found.front, found.direct
    path = urlsplit(front.url).path
    if front.status == 429:
        return rate_limited(front)
    if front.status == 101:
        return Finding(verdict=Verdict.PASS, summary=f"a WebSocket is opened at {path} through the load balancer (101)")
    lost = isinstance(routes, RouteAnswers) and _route_is_lost(routes)
    refused = _refuses_upgrades(front, found.plain)
    if direct is not None and direct.status != 101 and direct.status == front.status:
        refused = ""
    if not refused and (direct is None or direct.status != 101):
        where = "" if direct is None else f", nor at the API server itself ({in_words(direct)})"
        return Finding(
            verdict=Verdict.SKIP,
            summary=f"no WebSocket is opened at {path} without a key ({in_words(front)}){where}: whether the hops let "
            "one through was not seen",
        )
    if lost:
        return Finding(
            verdict=Verdict.SKIP,
            summary=f"GET {path} is answered {in_words(front)}",
            because=ROUTES_REACH_THEIR_BACKEND,
        )
    if direct is not None and direct.status == 101:
        told = f"the API server opens a WebSocket at {path}, and through the load balancer the same request is answered"
        return _not_passed(front, f"{told} {in_words(front)}", (evidence.exchange(direct),))
    assert found.plain is not None
    return _not_passed(front, refused, (evidence.exchange(found.plain),))


def _refuses_upgrades(front: Exchange, plain: Exchange | None) -> str:
    """How it shows without the API server's own answer that a hop passes no WebSocket on; "" where it does not."""
    path = urlsplit(front.url).path
    if front.status == 426 and "websocket" in (front.header("upgrade") or "").lower():
        return (
            f"GET {path} with Upgrade: websocket is told to upgrade ({in_words(front)}): the header was lost on its way"
        )
    if plain is None or not _by_gateway(front) or _by_gateway(plain) or front.status == plain.status:
        return ""
    return f"GET {path} is answered {in_words(plain)}, and with Upgrade: websocket {in_words(front)}"


def _by_gateway(seen: Exchange) -> bool:
    """A gateway's own refusal. Its 502 is none: an API server may hang up on whoever asks without a key."""
    who = sender(seen)
    known = who.confidence is not Confidence.UNKNOWN and who.hop is HopName.LOAD_BALANCER
    return known and seen.failure is None and 400 <= (seen.status or 0) <= 501


def _not_passed(front: Exchange, told: str, beside: tuple[Evidence, ...]) -> Finding:
    return Finding(
        verdict=Verdict.WARN,
        unless=("readiness.api-speaks-json",),
        summary=f"{told}: voice and other realtime models cannot be used, all else can",
        answer="Realtime models cannot be used: the load balancer passes no WebSocket on",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="101 Switching Protocols, as from the API server itself",
        seen=in_words(front),
        evidence=(*exchange_proofs(front), *beside),
        remedy=Remedy(
            text="Let the hop pass Upgrade and Connection on, which proxies drop by default because they belong to one "
            "connection.",
            snippets=(
                Snippet(
                    product="nginx",
                    code="map $http_upgrade $connection_upgrade { default upgrade; '' ''; }\n"
                    "proxy_http_version 1.1;\nproxy_set_header Upgrade $http_upgrade;\n"
                    "proxy_set_header Connection $connection_upgrade;",
                ),
            ),
        ),
        sources=("RFC 6455 section 4", "RFC 9110 section 7.8", "https://nginx.org/en/docs/http/websocket.html"),
    )
