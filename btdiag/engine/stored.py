"""What is done with stored reports: shown in any format, compared, merged, and packed for a ticket."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from btdiag.config import UsageError
from btdiag.config.reading import read_stdin, read_text
from btdiag.engine.mouth import painted
from btdiag.report.documents import Context, Document, ReportFileError, reports_of
from btdiag.report.escape import plain
from btdiag.report.formats import render
from btdiag.report.json_ import load
from btdiag.report.verdicts import exit_code

INTERRUPTED = 130
# A report has about 1 MB, one of fifty targets 50 MB; what is larger is none of ours.
LARGEST_FILE = 64 * 1024 * 1024


def read_document(path: Path) -> Document:
    """A stored report.json; "-" is stdin. UsageError if it cannot be read or is none."""
    try:
        if str(path) == "-":
            return load(read_stdin(LARGEST_FILE, ""))
        return load(read_text(path / "report.json" if path.is_dir() else path, LARGEST_FILE, ""))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except ReportFileError as error:
        raise UsageError(f"{path}: {error}") from None


def _print(document: Document, format_: str, context: Context, stdout: TextIO) -> None:
    text = render(document, format_, context)
    print(text.rstrip("\n"), file=painted(stdout) if context.color else stdout)


def code_of(document: Document) -> int:
    """The exit code with which the run that made it ended."""
    codes = {report.run.exit_code for report in reports_of(document)}
    return next((code for code in (INTERRUPTED, 1, 3) if code in codes), 0)


def print_report(path: Path, format_: str, context: Context, stdout: TextIO) -> int:
    """Print a stored report in a format; exits as the run did."""
    document = read_document(path)
    _print(document, format_, context, stdout)
    return code_of(document)


def print_comparison(old: str, new: str, store: Path, format_: str, width: int, stdout: TextIO) -> int:
    """Print what changed between two files, or runs of a store (TARGET@last-pass); 1 when something got worse,
    UsageError when the reports are of different targets."""
    from btdiag.report import compare as comparing
    from btdiag.report import compare_text

    try:
        found = comparing.compared(_either(old, store), _either(new, store))
    except comparing.DifferentTargetsError as error:
        raise UsageError(str(error)) from None
    print(compare_text.render(found, format_, width=width).rstrip("\n"), file=stdout)
    return 1 if comparing.got_worse(found) else 0


def _either(name: str, store: Path) -> Document:
    from btdiag.engine import past

    return past.referred(store, name) if past.is_reference(name) else read_document(Path(name))


def print_merged(paths: Sequence[Path], format_: str, context: Context, stdout: TextIO) -> int:
    """Print the reports of one target from several places as one; the worst place decides the exit code."""
    from btdiag.report.merge import merged_reports

    try:
        document = merged_reports([read_document(path) for path in paths])
    except ReportFileError as error:
        raise UsageError(str(error)) from None
    _print(document, format_, context, stdout)
    return exit_code(document, context.fail_on)


def write_bundle(
    folder: Path, output: Path | None, *, anonymize: bool, sure: bool, stdout: TextIO, stderr: TextIO
) -> int:
    """Show what a zip for a ticket would hold, ask, and write it; never over an existing file."""
    from btdiag.engine.doctor import examine
    from btdiag.report.bundle import bundled_files, pack, preview

    document = read_document(folder)
    environment = {condition.name: f"{condition.state}: {condition.detail}" for condition in examine()}
    entries = bundled_files(document, anonymize=anonymize, environment={"this machine": dict(environment)})
    path = output or Path(f"{folder.resolve() if folder.is_dir() else folder.resolve().parent}.zip")
    print(preview(entries), file=stderr)
    if not sure and not _agreed(path, stderr):
        return 0
    try:
        with path.open("xb") as file:
            file.write(pack(entries))
    except FileExistsError:
        raise UsageError(f"{path}: exists already: name another file with --output") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}: name another file with --output") from None
    print(plain(str(path)), file=stdout)
    return 0


def _agreed(path: Path, stderr: TextIO) -> bool:
    if not sys.stdin or not sys.stdin.isatty():
        raise UsageError("nobody is here to agree to this list: give --yes to write it")
    print(f"Write {plain(str(path))}? [y/N] ", end="", file=stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
