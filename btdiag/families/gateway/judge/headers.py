"""What the hops change in answers: headers that vanish, answers from a cache, redirects that lead astray."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urljoin, urlsplit

from btdiag.core import evidence
from btdiag.core.answers import Roots, exchange_proofs, facts_of
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.product import UNKNOWN_PATH
from btdiag.core.sender import Confidence, sender
from btdiag.core.target import Target
from btdiag.core.urls import port_of
from btdiag.families.gateway.facts.requests import ProductRequests
from btdiag.families.gateway.facts.routes import PathAnswers

# Headers that belong to one connection (RFC 9110 section 7.6.1), or that a hop may rightly make anew.
_A_HOPS_OWN = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "proxy-connection", "date", "server"}
    | {"content-length", "content-encoding", "etag", "vary", "via", "accept-ranges", "x-powered-by", "alt-svc"}
)
_JUDGED_BY_CORS = "access-control-"
_FORWARDED = Remedy(
    text="Let the hop that ends TLS pass the Host header on and send X-Forwarded-Proto: https, and every hop behind it "
    "pass both on.",
    snippets=(
        Snippet(product="nginx", code="proxy_set_header Host $http_host;\nproxy_set_header X-Forwarded-Proto $scheme;"),
        Snippet(product="HAProxy", code="http-request set-header X-Forwarded-Proto https if { ssl_fc }"),
    ),
)
_IDS = ("x-bt-internal-trace-id", "x-request-id")


def preserves_headers(
    found: ProductRequests,
    direct: Exchange | NotMeasured,
    roots: PerAddress[Roots] | NotMeasured,
    version: PerAddress[Exchange] | NotMeasured,
    again: Sequence[Exchange],
    paths: PathAnswers | NotMeasured,
    target: Target,
) -> Finding:
    """The claim of gateway.preserves-headers. `again` are GET /version sent one after the other: what was sent at once
    may have met a cache while it was still empty."""
    asked = [seen for one in facts_of(roots).values() for seen in one.exchanges]
    plain = [*asked, *facts_of(version).values(), *again, found.plain_get]
    downgraded = next((seen for seen in plain if loses_https(seen, target)), None)
    if downgraded is not None:
        return _downgraded(downgraded)
    asked_apart = paths.exchanges if isinstance(paths, PathAnswers) else ()
    astray = next((seen for seen in (*plain, *asked_apart) if leads_astray(seen, target)), None)
    if astray is not None:
        return _astray(astray, target)
    dropped = dropped_headers(found.plain_get, direct) if isinstance(direct, Exchange) else ()
    if dropped:
        return _dropped(dropped, found.plain_get, direct)
    stale = next((seen for seen in plain if seen.from_cache), None) or repeated(plain)
    if stale is not None:
        return _cached(stale)
    return _preserved(found.plain_get, direct)


def loses_https(seen: Exchange, target: Target) -> bool:
    """Whether an https answer redirects to plain http on the target's own host: X-Forwarded-Proto was lost."""
    location = seen.header("location")
    if target.scheme != "https" or location is None or not 300 <= (seen.status or 0) < 400:
        return False
    try:
        leads = urlsplit(urljoin(seen.url, location))
    except ValueError:
        return False
    return leads.scheme == "http" and leads.hostname == target.host


def leads_astray(seen: Exchange, target: Target) -> str:
    """What is wrong with the address that a redirect leads to, "" where nothing is: plain http, another port of the
    target's own host, or a host that only the inside of a network knows. The API made it from what it was told of the
    request (Host, X-Forwarded-Proto), and was told wrong."""
    location = seen.header("location")
    if location is None or not 300 <= (seen.status or 0) < 400:
        return ""
    try:
        leads = urlsplit(urljoin(seen.url, location))
        port = port_of(leads)
    except ValueError:
        return ""
    if leads.hostname == target.host:
        if loses_https(seen, target):
            return "plain http"
        return "another port" if leads.scheme == target.scheme and port != target.port else ""
    if _is_backend(leads.hostname, port, target):
        return "the API server's own address"
    return "a host of the inside" if _is_inside(leads.hostname or "") and not _is_inside(target.host) else ""


