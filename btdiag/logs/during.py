"""What load balancers write while a run is on: `btdiag run --logs PATH`.

Before the run the end of each file is noted; after it, what came behind that is read, and of that what the run's own
volleys met. What others met meanwhile, and what the run's other requests provoked on purpose, is not judged here:
`btdiag logs PATH` judges whole files.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from btdiag.logs import reading
from btdiag.logs.account import FileAccount
from btdiag.logs.claims import RACE, ToldTimeouts
from btdiag.logs.command import judged
from btdiag.logs.house import CheckResult, UsageError, Verdict, plain
from btdiag.logs.quoting import Quoter
from btdiag.logs.runs import ReportedRun, RunSearch, arrived

LATE_S, _PAUSE_S = 3.0, 0.25  # a writer may hold lines back for a moment; nobody waits longer for it
_HEAD = 200  # lines from the beginning of a file that tell its format
_SIBLINGS = 10_000  # entries of a folder among which a rotated file is looked for


@dataclass(frozen=True, slots=True)
class LogEnd:
    """Where a log ended when the run began; `file` is which file that was (device and inode)."""

    path: str
    file: tuple[int, int]
    size: int


def log_ends(paths: Sequence[str | Path]) -> tuple[LogEnd, ...]:
    """Note where the files end now. UsageError for what cannot be read, is no plain file, or is packed."""
    found = []
    for path in reading.log_files([str(path) for path in paths]):
        if path == "-" or not os.path.isfile(path):
            raise UsageError(f"--logs {plain(path)}: is no file: name one that the load balancer writes to")
        with reading.opened_log(path):
            told = os.stat(path)
        if not reading.is_packed_file(path):  # nobody writes on to those
            found.append(LogEnd(path, (told.st_dev, told.st_ino), told.st_size))
    if paths and not found:
        raise UsageError(f"--logs {plain(str(paths[0]))}: holds no log that is still being written")
    return tuple(found)


def told_of_run(
    ends: Sequence[LogEnd], run: ReportedRun, told: ToldTimeouts, *, late_s: float = LATE_S
) -> list[CheckResult]:
    """What the logs say of the run: whether its requests arrived, the race by its volleys, and what else befell them.
    Waits so many seconds for lines that are written late."""
    quoter = Quoter(anonymize=False)
    accounts = _accounts(ends, run)
    until = time.monotonic() + late_s
    while not _found(accounts) and time.monotonic() < until:
        time.sleep(_PAUSE_S)
        accounts = _accounts(ends, run)
    known = [account for account in accounts if account.product]
    checks = judged(known, told, quoter, fail_on="never").checks if run.sent and known else ()
    notable = [check for check in checks if check.id == RACE or check.verdict not in (Verdict.PASS, Verdict.SKIP)]
    return [*notable, arrived(run, accounts, quoter, complete=True)]


def _found(accounts: Sequence[FileAccount]) -> int:
    return sum(account.watch.found for account in accounts if account.watch)


def _accounts(ends: Sequence[LogEnd], run: ReportedRun) -> list[FileAccount]:
    return [_account(path, begin, end.path, run) for end in ends for path, begin in _pieces(end)]


def _pieces(end: LogEnd) -> Iterator[tuple[str, int]]:
    """Files, and from where on each was written since: the same one, what a rotation made of it and what took its
    place, or one that was cut and begun anew."""
    path = Path(end.path)
    here = _identity(path)
    if here == end.file:
        yield end.path, end.size if path.stat().st_size >= end.size else 0
        return
    with os.scandir(path.parent) as entries:
        for entry in islice(entries, _SIBLINGS):
            if entry.name.startswith(path.name) and _identity(Path(entry.path)) == end.file:
                yield entry.path, end.size
                break
    if here is not None:
        yield end.path, 0


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_dev, told.st_ino


def _account(path: str, begin: int, known_as: str, run: ReportedRun) -> FileAccount:
    account = FileAccount(known_as, watch=RunSearch(run, alone=True))
    with open(path, "rb") as file:
        if begin:
            with reading.opened_log(path) as head:
                account.prime(line for _, line in islice(reading.log_lines(head), _HEAD))
        end = os.fstat(file.fileno()).st_size
        part = io.BufferedReader(reading.Part(file, begin, end), reading.BLOCK)
        account.read(reading.log_lines(cast(BinaryIO, part)))
    return account
