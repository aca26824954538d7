"""The verdicts on the keep-alive race: does the backend outlive the load balancer?

Arithmetic of the known timeouts comes first; volleys, where they were allowed, are its proof or its contradiction.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from math import ceil
from typing import TypeGuard

from btdiag.core.finding import Finding, HopName, Owner, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.target import Target
from btdiag.families.keepalive.aim import PERIODS
from btdiag.families.keepalive.chance import SIGNIFICANT, chance, proved
from btdiag.families.keepalive.facts import BackendIdle, Race, Stop, TimeoutSource
from btdiag.families.keepalive.judge.race import miss_probability, signatures
from btdiag.families.keepalive.judge.shown import race_evidence
from btdiag.families.keepalive.judge.staying import STAYS_UP
from btdiag.families.keepalive.latency import step
from btdiag.families.keepalive.order import MARGIN_S, Order, Timeout, order_of
from btdiag.families.keepalive.plan import budget_for
from btdiag.families.keepalive.remedy import SOURCES, again_remedy, order_remedy
from btdiag.families.keepalive.restarts import AGAIN_AND_AGAIN, could_be_a_restart, restart_moments, restarts
from btdiag.families.keepalive.watched import Watch

EXPECTED = f"load balancer's idle timeout < backend's keep-alive, by {MARGIN_S:g} s or more"
_UNUSABLE = {Stop.OVERLOADED, Stop.THROTTLED, Stop.UNHEALTHY, Stop.NO_CONNECTIONS}
_OPTIONS = "--lb-idle-timeout SECONDS"  # and the backend's, where that is not the default
_RESTARTED = "the API server restarted while its connections were held; run again with a longer --budget to tell"
_MASKS = (
    "a retry in the load balancer would hide it (nginx proxy_next_upstream non_idempotent, HAProxy retry-on "
    "all-retryable-errors, Envoy retry_on: reset, Apache ping=), but not for bodies too large to be kept for it"
)


def backend_outlives(
    target: Target,
    measured: BackendIdle | NotMeasured,
    race: Race | NotMeasured,
    passed: Collection[str] = (),
    watch: Watch | NotMeasured | None = None,
) -> Finding:
    """The order of timeouts, with the induced failures as its proof.

    Volleys that prove the race decide. Ones that could not be used, or that saw something without proving it, leave it
    open unless arithmetic has decided against. Otherwise arithmetic decides, and they are reported beside it. `passed`
    names the products that answers came through: the only one is the load balancer.
    """
    volleys = race if isinstance(race, Race) else None
    if restart := restart_instead(measured, volleys, watch):
        return restart
    product = next(iter(passed)) if len(passed) == 1 and not volleys else ""  # what was tried outweighs a default
    order = order_of(target, (volleys.direct if volleys else None) or measured, product)
    if volleys and proved(volleys, order.sound):
        order = _as_proved(volleys, order)
        return _finding(Verdict.FAIL, failures_in_words(volleys, order), order, volleys)
    open_ = order.verdict is Verdict.INCONCLUSIVE or (order.verdict is Verdict.PASS and not _fails_anyway(volleys))
    if volleys and open_ and (doubt := _doubt(volleys)):
        return _finding(Verdict.INCONCLUSIVE, doubt, order, volleys)
    if (order.verdict is Verdict.INCONCLUSIVE or order.by_default) and isinstance(race, NotMeasured) and race.by:
        return blocked_by_failure(race)
    if (
        order.verdict is Verdict.INCONCLUSIVE
        and isinstance(race, NotMeasured)
        and race.skipped
        and not target.lb_idle_timeout
    ):
        return Finding(verdict=Verdict.SKIP, summary=f"{_arithmetic(order)}; to find out: {_OPTIONS}", sources=SOURCES)
    undeclared = f"; to find out: {_OPTIONS}" if order.balancer is None else ""
    return _finding(order.verdict, f"{_arithmetic(order)}; {_beside(race)}{undeclared}", order, volleys)


def _as_proved(race: Race, order: Order) -> Order:
    """The order with the age that the volleys found, where that is the server's own default and not what was taken
    for granted."""
    early = race.keepalive.early_s if race.keepalive else None
    if early is None or any(period.aim.keepalive_s != early for period in race.with_hits):
        return order
    return replace(order, backend=Timeout(closes_after_s=early, source=TimeoutSource.MEASURED))


def restart_instead(
    measured: BackendIdle | NotMeasured, volleys: Race | None, watch: Watch | NotMeasured | None
) -> Finding | None:
    """Connections that ended because the process did say nothing of a keep-alive, and neither do lost requests."""
    direct = watch.direct if isinstance(watch, Watch) else None
    if direct is not None and len(restart_moments(direct)) >= AGAIN_AND_AGAIN:
        return Finding(verdict=Verdict.SKIP, summary="the API server restarts", because=STAYS_UP)
    seen = [one for one in (measured, volleys.direct if volleys else None) if isinstance(one, BackendIdle)]
    if any(restarts(one) >= AGAIN_AND_AGAIN for one in seen):
        return Finding(verdict=Verdict.SKIP, summary="the API server restarts", because=STAYS_UP)
    if any(restarts(one) for one in seen):
        return Finding(verdict=Verdict.SKIP, summary=_RESTARTED, because=STAYS_UP)
    if any(could_be_a_restart(one) for one in seen):
        summary = (
            "idle connections to the API server ended all at one moment, once: at a restart, or at a timer that is "
            "looked at now and then; run again with a longer --budget to tell"
        )
        return Finding(verdict=Verdict.INCONCLUSIVE, summary=summary, hop=HopName.API, owner=Owner.API)
    return None


def _nobody_told(target: Target, order: Order, race: Race | NotMeasured) -> bool:
    """Is it open only because the load balancer's timeout was not given, and no volley was asked for?"""
    asked = isinstance(race, Race) or not race.skipped
    return order.verdict is Verdict.INCONCLUSIVE and not asked and not target.lb_idle_timeout


