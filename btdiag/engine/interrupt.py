"""Ctrl-C, SIGTERM and SIGHUP at any moment: what was measured is still judged and written.

While a run is on, the first signal ends the measuring, a second one every wait for it, a third one the process. At
other times a signal ends the command (KeyboardInterrupt).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from types import FrameType

EXIT_CODE = 130
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interrupt:
    """How often the user asked to stop. `patient` tells that there is something to finish first."""

    def __init__(self) -> None:
        self.count = 0
        self.patient = False
        self._tell: Callable[[], None] = lambda: None

    @property
    def requested(self) -> bool:
        """Was the run asked to end?"""
        return self.count > 0

    @property
    def hurried(self) -> bool:
        """Was it asked twice: write what there is, at once?"""
        return self.count > 1

    def install(self) -> None:
        """Take over the signals; one that is ignored (nohup ignores SIGHUP) stays so."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if not self.patient:
            raise KeyboardInterrupt
        if self.count > 2:
            os._exit(EXIT_CODE)
        self._tell()

    def ask(self) -> None:
        """What a signal would ask for, by a program: to end the measuring, the second time to end every wait for it."""
        self.count += 1
        self._tell()

    def tell(self, listener: Callable[[], None]) -> None:
        """Call this at a signal, from now on, and at once if there was one already. It must not block."""
        self._tell = listener
        if self.requested:
            listener()

    def sleep(self, seconds: float) -> bool:
        """Let seconds pass between runs; False if a signal came meanwhile."""
        end = time.monotonic() + seconds
        while not self.requested and (left := end - time.monotonic()) > 0:
            time.sleep(min(0.1, left))
        return not self.requested


INTERRUPT = Interrupt()
"""The one of this process: the entry point installs it before anything else is imported."""
