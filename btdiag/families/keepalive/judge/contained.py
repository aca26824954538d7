"""The verdict on what one lost race does to others: one request, or an outage for everybody?"""

from __future__ import annotations

from btdiag.core.finding import Finding, HopName, Owner, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.target import Target
from btdiag.families.keepalive.chance import controls_clean, proved
from btdiag.families.keepalive.facts import Period, Race, Recovery, Stop
from btdiag.families.keepalive.judge.outlives import blocked_by_failure, why_missing
from btdiag.families.keepalive.judge.shown import strips
from btdiag.families.keepalive.order import order_of
from btdiag.families.keepalive.remedy import CONTAINMENT


def race_is_contained(target: Target, race: Race | NotMeasured) -> Finding:
    """How long the target was out for everyone after a volley with hits."""
    if isinstance(race, NotMeasured):
        if race.by:
            return blocked_by_failure(race)
        verdict = Verdict.SKIP if race.skipped else Verdict.INCONCLUSIVE
        return Finding(verdict=verdict, summary=f"no race was induced: {why_missing(race)}")
    after = [(period, period.recovery) for period in race.with_hits if period.recovery is not None]
    if not after or not controls_clean(race):
        reason = Stop.OVERLOADED if after else race.stop
        return Finding(verdict=Verdict.SKIP, summary=f"no race was seen: {reason.value}")
    period, recovery = max(after, key=lambda pair: pair[1].out_s)
    if recovery.failed and not proved(race, order_of(target, race.direct).sound):
        return _seen_once(period, recovery, race)
    if recovery.failed:
        return _uncontained(period, recovery, race)
    asked = sum(recovery.asked for _, recovery in after)
    return Finding(
        verdict=Verdict.PASS, summary=f"{asked} of {asked} single GETs passed right after a volley that lost requests"
    )


def _seen_once(period: Period, recovery: Recovery, race: Race) -> Finding:
    failed = f"{recovery.failed} of {recovery.asked} single GETs failed"
    summary = (
        f"a volley lost {period.hits} requests, and {failed} in the {recovery.out_s:.1f} s after it: a race that takes "
        "servers out, or a backend that was down just then; a run with a longer --budget has more idle periods to tell"
    )
    return _outage(Verdict.INCONCLUSIVE, summary, failed, race)


def _uncontained(period: Period, recovery: Recovery, race: Race) -> Finding:
    until = f"for {recovery.out_s:.1f} s" + ("" if recovery.recovered else " and still at the end")
    summary = (
        f"after one race, with {period.hits} lost requests, every request failed {until}: {recovery.failed} of "
        f"{recovery.asked} single GETs, each on a connection of its own"
    )
    return _outage(Verdict.FAIL, summary, f"{recovery.failed} of {recovery.asked} single GETs failed {until}", race)


def _outage(verdict: Verdict, summary: str, seen: str, race: Race) -> Finding:
    return Finding(
        verdict=verdict,
        summary=summary,
        answer="One lost request takes the API out for everybody for seconds" if verdict is Verdict.FAIL else "",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="requests after the race are answered at once",
        seen=seen,
        evidence=(strips(race),),
        remedy=CONTAINMENT,
        sources=(
            "https://nginx.org/en/docs/http/ngx_http_upstream_module.html#max_fails",
            "observed with nginx 1.22, two servers and the default max_fails=1: 502 for everything for 10 s",
        ),
    )
