"""What pytest and a user's files change in a process while they collect or judge. It is put back before the run goes on
to measure, and touches no other thread: the process may be somebody else's, and make two runs at once."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO, cast

MOST_OUTPUT = 1 << 16
WATCHDOG = "btdiag watchdog"
"""The name of the thread that may speak while all others are hushed: its words are the last."""
# CI changes how long assertion texts may be; the rest steers pytest itself.
FOREIGN_VARIABLES = ("CI", "BUILD_NUMBER")

_ONE_AT_A_TIME = threading.RLock()
"""Two sessions may be open at once, but one of them alone collects or judges: both change the same variables."""


class Swallowed(io.StringIO):
    """Takes what files print while they are loaded or judged: keeps the beginning, and cannot be closed."""

    def write(self, text: str) -> int:
        """Keep it if there is room."""
        if self.tell() < MOST_OUTPUT:
            super().write(text[:MOST_OUTPUT])
        return len(text)

    def close(self) -> None:
        """Stays open: pytest and the engine still write to it."""


class Stage:
    """Where pytest works: its variables hidden, and what its threads print kept in `output`."""

    def __init__(self) -> None:
        self.output = Swallowed()
        self._threads: set[int] = set()
        self._left = ExitStack()

    @contextmanager
    def on(self) -> Iterator[None]:
        """Enter it; nobody else is on theirs meanwhile."""
        self._enter()
        try:
            yield
        finally:
            self._left.close()

    @contextmanager
    def off(self) -> Iterator[None]:
        """Leave it for a while: the process is as it was."""
        self._left.close()
        try:
            yield
        finally:
            self._enter()

    def joined(self) -> None:
        """This thread works for the stage too: what it prints is kept while somebody is on it."""
        self._threads.add(threading.get_ident())

    def _enter(self) -> None:
        self.joined()
        with ExitStack() as stack:
            stack.enter_context(_ONE_AT_A_TIME)
            stack.enter_context(_own_environment())
            stack.enter_context(self._silence("stdout"))
            stack.enter_context(self._silence("stderr"))
            self._left = stack.pop_all()

    @contextmanager
    def _silence(self, name: str) -> Iterator[None]:
        before = getattr(sys, name)
        mine = cast(TextIO, _Silence(before, self.output, lambda: threading.get_ident() in self._threads))
        setattr(sys, name, mine)
        try:
            yield
        finally:
            if getattr(sys, name) is mine:  # another thread may have put its own there, and puts ours back later
                setattr(sys, name, before)


class _Silence:
    """A stream that keeps what is written while `kept` says so of the thread that writes, and hands on all else."""

    def __init__(self, stream: TextIO | None, output: Swallowed, kept: Callable[[], bool]) -> None:
        self._stream = stream
        self._output = output
        self._kept = kept

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output if self._stream is None or self._kept() else self._stream, name)


@contextmanager
def hushed() -> Iterator[None]:
    """Nothing that any thread prints is seen, but for the watchdog's words: for a process of our own."""

    def kept() -> bool:
        return threading.current_thread().name != WATCHDOG

    output = Swallowed()
    out = cast(TextIO, _Silence(sys.stdout, output, kept))
    err = cast(TextIO, _Silence(sys.stderr, output, kept))
    with redirect_stdout(out), redirect_stderr(err):
        yield


@contextmanager
def _own_environment() -> Iterator[None]:
    hidden = {
        name: value for name, value in os.environ.items() if name.startswith("PYTEST_") or name in FOREIGN_VARIABLES
    }
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.startswith("PYTEST_")]:
            del os.environ[name]
        os.environ.update(hidden)