def _is_inside(host: str) -> bool:
    """Whether only the inside of a network knows this host: a private address, a name without a dot, a cluster's."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".internal", ".local", ".svc", ".localdomain"))


def _is_backend(host: str | None, port: int | None, target: Target) -> bool:
    backend = urlsplit(target.backend or "")
    return target.backend is not None and (host, port) == (backend.hostname, port_of(backend))


def dropped_headers(front: Exchange, direct: Exchange) -> tuple[str, ...]:
    """The response headers that the API server sends and that do not arrive through the load balancer, in lower case;
    none where the two answers cannot be compared: other statuses, or a hop's own page. CORS headers have checks of
    their own."""
    who = sender(front)
    by_a_hop = who.confidence is not Confidence.UNKNOWN and who.hop is not HopName.API
    if front.status is None or front.status != direct.status or by_a_hop:
        return ()
    arrived = {name.lower() for name, _ in front.headers}
    sent = dict.fromkeys(name.lower() for name, _ in direct.headers)
    return tuple(name for name in sent if name not in arrived | _A_HOPS_OWN and not name.startswith(_JUDGED_BY_CORS))


def repeated(answers: Sequence[Exchange]) -> Exchange | None:
    """An answer whose id, which is unique to a request, came with another answer before; None where each is new."""
    ids: set[tuple[str, str]] = set()
    for seen in answers:
        for name in _IDS:
            value = seen.header(name)
            if value is None:
                continue
            if (name, value) in ids:
                return seen
            ids.add((name, value))
    return None


def _downgraded(seen: Exchange) -> Finding:
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{seen.method} {seen.url} redirects to {(seen.header('location') or '').partition('?')[0]}: https is "
        "lost, for the API does not learn that the client came by https",
        answer="Redirects lead from https to http: browsers block them, and SDKs drop the key",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="redirects that stay on https://",
        seen=f"{seen.status} to plain http",
        evidence=exchange_proofs(seen),
        remedy=_FORWARDED,
        sources=("RFC 7239 section 5.4", "RFC 9110 section 15.4"),
    )


def _astray(seen: Exchange, target: Target) -> Finding:
    wrong, leads = leads_astray(seen, target), (seen.header("location") or "").partition("?")[0]
    return Finding(
        verdict=Verdict.WARN,
        summary=f"{seen.method} {urlsplit(seen.url).path} redirects to {leads}, {wrong}: the API does not learn under "
        "which name and scheme the client came, and redirects lead nowhere from outside",
        answer="Redirects of the API lead to a place that clients do not know",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected=f"redirects that stay on {target.origin}",
        seen=f"{seen.status} to {leads}",
        evidence=exchange_proofs(seen),
        remedy=_FORWARDED,
        sources=("RFC 7239", "RFC 9110 sections 7.2 and 15.4"),
    )


def _dropped(names: Sequence[str], front: Exchange, direct: Exchange | NotMeasured) -> Finding:
    told = ", ".join(names)
    shown = (evidence.exchange(direct),) if isinstance(direct, Exchange) else ()
    return Finding(
        verdict=Verdict.FAIL if any(name.startswith("x-bt-") for name in names) else Verdict.WARN,
        summary=f"{len(names)} response {'header' if len(names) == 1 else 'headers'} of the API server "
        f"{'does' if len(names) == 1 else 'do'} not arrive through the load balancer: {told}",
        answer="A gateway drops response headers of the API",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="every header that the API server sends, but for those of a connection",
        seen=f"missing on {front.label}: {told}",
        evidence=(*exchange_proofs(front), *shown),
        remedy=Remedy(
            text=f"Let the load balancer pass {told} on: look for rules that remove or hide headers, and for a policy "
            "that allows named ones only."
        ),
        sources=("RFC 9110 section 7.6",),
    )


def _cached(seen: Exchange) -> Finding:
    marks = {name: value for name in ("Age", "X-Cache", "CF-Cache-Status", *_IDS) if (value := seen.header(name))}
    told = ", ".join(f"{name}: {value}" for name, value in marks.items())
    return Finding(
        verdict=Verdict.WARN,
        summary=f"{seen.method} {urlsplit(seen.url).path or '/'} on {seen.label} is answered from a cache ({told}): "
        "health checks see what was, and one user's answer can reach another",
        answer="A cache answers in the API's place: one user's answer can reach another",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="every answer from the API itself",
        seen=told,
        evidence=exchange_proofs(seen),
        remedy=Remedy(text="Turn caching off for the API's host and all of its paths (CloudFront: CachingDisabled)."),
        sources=("RFC 9111 sections 3 and 5.1",),
    )


def added_headers(front: Exchange, direct: Exchange) -> tuple[str, ...]:
    """The headers that the hops add, in lower case; those that rightly belong to a hop or a connection left out."""
    own = {name.lower() for name, _ in direct.headers}
    added = dict.fromkeys(name.lower() for name, _ in front.headers)
    return tuple(name for name in added if name not in own | _A_HOPS_OWN and not name.startswith(_JUDGED_BY_CORS))


def _preserved(front: Exchange, direct: Exchange | NotMeasured) -> Finding:
    if isinstance(direct, Exchange):
        added = ", ".join(added_headers(front, direct))
        text = "the API server's response headers arrive through the load balancer"
        text += f", which adds {added}" if added else ""
    else:
        text = "no answer is cached or redirected to plain http (--backend would also show which headers are dropped)"
    return Finding(verdict=Verdict.PASS, summary=f"{text}; compared on GET {UNKNOWN_PATH}")
