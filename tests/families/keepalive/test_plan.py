"""Consent, planned waits and connection limits of the keep-alive measurements."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

import pytest

from btdiag.core.measurement import NotAsked
from btdiag.core.target import Mode, Route, Target, Way
from btdiag.families.keepalive.plan import expected_keepalive, front_wait
from btdiag.families.keepalive.probe.idle import backend_wait
from btdiag.families.keepalive.probe.race import consented, race, race_wait
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
