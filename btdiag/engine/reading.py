"""Reads a file that somebody names, whatever it turns out to be: never beyond a limit, never waiting for a writer."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from btdiag.config import UsageError

# A FIFO without a writer would hold an ordinary open for ever, and a terminal would become the controlling one.
_HOW = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_PIECE = 1 << 20


def read_bounded(path: Path, limit: int, what: str) -> bytes:
    """The bytes of a regular file of at most `limit` bytes. `what` names in the message what was looked for ("the path
    of a report.json"). UsageError for anything else: devices, FIFOs, folders, what is too large or cannot be read."""
    try:
        _regular(os.stat(path), path, what)  # before the opening: merely to open some devices does something
        descriptor = os.open(path, _HOW)
        try:
            _regular(os.fstat(descriptor), path, what)
            return _read(descriptor, path, limit)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}: give {what}") from None
    except ValueError:
        raise UsageError(f"{path}: is no path: give {what}") from None


def _regular(status: os.stat_result, path: Path, what: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = "is a folder" if stat.S_ISDIR(status.st_mode) else "is no ordinary file"
        raise UsageError(f"{path}: {kind}: give {what}")


def _read(descriptor: int, path: Path, limit: int) -> bytes:
    """All of it; what a file says of its size is not relied upon."""
    pieces = []
    left = limit + 1
    while left > 0 and (piece := os.read(descriptor, min(left, _PIECE))):
        pieces.append(piece)
        left -= len(piece)
    if left <= 0:
        raise UsageError(f"{path}: is larger than {limit:,} bytes")
    return b"".join(pieces)
