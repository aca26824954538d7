"""Many targets in one run: each is measured by itself, so many at once, judged as soon as it has been measured, and let
go. A target that is silent holds up nobody but itself, and as few are begun at a time as keep the event loop punctual:
a target seen by a loop that is late looks slower than it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING

from btdiag import __version__
from btdiag.core.report import Report
from btdiag.engine.checks import Check
from btdiag.engine.common import Common
from btdiag.engine.interrupt import Interrupt
from btdiag.engine.job import Run
from btdiag.engine.judging import LAST, Judged, blockers, judge_check
from btdiag.engine.pulse import BEAT_S, Pulse
from btdiag.engine.reporting import Facts, report_of
from btdiag.engine.rerun import command
from btdiag.engine.schedule import Schedule
from btdiag.engine.session import Collected
from btdiag.engine.tasks import measuring_s
from btdiag.engine.worker import LOOK_S, Worker

if TYPE_CHECKING:
    from btdiag.logs.during import LogEnd

# After its end the measuring hands over what it saw; a loop that is not back after so long is blocked.
OVERDUE_S = 2.5
# What a run has for measuring, however long a busy machine took to get ready, if its budget is no shorter: a greeting
# of one second, a request of six, and one to begin.
AT_LEAST_S = 8.0
# How long a user's own check may take after the budget's end, all of them together.
LATE_CHECKS_S = 1.0
# A loop this late still measures what the checks tell apart: they speak of seconds, the shortest of 2 s.
LAG_S = 0.05
# Without a calm moment one more target is begun after so long: the machine may be busy with other work than ours.
PATIENCE_S = 1.0
# So many targets may take turns in the loop without waiting for a calm moment: each keeps it busy for some 20 ms.
AT_LEAST = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """One target to be measured and judged. `due` are the checks that were asked for, `finished` gets the report.
    `logs` is where its load balancer's logs ended before anything was sent.
    `queued` is set where there are others before it: its time begins when its turn has come. Without `whole` the report
    has no evidence and no facts."""

    run: Run
    due: tuple[str, ...]
    finished: Callable[[Report], None]
    common: Common = field(default_factory=Common)
    queued: bool = True
    whole: bool = True
    logs: tuple[LogEnd, ...] = ()


@dataclass(slots=True, eq=False)
class _Lane:
    """One target from its beginning to its report. `due` are the checks to be judged next."""

    job: Job
    run: Run
    schedule: Schedule
    worker: Worker
    due: tuple[str, ...]
    judged: Judged = field(default_factory=Judged)
    begun: float = 0.0
    measured_s: float = 0.0
    until: float = 0.0
    measuring: Future[None] | None = None


class Lanes:
    """Takes targets, at any time and from any thread, and works on at most `parallel` of them at once."""

    def __init__(self, found: Collected, interrupt: Interrupt, parallel: int) -> None:
        self._found = found
        self._interrupt = interrupt
        self._parallel = parallel
        self._checks: dict[str, Check] = {check.id: check for check in found.checks}
        self._waiting: deque[Job] = deque()
        self._closed = False
        self._active: set[_Lane] = set()
        self._ended: SimpleQueue[tuple[_Lane, Future[None]]] = SimpleQueue()
        self._admitted = self._looked = 0.0
        self._workers, self._pulse = [Worker()], Pulse()

    def put(self, job: Job) -> None:
        """One more target."""
        self._waiting.append(job)

    def close(self) -> None:
        """There will be no more."""
        self._closed = True

    def all(self) -> int:
        """Measure, judge and report until there are no more; gives how many were not begun when the run was
        interrupted."""
        self._set_off()
        try:
            self._interrupt.tell(self._stop)
            while self._active or not self._over:
                self._admit()
                if (lane := self._next()) is not None:
                    self._advance(lane)
        finally:
            self._interrupt.tell(lambda: None)
            for worker in self._workers:
                worker.close()
        return len(self._waiting)

    @property
    def _over(self) -> bool:
        """Is none to be begun any more? The first one of a run is in any case, so that there is a report."""
        if self._interrupt.requested and (self._admitted > 0 or not self._closed):
            return True
        return self._closed and not self._waiting

    def _set_off(self) -> None:
        """Let the pulse beat in the loop; a target that is alone is measured without it."""
        if not self._closed or len(self._waiting) > 1 or self._active:
            self._workers[-1].begin(self._pulse.beat())

    def _stop(self) -> None:
        for lane in list(self._active):
            lane.worker.call_soon(lane.schedule.stop)

    def _admit(self) -> None:
        """Begin one more target, where there is room for it."""
        if not self._waiting or self._over or len(self._active) >= self._parallel:
            return
        now = monotonic()
        calm = len(self._active) < AT_LEAST or self._pulse.calm_since(self._admitted, LAG_S)
        if not calm and now - self._admitted < PATIENCE_S:
            return
        if self._pulse.stuck:  # what holds it is another target's
            self._workers.append(Worker())
            self._pulse = Pulse()
            self._set_off()
        lane = self._lane(self._waiting.popleft())
        self._admitted = now
        self._active.add(lane)
        self._measure(lane)

    def _lane(self, job: Job) -> _Lane:
        run, worker = job.run, self._workers[-1]
        if job.queued:
            run = replace(run, started=monotonic(), started_at=datetime.now(UTC))
        job.common.belong_to(worker.loop)
        schedule = Schedule(
            registry=self._found.registry,
            mode=run.settings.mode,
            targets=run.targets,
            user_agent=f"btdiag/{__version__} ({run.id})",
            events=run.events,
            longer=lambda _: command(run.settings, run.targets[0], (), without=("quick", "budget")),
            common=job.common,
        )
        return _Lane(job, run, schedule, worker, job.due)

    def _measure(self, lane: _Lane) -> None:
        names = {name for id_ in lane.due for name in self._checks[id_].parameters}
        lane.begun = monotonic()
        if self._interrupt.requested:
            lane.schedule.interrupted = True
        already_s, at_least_s = lane.run.elapsed_s, 0.0 if lane.measured_s else AT_LEAST_S
        lane.until = lane.begun + measuring_s(lane.run.settings.mode.budget, already_s, at_least_s)
        measuring = lane.worker.begin(lane.schedule.measure(sorted(names), already_s, at_least_s))
        lane.measuring = measuring
        measuring.add_done_callback(lambda done: self._ended.put((lane, done)))

    def _next(self) -> _Lane | None:
        """A target whose measuring has ended, or that is not waited for any more; None if there is none yet."""
        try:
            lane, done = self._ended.get(timeout=BEAT_S if self._waiting else LOOK_S)
        except Empty:
            return self._given_up()
        if lane.measuring is not done:
            return None
        done.result()
        return lane

    def _given_up(self) -> _Lane | None:
        """One that does not come back in time, or for an impatient user; it is left alone."""
        if monotonic() - self._looked < LOOK_S:
            return None
        self._looked = monotonic()
        for lane in self._active:
            if monotonic() > lane.until + OVERDUE_S or self._interrupt.hurried:
                lane.schedule.interrupted = self._interrupt.requested
                lane.schedule.leave(lane.worker.stuck_in())
                return lane
        return None

    def _advance(self, lane: _Lane) -> None:
        """Judge; measure once more where what others are blocked by was not selected, else report."""
        lane.measuring = None
        lane.measured_s += monotonic() - lane.begun
        for check_id in sorted(lane.due, key=lambda id_: LAST in self._checks[id_].parameters):
            within_s = self._patience(lane.run)
            judge_check(lane.run, self._found, self._checks[check_id], lane.schedule, 0, lane.judged, within_s)
        lane.due = blockers(lane.judged, self._checks)
        if lane.due:
            self._measure(lane)
            return
        self._active.discard(lane)
        facts = Facts(schedule=lane.schedule, measured_s=lane.measured_s)
        lane.job.finished(report_of(lane.run, 0, lane.judged, facts, whole=lane.job.whole, logs=lane.job.logs))

    def _patience(self, run: Run) -> float:
        """Seconds that a user's own check may take now."""
        if self._interrupt.hurried:
            return 0.05
        return max(0.05, run.settings.mode.budget + LATE_CHECKS_S - run.elapsed_s)
