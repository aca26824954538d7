"""Where a finished report goes: files in a folder of its own, files that were asked for, and stdout."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from btdiag.config import Settings, UsageError
from btdiag.core.elsewhere import Elsewhere
from btdiag.core.report import Report, ReportSet
from btdiag.engine import outbound
from btdiag.engine.mouth import painted
from btdiag.engine.outbound import Outbox
from btdiag.report.documents import MOST_WHOLE, Context, reports_of
from btdiag.report.escape import plain
from btdiag.report.formats import render
from btdiag.report.verdicts import exit_code

FILES = {"json": "report.json", "html": "report.html", "junit": "report.xml", "markdown": "report.md"}


def deliver(
    document: Report | ReportSet,
    chosen: Settings,
    outbox: Outbox,
    environment: Mapping[str, str],
    stdout: TextIO,
    stderr: TextIO,
    place: Path | None = None,
    before: Sequence[Path] = (),
) -> int:
    """Write the files (into `place` where the reports have a folder already, beside those written `before`) and send
    what is bound elsewhere, print the chosen format, return the exit code: that of the report, whatever the format.
    Lines of JSON were printed before. What could not be written (a full disk) or sent is told last, as UsageError: the
    answer is worth more."""
    output = chosen.output
    color = output.color if output.color is not None else color_fits(stdout, environment)
    context = Context(
        fail_on=output.fail_on, width=width_of(stdout), verbose=-1 if output.quiet else 2 if output.verbose else 0
    )
    files: list[tuple[Path, str]] = []
    if outbox.folder is not None:
        place = place or new_folder(outbox.folder, _named_after(document))
        files += [(place / file, name) for name, file in FILES.items()]
    files += [(outbox.path(there), name) for name, there in output.reports]
    written, unwritten = _write_all(files, document, context)
    sent, unsent = outbox.send([*before, *written])
    shown = replace(context, color=color, files=tuple(map(str, sent)))
    if output.format != "ndjson":
        print(render(document, output.format, shown).rstrip("\n"), file=painted(stdout) if color else stdout)
    elif not output.quiet:
        print(f"btdiag: {document.verdict}: {plain(document.headline)}", file=stderr)
    if output.format != "text" and sent and not output.quiet:
        print(f"btdiag: wrote {plain(', '.join(map(str, sent)))}", file=stderr)
    if (trouble := unwritten or unsent) is not None:
        raise trouble
    if any(report.run.interrupted for report in reports_of(document)):
        return 130
    return exit_code(document, output.fail_on)


def color_fits(stdout: TextIO, environment: Mapping[str, str]) -> bool:
    """Does a person look at it on a terminal that knows colours?"""
    return stdout.isatty() and environment.get("TERM") != "dumb"


def width_of(stdout: TextIO) -> int:
    """The columns of the terminal, within what reads well; 100 where there is none."""
    try:
        return max(60, min(140, os.get_terminal_size(stdout.fileno()).columns))
    except (OSError, ValueError, AttributeError):
        return 100


@contextmanager
def writable(chosen: Settings) -> Iterator[Outbox]:
    """Where the report files will go, checked before anything is measured. Leaves no empty folder behind if the run
    does not come about."""
    for _, path in chosen.output.reports:
        if isinstance(path, Path) and not path.parent.is_dir():
            raise UsageError(f"--report: the folder {path.parent} does not exist")
    outbound.look(chosen.output)
    folder = chosen.output.directory
    if not chosen.output.files:
        yield Outbox()
        return
    if isinstance(folder, Elsewhere):
        yield Outbox(folder=outbound.staging(), directory=folder)
        return
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--output {folder}: {error.strerror}: choose another folder, or --no-files") from None
    if not os.access(folder, os.W_OK):
        raise UsageError(f"--output {folder}: may not be written to: choose another folder, or --no-files")
    try:
        yield Outbox(folder=folder)
    except BaseException:
        if new:
            with suppress(OSError):
                folder.rmdir()
        raise


def _write_all(
    files: Sequence[tuple[Path, str]], document: Report | ReportSet, context: Context
) -> tuple[list[Path], UsageError | None]:
    """Write each in its format; gives those that are there, and why the first of the others is not."""
    written, trouble = [], None
    for path, name in files:
        try:
            if name != "ndjson" or len(reports_of(document)) <= MOST_WHOLE:
                write(path, render(document, name, context))
            written.append(path)
        except UsageError as error:
            trouble = trouble or error
    return written, trouble


def _named_after(document: Report | ReportSet) -> str:
    reports = reports_of(document)
    return file_host(reports[0]) if len(reports) == 1 else f"{len(reports)}-targets"


def file_host(report: Report) -> str:
    """The host of the target, as a part of a file's name."""
    host = str(report.target.get("host", "target"))
    return "".join(character if character.isalnum() or character in ".-" else "-" for character in host)[:80]


def new_folder(folder: Path, name: str) -> Path:
    """<UTC time>-<name> in the folder, with a number where that exists already."""
    base = f"{datetime.now(UTC).strftime('%Y%m%dT%H%M%SZ')}-{name}"
    for number in range(1, 1000):
        place = folder / (base if number == 1 else f"{base}-{number}")
        try:
            place.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(f"--output {folder}: {error.strerror}: choose another folder, or --no-files") from None
        return place
    raise UsageError(f"--output {folder}: too many reports of this second: choose another folder")


def write(path: Path, text: str) -> None:
    """The whole file or none: whoever is killed meanwhile leaves no half of a report. What is no ordinary file (a pipe,
    /dev/stdout) is written to as it is."""
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
            return
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".btdiag-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}: choose another place") from None


def _umask() -> int:
    """What a new file may not be allowed; it can only be read by being set."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
