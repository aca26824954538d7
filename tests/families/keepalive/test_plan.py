"""Consent, planned waits and connection limits of the keep-alive measurements."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag.core.measurement import NotAsked
from btdiag.core.shot import Ending, Shot
from btdiag.core.target import Mode, Route, Target, Way
from btdiag.families.keepalive.aim import EARLY_MORE
from btdiag.families.keepalive.facts import Aim, Answerer, Keepalive, Period, Stop, TimeoutSource, Volley, Volleys
from btdiag.families.keepalive.plan import (
    Controls,
    Fire,
    HalfWay,
    Means,
    Next,
    consented,
    early_wait,
    expected_keepalive,
    front_wait,
    next_step,
    race_wait,
)
from btdiag.families.keepalive.probe.backend import backend_wait
from btdiag.families.keepalive.probe.race import race
from btdiag.families.keepalive.probe.volleys import connection_limit
from btdiag.net.wire import Wire

LOCAL = Target(url="http://127.0.0.1:1", scheme="http", host="127.0.0.1", port=1)
LAB = Target(url="http://127.0.0.1:1", scheme="http", host="127.0.0.1", port=1, lab_scenario="healthy")


class NoWaits:
    """Waits for a measurement that must not wait."""

    async def idle(self, seconds: float, what: str) -> None:
        raise AssertionError(what)

    def alone(self, within: float | None = None) -> AbstractAsyncContextManager[None]:
        raise AssertionError("nothing is to be sent")

    def remaining(self) -> float:
        return 100.0


def declared(seconds: float) -> Target:
    return Target(url="http://127.0.0.1:1", scheme="http", host="127.0.0.1", port=1, backend_keepalive=seconds)


@pytest.mark.parametrize(
    ("target", "induce", "allowed"),
    [(LOCAL, None, False), (LOCAL, False, False), (LOCAL, True, True), (LAB, None, True), (LAB, False, False)],
)
def test_only_the_lab_needs_no_consent(target: Target, induce: bool | None, allowed: bool) -> None:
    mode = Mode(induce=induce)
    assert consented(target, mode) is allowed
    assert (race_wait(target, mode) > 0) is allowed


def test_without_consent_nothing_is_sent() -> None:
    wire = Wire(LOCAL, user_agent="btdiag/test")
    way = Way(route=Route(label="a", address="127.0.0.1", port=1))
    with pytest.raises(NotAsked) as refused:
        asyncio.run(race(target=LOCAL, mode=Mode(), wire=wire, waits=NoWaits(), serving_way=way))
    assert "--induce" in (refused.value.command or "")
    assert (wire.counts.requests, wire.counts.connections) == (0, 0)


@pytest.mark.parametrize(
    ("setting", "mode", "periods"),
    [
        (65.0, Mode(induce=True), 1),
        (65.0, Mode(induce=True, budget=320), 4),
        (2.0, Mode(induce=True), 4),
        (2.0, Mode(induce=True, periods=2), 2),
        (300.0, Mode(induce=True), 1),
    ],
)
def test_as_many_periods_are_planned_as_the_budget_holds(setting: float, mode: Mode, periods: int) -> None:
    target = declared(setting)
    assert race_wait(target, mode) == pytest.approx(periods * (expected_keepalive(target) + 1))


def test_the_wait_for_the_front_is_bounded_by_the_budget() -> None:
    assert front_wait(LOCAL, Mode()) == 68
    assert front_wait(declared(300), Mode()) == 105
    assert front_wait(LOCAL, Mode(budget=5)) == 1
    assert backend_wait(LOCAL, Mode()) == 0


def test_no_more_connections_than_files_may_be_open() -> None:
    assert connection_limit(50) == 50
    assert 0 <= connection_limit(10**9) < 10**9


# --- which volley to fire ---------------------------------------------------------------------------------------------

GOOD = Shot(method="POST", ending=Ending.ANSWERED, status=404, age_s=2.0, took_s=0.01)
LOST = replace(GOOD, status=502)


def fired(name: str, age_s: float | None, lost: int = 0, sent: int = 200) -> Volley:
    return Volley(name=name, at_s=0.0, age_s=age_s, shots=(LOST,) * lost + (GOOD,) * (sent - lost))


def begun(*periods: Period, keepalive: Keepalive | None = None, control_lost: int = 0) -> Volleys:
    return Volleys(
        label="a",
        path="/x",
        usual=404,
        answerer=Answerer.BACKEND,
        keepalive=keepalive or Keepalive(candidates=(3.0,), source=TimeoutSource.MEASURED),
        warm_up=(fired("W", None), fired("C", 0.2, lost=control_lost)),
        periods=periods,
    )


def carried_out(history: Volleys, means: Means, losses: Sequence[int]) -> tuple[list[Next], Stop]:
    """What the plan asks for, when the volleys lose so many requests, the last number again and again."""
    steps: list[Next] = []
    while not isinstance(step := next_step(history, means), Stop):
        steps.append(step)
        assert len(steps) < 100
        match step:
            case HalfWay(aim):
                history = replace(history, warm_up=(*history.warm_up, fired("M", aim.age_s), fired("C", 0.2)))
            case Controls(count):
                last = history.periods[-1]
                more = replace(last, controls=(*last.controls, *[fired("B", 0.2)] * count))
                history = replace(history, periods=(*history.periods[:-1], more))
            case Fire(aim):
                lost = losses[min(len(history.periods), len(losses) - 1)]
                period = Period(aim=aim, volley=fired("A", aim.age_s, lost=lost), controls=(fired("B", 0.2),))
                history = replace(history, periods=(*history.periods, period))
                means = replace(means, left_s=means.left_s - aim.age_s)
    return steps, step


SOURCES = st.sampled_from([TimeoutSource.MEASURED, TimeoutSource.DECLARED, TimeoutSource.DEFAULT])
KEEPALIVES = st.builds(
    Keepalive,
    candidates=st.lists(st.floats(1, 600), min_size=1, max_size=2, unique=True).map(tuple),
    source=SOURCES,
    coarse=st.sampled_from([True, False, None]),
    early_s=st.sampled_from([None, 6.0]),
)
MEANS = st.builds(
    Means,
    periods=st.integers(1, 12),
    half_way=st.booleans(),
    thorough=st.booleans(),
    combs=st.booleans(),
    volley_s=st.floats(0.001, 0.5),
    left_s=st.floats(0, 2000),
    sound_order=st.sampled_from([True, False, None]),
)


@given(KEEPALIVES, MEANS, st.lists(st.integers(0, 200), min_size=1, max_size=6))
def test_a_plan_ends_within_its_periods_and_its_budget(keepalive: Keepalive, means: Means, losses: list[int]) -> None:
    steps, stop = carried_out(begun(keepalive=keepalive), means, losses)
    shots = [step.aim for step in steps if isinstance(step, Fire)]
    assert len(shots) <= means.periods + (EARLY_MORE if keepalive.early_s else 0)
    assert sum(aim.age_s for aim in shots) <= means.left_s or not shots
    assert all(aim.keepalive_s in (*keepalive.candidates, keepalive.early_s) for aim in shots)
    assert sum(isinstance(step, HalfWay) for step in steps) <= means.half_way
    assert stop in {Stop.ENOUGH, Stop.ALL_PERIODS, Stop.NO_TIME}


GUESSED = Keepalive(candidates=(66.0, 65.0), source=TimeoutSource.DEFAULT, early_s=6.0)


@pytest.mark.parametrize(
    ("losses", "ages"),
    [
        ([0], [6.0, 6.0, 66.0]),
        ([90, 90], [6.0, 6.0]),
        ([0, 90, 90], [6.0, 6.0, 6.0]),
        ([90, 0, 90], [6.0, 6.0, 6.0]),
        ([0, 0, 90], [6.0, 6.0, 66.0]),
    ],
)
def test_the_servers_own_default_is_tried_first_and_kept_to(losses: list[int], ages: list[float]) -> None:
    steps, _ = carried_out(begun(keepalive=GUESSED), Means(periods=1, left_s=200.0), losses)
    assert [step.aim.keepalive_s for step in steps if isinstance(step, Fire)] == ages


@pytest.mark.parametrize(
    ("target", "mode", "waits"),
    [
        (LOCAL, Mode(induce=True), 14.0),
        (LOCAL, Mode(induce=True, budget=90.0), 0.0),  # one period at 66 s comes first
        (declared(65.0), Mode(induce=True), 0.0),
        (replace(LOCAL, backend="http://127.0.0.1:2"), Mode(induce=True), 0.0),
    ],
)
def test_the_servers_own_default_is_tried_where_nothing_is_known(target: Target, mode: Mode, waits: float) -> None:
    assert early_wait(target, mode) == waits


def test_what_ends_a_plan_before_it_begins() -> None:
    unknown = replace(begun(), keepalive=None)
    assert next_step(unknown, Means()) is Stop.TOO_LONG
    told_to_wait = Volley(name="C", at_s=0.0, age_s=0.2, shots=(replace(GOOD, status=429),) * 200)
    assert next_step(replace(begun(), warm_up=(fired("W", None), told_to_wait)), Means()) is Stop.THROTTLED
    silent = replace(GOOD, ending=Ending.SILENT, status=None)
    late = Volley(name="A", at_s=0.0, age_s=2.0, shots=(silent,) * 200)
    hung = Period(aim=Aim(keepalive_s=3.0, offset_s=0.0), volley=late, controls=(fired("B", 0.2),))
    assert next_step(begun(hung), Means()) is Stop.HUNG


@given(KEEPALIVES, MEANS)
def test_nothing_is_fired_at_a_target_that_fails_when_nothing_is_idle(keepalive: Keepalive, means: Means) -> None:
    assert next_step(begun(keepalive=keepalive, control_lost=1), means) is Stop.OVERLOADED


@pytest.mark.parametrize(
    ("losses", "means", "kinds", "stop"),
    [
        ([0], Means(), [Fire] * 4, Stop.ALL_PERIODS),
        ([20], Means(), [Fire], Stop.ENOUGH),
        ([0], Means(sound_order=True), [Fire], Stop.ENOUGH),
        ([0], Means(sound_order=True, thorough=True, periods=2), [Fire, Fire], Stop.ALL_PERIODS),
        ([0], Means(half_way=True, periods=1), [HalfWay, Fire], Stop.ALL_PERIODS),
        ([3, 3, 3], Means(), [Fire, Fire, Controls], Stop.ENOUGH),
        ([0], Means(left_s=7.0), [], Stop.NO_TIME),
    ],
)
def test_the_plan_follows_from_what_was_seen(losses: list[int], means: Means, kinds: list[type], stop: Stop) -> None:
    steps, ended = carried_out(begun(), means, losses)
    assert ([type(step) for step in steps], ended) == (kinds, stop)
