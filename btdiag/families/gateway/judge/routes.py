"""Does every class of routes reach a backend, not only /: load balancers send them to backends of their own.

Sources: the path rules of the product's Terraform modules (CloudFront, ECS load balancer) and Helm chart.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from btdiag.core import evidence
from btdiag.core.answers import exchange_proofs, in_words, rate_limited
from btdiag.core.exchange import Exchange, Trouble
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.product import UNKNOWN_PATH
from btdiag.core.sender import Confidence, page, redirect, sender
from btdiag.core.signatures import ORIGINS_TOO
from btdiag.core.statuses import SOURCES, explain_answer
from btdiag.families.gateway.facts.routes import MoreAnswers, RouteAnswers, RouteClass

LATE_S = 6.0  # an answer that took longer has its time told


def is_kept_from_api(seen: Exchange, unknown: Exchange) -> bool:
    """Whether an answer shows that the request never reached the API: a gateway's own page or 50x, a web page, a
    redirect elsewhere, a broken connection. A refusal without a key, or an unknown route of the API, is none; nor is a
    gateway's page for a status of the API's, as where the path that does not exist gets one for another status."""
    if seen.failure is not None and seen.status is None:
        return seen.failure.trouble is not Trouble.LOCAL
    status = seen.status or 0
    if status in {502, 503, 504} or 520 <= status <= 530:
        return True
    leads = redirect(seen)
    if leads is not None:
        return leads.to_login or not leads.same_host
    if status < 400:
        return page(seen) is not None
    return _by_a_hop(seen) and (not _by_a_hop(unknown) or seen.status == unknown.status)


def _by_a_hop(seen: Exchange) -> bool:
    who = sender(seen)
    return who.confidence is not Confidence.UNKNOWN and who.hop is not HopName.API


class RouteReach(StrEnum):
    """Where a request to one class of routes ended, as far as its answer tells."""

    REACHED = "reached the API"
    LOST = "lost on the way"
    UNTOLD = "not to be told"


def reach_of(seen: Exchange, unknown: Exchange, own: Exchange | None) -> RouteReach:
    """What an answer tells; `own` is what the API server itself says to the same request, None where it was not asked.

    Silence is not taken for a loss: our own patience ended. Nor is the page of a product that may serve the API as
    well as stand before it, where a path that does not exist gets the same.
    """
    if own is not None and _same(seen, own):
        return RouteReach.REACHED
    if _is_silent(seen):
        return RouteReach.UNTOLD
    if not is_kept_from_api(seen, unknown):
        return RouteReach.REACHED
    ambiguous = own is None and sender(seen).name in ORIGINS_TOO and _same(seen, unknown) and (seen.status or 0) < 500
    return RouteReach.UNTOLD if ambiguous else RouteReach.LOST


def _same(one: Exchange, other: Exchange) -> bool:
    """The same answer of the same hand, or silence both times."""
    if one.status is None:
        return _is_silent(one) and _is_silent(other)
    return one.status == other.status and sender(one).name == sender(other).name


def _is_silent(seen: Exchange) -> bool:
    return seen.status is None and seen.failure is not None and seen.failure.trouble is Trouble.TIMEOUT


def routes_reach_their_backend(
    found: RouteAnswers, direct: MoreAnswers | NotMeasured, slow: MoreAnswers | NotMeasured
) -> Finding:
    """The claim of gateway.routes-reach-their-backend. `direct` are the answers of the API server itself to what did
    not seem to reach it, `slow` those that came, or did not come, after a longer wait."""
    own, later = _by_class(direct), _by_class(slow)
    answers = {route: later.get(route, seen) for route, seen in found.answers}
    states = {route: reach_of(seen, found.unknown, own.get(route)) for route, seen in answers.items()}
    lost = {route: seen for route, seen in answers.items() if states[route] is RouteReach.LOST}
    untold = {route: seen for route, seen in answers.items() if states[route] is RouteReach.UNTOLD}
    limited = [seen for seen in answers.values() if seen.status == 429]
    if lost:
        return _lost(lost, found, own)
    if limited:
        return rate_limited(limited[0])
    if untold:
        return _untold(untold, found)
    names = ", ".join(route.path for route in answers)
    return Finding(
        verdict=Verdict.PASS,
        summary=f"each of {len(answers)} classes of routes is answered by the API ({names})",
        evidence=(_table(found, own),),
    )


def unreached(found: RouteAnswers) -> tuple[RouteClass, ...]:
    """The classes of which the API server itself is worth asking: lost, or not to be told."""
    return tuple(
        route for route, seen in found.answers if reach_of(seen, found.unknown, None) is not RouteReach.REACHED
    )


def silent(found: RouteAnswers) -> tuple[RouteClass, ...]:
    """The classes that gave no answer in the time that others need."""
    return tuple(route for route, seen in found.answers if _is_silent(seen))


def _by_class(more: MoreAnswers | NotMeasured) -> dict[RouteClass, Exchange]:
    return dict(more.answers) if isinstance(more, MoreAnswers) else {}


def _lost(lost: Mapping[RouteClass, Exchange], found: RouteAnswers, own: Mapping[RouteClass, Exchange]) -> Finding:
    first = next(iter(lost.values()))
    story = explain_answer(first)
    told = _told(lost)
    share = f"{len(lost)} of {len(found.answers)}"
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{share} classes of routes do not reach the API, though GET / does: {told}: {story.cause}",
        answer="Health checks pass, and whole classes of routes do not reach the API",
        hop=story.hop,
        owner=story.owner,
        expected="an answer of the API on every route (401 without a key)",
        seen=told,
        evidence=(_table(found, own), *exchange_proofs(first)),
        remedy=Remedy(
            text=f"Look at the load balancer's rules and target groups for {', '.join(r.path for r in lost)}: a health "
            f"check on / says nothing about them. {story.remedy.text}",
            snippets=story.remedy.snippets,
        ),
        sources=(*SOURCES, "https://github.com/braintrustdata/terraform-aws-braintrust-data-plane"),
    )


def _untold(untold: Mapping[RouteClass, Exchange], found: RouteAnswers) -> Finding:
    told, first = _told(untold), next(iter(untold.values()))
    if _is_silent(first):
        why = "the API may be slow there, or out of reach"
    else:
        why = (
            f"a gateway without a rule says it to any unknown path, and so does an API that {sender(first).name} serves"
        )
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"whether {len(untold)} of {len(found.answers)} classes of routes reach the API is not told by {told}: "
        f"{why}; asking the API server itself (--backend URL) would tell",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="an answer of the API on every route (401 without a key)",
        seen=told,
        evidence=(_table(found, {}), *exchange_proofs(first)),
        sources=SOURCES,
    )


def _told(answers: Mapping[RouteClass, Exchange]) -> str:
    """The answers and what got them: "503 from nginx (/logs3, /btql); 504 from HAProxy after 60 s (/v1/eval)"."""
    groups: dict[str, list[str]] = {}
    for route, seen in answers.items():
        late = f" after {seen.timing.total_s:.0f} s" if seen.status and seen.timing.total_s > LATE_S else ""
        groups.setdefault(in_words(seen) + late, []).append(route.path)
    return "; ".join(f"{what} ({', '.join(paths)})" for what, paths in groups.items())


def _table(found: RouteAnswers, own: Mapping[RouteClass, Exchange]) -> Evidence:
    rows = [
        (route.name, f"{route.method} {route.path}", in_words(seen), in_words(own[route]) if route in own else "")
        for route, seen in found.answers
    ]
    rows.append(("none", f"GET {UNKNOWN_PATH}", in_words(found.unknown), ""))
    title = f"Classes of routes on {found.unknown.label}"
    return evidence.table(title, ("class", "request without a key", "answer", "API server itself"), rows)
