"""Does the API server stay up? From idle connections to it that ended all at once, and a watch through the front."""

from __future__ import annotations

from collections import Counter

from btdiag.core import evidence
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.families.keepalive.facts import BackendIdle
from btdiag.families.keepalive.restarts import (
    AGAIN_AND_AGAIN,
    Outage,
    moments,
    outages,
    restart_moments,
    restart_rounds,
    restarts,
)
from btdiag.families.keepalive.watched import Held, Watch

STAYS_UP = "readiness.api-stays-up"
STEADY = "readiness.answers-steadily"
AGAIN = "The API server restarts again and again: requests under way are lost"
_ONE_BY_ONE = "idle connections end one by one, each at the keep-alive's age, and new ones are taken meanwhile"
_SOURCES = (
    "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restarts",
    "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html",
)
_REMEDY = Remedy(
    text="Find out why the API's process ends: look at its exit code and at the last lines of its log before each "
    "restart (out of memory, a failing liveness probe, an uncaught error). Until then every restart cuts off the "
    "requests that are under way.",
    action="Look at why the API's process ends: its exit code and its last log lines (memory, liveness probe, error)",
    snippets=(
        Snippet(
            product="Kubernetes",
            code="kubectl get pods -l app=braintrust-api  # RESTARTS\n"
            "kubectl describe pod POD | grep -A5 'Last State'\nkubectl logs POD --previous --tail 50",
        ),
        Snippet(
            product="ECS",
            code="aws ecs describe-tasks --cluster CLUSTER --tasks TASK \\\n"
            "  --query 'tasks[].[stoppedReason,containers[].exitCode]'",
        ),
    ),
)


def api_stays_up(watch: Watch | NotMeasured, held: BackendIdle | NotMeasured) -> Finding:
    """Restarts that connections to the API itself show decide, and moments at which nobody answered through the load
    balancer may be further ones; else what was seen there."""
    count = restarts(held) if isinstance(held, BackendIdle) else 0
    moments_s = restart_moments(watch.direct) if isinstance(watch, Watch) and watch.direct else []
    if isinstance(watch, Watch) and watch.direct and len(moments_s) >= max(count, AGAIN_AND_AGAIN):
        return _seen_beside(watch, watch.direct, moments_s)
    if isinstance(held, BackendIdle) and count:
        away = len(outages(watch)) if isinstance(watch, Watch) else 0
        return _restarts(held, count, away)
    if isinstance(watch, Watch):
        return _watched(watch)
    return _unwatched(watch, held)


def _unwatched(watch: NotMeasured, held: BackendIdle | NotMeasured) -> Finding:
    if isinstance(held, BackendIdle):
        return Finding(verdict=Verdict.PASS, summary=_direct(held))
    if watch.by:
        return Finding(verdict=Verdict.SKIP, summary=watch.reason, because=watch.by)
    hint = f"; to find out: {watch.command}" if watch.command else ""
    return Finding(verdict=Verdict.SKIP if watch.skipped else Verdict.INCONCLUSIVE, summary=f"{watch.reason}{hint}")


def _direct(held: BackendIdle) -> str:
    ages = [*held.closings_s, held.open_until_s or 0.0]
    return f"connections to the API itself ended at their own ages only, in {max(ages):.1f} s"


def _restarts(held: BackendIdle, count: int, away: int) -> Finding:
    """`away`: moments at which nobody answered through the load balancer; one of them may be a restart that is counted
    already, further ones are not."""
    rounds = restart_rounds(held)
    ages = " and ".join(f"{max(one.closings_s):.1f}" for one in rounds if one.closings_s)
    refused = sum(one.refused for one in rounds)
    after = f", and new ones were refused {refused} of {len(rounds)} times right then" if refused else ""
    once = max(count, away) < AGAIN_AND_AGAIN
    beside = f"; nobody answered through the load balancer at {away} moments" if away >= AGAIN_AND_AGAIN else ""
    return Finding(
        verdict=Verdict.WARN if once else Verdict.FAIL,
        summary=f"idle connections to the API server at {held.label} ended all at one moment, whatever their age, "
        f"{count} {'time' if count == 1 else 'times'} (after {ages} s){after}{beside}: the process ended and came back"
        + ("; once may be a deployment" if once else ""),
        answer="The API server restarted while it was looked at" if once else AGAIN,
        hop=HopName.API,
        owner=Owner.API,
        expected=_ONE_BY_ONE,
        seen=f"{count} moments at which all ended, after {ages} s",
        evidence=(_rounds(held),),
        remedy=_REMEDY,
        sources=_SOURCES,
    )


