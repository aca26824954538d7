"""One run from settings to report: collect, measure everything at once, judge, put the reports together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from btdiag import config
from btdiag.config import Settings, UsageError
from btdiag.core.finding import Verdict
from btdiag.core.report import Report, ReportSet
from btdiag.core.target import Target
from btdiag.engine.checks import Check, checks_folder, select
from btdiag.engine.common import Common
from btdiag.engine.interrupt import Interrupt
from btdiag.engine.job import Run
from btdiag.engine.labhost import LabProcess
from btdiag.engine.lanes import Job, Lanes
from btdiag.engine.packages import installed
from btdiag.engine.registry import shipped
from btdiag.engine.reporting import set_of, slim_report
from btdiag.engine.session import Collected, CollectionError, Result, with_checks
from btdiag.engine.tasks import Events
from btdiag.report.documents import MOST_WHOLE


def execute(
    settings: Settings,
    targets: Sequence[Target],
    events: Events,
    interrupt: Interrupt,
    ended: Callable[[Report], None] | None = None,
    *,
    guest: bool = False,
) -> Report | ReportSet:
    """Collect, measure, judge, report; UsageError when the checks of the user cannot be used. `ended` gets the report
    of each target as soon as there is one; of more than MOST_WHOLE the result has no evidence and no facts. `guest`:
    see below."""
    run = Run(settings=settings, targets=targets, events=events, interrupt=interrupt)
    return collected(settings.checks, lambda found: _run(run, found, ended), guest=guest)


def _run(run: Run, found: Collected, ended: Callable[[Report], None] | None) -> Report | ReportSet:
    """From the collected checks to the report. What others are blocked by is judged too, and measured where nobody had
    selected it."""
    _waivers_fit(run.settings, {check.id for check in found.checks})
    kept: dict[int, Report] = {}
    bad, many = 0, len(run.targets) > MOST_WHOLE

    def finished(number: int, report: Report) -> None:
        nonlocal bad
        if ended is not None:
            ended(report)
        kept[number] = slim_report(report) if many else report
        bad += report.verdict.severity >= Verdict.WARN.severity
        run.events.targets(len(kept), len(run.targets), bad)

    lanes, due = Lanes(found, run.interrupt, run.settings.parallel), due_of(found, run.settings)
    common, several = Common(), len(run.targets) > 1
    for number, target in enumerate(run.targets):
        lanes.put(
            Job(
                run=replace(run, targets=(target,), events=_events(run.events, len(run.targets))),
                due=due,
                finished=partial(finished, number),
                common=common,
                queued=several,
                whole=ended is not None or not many,
            )
        )
    lanes.close()
    left_out = lanes.all()
    reports = [kept[number] for number in sorted(kept)]
    return set_of(reports, left_out=left_out) if several else reports[0]


def _events(events: Events, targets: int) -> Events:
    """What is told of a single target: of several not how far each one is, of many nothing."""
    if targets > MOST_WHOLE:
        return Events()
    return replace(events, tick=Events().tick) if targets > 1 else events


def due_of(found: Collected, settings: Settings) -> tuple[str, ...]:
    """The ids of the checks that the settings select."""
    return tuple(check.id for check in chosen(found.checks, settings))


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
