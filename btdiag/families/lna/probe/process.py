"""The browser's process as the run sees it: started, answered by one line, and gone when the run is gone."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import subprocess
import sys
import threading
from dataclasses import dataclass

from btdiag.families.lna.plan import BrowserPlan

ANSWER_LIMIT = 8 * 1024 * 1024  # bytes of its answer; screenshots are most of it
ENDING = 3.5  # seconds it gets to close its browsers when the run ends first
_FOREIGN = ("PW", "PLAYWRIGHT_", "NODE_OPTIONS", "PYTHONSTARTUP")


@dataclass(slots=True)
class BrowserProcess:
    """The process, and the line that it will have printed: by then its browsers are closed."""

    process: subprocess.Popen[bytes]
    line: asyncio.Future[bytes]

    @classmethod
    def started(cls, plan: BrowserPlan) -> BrowserProcess:
        """Start it in a session of its own, so that Ctrl-C reaches the run alone; it ends when its stdin closes."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "btdiag.families.lna.probe.chromium"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        loop = asyncio.get_running_loop()
        started = cls(process, loop.create_future())
        atexit.register(started.end)
        threading.Thread(target=started._serve, args=(loop, plan.line()), name="browser process", daemon=True).start()
        return started

    def _serve(self, loop: asyncio.AbstractEventLoop, plan: bytes) -> None:
        """Hand over the plan, wait for the line, and see the process off."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        line = b""
        with contextlib.suppress(OSError, ValueError):  # it ended at once, or the run let go of it at once
            self.process.stdin.write(plan)
            self.process.stdin.flush()
            line = self.process.stdout.readline(ANSWER_LIMIT)
        with contextlib.suppress(RuntimeError):  # the run ended first and closed its loop
            loop.call_soon_threadsafe(self._deliver, line)
        self.process.stdout.close()
        self.process.wait()
        atexit.unregister(self.end)

    def _deliver(self, line: bytes) -> None:
        if not self.line.done():
            self.line.set_result(line)

    async def answer(self) -> bytes:
        """The line, when it comes; empty when the process ended without one."""
        return await self.line

    def let_go(self) -> None:
        """Tell it to end, without waiting: it closes its browsers by itself."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()

    def end(self) -> None:
        """Wait until it is gone, as long as it may need to close its browsers."""
        self.let_go()
        try:
            self.process.wait(ENDING)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
