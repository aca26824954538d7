"""A client of httpx for tests that are no coroutines: each request goes the way that was measured to a target, through
an event loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx

from btdiag import __version__
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.target import Mode, Target, Way
from btdiag.engine.registry import shipped
from btdiag.engine.schedule import Schedule
from btdiag.engine.worker import Worker
from btdiag.net.client import MeasuredTransport
from btdiag.net.limits import PROGRAM_ANSWER
from btdiag.net.wire import Wire

# Names, and each address tried once; a target that takes longer is out of reach for a test.
FINDING_S = 30.0
USER_AGENT = f"btdiag/{__version__} (client)"


class OutOfReachError(Exception):
    """No way leads to the target; the text says why in one line."""


@contextmanager
def reaching_client(target: Target) -> Iterator[httpx.Client]:
    """A client on the first way to the target that works, with its headers but without its API key; certificates are
    verified. Paths are the target's, redirects are not followed. OutOfReachError if there is no way."""
    worker = Worker()
    try:
        wire = Wire(target, user_agent=USER_AGENT)
        transport = _Waiting(worker, MeasuredTransport(wire, _way(worker, target), PROGRAM_ANSWER))
        with httpx.Client(
            transport=transport,
            base_url=target.url,
            headers={"User-Agent": USER_AGENT},
            timeout=PROGRAM_ANSWER.total,
            trust_env=False,
        ) as client:
            yield client
    finally:
        worker.close()


def _way(worker: Worker, target: Target) -> Way:
    schedule = Schedule(
        registry=shipped(), mode=Mode(quick=True, budget=FINDING_S), targets=(target,), user_agent=USER_AGENT
    )
    worker.run(schedule.measure(["way"]), lambda: False)
    found = schedule.value("way", 0)
    if isinstance(found, PerAddress):
        for way in found.facts.values():
            assert isinstance(way, Way)
            return replace(way, verify=True)
        found = next(iter(found.missing.values()), NotMeasured(reason="it has no address"))
    raise OutOfReachError(f"{target.url}: {found.reason if isinstance(found, NotMeasured) else 'it was not measured'}")


class _Waiting(httpx.BaseTransport):
    """Has each request sent in the worker's loop, and waits for the answer."""

    def __init__(self, worker: Worker, transport: MeasuredTransport) -> None:
        self._worker = worker
        self._transport = transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange."""
        request.read()
        sending = self._transport.handle_async_request(request)
        answer = asyncio.run_coroutine_threadsafe(sending, self._worker.loop).result()
        return httpx.Response(
            answer.status_code, headers=answer.headers, content=answer.content, extensions=answer.extensions
        )
