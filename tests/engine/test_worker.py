"""The loop in its thread: what blocks it is left behind, and changes nothing when it comes back."""

from __future__ import annotations

import asyncio
import threading

import pytest

from btdiag.core.measurement import NotMeasured, measurement, spec_of
from btdiag.core.target import Mode, Target
from btdiag.engine.registry import Registry
from btdiag.engine.schedule import Schedule
from btdiag.engine.worker import Worker

TARGET = Target(url="https://api.example", scheme="https", host="api.example", port=443)


def test_work_is_waited_for_and_its_errors_are_raised() -> None:
    worker, seen = Worker(), list[int]()

    async def work() -> None:
        await asyncio.sleep(0)
        seen.append(1)

    async def broken() -> None:
        raise ValueError("no")

    assert worker.run(work(), lambda: False)
    assert seen == [1]
    with pytest.raises(ValueError, match="no"):
        worker.run(broken(), lambda: False)
    worker.close()
    assert worker.loop.is_closed()


def test_a_loop_that_comes_back_too_late_changes_nothing() -> None:
    release = threading.Event()

    @measurement(budget=5, why="a test")
    async def blocks() -> int:
        release.wait(10)
        return 1

    @measurement(budget=5, why="a test")
    async def after(blocks: int) -> int:
        return blocks

    specs = [spec for spec in map(spec_of, (blocks, after)) if spec is not None]
    plan, worker = Schedule(Registry(specs), Mode(), (TARGET,), "btdiag/test"), Worker()
    assert not worker.run(plan.measure(["after"]), lambda: True)
    name, stack = worker.stuck_in()
    plan.leave((name, stack))
    left = dict(plan.outcomes)
    missing = plan.value("blocks", 0)
    assert isinstance(missing, NotMeasured)
    assert "blocks the event loop" in missing.reason
    assert "release.wait" in stack
    release.set()
    done = asyncio.run_coroutine_threadsafe(asyncio.sleep(0.05), worker.loop)
    done.result(5)
    assert plan.outcomes == left
    worker.close()
    assert worker.loop.is_closed()
