"""A log that is still being written: says of each kind of failure when it is sure, while the log is read on.

A file is read from its beginning and then followed, over rotation too; a pipe as it comes. What is said so far rests on
what was read so far: the summary at the end counts.
"""

from __future__ import annotations

import io
import os
import select
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from btdiag.logs import judging, reading, times
from btdiag.logs.account import FileAccount
from btdiag.logs.event import KINDS
from btdiag.logs.house import UsageError, plain
from btdiag.logs.rows import KindRow, rows_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PAUSE_S = 0.5
"""Seconds without a new line after which it is looked whether there is something to say."""

_LIVE_S = 10.0  # a log whose last line is not older is being written now
_SHARE = 10  # judging takes at most one part of so many of the time


class Live:
    """Reads one log while it is written, and tells each kind once. `interrupted`: Ctrl-C ended it."""

    def __init__(self, tell: Callable[[str], object], *, pause_s: float = PAUSE_S) -> None:
        self.interrupted = False
        self._tell, self._pause_s = tell, pause_s
        self._told: set[str] = set()
        self._seen = -1
        self._next = 0.0

    def read(self, account: FileAccount, since: float | None, until: float | None) -> FileAccount:
        """Read to the end, or to Ctrl-C; the account of what was read by then."""
        try:
            if account.path == "-" and _descriptor() is None:
                with reading.opened_log("-") as file:
                    account.read(reading.log_lines(file), since, until)
                return account
            with self._source(account) as raw:
                file = reading.unpacking(io.BufferedReader(raw, reading.BLOCK))
                account.read(reading.log_lines(file), since, until)
        except KeyboardInterrupt:
            self.interrupted = True
            return account.snapshot()
        return account

    def _source(self, account: FileAccount) -> io.RawIOBase:
        descriptor = _descriptor() if account.path == "-" else None
        if descriptor is not None:
            return _Piped(descriptor, self._pause_s, lambda paused: self._look(account, paused))
        if os.path.exists(account.path) and not os.path.isfile(account.path):
            raise UsageError(f"--follow {plain(account.path)}: is no file; a pipe is read with: ... | btdiag logs -")
        with reading.opened_log(account.path):
            pass
        return _Followed(account.path, self._pause_s, lambda paused: self._look(account, paused))

    def _look(self, account: FileAccount, paused: bool) -> None:
        """Say what has become sure, where the log pauses, or is written without a pause."""
        now = time.monotonic()
        size = account.requests + account.quick + account.entries
        if size == self._seen or now < self._next or not (paused or account.reaches(time.time() - _LIVE_S)):
            return
        judged = judging.judge_log(account.snapshot())
        for row in rows_of(judged):
            if row.sure and row.kind not in self._told:
                self._told.add(row.kind)
                self._tell(_line(row))
        self._seen, spent = size, time.monotonic() - now
        self._next = now + max(self._pause_s, spent * _SHARE)


def _descriptor() -> int | None:
    """That of standard input; None where it is none of the system's, or the system cannot wait for it."""
    try:
        return sys.stdin.fileno() if hasattr(os, "readv") else None
    except (OSError, ValueError):
        return None


def _line(row: KindRow) -> str:
    first = min(row.events, key=lambda event: event.line)
    of = f" of {row.of:,} requests" if row.of else ""
    said = f"{row.count:,}{of} {'was' if row.count == 1 else 'were'} {KINDS[row.kind]}"
    return f"{times.shown(float(int(row.since)))}  {row.kind}: {said} ({plain(row.file)}:{first.line})\n"


class _Piped(io.RawIOBase):
    """A pipe; `look` is called before each read, with True when nothing came for the time of a pause."""

    def __init__(self, descriptor: int, pause_s: float, look: Callable[[bool], None]) -> None:
        self._descriptor, self._pause_s, self._look = descriptor, pause_s, look

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """As a file does: 0 at its end."""
        self._look(False)
        while not select.select([self._descriptor], [], [], self._pause_s)[0]:
            self._look(True)
        return os.readv(self._descriptor, [buffer])


class _Followed(io.RawIOBase):
    """A file that grows; one that takes its name is read after it, one that was cut from its beginning. No end."""

    def __init__(self, path: str, pause_s: float, look: Callable[[bool], None]) -> None:
        self._path, self._pause_s, self._look = path, pause_s, look
        self._file: BinaryIO = open(path, "rb", buffering=0)  # noqa: SIM115

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        super().close()

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Waits where a file ends."""
        self._look(False)
        room = memoryview(buffer).cast("B")
        while not (data := self._file.read(len(room))):
            self._look(True)
            time.sleep(self._pause_s)
            self._turn()
        room[: len(data)] = data
        return len(data)

    def _turn(self) -> None:
        """To the beginning, where the file was cut or another has its name."""
        try:
            about = os.stat(self._path)
        except OSError:
            return
        own = os.fstat(self._file.fileno())
        if (about.st_dev, about.st_ino) == (own.st_dev, own.st_ino):
            if own.st_size < self._file.tell():
                self._file.seek(0)
            return
        if own.st_size > self._file.tell():
            return
        try:
            later = open(self._path, "rb", buffering=0)  # noqa: SIM115
        except OSError:
            return
        self._file.close()
        self._file = later
