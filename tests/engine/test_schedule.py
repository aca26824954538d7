"""The schedule: everything at once, budgets, fan-out per address, quiet for volleys, and no lost run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from btdiag.core.measurement import (
    Blocked,
    MeasurementSpec,
    NotAsked,
    NotMeasured,
    PerAddress,
    Scope,
    Unknown,
    Waits,
    measurement,
    spec_of,
)
from btdiag.core.target import Mode, Route, Target
from btdiag.engine.registry import Registry, RegistryError
from btdiag.engine.schedule import Schedule
from btdiag.engine.tasks import HEAD_START_S, Events, Key, TaskOutcome, handed_over, measuring_s
from tests.support.clock import run

TARGET = Target(url="https://api.example", scheme="https", host="api.example", port=443)


def spec(function: Callable[..., Awaitable[Any]], **declared: Any) -> MeasurementSpec:
    found = spec_of(measurement(**{"budget": 5.0, "why": "a test", **declared})(function))
    assert found is not None
    return found


def schedule(*specs: MeasurementSpec, mode: Mode | None = None, targets: Sequence[Target] = (TARGET,)) -> Schedule:
    return Schedule(Registry(specs), mode or Mode(), targets, "btdiag/test")


def measure(plan: Schedule, *names: str, stop_after: float | None = None) -> None:
    async def go() -> None:
        if stop_after is not None:
            asyncio.get_running_loop().call_later(stop_after, plan.stop)
        await plan.measure(names)

    run(go())


def gap(plan: Schedule, name: str) -> NotMeasured:
    value = plan.value(name, 0)
    assert isinstance(value, NotMeasured)
    return value


async def one() -> int:
    return 1


async def two(one: int) -> int:
    return one + 1


async def routes(target: Target) -> tuple[Route, ...]:
    return tuple(Route(label=address, address=address, port=443) for address in ("127.0.0.2", "127.0.0.3"))


def test_inputs_come_from_other_measurements() -> None:
    plan = schedule(spec(one), spec(two))
    measure(plan, "two")
    assert plan.value("two", 0) == 2
    assert plan.value("one", 0) == 1


def test_a_measurement_that_nobody_needs_is_not_made() -> None:
    plan = schedule(spec(one), spec(two))
    measure(plan, "one")
    assert gap(plan, "two").skipped


def test_what_is_first_has_begun_when_the_others_begin() -> None:
    began: list[str] = []

    async def input_of_first() -> None:
        await asyncio.sleep(0.2)

    async def early(input_of_first: None) -> None:
        began.append("early")
        await asyncio.sleep(3)

    async def other() -> None:
        began.append("other")

    plan = schedule(spec(input_of_first), spec(early, first=True), spec(other))
    measure(plan, "other", "early")
    assert began == ["early", "other"]


def test_what_is_first_holds_up_nobody_for_long() -> None:
    async def input_of_first() -> None:
        await asyncio.sleep(4)

    async def early(input_of_first: None) -> None:
        pass

    async def other() -> None:
        pass

    plan = schedule(spec(input_of_first), spec(early, first=True), spec(other))
    measure(plan, "other", "early")
    assert plan.outcomes[Key(name="other", target_number=0)].started_s == pytest.approx(HEAD_START_S, abs=0.1)


@pytest.mark.parametrize(
    ("budget", "already", "at_least", "left"),
    [(12, 1, 7, 10.2), (12, 9, 7, 7), (12, 9, 0, 2.2), (4, 9, 7, 3.2), (120, 3, 7, 116.2), (0.5, 0, 7, 0.05)],
)
def test_a_busy_machine_does_not_use_up_the_time_for_measuring(
    budget: float, already: float, at_least: float, left: float
) -> None:
    assert measuring_s(budget, already, at_least) == pytest.approx(left)


def test_what_takes_long_to_hand_over_is_waited_for_while_others_end() -> None:
    async def go() -> list[bool]:
        async def busy(seconds: float) -> TaskOutcome:
            await asyncio.sleep(seconds)
            return TaskOutcome(value=1, started_s=0.0, duration_s=0.0)

        tasks = [asyncio.ensure_future(busy(seconds)) for seconds in (0.2, 0.5, 0.8, 60.0)]
        await handed_over(lambda: {task for task in tasks if not task.done()})
        ended = [task.done() for task in tasks]
        tasks[-1].cancel()
        return ended

    assert run(go()) == [True, True, True, False]


def test_waits_overlap_and_the_longest_chain_is_told() -> None:
    async def slow(waits: Waits) -> float:
        await waits.idle(60, "something")
        return asyncio.get_running_loop().time()

    async def after(slow: float, waits: Waits) -> float:
        await waits.idle(10, "more")
        return asyncio.get_running_loop().time()

    async def beside(waits: Waits) -> float:
        await asyncio.gather(waits.idle(40, "a"), waits.idle(50, "b"))
        return asyncio.get_running_loop().time()

    plan = schedule(
        spec(slow, idle=lambda t, m: 60), spec(after, idle=lambda t, m: 10), spec(beside, idle=lambda t, m: 50)
    )
    measure(plan, "after", "beside")
    assert plan.outcomes[Key(name="after", target_number=0)].chain_s == pytest.approx(70, abs=1)
    assert plan.outcomes[Key(name="beside", target_number=0)].chain_s == pytest.approx(50, abs=1)
    last = max(outcome.started_s + outcome.duration_s for outcome in plan.outcomes.values())
    assert last == pytest.approx(70, abs=1)


def test_a_second_round_is_waited_for_as_the_first() -> None:
    async def later() -> int:
        await asyncio.sleep(1)
        return 3

    ticks: list[tuple[int, int]] = []
    plan = schedule(spec(one), spec(later))
    plan.events = Events(tick=lambda done, of: ticks.append((done, of)))

    async def both_rounds() -> None:
        await plan.measure(["one"])
        await plan.measure(["later"])

    run(both_rounds())
    assert (plan.value("one", 0), plan.value("later", 0)) == (1, 3)
    assert ticks[-1] == (2, 2)
    assert len(ticks) < 20  # one a quarter of a second, not one for each turn of the loop


def test_a_wait_that_is_cut_short_counts_as_long_as_it_lasted() -> None:
    async def hasty(waits: Waits) -> int:
        waiting = asyncio.ensure_future(waits.idle(60, "something"))
        await asyncio.sleep(20)
        waiting.cancel()
        await asyncio.wait({waiting})
        return 1

    plan = schedule(spec(hasty, idle=lambda t, m: 60))
    measure(plan, "hasty")
    assert plan.outcomes[Key(name="hasty", target_number=0)].chain_s == pytest.approx(20, abs=1)


def test_facts_per_address_reach_a_dependent_at_the_same_address_and_all_of_them_elsewhere() -> None:
    async def connection(route: Route) -> str:
        return f"to {route.address}"

    async def answer(connection: str, route: Route) -> str:
        return f"{connection}, answered"

    async def overview(answer: PerAddress[str]) -> list[str]:
        return list(answer.facts.values())

    plan = schedule(
        spec(routes), spec(connection, scope=Scope.ADDRESS), spec(answer, scope=Scope.ADDRESS), spec(overview)
    )
    measure(plan, "overview")
    assert plan.value("overview", 0) == ["to 127.0.0.2, answered", "to 127.0.0.3, answered"]
    assert isinstance(plan.value("answer", 0), PerAddress)


def test_one_blocked_address_leaves_the_others() -> None:
    async def connection(route: Route) -> str:
        if route.address == "127.0.0.2":
            raise Blocked("connection.tcp-connects", "refused")
        return "open"

    async def overview(connection: PerAddress[str]) -> tuple[int, int]:
        return len(connection.facts), len(connection.missing)

    plan = schedule(spec(routes), spec(connection, scope=Scope.ADDRESS), spec(overview))
    measure(plan, "overview")
    assert plan.value("overview", 0) == (1, 1)


def test_without_a_usable_address_all_dependents_are_blocked_by_the_same_check() -> None:
    async def routes() -> tuple[Route, ...]:
        raise Blocked("dns.resolves", "no such name")

    async def connection(route: Route) -> str:
        return "open"

    async def overview(connection: PerAddress[str]) -> int:
        return 1

    plan = schedule(spec(routes), spec(connection, scope=Scope.ADDRESS), spec(overview))
    measure(plan, "overview")
    assert gap(plan, "overview").by == "dns.resolves"
    assert gap(plan, "connection").by == "dns.resolves"


def test_who_admits_a_missing_fact_gets_the_reason() -> None:
    async def lost() -> int:
        raise Unknown("cannot tell")

    async def tolerant(lost: int | NotMeasured) -> str:
        assert isinstance(lost, NotMeasured)
        return lost.reason

    async def strict(lost: int) -> str:
        return "never"

    plan = schedule(spec(lost), spec(tolerant), spec(strict))
    measure(plan, "tolerant", "strict")
    assert plan.value("tolerant", 0) == "cannot tell"
    assert gap(plan, "strict") == NotMeasured(reason="cannot tell")


def test_not_asked_is_skipped_not_unknown() -> None:
    async def lost() -> int:
        raise NotAsked("no --backend was given", command="btdiag run --backend URL")

    plan = schedule(spec(lost))
    measure(plan, "lost")
    assert gap(plan, "lost").skipped
    assert gap(plan, "lost").command == "btdiag run --backend URL"


def test_a_crash_is_kept_with_its_place_and_does_not_lose_the_run() -> None:
    async def broken(one: int) -> int:
        raise ZeroDivisionError("division by zero")

    plan = schedule(spec(one), spec(broken))
    measure(plan, "broken", "one")
    assert "ZeroDivisionError" in gap(plan, "broken").reason
    crash = plan.outcomes[Key(name="broken", target_number=0)].crash
    assert crash is not None
    assert "in broken" in crash
    assert plan.value("one", 0) == 1


def test_a_circle_and_an_unknown_parameter_have_a_clear_result() -> None:
    async def egg(hen: int) -> int:
        return hen

    async def hen(egg: int) -> int:
        return egg

    async def chick(hen: int) -> int:
        return hen

    async def lonely(nosuch: int) -> int:
        return nosuch

    plan = schedule(spec(egg), spec(hen), spec(chick), spec(lonely))
    measure(plan, "chick", "lonely")
    assert "hen -> egg -> hen" in gap(plan, "chick").reason
    assert "'nosuch'" in gap(plan, "lonely").reason


@pytest.mark.parametrize("scope", [Scope.RUN, Scope.TARGET])
def test_a_route_exists_only_per_address(scope: Scope) -> None:
    async def wrong(route: Route) -> int:
        return 1

    plan = schedule(spec(wrong, scope=scope))
    measure(plan, "wrong")
    assert "route" in str(plan.outcomes[Key(name="wrong", target_number=None if scope is Scope.RUN else 0)].value)


def test_a_target_does_not_exist_for_a_measurement_of_the_run() -> None:
    async def wrong(target: Target) -> int:
        return 1

    assert "'target'" in str(Registry([spec(wrong, scope=Scope.RUN)]).problem(spec(wrong, scope=Scope.RUN)))


def test_a_measurement_ends_with_its_budget_even_if_it_ignores_being_cancelled() -> None:
    async def stubborn() -> int:
        for _ in range(50):
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                continue
        return 1

    plan = schedule(spec(stubborn, budget=2.0), mode=Mode(budget=20))
    measure(plan, "stubborn")
    assert "did not end within 2 s (a test)" in gap(plan, "stubborn").reason


def test_the_budget_of_the_run_holds_and_tells_what_was_cut_off() -> None:
    async def endless() -> int:
        await asyncio.sleep(10_000)
        return 1

    plan = schedule(spec(endless, budget=20_000), spec(one), mode=Mode(budget=3))
    measure(plan, "endless", "one")
    assert "budget of 3 s" in gap(plan, "endless").reason
    assert plan.value("one", 0) == 1
    assert not plan.interrupted


def test_an_interrupt_keeps_what_is_known() -> None:
    async def endless() -> int:
        await asyncio.sleep(10_000)
        return 1

    plan = schedule(spec(endless, budget=20_000), spec(one))
    measure(plan, "endless", "one", stop_after=1)
    assert plan.interrupted
    assert "interrupted" in gap(plan, "endless").reason
    assert plan.value("one", 0) == 1


def test_quick_does_not_begin_a_wait_and_names_the_full_run() -> None:
    async def slow(waits: Waits) -> int:
        await waits.idle(66, "backend keep-alive")
        return 1

    plan = schedule(spec(slow, idle=lambda t, m: 66), mode=Mode(quick=True))
    plan.longer = lambda number: "btdiag run --target https://api.example"
    measure(plan, "slow")
    assert gap(plan, "slow") == NotMeasured(
        reason="needs a wait of 66 s, which --quick leaves out",
        command="btdiag run --target https://api.example",
        skipped=True,
    )


def test_a_wait_beyond_the_budget_is_not_begun_and_says_which_budget_would_do() -> None:
    async def slow(waits: Waits) -> int:
        await waits.idle(66, "backend keep-alive")
        return 1

    plan = schedule(spec(slow, idle=lambda t, m: 66), mode=Mode(budget=30))
    plan.longer = lambda number: "btdiag run"
    measure(plan, "slow")
    assert not gap(plan, "slow").skipped
    assert "--budget 76s" in gap(plan, "slow").reason
    assert gap(plan, "slow").command == "btdiag run --budget 76s"


def test_alone_means_that_the_others_have_ended_or_wait_idle() -> None:
    log: list[str] = []

    async def busy() -> int:
        await asyncio.sleep(3)
        log.append("busy ended")
        return 1

    async def resting(waits: Waits) -> int:
        await waits.idle(4, "rest")
        log.append("rested")
        return 1

    async def volley(waits: Waits) -> int:
        async with waits.alone():
            log.append("volley begins")
            await asyncio.sleep(5)
            log.append("volley ended")
        return 1

    plan = schedule(spec(busy), spec(resting, idle=lambda t, m: 4, budget=20), spec(volley, budget=20))
    measure(plan, "busy", "resting", "volley")
    assert log == ["busy ended", "volley begins", "volley ended", "rested"]


def test_two_volleys_do_not_wait_for_each_other_for_ever() -> None:
    log: list[str] = []

    async def first(waits: Waits) -> int:
        async with waits.alone():
            log.append("first")
            await waits.idle(1, "inside")
        return 1

    async def second(waits: Waits) -> int:
        async with waits.alone():
            log.append("second")
        return 1

    plan = schedule(spec(first, idle=lambda t, m: 1), spec(second))
    measure(plan, "first", "second")
    assert sorted(log) == ["first", "second"]


def test_alone_can_be_bounded() -> None:
    async def busy() -> int:
        await asyncio.sleep(30)
        return 1

    async def volley(waits: Waits) -> float:
        async with waits.alone(within=2):
            return asyncio.get_running_loop().time()

    plan = schedule(spec(busy, budget=60), spec(volley, budget=60))
    measure(plan, "busy", "volley")
    outcome = plan.outcomes[Key(name="volley", target_number=0)]
    assert outcome.duration_s == pytest.approx(2, abs=0.5)


def test_targets_of_one_host_share_their_quiet() -> None:
    active: list[str] = []

    async def volley(target: Target, waits: Waits) -> int:
        async with waits.alone():
            active.append(target.url)
            await asyncio.sleep(1)
            assert active[-1] == target.url
        return 1

    other = Target(url="https://api.example/b", scheme="https", host="api.example", port=443, path="/b")
    plan = schedule(spec(volley), targets=(TARGET, other))
    measure(plan, "volley")
    assert len(active) == 2
    assert plan.value("volley", 1) == 1


def test_a_measurement_of_the_run_is_made_once_for_all_targets() -> None:
    calls: list[int] = []

    async def here() -> int:
        calls.append(1)
        return 7

    async def there(here: int, target: Target) -> str:
        return f"{target.url} {here}"

    other = Target(url="https://b.example", scheme="https", host="b.example", port=443)
    plan = schedule(spec(here, scope=Scope.RUN), spec(there), targets=(TARGET, other))
    measure(plan, "there")
    assert len(calls) == 1
    assert plan.value("there", 1) == "https://b.example 7"


def test_events_tell_waits_and_what_is_known_already() -> None:
    seen: list[str] = []
    ticks: list[tuple[int, int]] = []

    async def dead(waits: Waits) -> int:
        await waits.idle(2, "a reason")
        raise Blocked("dns.resolves", "no such name")

    plan = schedule(spec(dead, idle=lambda t, m: 2))
    plan.events = Events(
        ended=lambda name: seen.append(f"end {name}"),
        waiting=lambda name, what, seconds: seen.append(f"{name} waits {seconds:g}: {what}"),
        provisional=lambda check_id, reason: seen.append(f"{check_id}: {reason}"),
        tick=lambda done, of: ticks.append((done, of)),
    )
    measure(plan, "dead")
    assert seen == ["dead waits 2: a reason", "dns.resolves: no such name", "end dead"]
    assert ticks[-1] == (1, 1)


def test_two_measurements_of_one_name_are_refused() -> None:
    async def one() -> int:
        return 2

    registry = Registry([spec(globals()["one"])])
    with pytest.raises(RegistryError, match="exists already"):
        registry.add(spec(one))


def test_the_name_of_a_built_in_is_refused() -> None:
    async def target() -> int:
        return 2

    with pytest.raises(RegistryError, match="built-in"):
        Registry([spec(target)])
