"""What becomes of a measurement's end: a fact, a reason, or a crash that is its own alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest

from btdiag.core.measurement import Blocked, MeasurementSpec, NotAsked, NotMeasured, Scope, Unknown
from btdiag.engine.observing import observed


def spec(function: Callable[[], Awaitable[object]]) -> MeasurementSpec:
    return MeasurementSpec(
        name="own", function=function, budget=1, why="a test", scope=Scope.TARGET, idle=None, sends=None
    )


def ended(error: BaseException) -> tuple[object, str | None]:
    async def raises() -> object:
        raise error

    return asyncio.run(observed(spec(raises), "own", {}, 1.0, "too slow"))


@pytest.mark.parametrize(
    ("error", "missing"),
    [
        (Blocked("dns.resolves", "no name"), NotMeasured(reason="no name", by="dns.resolves")),
        (NotAsked("no key", "--api-key-env"), NotMeasured(reason="no key", command="--api-key-env", skipped=True)),
        (Unknown("silence"), NotMeasured(reason="silence")),
        (httpx.ConnectError("refused"), NotMeasured(reason="refused")),
        (ExceptionGroup("two", [Unknown("first"), Unknown("second")]), NotMeasured(reason="first")),
    ],
)
def test_a_reason_is_no_crash(error: Exception, missing: NotMeasured) -> None:
    assert ended(error) == (missing, None)


@pytest.mark.parametrize(
    "error", [ValueError("odd"), SystemExit(3), ExceptionGroup("two", [Unknown("first"), ValueError("odd")])]
)
def test_everything_else_is_a_crash_with_its_place(error: BaseException) -> None:
    value, crash = ended(error)
    assert isinstance(value, NotMeasured)
    assert value.reason.startswith("btdiag itself failed in own")
    assert crash is not None
    assert "raises" in crash or "own" in crash


def test_what_does_not_end_is_left() -> None:
    async def sleeps() -> object:
        await asyncio.sleep(60)
        return 1

    value, crash = asyncio.run(observed(spec(sleeps), "own", {}, 0.01, "too slow"))
    assert (value, crash) == (NotMeasured(reason="too slow"), None)
