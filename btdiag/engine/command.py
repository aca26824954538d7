"""`btdiag run` from flags to exit code: labs started, the run made (or repeated), the report delivered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from btdiag.config import Settings, Waiver, settings
from btdiag.core.report import Report, ReportSet
from btdiag.core.target import Target
from btdiag.engine import labhost
from btdiag.engine.interrupt import EXIT_CODE, Interrupt

if TYPE_CHECKING:
    from btdiag.engine.progress import PlainProgress


def run_command(
    flags: Mapping[str, Any],
    environment: Mapping[str, str],
    folder: Path,
    stdout: TextIO,
    stderr: TextIO,
    interrupt: Interrupt,
) -> int:
    """Do what `btdiag run` with these flags is to do; returns the exit code, raises UsageError."""
    interrupt.patient = True
    chosen = settings(flags, environment, folder)
    with labhost.labs_of(chosen.urls) as labs:
        # pytest, the probes and the formats are loaded while the labs start
        from btdiag.engine import delivery, repeat
        from btdiag.engine.dryrun import plan
        from btdiag.engine.run import execute, resolve_targets
        from btdiag.engine.spool import Spool
        from btdiag.engine.stage import hushed

        _say(chosen, stderr)
        targets = resolve_targets(chosen, labs)
        if chosen.dry_run:
            print(plan(chosen, targets), file=stdout)
            return 0
        display = _display(chosen, targets, stderr)

        def attempt(changed: Settings, ended: Callable[[Report], None] | None = None) -> Report | ReportSet:
            with hushed():  # what a user's measurements print
                return execute(changed, targets, display.events, interrupt, ended)

        if chosen.watch is not None:
            return repeat.watch_target(chosen, attempt, interrupt, stdout)
        with delivery.writable(chosen) as place, display.live():
            spool = Spool(chosen, place, stdout)
            with closing(spool):
                document = repeat.until_healthy(chosen, lambda changed: attempt(changed, spool.taker), interrupt)
            stopped = interrupt.requested
    code = delivery.deliver(document, chosen, place, environment, stdout, stderr, spool.place, spool.written)
    return EXIT_CODE if stopped else code


def _say(chosen: Settings, stderr: TextIO) -> None:
    """What the user should know of the settings before anything is sent."""
    from btdiag.report.escape import plain

    for note in (*chosen.notes, *expired(chosen.waivers, date.today())):
        print(f"btdiag: {plain(note)}", file=stderr)


def _display(chosen: Settings, targets: Sequence[Target], stderr: TextIO) -> PlainProgress:
    """What is shown while the run lasts, without a secret in it."""
    from btdiag.engine.progress import progress
    from btdiag.engine.shown import secrets_of
    from btdiag.report.escape import plain
    from btdiag.report.redact import redact_text

    secrets = [secret for target in targets for secret in secrets_of(target)]
    wanted = chosen.output.progress and not chosen.output.quiet
    return progress(stderr, lambda text: plain(redact_text(text, secrets)), wanted=wanted)


def expired(waivers: Sequence[Waiver], today: date) -> list[str]:
    """A note for each waiver whose date is over: what it accepted counts again."""
    over = [waiver for waiver in waivers if waiver.until < today]
    return [f"the waiver of {waiver.id} ended on {waiver.until.isoformat()}: it counts again" for waiver in over]