def _fails_anyway(race: Race | None) -> bool:
    """Did requests fail on connections that were not idle, and no less than on idle ones? Other checks say so."""
    return race is None or (race.stop in {Stop.OVERLOADED, Stop.UNHEALTHY} and chance(race) >= SIGNIFICANT)


def blocked_by_failure(race: NotMeasured) -> Finding:
    """There is nothing to induce a race at, because another check fails: one cause, one failure."""
    return Finding(verdict=Verdict.SKIP, summary=race.reason, because=race.by)


def failures_in_words(race: Race, order: Order) -> str:
    """The failures that were induced, in one sentence with all numbers."""
    hits = race.with_hits
    lost, sent = sum(one.hits for one in hits), sum(one.volley.sent for one in hits)
    ages = " and ".join(f"{one.volley.age_s or 0.0:.3f}" for one in hits)
    controls = sum(volley.sent for volley in race.controls)
    balancer = f"whose idle timeout is {order.balancer}" if order.balancer else "whose idle timeout is not declared"
    contradiction = ", though the values as known say otherwise" if order.sound else ""
    return (
        f"{lost} of {sent} requests at an idle age of {ages} s were lost ({_looks(race)}), against 0 of {controls} in "
        f"the controls, in {len(hits)} of {len(race.periods)} idle periods: the backend closes idle connections after "
        f"{_closing(race, order)}, while the load balancer, {balancer}, still uses them{contradiction}"
    )


def _closing(race: Race, order: Order) -> str:
    if order.backend.source is TimeoutSource.MEASURED:
        return str(order.backend)
    return f"{race.with_hits[0].aim.keepalive_s:g} s (setting {order.backend})"


def _looks(race: Race) -> str:
    return ", ".join(f"{count} x {name}" for name, count in signatures(race).items())


def _doubt(race: Race) -> str | None:
    """Why the volleys leave it open although arithmetic does not say `fail`; None when they raise no doubt."""
    if race.stop in _UNUSABLE:
        return f"the volleys could not be used: {race.stop.value} ({_counts(race)})"
    if not race.with_hits:
        return None
    often = "once" if len(race.with_hits) == 1 else f"in {len(race.with_hits)} idle periods"
    lost = sum(period.hits for period in race.with_hits)
    return (
        f"seen {often}, not proved: {lost} requests lost ({_looks(race)}) in {len(race.periods)} idle periods, "
        f"p = {chance(race):.2g}; a run with a longer --budget has more of them"
    )


