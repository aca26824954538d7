"""What to do next about idle connections: how long to wait for them, and which volley to fire, from the history alone.

One idle period of the race is W (N requests at once fill the pool), C (again, on reused connections: control), a wait,
A (the volley, due as the connections reach the age K), B (again, at once: control, and the C of the next period). For
load balancers that stream bodies one of the periods is a comb: H (held bodies, ended one after the other) gives the
pool many ages at once, so that K need not be known to the millisecond. In long runs M is a control at the age K/2.
Where A aims is in aim.py, what lost requests prove in chance.py; probe/race.py carries the steps out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from btdiag.core.target import Mode, Target
from btdiag.families.keepalive.aim import EARLY_MORE, EARLY_TRIES, PERIODS, keepalive_of, next_volley, server_default
from btdiag.families.keepalive.chance import MORE_CONTROLS, controls_missing, hangs_when_idle, proved
from btdiag.families.keepalive.facts import (
    DEFAULT_KEEPALIVE_S,
    NODE_EXTRA_S,
    Aim,
    Keepalive,
    Stop,
    TimeoutSource,
    Volleys,
)
from btdiag.families.keepalive.latency import durations

BEYOND_S = 2.0  # seconds that are waited past the expected end of a connection
RESERVE_S = 15.0  # of a run's budget, for everything around the idle periods
HALF_WAY = 1.5  # periods that the control at half the age costs, and the time before it until K is known
ANSWERS_S = 5.0  # that a volley needs after it was due: silence of so long counts as hung


# --- How long to wait -------------------------------------------------------------------------------------------------


def expected_keepalive(target: Target) -> float:
    """Seconds after which the backend is expected to close: declared or the default, and Node's second."""
    setting = DEFAULT_KEEPALIVE_S if target.backend_keepalive is None else target.backend_keepalive
    return setting + NODE_EXTRA_S


def early_look(target: Target, mode: Mode) -> float:
    """How long the backend is watched where its declared time is more than the run's budget holds: past the server's
    own default, which is what counts where the setting is not in effect; 0 elsewhere."""
    usual = DEFAULT_KEEPALIVE_S + NODE_EXTRA_S + BEYOND_S
    whole = expected_keepalive(target) + BEYOND_S
    return usual if target.backend and whole > max(usual, mode.budget - RESERVE_S) else 0.0


def front_wait(target: Target, mode: Mode) -> float:
    """The wait of `front_idle`: no longer than that for the backend's timer, and what the budget holds."""
    return max(1.0, min(expected_keepalive(target) + BEYOND_S, mode.budget - 15))


def consented(target: Target, mode: Mode) -> bool:
    """May the race be induced? Only when asked for, or in the lab: loopback may be a port-forward to production."""
    return target.lab_scenario is not None if mode.induce is None else mode.induce


def race_wait(target: Target, mode: Mode) -> float:
    """The longest wait of `race`: as many periods as the budget holds, at most --periods or four, at least one."""
    if not consented(target, mode):
        return 0.0
    period, extra = period_of(expected_keepalive(target)), HALF_WAY if with_half_way(target, mode) else 0.0
    early = early_wait(target, mode)
    fit = int((mode.budget - RESERVE_S - early) / period - extra)
    return early + period * (max(1, min(mode.periods or PERIODS, fit)) + extra)


def early_wait(target: Target, mode: Mode) -> float:
    """The wait for the server's own default: where no keep-alive is declared and none can be measured, and the budget
    holds it beside one period; else 0."""
    if target.backend_keepalive is not None or target.backend is not None:
        return 0.0
    early = EARLY_TRIES * period_of(server_default(None))
    return early if budget_for(1, expected_keepalive(target)) + early <= mode.budget else 0.0


def keepalive_assumed(target: Target, mode: Mode, node: bool | None) -> Keepalive:
    """K where it cannot be measured: as declared, else the product's default, and the server's own before it."""
    setting = target.backend_keepalive
    source = TimeoutSource.DEFAULT if setting is None else TimeoutSource.DECLARED
    known = keepalive_of(DEFAULT_KEEPALIVE_S if setting is None else setting, source, node)
    return replace(known, early_s=server_default(node) if early_wait(target, mode) else None)


