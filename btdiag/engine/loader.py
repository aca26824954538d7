"""What of a folder of the user's own checks is loaded, looked at before pytest is: pytest would follow links out of it,
read what never ends, and tell of a broken file in many lines. What loading takes is bounded in time as well."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TextIO

from btdiag.config import UsageError
from btdiag.config.reading import read_bytes
from btdiag.engine.stage import WATCHDOG
from btdiag.report.escape import plain

# A folder of checks has a handful of files; these bounds tell it from a home folder or a whole disk given by mistake.
MOST_ENTRIES = 10_000
MOST_FILES = 500
DEEPEST = 12
LARGEST_FILE = 1 << 20
# The shipped checks load in half a second; this leaves time for imports of the user's from a slow disk.
LOADING_S = 20.0
# What pytest passes over in silence; a folder of libraries holds no checks.
_PASSED_OVER = frozenset({"__pycache__", "_darcs", "build", "CVS", "dist", "node_modules", "venv", "{arch}"})


class CollectionError(Exception):
    """The checks could not be collected: a broken file of the user's, or an id or measurement that exists twice."""


@dataclass(frozen=True, slots=True)
class OwnChecks:
    """Where checks lie that did not ship (folders, single files), and the files there that were looked at."""

    places: tuple[Path, ...]
    files: frozenset[Path] = frozenset()

    def passed_over(self, path: Path) -> bool:
        """Is it something in a place that is neither one of the files nor on the way to one?"""
        if path in self.files or not any(path.is_relative_to(place) for place in self.places):
            return False
        return not any(file.is_relative_to(path) for file in self.files)


def own_checks(*places: Path) -> OwnChecks:
    """What is to be loaded from there, looked at; CollectionError says what is wrong with a place or a file in it."""
    files: set[Path] = set()
    for place in places:
        try:
            files |= _own_files(place.resolve())
        except UsageError as error:
            raise CollectionError(str(error)) from None
        except OSError as error:
            raise CollectionError(f"{error.filename or place}: {error.strerror}") from None
    return OwnChecks(tuple(place.resolve() for place in places), frozenset(files))


def _own_files(place: Path) -> frozenset[Path]:
    """The file, or the files check_*.py under the folder, each of which is Python as far as reading tells. Links to
    folders are not followed, a link to a file is."""
    if "::" in str(place) or "[" in str(place):
        raise UsageError(f"{place}: pytest takes [ and :: in a name for part of a test id: rename it")
    found = [place] if place.is_file() else sorted(_walk(place))
    if not found:
        raise UsageError(f"{place}: holds no file check_*.py")
    for file in found:
        _compiles(file)
    return frozenset(found)


def _walk(folder: Path) -> Iterator[Path]:
    """Breadth first, so that what is too large is seen to be before its depths are searched."""
    level, entries, files = [folder], 0, 0
    for _ in range(DEEPEST):
        below = []
        for place in level:
            with os.scandir(place) as listed:
                for entry in listed:
                    entries += 1
                    if entry.is_dir(follow_symlinks=False):
                        below += [Path(entry.path)] if _looked_into(entry) else []
                    elif entry.name.startswith("check_") and entry.name.endswith(".py"):
                        files += 1
                        yield Path(entry.path)
                    if entries > MOST_ENTRIES or files > MOST_FILES:
                        many = f"{MOST_FILES} files check_*.py" if files > MOST_FILES else f"{MOST_ENTRIES:,} files"
                        raise UsageError(f"{folder}: holds more than {many}: name a folder of checks alone")
        level = below
    if level:
        raise UsageError(f"{folder}: is more than {DEEPEST} folders deep at {level[0].name}")


def _looked_into(entry: os.DirEntry[str]) -> bool:
    return (
        entry.name not in _PASSED_OVER
        and not entry.name.startswith(".")
        and not entry.name.endswith(".egg")
        and not os.path.lexists(os.path.join(entry.path, "pyvenv.cfg"))
    )


def _compiles(file: Path) -> None:
    source = read_bytes(file, LARGEST_FILE, "")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, str(file), "exec", dont_inherit=True)
    except SyntaxError as error:
        where = f" in line {error.lineno}" if error.lineno else ""
        raise UsageError(f"{file}: cannot be loaded: {error.msg}{where}") from None
    except (ValueError, ArithmeticError, RecursionError, MemoryError) as error:
        raise UsageError(f"{file}: cannot be loaded: {str(error) or type(error).__name__}") from None


def reason_of(told: str) -> str:
    """What was raised, out of pytest's account of a file that it could not load: the last lines marked with E."""
    reason: list[str] = []
    for line in reversed(told.strip().splitlines()):
        if line.startswith("E "):
            reason.append(line.removeprefix("E ").strip())
        elif reason:
            break
    return " ".join(reversed(reason)) or " ".join(told.strip().splitlines()[-1:]) or "it fails without a word"


class Watchdog:
    """Ends the program with a line and exit code 2 when loading the user's files takes too long. Nothing less ends a
    file that loops: it may catch every exception. One that holds the interpreter's lock in C code is not ended."""

    def __init__(self, places: Sequence[Path], stderr: TextIO) -> None:
        self._places = places
        self._stderr = stderr
        self._thread = threading.main_thread().ident
        self._timer = threading.Timer(LOADING_S, self._give_up)
        self._timer.daemon = True
        self._timer.name = WATCHDOG

    def begin(self) -> None:
        """From now on."""
        self._timer.start()

    def end(self) -> None:
        """Loading is over."""
        self._timer.cancel()

    def _give_up(self) -> None:
        at = _place(sys._current_frames().get(self._thread or 0), self._places)
        text = f"--checks {at or self._places[0]}: is still being loaded after {LOADING_S:g} s: it must not run or wait"
        self._stderr.write(f"btdiag: {plain(text)}\n")
        self._stderr.flush()
        os._exit(2)


def _place(frame: FrameType | None, places: Sequence[Path]) -> str:
    """File and line of the innermost frame that belongs to one of the places, "" if there is none."""
    while frame is not None:
        if any(Path(frame.f_code.co_filename).is_relative_to(place) for place in places):
            return f"{frame.f_code.co_filename} line {frame.f_lineno}"
        frame = frame.f_back
    return ""


@contextmanager
def watched(places: Sequence[Path]) -> Iterator[Watchdog | None]:
    """A watchdog over the loading of those places (none: nothing to watch), which leaves no compiled files there."""
    if not places:
        yield None
        return
    watch, writes = Watchdog(places, sys.stderr), sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    watch.begin()
    try:
        yield watch
    finally:
        watch.end()
        sys.dont_write_bytecode = writes
