"""What the schedule and its neighbours speak of: which task, what it came to, and whom to tell of its progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple


class Key(NamedTuple):
    """One measurement on one target (None: the run itself) on one route (None: not per address)."""

    name: str
    target_number: int | None
    label: str | None = None

    @property
    def text(self) -> str:
        """How reports name it: "connection@127.0.0.2"."""
        return f"{self.name}@{self.label}" if self.label else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOutcome:
    """What a task came to. `chain_s` is the longest chain of idle waits that led here; times in seconds of the run."""

    value: object
    started_s: float
    duration_s: float
    chain_s: float = 0.0
    crash: str | None = None


@dataclass(frozen=True, slots=True)
class Events:
    """Callbacks for a progress display, of names and seconds; `tick` gets how many of how many measurements have ended.
    `targets` gets how many of how many targets have a report, and how many of those need attention. None may block."""

    ended: Callable[[str], None] = lambda name: None
    waiting: Callable[[str, str, float], None] = lambda name, what, seconds: None
    provisional: Callable[[str, str], None] = lambda check_id, reason: None
    tick: Callable[[int, int], None] = lambda done, of: None
    targets: Callable[[int, int, int], None] = lambda done, of, bad: None
