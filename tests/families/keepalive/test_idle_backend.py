"""How long a backend keeps idle connections, measured on servers that close when the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from btdiag.core.exchange import Exchange, Failure, Phase, Trouble
from btdiag.core.finding import Verdict
from btdiag.core.measurement import Blocked, NotAsked, NotMeasured
from btdiag.core.target import Mode, Target
from btdiag.families.keepalive.facts import BackendIdle
from btdiag.families.keepalive.judge.effective import declared_is_effective
from btdiag.families.keepalive.order import contradiction_s
from btdiag.families.keepalive.plan import early_look
from btdiag.families.keepalive.probe.early import early_backend_idle
from btdiag.families.keepalive.probe.idle import WATCHED, backend_idle
from btdiag.net.wire import Wire
from tests import factories
from tests.support.serving import serving

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=1\r\n\r\n{}"


class Waits:
    """Waits that really pass, and are written down."""

    def __init__(self) -> None:
        self.told: list[float] = []

    async def idle(self, seconds: float, what: str) -> None:
        self.told.append(seconds)
        await asyncio.sleep(seconds)

    @asynccontextmanager
    async def alone(self, within: float | None = None) -> AsyncIterator[None]:
        yield

    def remaining(self) -> float:
        return 60.0


def root(port: int, status: int | None) -> Exchange:
    failure = None if status else Failure(phase=Phase.TCP, trouble=Trouble.REFUSED, detail="Connection refused")
    url = f"http://127.0.0.1:{port}/"
    return factories.exchange(url=url, label="a", started_at="", status=status, failure=failure)


async def _measured(
    closes_after: Sequence[float], declared: float, status: int | None, measure: Callable[..., Awaitable[BackendIdle]]
) -> tuple[BackendIdle, Waits]:
    """The fact when the first connection is closed after the first of these seconds, and so on; the last one stands for
    all that follow."""
    opened = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        number, opened = opened, opened + 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await asyncio.sleep(closes_after[min(number, len(closes_after) - 1)])

    async with serving(handler) as port:
        url = f"http://127.0.0.1:{port}"
        target = Target(url=url, scheme="http", host="127.0.0.1", port=port, backend=url, backend_keepalive=declared)
        waits = Waits()
        wire = Wire(target, user_agent="btdiag/test")
        return await measure(target, Mode(), wire, waits, root(port, status)), waits


def measured(
    *closes_after: float,
    declared: float,
    status: int | None = 200,
    measure: Callable[..., Awaitable[BackendIdle]] = backend_idle,
) -> tuple[BackendIdle, Waits]:
    return asyncio.run(_measured((99.0, *closes_after), declared, status, measure))


def test_one_round_is_enough_when_it_agrees() -> None:
    seen, waits = measured(0.3, declared=0.3)
    assert (seen.rounds, len(seen.closings_s), seen.hint_s) == (1, WATCHED, 1.0)
    assert max(waits.told) == pytest.approx(1.3), "the expected wait is what is told, not its limit"


def test_a_contradiction_is_measured_again_and_the_nearer_round_stands() -> None:
    seen, _ = measured(*[0.05] * WATCHED, 0.9, declared=0.9)
    assert seen.rounds == 2
    assert min(seen.closings_s) > 0.4


def test_a_backend_that_does_not_answer_blocks_on_the_check_that_says_so() -> None:
    with pytest.raises(Blocked) as blocked:
        measured(0.1, declared=1.0, status=None)
    assert blocked.value.by == "readiness.backend-agrees"


@pytest.mark.parametrize(
    ("declared", "closings", "off"),
    [(65.0, (66.0, 66.1), 0.0), (65.0, (65.0,), 0.0), (65.0, (64.0, 70.0), -0.5), (2.0, (4.5, 6.0), 0.5)],
)
def test_the_earliest_closing_is_held_against_the_setting(
    declared: float, closings: tuple[float, ...], off: float
) -> None:
    assert contradiction_s(declared, closings) == pytest.approx(off)


TOO_LONG = NotMeasured(reason="needs a wait of 303 s, but only 119 s are left of the budget")


def told(declared: float, backend: str | None = "http://a:8000") -> Target:
    return Target(url="http://a", scheme="http", host="a", port=80, backend=backend, backend_keepalive=declared)


@pytest.mark.parametrize(
    ("declared", "budget", "wait"), [(300.0, 120.0, 68.0), (300.0, 400.0, 0.0), (65.0, 30.0, 0.0), (90.0, 120.0, 0.0)]
)
def test_the_default_is_looked_for_where_the_budget_does_not_hold_the_declared_time(
    declared: float, budget: float, wait: float
) -> None:
    assert early_look(told(declared), Mode(budget=budget)) == wait
    assert early_look(told(declared, None), Mode(budget=budget)) == 0.0


def test_a_backend_that_closes_long_before_its_declared_time_is_seen_without_waiting_for_that() -> None:
    seen, waits = measured(0.3, declared=300.0, measure=early_backend_idle)
    assert waits.told == [68.0]
    assert declared_is_effective(told(300.0), TOO_LONG, seen).verdict is Verdict.FAIL
    with pytest.raises(NotAsked):
        measured(0.3, declared=65.0, measure=early_backend_idle)


def test_one_that_is_open_for_longer_than_the_default_is_not_judged_by_that() -> None:
    open_ = BackendIdle(label="a", closings_s=(), open_until_s=68.0)
    finding = declared_is_effective(told(300.0), TOO_LONG, open_)
    assert (finding.verdict, finding.summary) == (Verdict.INCONCLUSIVE, TOO_LONG.reason)