def _seen_beside(watch: Watch, direct: Held, moments_s: list[float]) -> Finding:
    """Connections to the API itself that were held while it was looked at."""
    time_s, when = watch.looks[-1].at_s, ", ".join(f"{at:.0f}" for at in moments_s[:6])
    refused = f", and new ones were refused {len(direct.refused_at_s)} times" if direct.refused_at_s else ""
    failing = sum(not look.answered for look in watch.looks)
    beside = f"; {failing} of {len(watch.looks)} requests through the load balancer failed" if failing else ""
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"the API server at {direct.label} went away {len(moments_s)} times in {time_s:.0f} s (at {when} s): "
        f"all connections to it ended at one moment, whatever their age{refused}{beside}",
        answer=AGAIN,
        hop=HopName.API,
        owner=Owner.API,
        expected=_ONE_BY_ONE,
        seen=f"{len(moments_s)} times in {time_s:.0f} s",
        evidence=(_lives(direct), _looks(watch)),
        remedy=_REMEDY,
        sources=_SOURCES,
    )


def _lives(direct: Held) -> Evidence:
    ends = sorted((one.ended_at_s, one.age_s) for one in direct.lives if one.ended_at_s is not None)
    rows = [[f"{at:.2f}", "ended" if age is None else f"ended {age:.2f} s old"] for at, age in ends]
    rows += [[f"{at:.2f}", "a new one was refused"] for at in direct.refused_at_s]
    rows.sort(key=lambda row: float(row[0]))
    return evidence.table(f"Connections to {direct.label}", ["at s", "what"], rows)


def _rounds(held: BackendIdle) -> Evidence:
    rows = [
        [", ".join(f"{age:.3f}" for age in one.closings_s) or "none", "yes" if one.refused else "no"]
        for one in (*held.earlier, held)
    ]
    return evidence.table(f"Idle connections to {held.label}", ["ended at the ages of (s)", "new ones refused"], rows)


def _watched(watch: Watch) -> Finding:
    found = outages(watch)
    failing = [look for look in watch.looks if not look.answered]
    asked, time_s = len(watch.looks), watch.looks[-1].at_s if watch.looks else 0.0
    if asked < AGAIN_AND_AGAIN:
        return Finding(verdict=Verdict.INCONCLUSIVE, summary=f"it was looked at {asked} times only")
    if not failing:
        return Finding(
            verdict=Verdict.PASS, summary=f"{asked} of {asked} requests in {time_s:.0f} s were answered by the API"
        )
    kinds = ", ".join(f"{count} x {kind}" for kind, count in Counter(look.what for look in failing).items())
    share = f"{len(failing)} of {asked} requests in {time_s:.0f} s failed ({kinds}), at {moments(failing)}"
    lasting = [outage for outage in found if outage.lasting]
    if len(lasting) >= AGAIN_AND_AGAIN:
        return _away(watch, Verdict.FAIL, share, lasting)
    if lasting and any(outage.whole for outage in lasting):
        return _away(watch, Verdict.WARN, share, lasting)
    return Finding(
        verdict=Verdict.SKIP,
        summary=f"{share}: single ones, as from one of several servers, or from short restarts; --backend tells",
        because=STEADY,
        evidence=(_looks(watch),),
    )


def _away(watch: Watch, verdict: Verdict, share: str, lasting: list[Outage]) -> Finding:
    often = "once" if len(lasting) == 1 else f"{len(lasting)} times"
    return Finding(
        verdict=verdict,
        summary=f"{share}: nobody behind the load balancer took requests, {often}, and then all passed again",
        answer="The API was away for a moment and came back"
        if verdict is Verdict.WARN
        else "The API goes away and comes back, again and again: it restarts, or checks fail",
        hop=HopName.API,
        owner=Owner.API,
        expected="every request is answered by the API",
        seen=share,
        evidence=(_looks(watch),),
        remedy=_REMEDY,
        sources=_SOURCES,
    )


def _looks(watch: Watch) -> Evidence:
    rows = [[f"{look.at_s:.1f}", look.what] for look in watch.looks if not look.answered]
    return evidence.table(f"GET / on {watch.label} that failed", ["at s", "what came"], rows)
