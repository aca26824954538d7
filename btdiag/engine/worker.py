"""An event loop in a thread of its own: what blocks it (a user's own measurement) cannot hold up the run."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from concurrent.futures import TimeoutError as NotYet
from typing import Any

LOOK_S = 0.1  # how often the caller looks if it has to give up


class Worker:
    """Runs coroutines in its thread, one call after the other. The thread is a daemon: the process ends without it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="btdiag measuring", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def run(self, work: Coroutine[Any, Any, None], give_up: Callable[[], bool]) -> bool:
        """Wait for the work; False if it was given up, for the loop does not come back. What it raises is raised."""
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        while True:
            try:
                future.result(timeout=LOOK_S)
            except NotYet:
                if future.done():
                    raise
                if give_up():
                    return False
            else:
                return True

    def call_soon(self, function: Callable[[], object]) -> None:
        """Call a function in the loop; from any thread, a signal handler included."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(function)

    def stuck_in(self) -> tuple[str, str]:
        """What a loop that does not come back is busy with: the name of its task, and the last lines of its stack."""
        task = asyncio.current_task(self.loop)
        frame = sys._current_frames().get(self._thread.ident or 0)
        stack = "".join(traceback.format_stack(frame)[-4:]).strip()[-2000:] if frame else ""
        return task.get_name() if task else "", stack
