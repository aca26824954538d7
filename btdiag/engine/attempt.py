"""What becomes of one check on one target: a finding, an assertion, a missing fact, or a crash."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from btdiag.core.finding import Finding, NotHeldError
from btdiag.core.measurement import NotMeasured
from btdiag.engine.checks import Check
from btdiag.engine.crash import crash_text, said
from btdiag.engine.soundness import sound


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What became of one check on one target: a finding, an assertion's text, a missing fact, or a crash."""

    finding: Finding | None = None
    assertion: str | None = None
    missing: tuple[tuple[str, NotMeasured], ...] = ()
    crash: str | None = None
    duration_s: float = 0.0


@dataclass(slots=True)
class Running:
    """The check that runs at the moment, and what it has come to so far."""

    check: Check
    result: object = None
    missing: tuple[tuple[str, NotMeasured], ...] = ()
    error: BaseException | None = None
    left: bool = False
    started: float = field(default_factory=time.perf_counter)

    def call(self, check: Callable[[], object]) -> None:
        """Run the check; what it raises is kept, whatever it is, unless nobody waits for it any more."""
        result, error = None, None
        try:
            result = check()
        except BaseException as raised:  # SystemExit of a user's check must not end the run
            error = raised
        if not self.left:
            self.result, self.error = result, error

    def leave(self, why: str) -> None:
        """Wait no longer."""
        self.left, self.error = True, TimeoutError(why)

    def attempt(self) -> Attempt:
        duration = time.perf_counter() - self.started
        match self.error:
            case None if self.missing:
                return Attempt(missing=self.missing, duration_s=duration)
            case None if self.result is None:
                return Attempt(duration_s=duration)
            case None if isinstance(self.result, Finding):
                return self._found(self.result, duration)
            case None:
                crash = f"the check returned {type(self.result).__name__}; it must return a Finding or nothing"
                return Attempt(crash=crash, duration_s=duration)
            case NotHeldError() as error:
                return self._found(getattr(error, "finding", None), duration)
            case AssertionError() as error:
                return Attempt(assertion=(said(error) or "the assertion failed"), duration_s=duration)
            case error:
                return Attempt(crash=crash_text(error), duration_s=duration)

    def _found(self, finding: Any, duration: float) -> Attempt:
        if not self.check.own:
            return Attempt(finding=finding, duration_s=duration)
        try:
            return Attempt(finding=sound(finding), duration_s=duration)
        except Exception as error:  # a user's finding may be anything, one that fails when it is read included
            return Attempt(crash=f"the check's finding cannot be used: {said(error)}", duration_s=duration)
