"""Does the data plane answer the calls of its own that SDKs make: without /logs3 all rows are lost silently."""

from __future__ import annotations

from collections.abc import Mapping

from btdiag.core.answers import exchange_proofs, in_words, rate_limited
from btdiag.core.finding import Finding, Remedy, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.statuses import explain_answer
from btdiag.core.target import Target
from btdiag.families.gateway.facts.routes import RouteAnswers
from btdiag.families.gateway.judge.routes import is_kept_from_api
from btdiag.families.sdk.facts import SOURCES, ControlPlane, RouteState, data_state, keeps_method, settled_state, state
from btdiag.families.sdk.judge.routes import (
    States,
    answer_to,
    broken_calls,
    call_names,
    calls,
    culprits_of,
    hurt_by,
    is_serious,
    outcomes,
    sent_to_https,
    untold,
)
from btdiag.families.sdk.needs import DATA_ROUTES, Losses, Sdk, consequences, sdks_of

ROUTES_REACH = "gateway.routes-reach-their-backend"


def data_plane_routes_answered(plane: ControlPlane, routes: RouteAnswers | NotMeasured, target: Target) -> Finding:
    """The claim of sdk.data-plane-routes-answered."""
    states = dict.fromkeys(DATA_ROUTES, RouteState.UNTOLD)
    if keeps_method(plane.login.exchange):
        return sent_to_https(plane, target)
    states |= {
        route: RouteState.MISSING
        if settled_state(plane, route, state(seen, plane.unknown)) is RouteState.MISSING
        else data_state(seen, plane.unknown)
        for route, seen in plane.data
    }
    if RouteState.LIMITED in states.values():
        return rate_limited(next(seen for seen in plane.direct if seen.status == 429))
    hurt = hurt_by(broken_calls(states), target)
    if not hurt:
        return untold(plane, states, target) or _answered(plane, states, target)
    culprits = culprits_of(hurt)
    if all(_first_segment(route.path) in _lost(routes) for route in culprits):
        return Finding(
            verdict=Verdict.SKIP, summary=f"{call_names(culprits)} do not reach the API", because=ROUTES_REACH
        )
    return _unanswered(plane, states, hurt, target)


def _answered(plane: ControlPlane, states: States, target: Target) -> Finding:
    return Finding(
        verdict=Verdict.PASS,
        summary=f"{target.url} answers all {len(states)} calls that {', '.join(map(str, sdks_of(target)))} make to it",
        evidence=(calls(plane, states),),
    )


def _lost(routes: RouteAnswers | NotMeasured) -> set[str]:
    """What does not reach its backend, by the first segment of the path."""
    if isinstance(routes, NotMeasured):
        return set()
    return {_first_segment(route.path) for route, seen in routes.answers if is_kept_from_api(seen, routes.unknown)}


def _first_segment(path: str) -> str:
    return path.split("/")[1]


def _unanswered(plane: ControlPlane, states: States, hurt: Mapping[Sdk, Losses], target: Target) -> Finding:
    culprits = culprits_of(hurt)
    first = answer_to(plane, culprits[0])
    story = explain_answer(first)
    return Finding(
        verdict=Verdict.FAIL if is_serious(hurt) else Verdict.WARN,
        summary=f"{call_names(culprits)} of {target.url} {'is' if len(culprits) == 1 else 'are'} answered "
        f"{in_words(first)}: {consequences(hurt)}",
        answer="SDKs lose what they send: data-plane calls do not reach the API"
        if is_serious(hurt)
        else "Some calls of SDKs do not reach the API",
        hop=story.hop,
        owner=story.owner,
        expected="an answer of the API to each call (401 without a key)",
        seen="; ".join(f"{route}: {in_words(answer_to(plane, route))}" for route in culprits),
        evidence=(calls(plane, states), outcomes(hurt), *exchange_proofs(first)),
        remedy=Remedy(
            text=f"Let the load balancer send {', '.join(sorted({route.path for route in culprits}))} and what is "
            f"below to the API server, whose own routes they are. {story.remedy.text}",
            snippets=story.remedy.snippets,
        ),
        sources=SOURCES,
    )
