"""Where requests to retention's routes end, told by contrast with a route that is there and one that is not."""

from __future__ import annotations

from btdiag.core import evidence
from btdiag.core.answers import exchange_proofs, in_words, rate_limited
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Verdict
from btdiag.core.sender import sender
from btdiag.families.gateway.judge.routes import is_kept_from_api
from btdiag.families.retention.facts import KNOWN, READ, RetentionRoutes
from btdiag.families.retention.remedy import SOURCES, route_all, upgrade_module


def routes_reach_a_backend(found: RetentionRoutes) -> Finding:
    """The claim of retention.routes-reach-a-backend."""
    limited = next((seen for seen in (found.read, *(seen for _, seen in found.preflights)) if seen.status == 429), None)
    if limited is not None:
        return rate_limited(limited)
    lost: dict[str, Exchange] = {}
    tried = [f"GET {READ}"]
    if (is_kept_from_api(found.read, found.unknown) and not _same(found.read, found.unknown)) or _not_listed(
        found.read
    ):
        lost[f"GET {READ}"] = found.read
    if _well(found.known):
        tried += [f"OPTIONS {path}" for path, _ in found.preflights]
        lost |= {f"OPTIONS {path}": seen for path, seen in found.preflights if not _well(seen)}
    if lost:
        return _lost(lost, tried, found)
    return _reached(tried, found)


def _reached(tried: list[str], found: RetentionRoutes) -> Finding:
    if is_kept_from_api(found.read, found.unknown):
        tried = tried[1:]
    if not tried:
        return Finding(
            verdict=Verdict.SKIP,
            summary=f"GET {READ} is answered {in_words(found.read)}, as a path that does not exist: whether it reaches "
            "the API cannot be told without a key",
        )
    return Finding(
        verdict=Verdict.PASS,
        summary=f"{', '.join(tried)} reach the API, as far as can be told without a key",
        evidence=(_table(found),),
    )


def _well(seen: Exchange) -> bool:
    return seen.status is not None and seen.status < 300


def _same(one: Exchange, other: Exchange) -> bool:
    return one.status == other.status and sender(one).name == sender(other).name


def _not_listed(seen: Exchange) -> bool:
    """API Gateway's own answer for what is not in its list of routes (403, Missing Authentication Token)."""
    return seen.status == 403 and sender(seen).name == "AWS API Gateway" and "Missing Authentication Token" in seen.body


def _lost(lost: dict[str, Exchange], tried: list[str], found: RetentionRoutes) -> Finding:
    request, seen = next(iter(lost.items()))
    unlisted = all(_not_listed(one) for one in lost.values())
    return Finding(
        verdict=Verdict.WARN,
        summary=f"{len(lost)} of {len(tried)} routes of retention and service tokens do not reach the API: {request}"
        f" gives {in_words(seen)}" + (": the API Gateway of this module version does not list it" if unlisted else ""),
        answer="Retention and service tokens cannot be managed: their routes do not reach the API",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="an answer of the API, 401 or 404 without a key",
        seen=in_words(seen),
        evidence=(_table(found), *exchange_proofs(seen)),
        remedy=upgrade_module() if unlisted else route_all(" and ".join(one.split()[1] for one in lost)),
        sources=SOURCES,
    )


def _table(found: RetentionRoutes) -> Evidence:
    rows = [
        (f"GET {READ}", in_words(found.read)),
        ("GET a path that does not exist", in_words(found.unknown)),
        *((f"OPTIONS {path}", in_words(seen)) for path, seen in found.preflights),
        (f"OPTIONS {KNOWN}", in_words(found.known)),
    ]
    return evidence.table("Routes of retention, and others", ("request", "answer"), rows)
