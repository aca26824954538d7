"""What a run says on stderr while it goes: a live line with rich on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TextIO

from btdiag.engine.mouth import painted
from btdiag.engine.tasks import Events

# Shorter waits are over before anybody has read about them.
WORTH_SAYING_S = 1.0
WORTH_COUNTING = 20  # targets


class PlainProgress:
    """One line for each thing worth knowing: long waits, and what is already known to be broken."""

    def __init__(self, stream: TextIO, clean: Callable[[str], str]) -> None:
        self._stream = stream
        self._clean = clean
        self._said: set[str] = set()

    @property
    def events(self) -> Events:
        """The callbacks for the schedule."""
        return Events(waiting=self._waiting, provisional=self._provisional, targets=self._targets)

    def live(self) -> AbstractContextManager[object]:
        """Shown while measuring; nothing to keep here."""
        return nullcontext()

    def say(self, text: str) -> None:
        """Print a line, once."""
        line = self._clean(text)
        if line not in self._said:
            self._said.add(line)
            print(f"btdiag: {line}", file=self._stream, flush=True)

    def _targets(self, done: int, of: int, bad: int) -> None:
        """Of many a line for every tenth."""
        if of >= WORTH_COUNTING and done * 10 // of > (done - 1) * 10 // of:
            self.say(_counted(done, of, bad))

    def _waiting(self, name: str, what: str, seconds: float) -> None:
        if seconds >= WORTH_SAYING_S:
            self.say(f"waiting {seconds:.0f} s: {what}")

    def _provisional(self, check_id: str, reason: str) -> None:
        self.say(f"already known: {check_id} fails: {reason}")


class LiveProgress(PlainProgress):
    """The same, with a line that moves: what is measured, and how long the longest wait still takes."""

    def __init__(self, stream: TextIO, clean: Callable[[str], str]) -> None:
        super().__init__(stream, clean)
        from rich.console import Console
        from rich.status import Status

        self._console = Console(file=painted(stream))
        self._status = Status("starting", console=self._console)
        self._waits: dict[str, tuple[str, float]] = {}

    @property
    def events(self) -> Events:
        return Events(
            ended=self._ended,
            waiting=self._waiting,
            provisional=self._provisional,
            tick=self._tick,
            targets=self._targets,
        )

    def live(self) -> AbstractContextManager[Any]:
        return self._status

    def say(self, text: str) -> None:
        line = self._clean(text)
        if line not in self._said:
            self._said.add(line)
            self._console.print(f"btdiag: {line}", markup=False, highlight=False)

    def _targets(self, done: int, of: int, bad: int) -> None:
        if of > 1:
            self._status.update(self._escaped(_counted(done, of, bad)))

    def _ended(self, name: str) -> None:
        self._waits.pop(name, None)

    def _waiting(self, name: str, what: str, seconds: float) -> None:
        self._waits[name] = (what, time.monotonic() + seconds)

    def _tick(self, done: int, of: int) -> None:
        now = time.monotonic()
        waits = [(until - now, what) for what, until in self._waits.values() if until > now]
        left, what = max(waits, default=(0.0, ""))
        wait = f"; waiting {left:.0f} s more: {what}" if what else ""
        self._status.update(self._escaped(f"{done} of {of} measured{wait}"))

    def _escaped(self, text: str) -> str:
        from rich.markup import escape

        return escape(self._clean(text))


def _counted(done: int, of: int, bad: int) -> str:
    attention = f", {bad:,} need attention" if bad else ""
    return f"{done:,} of {of:,} targets{attention}"


class NoProgress(PlainProgress):
    """Says nothing."""

    def say(self, text: str) -> None:
        """Nothing."""


def progress(stream: TextIO, clean: Callable[[str], str], *, wanted: bool) -> PlainProgress:
    """The display that fits: none if it is not wanted, live on a terminal, plain lines otherwise."""
    if not wanted:
        return NoProgress(stream, clean)
    return LiveProgress(stream, clean) if stream.isatty() else PlainProgress(stream, clean)