def _unusable(race: Race | None) -> TypeGuard[Race]:
    return race is not None and race.stop in _UNUSABLE


def _counts(race: Race) -> str:
    volleys = (*race.controls, *(period.volley for period in race.periods))
    lost, sent = sum(one.lost for one in volleys), sum(one.sent for one in volleys)
    return f"{lost} of {sent} requests to {race.path} failed, its ordinary status is {race.usual}"


def _arithmetic(order: Order) -> str:
    backend, balancer, margin = order.backend, order.balancer, order.margin_s
    if balancer is None or margin is None:
        return f"the load balancer's idle timeout is not known, the backend's keep-alive is {backend}"
    closing = "" if backend.setting_s is None else f" and ends at {backend.closes_after_s:.4g} s"
    sides = f"the backend's keep-alive is {backend}{closing}, the load balancer's idle timeout is {balancer}"
    if order.by_default and margin > 0:
        return f"{sides}: by default the load balancer closes first, if nobody has changed it"
    if order.verdict is Verdict.INCONCLUSIVE:
        return f"{sides}: nobody waited long enough to see which closes first"
    if margin == 0:
        return f"{sides}: both close at the same moment"
    return f"{sides}: the {'backend' if margin < 0 else 'load balancer'} closes first, by {_seconds(abs(margin))} s"


def _seconds(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _beside(race: Race | NotMeasured) -> str:
    """What the volleys add to the arithmetic."""
    if isinstance(race, NotMeasured):
        return f"not induced: {why_missing(race)}"
    if _fails_anyway(race):
        return f"not induced: {race.stop.value} ({_counts(race)})"
    if race.with_hits:
        return f"{sum(one.hits for one in race.with_hits)} requests were lost in {len(race.with_hits)} idle periods"
    if not race.periods:
        return f"not induced: {race.stop.value}"
    ages = ", ".join(f"{period.volley.age_s or 0.0:.3f}" for period in race.periods)
    sent = sum(period.volley.sent for period in race.periods)
    return (
        f"0 of {sent} requests lost at idle ages of {ages} s ({race.stop.value}{_more_time(race)}; a race that nothing "
        f"hides stays unseen with a probability of {miss_probability(race):.2g}; {_MASKS})"
        + (f"; {closed}" if (closed := step(race)) else "")
    )


def _more_time(race: Race) -> str:
    """How to have more idle periods, where it was the budget that ended them."""
    if race.stop is not Stop.NO_TIME or race.keepalive is None:
        return ""
    return f", --budget {ceil(budget_for(PERIODS, race.keepalive.candidates[0]))}s holds {PERIODS}"


def why_missing(missing: NotMeasured) -> str:
    """Why there is no measurement, and how to get one."""
    return missing.reason + (f"; to find out: {missing.command}" if missing.command else "")


def _answer(verdict: Verdict, order: Order) -> str:
    """What follows for users, without figures."""
    if verdict is Verdict.FAIL:
        return "Sporadic 502: the API closes idle connections before the load balancer lets go of them"
    if verdict is not Verdict.WARN:
        return ""
    if order.margin_s is not None and order.margin_s > 0:
        return "The API outlives the load balancer's idle timeout by a narrow margin only"
    return "By default the API closes idle connections before the load balancer: sporadic 502"


def _finding(verdict: Verdict, summary: str, order: Order, race: Race | None) -> Finding:
    proofs = race_evidence(race, order) if race and race.warm_up else ()
    if verdict is Verdict.PASS:
        return Finding(verdict=verdict, summary=summary, evidence=proofs, sources=SOURCES)
    return Finding(
        verdict=verdict,
        summary=summary,
        answer=_answer(verdict, order),
        hop=HopName.LOAD_BALANCER,
        owner=Owner.API,
        expected=EXPECTED,
        seen=f"load balancer {order.balancer or 'not known'}, backend {order.backend}",
        evidence=proofs,
        remedy=again_remedy(race.stop) if verdict is Verdict.INCONCLUSIVE and _unusable(race) else order_remedy(order),
        sources=SOURCES,
    )
