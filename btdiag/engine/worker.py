"""An event loop in a thread of its own: what blocks it (a user's own measurement) cannot hold up the run."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import Any

LOOK_S = 0.1  # how often the caller looks if it has to give up
CLOSING_S = 0.5  # how long a loop may take to end


class Worker:
    """Runs coroutines in its thread, one call after the other. The thread is a daemon: the process ends without it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="btdiag measuring", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.set_exception_handler(lambda loop, context: None)  # what is abandoned was told in the report
        self.loop.run_forever()
        if left := asyncio.all_tasks(self.loop):
            for task in left:
                task.cancel()
            self.loop.run_until_complete(asyncio.wait(left, timeout=LOOK_S))
        self.loop.close()

    def close(self) -> None:
        """Let the loop end; one that does not come back is left to itself."""
        self.call_soon(self.loop.stop)
        self._thread.join(CLOSING_S)

    def begin(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        """Let the work begin; what becomes of it is told by the future."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def run(self, work: Coroutine[Any, Any, None], give_up: Callable[[], bool]) -> bool:
        """Wait for the work; False if it was given up, for the loop does not come back. What it raises is raised."""
        future = self.begin(work)
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
