"""From results and facts to the finished report, with every secret removed."""

from __future__ import annotations

import platform
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from btdiag import __version__
from btdiag.core.address import Space, space
from btdiag.core.evidence import to_json
from btdiag.core.finding import Verdict, leading
from btdiag.core.measurement import NotMeasured
from btdiag.core.report import CheckResult, MeasurementRecord, Report, ReportSet, RunInfo, Vantage
from btdiag.core.target import Route, Target
from btdiag.engine import outcome
from btdiag.engine.interrupt import EXIT_CODE as INTERRUPTED
from btdiag.engine.job import Run
from btdiag.engine.judging import Judged
from btdiag.engine.schedule import Schedule
from btdiag.engine.shown import secrets_of, shown_target, withheld_keys
from btdiag.report import verdicts
from btdiag.report.causes import headline_of_many
from btdiag.report.documents import MOST_WHOLE
from btdiag.report.headline import headline, headline_of_set
from btdiag.report.path import path_of
from btdiag.report.redact import redact


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was measured, and how many seconds that took."""

    schedule: Schedule
    measured_s: float

    def records(self, number: int) -> tuple[MeasurementRecord, ...]:
        """Every measurement on a target, in the order of their beginnings."""
        found = []
        for key, done in self.schedule.outcomes.items():
            if key.target_number not in (None, number) or key.name.endswith("@*"):
                continue
            missing = done.value.reason if isinstance(done.value, NotMeasured) else None
            found.append(
                MeasurementRecord(
                    name=key.text,
                    started_s=round(max(0.0, done.started_s), 4),
                    duration_s=round(done.duration_s, 4),
                    fact=None if missing is not None else to_json(done.value),
                    missing=missing,
                )
            )
        return tuple(sorted(found, key=lambda record: (record.started_s, record.name)))

    def addresses(self, number: int) -> int:
        """How many ways to the target there are."""
        return len(self._routes(number))

    def private(self, number: int, target: Target) -> bool:
        """Is one of them no public address?"""
        found = [route.address for route in self._routes(number)]
        return any(one is not None and space(one, target.address_spaces) is not Space.PUBLIC for one in found)

    def _routes(self, number: int) -> tuple[Route, ...]:
        routes = self.schedule.value("routes", number) if "routes" in self.schedule.registry else ()
        return routes if isinstance(routes, tuple) else ()


def set_of(reports: Sequence[Report], *, left_out: int = 0) -> ReportSet:
    """The reports of several targets; `left_out` of them were not begun when the run was interrupted."""
    told = headline_of_many(reports) if len(reports) > MOST_WHOLE else headline_of_set(reports)
    return ReportSet(
        verdict=leading(report.verdict for report in reports),
        headline=f"{told}. Interrupted: {left_out} more were not begun" if left_out else told,
        reports=tuple(reports),
    )


def slim_report(report: Report) -> Report:
    """What is kept of a report where there are many: verdicts, summaries, and what to do; no evidence and no facts."""
    return replace(
        report, measurements=(), not_seen=(), path=(), checks=tuple(_slim_check(check) for check in report.checks)
    )


def _slim_check(check: CheckResult) -> CheckResult:
    if check.verdict in (Verdict.PASS, Verdict.SKIP):
        return replace(check, evidence=(), measurements=(), sources=(), why="", rerun="", remedy=None)
    remedy = replace(check.remedy, snippets=()) if check.remedy else None
    return replace(check, evidence=(), measurements=(), sources=(), why="", remedy=remedy)


def report_of(run: Run, number: int, judged: Judged, facts: Facts, *, whole: bool = True) -> Report:
    """The finished report of one target, with every secret removed; only what `slim_report` leaves of it unless
    `whole`."""
    target = run.targets[number]
    resolved = outcome.with_root_causes(judged.results, judged.also, judged.unless)
    today = run.started_at.date()
    entries = [outcome.waive(entry, run.settings.waivers, today) for entry in resolved.values()]
    checks = tuple(verdicts.by_path(entries))
    records = facts.records(number) if whole else ()
    code = INTERRUPTED if run.interrupt.requested else verdicts.exit_code_of(checks, run.settings.output.fail_on)
    report = Report(
        tool_version=__version__,
        run=_run_info(run, target, facts, code),
        target=shown_target(target),
        verdict=verdicts.overall(checks),
        root_cause=verdicts.root_cause(checks),
        headline=headline(
            checks,
            url=target.url,
            addresses=facts.addresses(number),
            requests=facts.schedule.requests_sent if len(run.targets) == 1 else 0,
            private=target.scheme == "https" and facts.private(number, target),
            interrupted_after_s=facts.measured_s if run.interrupt.requested else None,
        ),
        counts=verdicts.counts(checks),
        path=path_of(checks),
        checks=checks,
        not_seen=(*outcome.not_seen(resolved), *withheld_keys(target, records)),
        measurements=records,
    )
    return redact(report if whole else slim_report(report), secrets_of(target))


def _run_info(run: Run, target: Target, facts: Facts, code: int) -> RunInfo:
    chains = [done.chain_s for done in facts.schedule.outcomes.values()]
    return RunInfo(
        id=run.id,
        started_at=run.started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        duration_s=round(facts.measured_s, 3),
        longest_wait_s=round(max(chains, default=0.0), 3),
        interrupted=run.interrupt.requested,
        options=run.settings.shown,
        exit_code=code,
        requests_sent=facts.schedule.requests_sent,
        vantage=Vantage(
            hostname=socket.gethostname(),
            platform=_platform(),
            python=platform.python_version(),
            proxies={target.proxy.source: target.proxy.url} if target.proxy else {},
        ),
    )


@cache
def _platform() -> str:
    return platform.platform()
