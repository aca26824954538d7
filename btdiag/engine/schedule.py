"""Measuring: all that a run needs starts at once in one event loop, each within its budget, the whole within the run's.

One task for each measurement, target and address; a task awaits its inputs, then runs its function. Whatever happens to
it, its outcome is a fact or a NotMeasured: nothing that a measurement does can lose the run. When the time is over (or
the user has seen enough), requests in flight end, and their measurements have a moment to hand over what they saw.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from btdiag.core.account import Account
from btdiag.core.measurement import MeasurementSpec, NotMeasured, PerAddress, Scope
from btdiag.core.target import Mode, Route, Target
from btdiag.engine.common import Common
from btdiag.engine.inputs import absent, admits, weightiest
from btdiag.engine.observing import client_of, observed
from btdiag.engine.places import Place, places_of
from btdiag.engine.registry import Registry, awaited
from btdiag.engine.tasks import Events, Key, TaskOutcome, begun_or_over, handed_over, left_over, measuring_s
from btdiag.engine.waits import WaitLog
from btdiag.net.deadline import Deadline

# How often a progress display is refreshed.
TICK_S = 0.25
# A measurement that ignores its cancellation is abandoned after so long.
GRACE_S = 0.2


async def _outcome(task: asyncio.Task[TaskOutcome]) -> TaskOutcome:
    """What a task comes to, waited for; a dependent that is cancelled does not cancel what others share."""
    return task.result() if task.done() else await asyncio.shield(task)


@dataclass(slots=True)
class Schedule:
    """The measurements of one run, or of some of its targets: `common` is what those share with the others."""

    registry: Registry
    mode: Mode
    targets: Sequence[Target]
    user_agent: str
    events: Events = field(default_factory=Events)
    longer: Callable[[int], str] = lambda number: ""
    common: Common = field(default_factory=Common)
    outcomes: dict[Key, TaskOutcome] = field(default_factory=dict)
    requests_sent: int = 0
    accounts: dict[int, Account] = field(default_factory=dict)
    interrupted: bool = False
    _left_alone: bool = False
    _deadline: Deadline = field(default_factory=Deadline)
    _tasks: dict[Key, asyncio.Task[TaskOutcome]] = field(default_factory=dict)
    _pending: set[asyncio.Task[TaskOutcome]] = field(default_factory=set)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _places: list[Place] = field(default_factory=list)
    _begun: float = 0.0
    _first_begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def measure(self, names: Sequence[str], already_s: float = 0.0, at_least_s: float = 0.0) -> None:
        """Measure everything named, for every target; ends when all is known, the budget is used up, or after `stop`.

        `already_s` is the part of the budget that is used up before, `at_least_s` what is left of it in any case, for a
        busy machine takes seconds to get ready. Results are in `outcomes`.
        """
        loop = asyncio.get_running_loop()
        self._begun = loop.time() - already_s
        self._deadline.end(
            loop.time() + measuring_s(self.mode.budget, already_s, at_least_s),
            f"the run's budget of {self.mode.budget:g} s ended first",
        )
        if self.interrupted:
            self.stop()
        self._places = places_of(self.targets, self.common, self._deadline, self.user_agent)
        specs = self.registry.needs(names)
        await self._head_start([spec for spec in specs if spec.first])
        for number in range(len(self.targets)):
            for spec in specs:
                self._start(spec, None if spec.scope is Scope.RUN else number)
        await self._wait_for_all()
        if self._left_alone:  # the loop came back when nobody waited for it any more
            return
        self._settle(("", ""))
        self._close_accounts()
        self.requests_sent += sum(place.wire.counts.requests for place in self._places)
        self._places.clear()

    def stop(self) -> None:
        """End the measuring now; called in the loop."""
        self.interrupted = True
        with suppress(RuntimeError):  # not begun: `measure` looks itself
            self._deadline.end(asyncio.get_running_loop().time(), "interrupted")

    async def _head_start(self, specs: Sequence[MeasurementSpec]) -> None:
        """Let these begin before all else: on a busy machine the others would take the time that they need."""
        for number in range(len(self.targets)):
            for spec in specs:
                self._start(spec, number)
        await begun_or_over(self._first_begun, set(self._pending))

    async def _wait_for_all(self) -> None:
        """Wait for every task, those that start meanwhile too; after the deadline only for what is handed over."""
        while self._pending and (left := self._deadline.left()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(TICK_S, left)):
                    await self._changed.wait()
            self.events.tick(len(self._tasks) - len(self._pending), len(self._tasks))
        await handed_over(lambda: set(self._pending))
        for task in self._pending:
            task.cancel()
        if self._pending:
            await asyncio.wait(self._pending, timeout=GRACE_S)

    def _has_ended(self, task: asyncio.Task[TaskOutcome]) -> None:
        """A task is done. Whoever waits is woken by the last one alone: there are some fifty for each target."""
        self._pending.discard(task)
        if not self._pending:
            self._changed.set()

    def leave(self, stuck: tuple[str, str]) -> None:
        """Settle from outside of a loop that does not come back; `stuck` names the task in its way, and where."""
        self._left_alone = True
        self._settle(stuck)
        self._close_accounts()
        self.outcomes = dict(self.outcomes)

    def _close_accounts(self) -> None:
        """Keep what each target was asked, and what was lost, beside that of an earlier round."""
        for number, place in enumerate(self._places):
            self.accounts[number] = self.accounts.get(number, Account()).plus(place.wire.counts.account)

    def _settle(self, stuck: tuple[str, str]) -> None:
        """Give every task an outcome, those that were cut off too."""
        reason = "interrupted" if self.interrupted else f"the run's budget of {self.mode.budget:g} s ended first"
        for key, task in list(self._tasks.items()):
            if key not in self.outcomes:
                self.outcomes[key] = self._settled(key, task, reason, stuck)

    def _settled(self, key: Key, task: asyncio.Task[TaskOutcome], reason: str, stuck: tuple[str, str]) -> TaskOutcome:
        if task.done() and not task.cancelled():
            return left_over(key, task)
        if stuck[0] == key.text and not self.registry[key.name].shipped:
            blocks = NotMeasured(reason=f"{key.text} blocks the event loop: it must await what it waits for")
            return TaskOutcome(value=blocks, started_s=0.0, duration_s=0.0, crash=stuck[1])
        shipped = self.registry[key.name.removesuffix("@*")].shipped
        told = reason if shipped else f"{key.text}: {reason}"
        return TaskOutcome(value=NotMeasured(reason=told), started_s=0.0, duration_s=0.0)

    # --- tasks --------------------------------------------------------------------------------------------------------

    def _start(self, spec: MeasurementSpec, number: int | None) -> None:
        if spec.scope is not Scope.ADDRESS:
            self._task(Key(name=spec.name, target_number=number), lambda: self._run(spec, number, None))
            return
        key = Key(name=f"{spec.name}@*", target_number=number)
        self._task(key, lambda: self._fan_out(spec, number))

    def _task(self, key: Key, make: Callable[[], Coroutine[Any, Any, TaskOutcome]]) -> asyncio.Task[TaskOutcome]:
        if key not in self._tasks:
            known = self.common.tasks if key.target_number is None else self._tasks
            if key not in known:
                known[key] = asyncio.ensure_future(make())
            self._tasks[key] = known[key]
            if not known[key].done():
                self._pending.add(known[key])
                self._changed.clear()  # it is set from an earlier round
                known[key].add_done_callback(self._has_ended)
        return self._tasks[key]

    def _input(self, name: str, number: int | None, route: Route | None) -> asyncio.Task[TaskOutcome]:
        """The task whose outcome is an input, begun if nobody needed it before."""
        spec = self.registry[name]
        number = None if spec.scope is Scope.RUN else number
        if spec.scope is Scope.ADDRESS and route is None:
            return self._task(Key(name=f"{name}@*", target_number=number), lambda: self._fan_out(spec, number))
        label = route.label if route is not None and spec.scope is Scope.ADDRESS else None
        at = route if label else None
        return self._task(Key(name=name, target_number=number, label=label), lambda: self._run(spec, number, at))

    async def _fan_out(self, spec: MeasurementSpec, number: int | None) -> TaskOutcome:
        """One measurement for each route of the target, collected into a PerAddress."""
        routes = await _outcome(self._input("routes", number, None))
        if isinstance(routes.value, NotMeasured):
            return TaskOutcome(value=routes.value, started_s=self._now(), duration_s=0.0, chain_s=routes.chain_s)
        started = self._now()
        assert isinstance(routes.value, tuple)
        tasks = [self._input(spec.name, number, route) for route in routes.value]
        outcomes = [await _outcome(task) for task in tasks]
        labels = [route.label for route in routes.value]
        values = PerAddress[Any](dict(zip(labels, (outcome.value for outcome in outcomes), strict=True)))
        chain = max((outcome.chain_s for outcome in outcomes), default=0.0)
        return TaskOutcome(value=values, started_s=started, duration_s=self._now() - started, chain_s=chain)

    async def _run(self, spec: MeasurementSpec, number: int | None, route: Route | None) -> TaskOutcome:
        """Await the inputs, then observe."""
        if problem := self.registry.problem(spec):
            return self._gap(NotMeasured(reason=problem), crash=problem)
        names = awaited(spec)
        tasks = [self._input(name, number, route) for name in names]
        outcomes = [await _outcome(task) for task in tasks]
        inputs = {name: outcome.value for name, outcome in zip(names, outcomes, strict=True)}
        chain = max((outcome.chain_s for outcome in outcomes), default=0.0)
        gaps = [gap for name, value in inputs.items() if (gap := absent(value)) and not admits(spec.function, name)]
        if gaps:
            return self._gap(weightiest(gaps), chain=chain)
        if refusal := self._not_affordable(spec, number):
            return self._gap(refusal, chain=chain)
        if spec.sends is not None and self._deadline.left() <= 0:
            return self._gap(NotMeasured(reason=self._deadline.over().reason), chain=chain)
        return await self._observe(spec, number, route, inputs, chain)

    def _not_affordable(self, spec: MeasurementSpec, number: int | None) -> NotMeasured | None:
        """Why a planned idle wait is not begun: --quick, or more than is left of the budget."""
        wait = self.planned_wait(spec, number)
        if wait <= 0:
            return None
        command = self.longer(number or 0)
        if self.mode.quick:
            reason = f"needs a wait of {wait:g} s, which --quick leaves out"
            return NotMeasured(reason=reason, command=command, skipped=True)
        left = self._remaining()
        if wait > left - 1.0:
            needed = f"--budget {int(wait + self._now() + spec.budget + 5)}s"
            reason = (
                f"needs a wait of {wait:g} s, but only {max(0.0, left):.0f} s are left of the budget: give {needed}"
            )
            return NotMeasured(reason=reason, command=f"{command} {needed}".strip())
        return None

    def _remaining(self) -> float:
        """Seconds left of the budget for measuring."""
        return self._deadline.left()

    def planned_wait(self, spec: MeasurementSpec, number: int | None) -> float:
        """The idle wait (seconds) that a measurement plans for a target in this mode; --dry-run prints the same."""
        return spec.idle(self.targets[number or 0], self.mode) if spec.idle is not None else 0.0

    async def _observe(
        self, spec: MeasurementSpec, number: int | None, route: Route | None, inputs: dict[str, object], chain: float
    ) -> TaskOutcome:
        place = self._places[number or 0]
        name = spec.name if route is None else f"{spec.name}@{route.label}"
        limit = spec.budget + self.planned_wait(spec, number)
        why = f"what was measured did not end within {limit:g} s ({spec.why})"
        log = WaitLog(name, place.quiet, self._remaining, self.events.waiting)
        own = Deadline(why, self._deadline)
        built_in = {
            "target": place.target,
            "mode": self.mode,
            "route": route,
            "wire": (wire := place.wire.until(own, "" if spec.provokes else spec.name)),
            "waits": log,
            "client": client_of(wire, inputs["way"], place.target) if "client" in spec.parameters else None,
        }
        arguments = {name: inputs.get(name, built_in.get(name)) for name in spec.parameters}
        await place.quiet.enter()
        started = self._now()
        if spec.first:
            self._first_begun.set()
        try:
            own.end(asyncio.get_running_loop().time() + limit)
            value, crash = await observed(spec, name, arguments, limit, why)
            if isinstance(value, NotMeasured) and value.by is not None:
                self.events.provisional(value.by, value.reason)
        finally:
            self.events.ended(name)
            place.quiet.leave()
        duration = self._now() - started
        return TaskOutcome(
            value=value, started_s=started, duration_s=duration, chain_s=chain + log.waited_s, crash=crash
        )

    def _gap(self, missing: NotMeasured, *, chain: float = 0.0, crash: str | None = None) -> TaskOutcome:
        return TaskOutcome(value=missing, started_s=self._now(), duration_s=0.0, chain_s=chain, crash=crash)

    def _now(self) -> float:
        """Seconds since the run began."""
        return asyncio.get_running_loop().time() - self._begun

    # --- results ------------------------------------------------------------------------------------------------------

    def value(self, name: str, number: int) -> object:
        """What a check gets for a parameter: the fact, a PerAddress, or NotMeasured."""
        spec = self.registry[name]
        label = f"{name}@*" if spec.scope is Scope.ADDRESS else name
        key = Key(name=label, target_number=None if spec.scope is Scope.RUN else number)
        outcome = self.outcomes.get(key)
        return outcome.value if outcome else NotMeasured(reason=f"{name} was not measured in this run", skipped=True)
