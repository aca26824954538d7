"""The same question refused and allowed by turns: one finding, and nothing else of CORS is judged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from btdiag.core import evidence, sender
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Verdict
from btdiag.families.cors.contrast import mixed_call
from btdiag.families.cors.facts import CorsSurvey, refusal_of
from btdiag.families.cors.judge.standing import MAY_CALL, Ground, cors_headers, ground, spoken, trial_proofs
from btdiag.families.cors.mixed import Mixed, mixed
from btdiag.families.cors.remedy.causes import FETCH

STEADILY = "readiness.answers-steadily"


def found_mixed(alive: Mapping[str, CorsSurvey]) -> Mixed | None:
    """The first question that has several answers at one address."""
    return next((found for survey in alive.values() if (found := mixed(survey) or mixed_call(survey))), None)


def steady_ground(surveys: Mapping[str, CorsSurvey]) -> Ground:
    """What a claim stands on whose truth one answer is to tell: nothing, where answers differ by chance."""
    base = ground(surveys)
    found = None if base.stop else found_mixed(base.alive)
    if found is None:
        return base
    return Ground(
        base.alive,
        Finding(
            verdict=Verdict.SKIP,
            because=MAY_CALL,
            summary=f"{spoken(found.refused)} is refused and allowed by turns ({found.k} of {found.n} refused), so "
            "what one answer says does not hold for the next",
        ),
    )


def refused_by_turns(alive: Mapping[str, CorsSurvey]) -> Finding | None:
    """The finding of cors.web-app-may-call on a target whose answers differ by chance; None where they do not."""
    found = found_mixed(alive)
    if found is None:
        return None
    survey = alive[found.refused.exchange.label]
    if (found.refused.exchange.status or 0) >= 500 and _fails_anyway(survey):
        return _because_unsteady(found)
    return _by_turns(found, survey)


def _fails_anyway(survey: CorsSurvey) -> bool:
    """Were simple requests answered 5xx too, so that it is no matter of preflights?"""
    return any(not trial.preflight and (trial.exchange.status or 0) >= 500 for trial in survey.trials)


def _because_unsteady(found: Mixed) -> Finding:
    seen = found.refused.exchange
    return Finding(
        verdict=Verdict.SKIP,
        because=STEADILY,
        summary=f"{spoken(found.refused)} is answered {seen.status} by the gateway now and then; its error pages have "
        "no CORS headers, and browsers report that as a CORS error",
        evidence=trial_proofs(found.refused, "the same answer every time"),
    )


def _by_turns(found: Mixed, survey: CorsSurvey) -> Finding:
    refusal = refusal_of(found.refused) if found.refused.preflight else None
    why = f" ({refusal.error}{f' {refusal.parameter}' if refusal.parameter else ''})" if refusal else ""
    hop, owner, cause, remedy = _told(found, versions_told(survey))
    what = "preflight" if found.refused.preflight else "request"
    return Finding(
        verdict=Verdict.FAIL,
        answer=f"The web app's calls fail now and then: the same {what} is refused and allowed",
        summary=f"{spoken(found.refused)} is refused{why} {found.k} of {found.n} times at "
        f"{found.refused.exchange.label}, and passes in between: {cause}",
        hop=hop,
        owner=owner,
        expected="the same answer to the same request, every time",
        seen=f"{found.k} of {found.n} refused",
        evidence=(*trial_proofs(found.refused, "the answer that came in between"), _both(found)),
        remedy=remedy,
        sources=(FETCH,),
    )


def _both(found: Mixed) -> Evidence:
    rows = [
        ("refused", cors_headers(found.refused.exchange)),
        ("passes", cors_headers(found.passed.exchange)),
    ]
    return evidence.table("The same request, two answers", ("what", "answer"), rows)


def versions_told(survey: CorsSurvey) -> tuple[str, ...]:
    """The versions that the answers to GET /version name, each once."""
    named = set()
    for trial in survey.trials:
        body = sender.json_body(trial.exchange) if trial.path == "/version" else None
        if isinstance(body, dict) and isinstance(body.get("version"), str | int | float):
            named.add(json.dumps(body["version"])[:40])
    return tuple(sorted(named))


def _told(found: Mixed, named: Sequence[str]) -> tuple[HopName, Owner, str, Remedy]:
    """Hop, owner, reason and remedy, from how the two answers differ."""
    if found.in_bursts:
        return (
            HopName.LOAD_BALANCER,
            Owner.LOAD_BALANCER,
            "alone it always passes, and it is refused only among other requests at the same moment, so a limit by "
            "client or connection is at work",
            Remedy(
                text="Raise the gateway's limit of connections or requests for one client, or leave OPTIONS out of it: "
                "the web app makes a preflight for many of its calls, several at once.",
                action="Raise the gateway's limit of connections or requests by client; leave OPTIONS out of it",
            ),
        )
    seen = found.refused.exchange
    if seen.status is None or seen.status >= 500:
        return (
            HopName.LOAD_BALANCER,
            Owner.LOAD_BALANCER,
            "one server of several behind the load balancer does not answer as the others do",
            Remedy(
                text="Find the server that fails and take it out of the load balancer, or repair it.",
                action="Find the server behind the load balancer that fails, and take it out or repair it",
            ),
        )
    spoken_versions = f" (GET /version names {' and '.join(named)})" if len(named) > 1 else ""
    return (
        HopName.API,
        Owner.API,
        f"several servers answer in turn and one of them is of another version or configuration{spoken_versions}",
        Remedy(
            text="Bring all servers behind the load balancer to one version and one configuration: compare images and "
            "environment of the replicas, and finish or undo the rollout that left one behind.",
            action="Bring all servers behind the load balancer to one version and one configuration",
        ),
    )
