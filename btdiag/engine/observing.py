"""One measurement, called within its time: a fact, or why there is none. Nothing that it does gets any further."""

from __future__ import annotations

import asyncio

from btdiag.core.measurement import Blocked, MeasurementSpec, NotAsked, NotMeasured, PerAddress, Unknown
from btdiag.core.target import Target, Way
from btdiag.engine.crash import crash_text, said
from btdiag.engine.soundness import bounded_json
from btdiag.engine.tasks import HAND_OVER_S
from btdiag.net.wire import Wire


async def observed(
    spec: MeasurementSpec, name: str, arguments: dict[str, object], limit: float, why: str
) -> tuple[object, str | None]:
    """Call the function within `limit` seconds; gives (fact or NotMeasured, traceback if it crashed)."""
    task = asyncio.ensure_future(_called(spec, arguments))
    task.set_name(name)
    try:
        done, _ = await asyncio.wait({task}, timeout=limit + HAND_OVER_S)
        if not done:
            return NotMeasured(reason=why), None
        return _shown(spec, task.result()), None
    except Exception as error:
        return _without_fact(spec, _only_one(error))
    finally:
        task.cancel()


def _without_fact(spec: MeasurementSpec, error: Exception) -> tuple[NotMeasured, str | None]:
    match error:
        case Blocked():
            return NotMeasured(reason=error.reason, by=error.by), None
        case NotAsked():
            return NotMeasured(reason=error.reason, command=error.command, skipped=True), None
        case Unknown():
            return NotMeasured(reason=error.reason, command=error.command), None
    if type(error).__module__ == "httpx":  # what the client could not get; the module is loaded where it is used
        return NotMeasured(reason=said(error)), None
    reason = f"btdiag itself failed in {spec.name}: {type(error).__name__}: {said(error)}"
    return NotMeasured(reason=reason), crash_text(error)


def _shown(spec: MeasurementSpec, fact: object) -> object:
    """The fact, if a report can show it: a user's own may be anything."""
    if not spec.shipped:
        bounded_json(fact)
    return fact


async def _called(spec: MeasurementSpec, arguments: dict[str, object]) -> object:
    """What the function returns; what is no ordinary exception (SystemExit of a user's code) becomes one, for it would
    end the event loop."""
    try:
        return await spec.function(**arguments)
    except (SystemExit, KeyboardInterrupt) as error:
        raise RuntimeError(f"{spec.name} raised {type(error).__name__}") from error


def _only_one(error: Exception) -> Exception:
    """Of a task group's errors the first, if all tell why there is no fact; else the group itself, which is a crash."""
    if isinstance(error, ExceptionGroup):
        told, others = error.split((Blocked, NotAsked, Unknown))
        if told is not None and others is None:
            return _only_one(told.exceptions[0])
    return error


def client_of(wire: Wire, way: object, target: Target) -> object:
    """The wire as a client of httpx, for those who ask for one: importing that takes long."""
    from btdiag.net.client import client

    first = next(iter(way.facts.values())) if isinstance(way, PerAddress) else way
    assert isinstance(first, Way)
    return client(wire, first, target)
