"""One run from settings to report: collect, measure everything at once, judge, put the reports together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from time import monotonic

from btdiag import __version__, config
from btdiag.config import Settings, UsageError
from btdiag.core.report import Report, ReportSet
from btdiag.core.target import Target
from btdiag.engine.checks import Check, checks_folder, select
from btdiag.engine.interrupt import Interrupt
from btdiag.engine.job import Run
from btdiag.engine.judging import LAST, Judged, blockers, judge
from btdiag.engine.labhost import LabProcess
from btdiag.engine.packages import installed
from btdiag.engine.registry import shipped
from btdiag.engine.reporting import Facts, document
from btdiag.engine.rerun import command
from btdiag.engine.schedule import Schedule
from btdiag.engine.session import Collected, CollectionError, Result, with_checks
from btdiag.engine.tasks import Events
from btdiag.engine.worker import Worker

# After the budget's end the measuring has handed over what it saw; a loop that is still not back is blocked.
OVERDUE_S = 1.0
# How long a user's own check may take after the budget's end, all of them together.
LATE_CHECKS_S = 1.0


def execute(
    settings: Settings, targets: Sequence[Target], events: Events, interrupt: Interrupt, *, guest: bool = False
) -> Report | ReportSet:
    """Collect, measure, judge, report; UsageError when the checks of the user cannot be used. `guest`: see below."""
    run = Run(settings=settings, targets=targets, events=events, interrupt=interrupt)
    return collected(settings.checks, lambda found: _run(run, found), guest=guest)


def _run(run: Run, found: Collected) -> Report | ReportSet:
    """From the collected checks to the report. What others are blocked by is judged too, and measured where nobody had
    selected it."""
    worker = Worker()
    try:
        return _measured_and_judged(run, found, worker)
    finally:
        run.interrupt.tell(lambda: None)
        worker.close()


def _measured_and_judged(run: Run, found: Collected, worker: Worker) -> Report | ReportSet:
    checks = {check.id: check for check in found.checks}
    _waivers_fit(run.settings, checks)
    schedule = _schedule(run, found)
    judged = [Judged() for _ in run.targets]
    due = {number: tuple(check.id for check in chosen(found.checks, run.settings)) for number in range(len(judged))}
    measured_s = 0.0
    while any(due.values()):
        begun = monotonic()
        _measure(
            run, schedule, worker, {name for ids in due.values() for id_ in ids for name in checks[id_].parameters}
        )
        measured_s += monotonic() - begun
        for number, ids in due.items():
            for check_id in sorted(ids, key=lambda id_: LAST in checks[id_].parameters):
                judge(run, found, checks[check_id], schedule, number, judged[number], _patience(run))
            due[number] = blockers(judged[number], checks)
    facts = Facts(schedule=schedule, measured_s=measured_s)
    return document(run, judged, facts)


def _measure(run: Run, schedule: Schedule, worker: Worker, names: set[str]) -> None:
    """Measure in the worker's loop; one that does not come back in time, or for an impatient user, is left alone."""
    latest = run.started + run.settings.mode.budget + OVERDUE_S

    def give_up() -> bool:
        return monotonic() > latest or run.interrupt.hurried

    run.interrupt.tell(lambda: worker.call_soon(schedule.stop))
    if not worker.run(schedule.measure(sorted(names), already_s=run.elapsed_s), give_up):
        schedule.interrupted = run.interrupt.requested
        schedule.leave(worker.stuck_in())


def _patience(run: Run) -> float:
    """Seconds that a user's own check may take now."""
    if run.interrupt.hurried:
        return 0.05
    return max(0.05, run.settings.mode.budget + LATE_CHECKS_S - run.elapsed_s)


def _schedule(run: Run, found: Collected) -> Schedule:
    return Schedule(
        registry=found.registry,
        mode=run.settings.mode,
        targets=run.targets,
        user_agent=f"btdiag/{__version__} ({run.id})",
        events=run.events,
        longer=lambda number: command(run.settings, run.targets[number], (), without=("quick", "budget")),
    )


def chosen(checks: Sequence[Check], settings: Settings) -> tuple[Check, ...]:
    """The checks that the settings select; UsageError for a pattern that fits none."""
    try:
        found = select(checks, settings.only, settings.skip)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not found:
        raise UsageError("--only and --skip leave no check at all")
    return found


def _waivers_fit(settings: Settings, checks: Collection[str]) -> None:
    """UsageError for a waiver of a check that does not exist: it would be believed to work."""
    for waiver in settings.waivers:
        if waiver.id not in checks:
            close = get_close_matches(waiver.id, checks, 1)
            raise UsageError(f"[[waive]] {waiver.id}: no such check" + (f"; did you mean {close[0]}?" if close else ""))


def resolve_targets(settings: Settings, labs: Mapping[str, LabProcess]) -> list[Target]:
    """The Target of every URL of the settings; those of labs as soon as they serve."""
    found = []
    for name in settings.urls:
        if name in labs:
            found.append(config.lab_target(settings, labs[name].scenario, labs[name].ready()["target"]))
        else:
            found.append(config.target(settings, name))
    return found


def collected(places: Sequence[Path], body: Callable[[Collected], Result], *, guest: bool = False) -> Result:
    """What `body` makes of all checks: the shipped ones, those of installed packages, and those of the user's folders
    and files; UsageError if they cannot be collected. A `guest` in somebody else's process never ends that."""
    folders = [(checks_folder(), False), *((place, True) for place in (*installed(), *places))]
    try:
        return with_checks(folders, shipped(), body, guest=guest)
    except CollectionError as error:
        raise UsageError(f"--checks: {error}" if places else str(error)) from None
