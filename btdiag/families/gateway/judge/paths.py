"""Do paths arrive as they were sent? Hops merge doubled slashes, decode encoded ones, and redirect by themselves."""

from __future__ import annotations

from collections.abc import Mapping

from btdiag.core import evidence
from btdiag.core.answers import exchange_proofs, in_words, rate_limited
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.families.gateway.facts.routes import ENCODED, PATHS, PathAnswers


def paths_arrive_unchanged(front: PathAnswers, direct: PathAnswers) -> Finding:
    """The claim of gateway.paths-arrive-unchanged: what the API server says to a path, it says through the hops too.

    Merged slashes help rather than harm (an API URL that ends in a slash gives a doubled one) and are only told.
    """
    limited = [seen for seen in (*front.exchanges, *direct.exchanges) if seen.status == 429]
    if limited:
        return rate_limited(limited[0])
    own = dict(direct.answers)
    changed = {path: seen for path, seen in front.answers if _differs(seen, own[path])}
    harmful = {path: seen for path, seen in changed.items() if path == ENCODED or not _succeeds(seen)}
    if harmful:
        return _changed(harmful, front, own)
    helped = f"; {', '.join(changed)} is put right on the way" if changed else ""
    return Finding(
        verdict=Verdict.PASS,
        summary=f"{', '.join(PATHS)} are answered as by the API server itself{helped}",
        evidence=(_table(front, own),),
    )


def _differs(front: Exchange, direct: Exchange) -> bool:
    return front.status is not None and direct.status is not None and front.status != direct.status


def _succeeds(seen: Exchange) -> bool:
    return 200 <= (seen.status or 0) < 400


def _changed(harmful: Mapping[str, Exchange], front: PathAnswers, own: Mapping[str, Exchange]) -> Finding:
    first = next(iter(harmful.values()))
    told = "; ".join(
        f"GET {path} is answered {in_words(seen)}, by the API server itself {in_words(own[path])}"
        for path, seen in harmful.items()
    )
    return Finding(
        verdict=Verdict.WARN,
        unless=("readiness.api-speaks-json",),
        summary=f"a hop changes paths: {told}: names that contain a slash do not arrive",
        answer="A hop changes paths: names that contain a slash do not arrive",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="the answer of the API server itself",
        seen=told,
        evidence=(_table(front, own), *exchange_proofs(first)),
        remedy=Remedy(
            text="Pass the path on as it was received, without decoding, merging or rewriting it.",
            snippets=(
                Snippet(product="nginx", code="proxy_pass http://braintrust_api;  # no path behind the name"),
                Snippet(product="Apache httpd", code="AllowEncodedSlashes NoDecode\nProxyPass / http://API/ nocanon"),
            ),
        ),
        sources=("RFC 3986 section 2.2", "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass"),
    )


def _table(front: PathAnswers, own: Mapping[str, Exchange]) -> Evidence:
    rows = [(f"GET {path}", in_words(seen), in_words(own[path])) for path, seen in front.answers]
    return evidence.table("Paths that hops like to change", ("request", "load balancer", "API server itself"), rows)
