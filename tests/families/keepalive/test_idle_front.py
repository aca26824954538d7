"""The verdicts on idle connections between clients and the load balancer, from hand-made facts."""

from __future__ import annotations

import pytest

from btdiag.core.finding import Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.shot import Ending, Shot
from btdiag.families.keepalive.facts import (
    Aim,
    Answerer,
    Fate,
    FrontIdle,
    HeldConnection,
    Keepalive,
    Period,
    Race,
    Stop,
    TimeoutSource,
    Volley,
)
from btdiag.families.keepalive.judge.front import front_idle_suffices, hint_is_true, no_silent_drop

NO_RACE = NotMeasured(reason="not induced", skipped=True)


def front(
    *held: tuple[Fate, float],
    keeps_alive: bool = True,
    announced: bool = False,
    hint: float | None = None,
    fresh: bool = True,
    unacknowledged: bool | None = None,
) -> FrontIdle:
    return FrontIdle(
        label="127.0.0.2",
        waited_s=68.0,
        keeps_alive=keeps_alive,
        announced=announced,
        held=tuple(
            HeldConnection(fate=fate, age_s=age, unacknowledged=unacknowledged if fate is Fate.HUNG else None)
            for fate, age in held
        ),
        hint_s=hint,
        fresh_answered=fresh,
    )


LIVE = front((Fate.ANSWERED, 17.0), (Fate.ANSWERED, 68.0))


@pytest.mark.parametrize(
    ("seen", "verdict", "words"),
    [
        (LIVE, Verdict.PASS, "idle for 68.0 s"),
        (front((Fate.ANSWERED, 17.0), (Fate.FIN, 60.0)), Verdict.PASS, "cleanly after 60.00 s"),
        (front((Fate.FIN, 1.5), (Fate.FIN, 1.52)), Verdict.WARN, "after 1.50 s"),
        (front((Fate.RST, 60.0)), Verdict.WARN, "resets"),
        (front((Fate.ANSWERED, 17.0), (Fate.DEAD, 34.0), (Fate.DEAD, 51.0)), Verdict.FAIL, "only when they are used"),
        (front((Fate.ANSWERED, 17.0), (Fate.DEAD, 60.0)), Verdict.PASS, "after 60.00 s"),
        (front((Fate.DEAD, 3.0), (Fate.DEAD, 3.01)), Verdict.WARN, "after 3.00 s"),
        (front(keeps_alive=False, announced=True), Verdict.WARN, "after every answer"),
        (front(keeps_alive=False), Verdict.FAIL, "without announcing"),
    ],
)
def test_how_long_and_how_visibly_connections_live(seen: FrontIdle, verdict: Verdict, words: str) -> None:
    finding = front_idle_suffices({"a": LIVE, "b": seen})
    assert (finding.verdict, words in front_idle_suffices({"b": seen}).summary) == (verdict, True)


@pytest.mark.parametrize(
    ("seen", "verdict", "words"),
    [
        (LIVE, Verdict.PASS, "2 idle connections"),
        (front((Fate.ANSWERED, 17.0), (Fate.HUNG, 34.0)), Verdict.FAIL, "after 17.0 s they still answered"),
        (front((Fate.HUNG, 34.0), unacknowledged=True), Verdict.FAIL, "never acknowledged"),
        (front((Fate.HUNG, 34.0), fresh=False), Verdict.INCONCLUSIVE, "neither did a new one"),
        (front(keeps_alive=False, announced=True), Verdict.SKIP, "no connection stays open"),
    ],
)
def test_silent_drops(seen: FrontIdle, verdict: Verdict, words: str) -> None:
    finding = no_silent_drop({"a": seen}, NO_RACE)
    assert (finding.verdict, words in finding.summary) == (verdict, True), finding.summary


def test_a_drop_behind_the_load_balancer_is_told_with_its_proof() -> None:
    good = Shot(method="POST", ending=Ending.ANSWERED, status=404)
    hung = Shot(method="POST", ending=Ending.ANSWERED, status=504)
    warm_up = Volley(name="W", at_s=0.0, age_s=None, shots=(good,) * 50)
    aged = Volley(name="A", at_s=3.0, age_s=3.0, shots=(hung,) * 40 + (good,) * 10)
    seen = Race(
        label="127.0.0.2",
        path="/btdiag-1",
        usual=404,
        answerer=Answerer.BACKEND,
        keepalive=Keepalive(candidates=(3.0,), source=TimeoutSource.MEASURED),
        warm_up=(warm_up,),
        periods=(Period(aim=Aim(keepalive_s=3.0, offset_s=0.0), volley=aged, controls=(warm_up,)),),
        stop=Stop.HUNG,
    )
    finding = no_silent_drop({"a": LIVE}, seen)
    assert finding.verdict is Verdict.FAIL
    assert "40 of 50" in finding.summary
    assert finding.evidence
    assert finding.remedy is not None


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (LIVE, Verdict.SKIP),
        (front((Fate.FIN, 5.9), hint=65.0), Verdict.FAIL),
        (front((Fate.FIN, 66.0), hint=65.0), Verdict.PASS),
        (front((Fate.ANSWERED, 68.0), hint=65.0), Verdict.PASS),
        (front((Fate.ANSWERED, 68.0), hint=600.0), Verdict.INCONCLUSIVE),
    ],
)
def test_hints(seen: FrontIdle, verdict: Verdict) -> None:
    assert hint_is_true({"a": seen}).verdict is verdict
