"""Runs that are made again: `--wait` until the target is healthy, `--watch` for as long as somebody looks.

Neither induces the keep-alive race twice: only the first run may.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic
from typing import TextIO

from btdiag.config import Settings
from btdiag.core.report import Report, ReportSet
from btdiag.engine.interrupt import Interrupt
from btdiag.report import json_
from btdiag.report.documents import reports_of, url_of
from btdiag.report.escape import plain
from btdiag.report.verdicts import exit_code

Document = Report | ReportSet
Attempt = Callable[[Settings], Document]

# Between two attempts: long enough not to be a burden to a target that is starting.
PAUSE_S = 2.0


def until_healthy(settings: Settings, attempt: Attempt, interrupt: Interrupt) -> Document:
    """One run; with `--wait` further ones until one finds nothing, or the time is over. The last one decides."""
    begun = monotonic()
    document, number = attempt(settings), 1
    while settings.wait is not None and exit_code(document, settings.output.fail_on) != 0:
        if monotonic() - begun + PAUSE_S > settings.wait or not interrupt.sleep(PAUSE_S):
            break
        document, number = attempt(without_inducing(settings)), number + 1
    return numbered(document, number)


def without_inducing(settings: Settings) -> Settings:
    """The same, but it must not provoke a race."""
    return replace(settings, mode=replace(settings.mode, induce=False))


def numbered(document: Document, number: int) -> Document:
    """The document with the number of the attempt in sight, if it was not the first."""
    if number == 1:
        return document
    headline = f"{document.headline} (attempt {number})"
    if isinstance(document, ReportSet):
        return replace(document, headline=headline)
    options = {**document.run.options, "attempt": number}
    return replace(document, headline=headline, run=replace(document.run, options=options))


def watch_target(settings: Settings, attempt: Attempt, interrupt: Interrupt, stdout: TextIO) -> int:
    """Run at every interval and print one line for each run: what changed, or the whole report with `--format json`.
    Ends with Ctrl-C (exit code 130)."""
    assert settings.watch is not None
    before: dict[str, str] | None = None
    now = settings
    while not interrupt.requested:
        begun = monotonic()
        document = attempt(now)
        if not interrupt.requested:
            after = verdicts_of(document)
            if settings.output.format == "json":
                print(json.dumps(json.loads(json_.render(document))), file=stdout, flush=True)
            else:
                line = document.headline if before is None else changes(before, after)
                stamp = datetime.now(UTC).strftime("%H:%M:%SZ")
                print(f"{stamp} {document.verdict.value.upper():<12} {plain(line)}", file=stdout, flush=True)
            before, now = after, without_inducing(settings)
        interrupt.sleep(max(0.0, settings.watch - (monotonic() - begun)))
    return 130


def verdicts_of(document: Document) -> dict[str, str]:
    """The verdict of each check; with several targets the target's URL stands before the id."""
    reports = reports_of(document)
    return {
        check.id if len(reports) == 1 else f"{url_of(report)} {check.id}": check.verdict.value
        for report in reports
        for check in report.checks
    }


def changes(before: dict[str, str], after: dict[str, str]) -> str:
    """What changed between two runs, in one line."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    shown = [f"{name} {before.get(name, 'absent')} -> {after.get(name, 'absent')}" for name in names]
    return "; ".join(shown) or "no change"
