"""The end of a run reaches every request, and only what was long enough to mean something is a fact."""

from __future__ import annotations

import asyncio

import pytest

from btdiag.core.exchange import Trouble
from btdiag.core.measurement import OutOfTime
from btdiag.core.target import Route, Target
from btdiag.net.deadline import Deadline, in_time, seen_in_time
from btdiag.net.limits import Limits
from btdiag.net.wire import Wire
from tests.support.clock import run
from tests.support.serving import http_target, route_to, serving, silent


async def waits(deadline: Deadline, seconds: float) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(TimeoutError):
        async with deadline.within(seconds):
            await asyncio.sleep(1000)
    return loop.time() - began


def test_without_an_end_a_wait_has_its_own_limit() -> None:
    assert run(waits(Deadline(), 7.0)) == pytest.approx(7.0, abs=0.1)


def test_the_earlier_end_counts() -> None:
    async def all_three() -> tuple[float, float, float]:
        now = asyncio.get_running_loop().time()
        above = Deadline()
        above.end(now + 4)
        below = Deadline("its own", above)
        below.end(now + 9)
        return below.left(), await waits(below, 100), await waits(Deadline(), 1)

    left, waited, free = run(all_three())
    assert (left, waited, free) == pytest.approx((4, 4, 1), abs=0.1)


def test_an_end_that_is_brought_forward_ends_what_is_in_flight() -> None:
    async def ended() -> float:
        above = Deadline()
        below = Deadline("its own", above)
        asyncio.get_running_loop().call_later(2, lambda: above.end(asyncio.get_running_loop().time(), "interrupted"))
        return await waits(below, 50)

    assert run(ended()) == pytest.approx(2, abs=0.1)


def test_nothing_begins_after_the_end_and_the_reason_is_told() -> None:
    async def late() -> None:
        deadline = Deadline()
        deadline.end(asyncio.get_running_loop().time() - 1, "the budget ended")
        async with deadline.within(1):
            raise AssertionError("begun all the same")

    with pytest.raises(OutOfTime, match="the budget ended"):
        run(late())


@pytest.mark.parametrize(("seconds", "fact"), [(6.0, True), (3.0, False)])
def test_a_silence_that_the_end_cut_short_counts_from_five_seconds_on(seconds: float, fact: bool) -> None:
    async def asked(deadline: Deadline) -> float:
        loop = asyncio.get_running_loop()
        deadline.end(loop.time() + seconds)
        began = loop.time()
        try:
            async with deadline.within(20):
                await asyncio.sleep(1000)
        except TimeoutError as error:
            return deadline.waited(error, loop.time() - began, 20)
        raise AssertionError

    if fact:
        assert run(asked(Deadline())) == pytest.approx(seconds, abs=0.1)
    else:
        with pytest.raises(OutOfTime):
            run(asked(Deadline()))


def test_only_requests_without_time_are_left_out() -> None:
    async def fine() -> int:
        return 1

    async def late() -> int:
        raise OutOfTime("over")

    assert run(seen_in_time(fine(), late(), fine())) == (1, 1)
    assert run(in_time(late())) is None
    with pytest.raises(OutOfTime):
        run(seen_in_time(late(), late()))


def test_a_wire_keeps_to_its_deadline_and_counts_for_all() -> None:
    async def asked(target: Target, route: Route) -> tuple[Trouble | None, int]:
        wire = Wire(target, user_agent="btdiag/test")
        own = Deadline("its own time ended")
        own.end(asyncio.get_running_loop().time() + 0.1)
        with pytest.raises(OutOfTime, match="its own time"):
            await wire.until(own).exchange(route, "GET", target.url_for("/"))
        seen = await wire.exchange(route, "GET", target.url_for("/"), limits=Limits(total=0.1))
        return seen.failure.trouble if seen.failure else None, wire.counts.requests

    async def go() -> tuple[Trouble | None, int]:
        async with serving(silent) as port:
            return await asked(http_target(port), route_to(port))

    assert asyncio.run(go()) == (Trouble.TIMEOUT, 2)
