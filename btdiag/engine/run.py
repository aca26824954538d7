"""One run from settings to report: collect, measure everything at once, judge, put the reports together."""

from __future__ import annotations

import asyncio
import platform
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from btdiag import __version__, config
from btdiag.config import Settings, UsageError
from btdiag.core.evidence import to_json
from btdiag.core.finding import Evidence, Verdict, worst
from btdiag.core.measurement import NotMeasured
from btdiag.core.report import CheckResult, MeasurementRecord, Report, ReportSet, RunInfo, Vantage
from btdiag.core.target import Target
from btdiag.engine import outcome
from btdiag.engine.checks import Check, checks_folder, select
from btdiag.engine.inputs import weightiest
from btdiag.engine.interrupt import Interrupt
from btdiag.engine.labhost import LabProcess
from btdiag.engine.registry import Registry, shipped
from btdiag.engine.rerun import command
from btdiag.engine.schedule import Events, Schedule
from btdiag.engine.session import Attempt, CollectionError
from btdiag.engine.session import run as run_session
from btdiag.engine.shown import secrets_of, shown_target, withheld_keys
from btdiag.report import verdicts
from btdiag.report.redact import redact


@dataclass(slots=True)
class Run:
    """One run over all targets of the settings; the session calls it back (`session.Work`)."""

    settings: Settings
    listed: Sequence[Target]
    events: Events
    interrupt: Interrupt
    started_at: datetime
    started: float
    run_id: str = field(default_factory=lambda: secrets.token_hex(4))
    checks: dict[str, Check] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()
    results: dict[int, dict[str, CheckResult]] = field(default_factory=dict)
    also: dict[int, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    schedule: Schedule | None = None
    loop: asyncio.AbstractEventLoop | None = None
    measured_s: float = 0.0

    @property
    def targets(self) -> int:
        """On how many targets each check runs."""
        return len(self.listed)

    def begin(self, checks: Sequence[Check], registry: Registry) -> None:
        """Select the checks, then measure what they need."""
        self.checks = {check.id: check for check in checks}
        self.chosen = tuple(check.id for check in chosen(checks, self.settings))
        self.schedule = self._schedule(registry)
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self._measure(self.chosen)

    def _measure(self, check_ids: Sequence[str]) -> None:
        """Measure what these checks need and was not measured yet."""
        assert self.schedule is not None
        assert self.loop is not None
        needed = {name for check_id in check_ids for name in self.checks[check_id].parameters}
        stop = self.interrupt.attach(self.loop)
        begun = monotonic()
        self.loop.run_until_complete(self.schedule.measure(sorted(needed), stop, already_s=begun - self.started))
        self.measured_s += monotonic() - begun

    def _schedule(self, registry: Registry) -> Schedule:
        return Schedule(
            registry=registry,
            mode=self.settings.mode,
            targets=self.listed,
            user_agent=f"btdiag/{__version__} ({self.run_id})",
            events=self.events,
            longer=lambda number: command(self.settings, self.listed[number], (), without=("quick", "budget")),
        )

    def value(self, target_number: int, name: str) -> object:
        """What a check gets for a parameter."""
        if name == "target":
            return self.listed[target_number]
        if name == "mode":
            return self.settings.mode
        assert self.schedule is not None
        return self.schedule.value(name, target_number)

    def due(self, target_number: int) -> Sequence[str]:
        """First the selected checks, then those that others are blocked by."""
        judged = self.results.setdefault(target_number, {})
        if not judged:
            return self.chosen
        causes = [entry.because for entry in judged.values() if entry.because]
        causes += [cause for causes in self.also.get(target_number, {}).values() for cause in causes]
        blockers = tuple(dict.fromkeys(cause for cause in causes if cause not in judged and cause in self.checks))
        if blockers:
            self._measure(blockers)  # nobody may have selected them: what they look at is still unknown then
        return blockers

    def judged(self, target_number: int, check_id: str, attempt: Attempt) -> None:
        """Take one outcome."""
        check = self.checks[check_id]
        entry = outcome.result(
            check,
            attempt,
            measurements=self._measurements_of(check),
            rerun=command(self.settings, self.listed[target_number], (check_id,)),
        )
        if entry.verdict is Verdict.INCONCLUSIVE:
            entry = _with_crashes(entry, self._crashes(entry.measurements, target_number))
        self.results.setdefault(target_number, {})[check_id] = entry
        if attempt.missing:
            gap = weightiest([missing for _, missing in attempt.missing])
            self.also.setdefault(target_number, {})[check_id] = gap.also_by

    def _measurements_of(self, check: Check) -> tuple[str, ...]:
        assert self.schedule is not None
        return tuple(spec.name for spec in self.schedule.registry.needs(check.parameters))

    def _crashes(self, names: Sequence[str], number: int) -> list[Evidence]:
        assert self.schedule is not None
        return [
            Evidence(kind="crash", title=f"Where btdiag failed ({key.text})", data=done.crash)
            for key, done in self.schedule.outcomes.items()
            if done.crash and key.name in names and key.target_number in (None, number)
        ]

    # --- report -------------------------------------------------------------------------------------------------------

    def document(self) -> Report | ReportSet:
        """The finished report, or the set of them, with every secret removed."""
        reports = tuple(self._report(number) for number in range(self.targets))
        if len(reports) == 1:
            return reports[0]
        return ReportSet(
            verdict=worst(report.verdict for report in reports),
            headline=verdicts.headline_of_set(reports),
            reports=reports,
        )

    def _report(self, number: int) -> Report:
        target = self.listed[number]
        resolved = outcome.resolve(self.results.get(number, {}), self.also.get(number, {}))
        today = self.started_at.date()
        entries = [outcome.waive(entry, self.settings.waivers, today) for entry in resolved.values()]
        checks = tuple(verdicts.by_path(entries))
        records = self._records(number)
        code = 130 if self.interrupt.requested else verdicts.exit_code_of(checks, self.settings.output.fail_on)
        report = Report(
            tool_version=__version__,
            run=self._run_info(code, target),
            target=shown_target(target),
            verdict=verdicts.overall(checks),
            root_cause=verdicts.root_cause(checks),
            headline=verdicts.headline(checks, url=target.url, addresses=self._addresses(number)),
            counts=verdicts.counts(checks),
            path=verdicts.path(checks),
            checks=checks,
            not_seen=(*outcome.not_seen(resolved), *withheld_keys(target, records)),
            measurements=records,
        )
        return redact(report, secrets_of(target))

    def _addresses(self, number: int) -> int:
        assert self.schedule is not None
        routes = self.schedule.value("routes", number) if "routes" in self.schedule.registry else ()
        return len(routes) if isinstance(routes, tuple) else 0

    def _records(self, number: int) -> tuple[MeasurementRecord, ...]:
        assert self.schedule is not None
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

    def _run_info(self, code: int, target: Target) -> RunInfo:
        assert self.schedule is not None
        chains = [done.chain_s for done in self.schedule.outcomes.values()]
        proxies: dict[str, str] = {}
        if target.proxy is not None:
            proxies[target.proxy.source] = target.proxy.url
        return RunInfo(
            id=self.run_id,
            started_at=self.started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            duration_s=round(self.measured_s, 3),
            longest_wait_s=round(max(chains, default=0.0), 3),
            interrupted=self.interrupt.requested,
            options=self.settings.shown,
            exit_code=code,
            requests_sent=self.schedule.requests_sent,
            vantage=Vantage(
                hostname=socket.gethostname(),
                platform=platform.platform(),
                python=platform.python_version(),
                proxies=proxies,
            ),
        )


def _with_crashes(entry: CheckResult, crashes: Sequence[Evidence]) -> CheckResult:
    return replace(entry, evidence=(*entry.evidence, *crashes)) if crashes else entry


def chosen(checks: Sequence[Check], settings: Settings) -> tuple[Check, ...]:
    """The checks that the settings select; UsageError for a pattern that fits none."""
    try:
        found = select(checks, settings.only, settings.skip)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not found:
        raise UsageError("--only and --skip leave no check at all")
    return found


def folders(settings_dir: Path | None) -> list[tuple[Path, bool]]:
    """The shipped checks and, if there is one, the user's folder."""
    return [(checks_folder(), False), *([(settings_dir, True)] if settings_dir else [])]


def resolve_targets(settings: Settings, labs: Mapping[str, LabProcess]) -> list[Target]:
    """The Target of every URL of the settings; those of labs as soon as they serve."""
    found = []
    for name in settings.urls:
        if name in labs:
            found.append(config.lab_target(settings, labs[name].scenario, labs[name].ready()["target"]))
        else:
            found.append(config.target(settings, name))
    return found


def execute(settings: Settings, targets: Sequence[Target], events: Events, interrupt: Interrupt) -> Report | ReportSet:
    """Measure and judge; raises UsageError when the checks of the user cannot be used."""
    run = Run(
        settings=settings,
        listed=targets,
        events=events,
        interrupt=interrupt,
        started_at=datetime.now(UTC),
        started=monotonic(),
    )
    collect(settings.checks_dir, run)
    return run.document()


def collect(checks_dir: Path | None, work: Any) -> None:
    """Collect all checks and do the work with them; UsageError if they cannot be collected."""
    try:
        run_session(folders(checks_dir), shipped(), work)
    except CollectionError as error:
        raise UsageError(f"--checks: {error}" if checks_dir else str(error)) from None
