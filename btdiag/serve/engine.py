"""The one scheduler of a serving process: runs of any module on any target, asked for from any thread.

A thread of its own holds the collected checks for as long as the process serves. What is asked for twice meanwhile is
measured once; what is asked for beyond a bound is refused at once, which is kinder than an answer that comes too late.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from btdiag.config import Settings
from btdiag.core.report import Report
from btdiag.core.target import Target
from btdiag.engine.common import Common
from btdiag.engine.interrupt import Interrupt
from btdiag.engine.job import Run
from btdiag.engine.lanes import Job, Lanes
from btdiag.engine.run import collected, due_of
from btdiag.engine.session import Collected
from btdiag.engine.tasks import Events

STARTING_S = 60.0  # collecting the checks takes half a second
ENDING_S = 5.0  # what is measured is cut off at once; then it is judged


class BusyError(Exception):
    """More is asked for than is worth waiting for."""


class Engine:
    """Runs targets. `most` bounds how many runs that were asked for may wait or be on at a time; `finished` gets each
    report that came to its end, with the name of its module, in the engine's thread."""

    def __init__(self, parallel: int, most: int, finished: Callable[[str, Report], None]) -> None:
        self._parallel = parallel
        self._most = most
        self._finished = finished
        self._interrupt = Interrupt()
        self._interrupt.patient = True
        self._lock = threading.Lock()
        self._flying: dict[tuple[str, str], Future[Report]] = {}
        self._ready: Future[tuple[Lanes, Collected]] = Future()
        self._thread = threading.Thread(target=self._work, name="btdiag engine", daemon=True)

    def start(self, checks: Sequence[Path]) -> None:
        """Collect the checks; what is wrong with them is raised here."""
        self._checks = tuple(checks)
        self._thread.start()
        self._ready.result(STARTING_S)

    def stop(self) -> None:
        """End: what is measured now is cut off, and reported to nobody."""
        self._interrupt.ask()
        self._thread.join(ENDING_S)
        for waiting in list(self._flying.values()):
            waiting.cancel()

    def _work(self) -> None:
        try:
            collected(self._checks, self._serve, guest=True)
        except Exception as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    def _serve(self, found: Collected) -> None:
        lanes = Lanes(found, self._interrupt, self._parallel)
        self._ready.set_result((lanes, found))
        lanes.all()

    @property
    def flying(self) -> int:
        """How many runs wait or are on."""
        return len(self._flying)

    @property
    def alive(self) -> bool:
        """Does it work?"""
        return self._thread.is_alive() and not self._interrupt.requested

    def run(
        self, module: str, settings: Settings, target: Target, common: Common | None = None, *, patient: bool = False
    ) -> Future[Report]:
        """A run of a target with the settings of a module, or the one that is on already. BusyError beyond the bound,
        which those who are patient (a scheduled sweep) do not have."""
        lanes, found = self._ready.result()
        key = (target.url, module)
        with self._lock:
            if key in self._flying:
                return self._flying[key]
            if not patient and len(self._flying) >= self._most:
                raise BusyError
            promised: Future[Report] = Future()
            self._flying[key] = promised
        run = Run(settings=replace(settings, urls=(target.url,)), targets=(target,), events=Events(), interrupt=_NEVER)
        lanes.put(
            Job(
                run=run,
                due=due_of(found, settings),
                finished=lambda report: self._keep(key, report),
                common=common or Common(),
            )
        )
        return promised

    def _keep(self, key: tuple[str, str], report: Report) -> None:
        with self._lock:
            promised = self._flying.pop(key, None)
        if self._interrupt.requested:
            return
        try:
            self._finished(key[1], report)
        finally:
            if promised is not None and not promised.cancelled():
                promised.set_result(report)


_NEVER = Interrupt()
"""Reports of a serving process are never marked as interrupted: those that are cut off are thrown away."""