def with_half_way(target: Target, mode: Mode) -> bool:
    """Is there to be a control at half the age (--deep, if the budget holds it beside one period)?"""
    return mode.deep and budget_for(HALF_WAY + 1, expected_keepalive(target)) <= mode.budget


def period_of(keepalive_s: float) -> float:
    """Seconds of one idle period, with the volleys around the wait."""
    return keepalive_s + 1.0


def budget_for(periods: float, keepalive_s: float) -> float:
    """Seconds of budget in which a run has so many idle periods."""
    return RESERVE_S + periods * period_of(keepalive_s)


# --- Which volley to fire ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a run may do, and what it has left. `periods`: idle periods at most; `half_way`: a control at half the age
    is wanted; `thorough`: go on though the known order of timeouts is sound; `combs`: bodies may be held back;
    `volley_s`: what a volley takes behind the load balancer; `pool_age_s`: for how long the pool has been idle;
    `left_s`: of the run's budget; `sound_order`: the order of timeouts as known so far."""

    periods: int = PERIODS
    half_way: bool = False
    thorough: bool = False
    combs: bool = False
    volley_s: float = 0.01
    pool_age_s: float = 0.0
    left_s: float = 60.0
    sound_order: bool | None = None


@dataclass(frozen=True, slots=True)
class HalfWay:
    """Fire a control at this idle age, at which no timer is about to run out."""

    aim: Aim


@dataclass(frozen=True, slots=True)
class Fire:
    """Let one idle period pass, and fire a volley at its end."""

    aim: Aim


@dataclass(frozen=True, slots=True)
class Controls:
    """Fire so many further controls: what a few hits in several periods need beside them to be no chance."""

    count: int


Next: TypeAlias = HalfWay | Fire | Controls


def next_step(seen: Volleys, means: Means) -> Next | Stop:
    """The next step after the warm-up, or why there is none. Ends after `means.periods` idle periods at the latest,
    each with MORE_CONTROLS further controls at most."""
    if stop := trouble(seen):
        return stop
    if seen.keepalive is None:
        return Stop.TOO_LONG
    if means.half_way and not any(volley.name == "M" for volley in seen.warm_up):
        return HalfWay(Aim(keepalive_s=seen.keepalive.candidates[0] / 2, offset_s=0.0))
    if seen.periods and len(seen.periods[-1].controls) < MORE_CONTROLS and (missing := controls_missing(seen)):
        return Controls(missing)
    if _enough(seen, means):
        return Stop.ENOUGH
    if _all_used(seen, means):
        return Stop.ALL_PERIODS
    aim = next_volley(seen.keepalive, seen.periods, means.volley_s, combs=means.combs, usual=durations(seen))
    if aim.age_s - seen.front_rtt_s - means.pool_age_s + ANSWERS_S > means.left_s:
        return Stop.NO_TIME
    return Fire(aim)


def trouble(seen: Volleys) -> Stop | None:
    """Why no further volley may be fired: the target throttles, or fails where nothing was idle."""
    volleys = (*seen.controls, *(period.volley for period in seen.periods))
    if any(volley.throttled(seen.usual) for volley in volleys):
        return Stop.THROTTLED
    if hangs_when_idle(seen):
        return Stop.HUNG
    fresh = (volley for volley in seen.warm_up if volley.name != "M")
    if any(volley.lost for volley in seen.controls) or any(volley.hung for volley in fresh):
        return Stop.OVERLOADED
    return None


def _all_used(seen: Volleys, means: Means) -> bool:
    """Were all periods used, those at the server's own default not counted unless they lost requests?"""
    early_s = seen.keepalive.early_s if seen.keepalive else None
    usual = [period for period in seen.periods if period.aim.keepalive_s != early_s]
    return len(usual) >= means.periods or len(seen.periods) >= means.periods + (EARLY_MORE if early_s else 0)


def _enough(seen: Volleys, means: Means) -> bool:
    """Would further volleys add nothing: the race shows already, or nothing does where nothing was expected?"""
    if not seen.periods or seen.keepalive is None:
        return False
    if proved(seen, means.sound_order):
        return True
    tested = {period.aim.keepalive_s for period in seen.periods} >= set(seen.keepalive.candidates)
    known = seen.keepalive.source is TimeoutSource.MEASURED or tested
    return bool(means.sound_order) and not seen.with_hits and not means.thorough and known
