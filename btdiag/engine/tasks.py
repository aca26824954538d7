"""What the schedule and its neighbours speak of: which task, what it came to, and whom to tell of its progress."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from btdiag.core.measurement import NotMeasured
from btdiag.engine.crash import crash_text

# Time kept back from the run's budget to judge and to write the report.
REPORT_RESERVE_S = 0.5
# What measurements have to hand over what they saw, when their requests were ended.
HAND_OVER_S = 0.3
# So many times that, while some still come to their end.
HAND_OVERS = 5
# The longest that everything else waits for what is to begin first: a lookup of a name may take long.
HEAD_START_S = 0.5


class Key(NamedTuple):
    """One measurement on one target (None: the run itself) on one route (None: not per address)."""

    name: str
    target_number: int | None
    label: str | None = None

    @property
    def text(self) -> str:
        """How reports name it: "connection@127.0.0.2"."""
        return f"{self.name}@{self.label}" if self.label else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOutcome:
    """What a task came to. `chain_s` is the longest chain of idle waits that led here; times in seconds of the run."""

    value: object
    started_s: float
    duration_s: float
    chain_s: float = 0.0
    crash: str | None = None


@dataclass(frozen=True, slots=True)
class Events:
    """Callbacks for a progress display, of names and seconds; `tick` gets how many of how many measurements have ended.
    `targets` gets how many of how many targets have a report, and how many of those need attention. None may block."""

    ended: Callable[[str], None] = lambda name: None
    waiting: Callable[[str, str, float], None] = lambda name, what, seconds: None
    provisional: Callable[[str, str], None] = lambda check_id, reason: None
    tick: Callable[[int, int], None] = lambda done, of: None
    targets: Callable[[int, int, int], None] = lambda done, of, bad: None


async def begun_or_over(begun: asyncio.Event, tasks: set[asyncio.Task[TaskOutcome]]) -> None:
    """Wait until what is to be first has begun, or will not; at most HEAD_START_S seconds."""
    if not tasks:
        return
    waiting = asyncio.ensure_future(begun.wait())
    try:
        await asyncio.wait({waiting, *tasks}, timeout=HEAD_START_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


async def handed_over(unfinished: Callable[[], set[asyncio.Task[TaskOutcome]]]) -> None:
    """Give what is unfinished a moment, and another as long as some of it ends in one: a busy machine is slow."""
    for _ in range(HAND_OVERS):
        before = unfinished()
        if not before:
            return
        done, _ = await asyncio.wait(before, timeout=HAND_OVER_S)
        if not done:
            return


def measuring_s(budget_s: float, already_s: float, at_least_s: float) -> float:
    """The part of a budget in which requests may be in flight, from now on; see Schedule.measure."""
    whole = budget_s - REPORT_RESERVE_S - HAND_OVER_S
    return max(0.05, whole - already_s, min(whole, at_least_s))


def left_over(key: Key, task: asyncio.Task[TaskOutcome]) -> TaskOutcome:
    """The outcome of a task that has ended without handing it over."""
    error = task.exception()
    if error is None:
        return task.result()
    lost = NotMeasured(reason=f"btdiag itself failed in {key.text}: {type(error).__name__}: {error}")
    return TaskOutcome(value=lost, started_s=0.0, duration_s=0.0, crash=crash_text(error))
