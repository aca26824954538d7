"""The lab as a fork of a process that has loaded it, for a run that is itself such a fork: hundreds of runs would else
each wait a fifth of a second for their lab to be loaded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import IO

from btdiag.lab import serve, world  # noqa: F401 - what a lab loads as soon as it serves
from btdiag.lab.scenario import scenarios

scenarios()  # loads them all, before any fork


class ForkedLab:
    """What `btdiag.engine.labhost` uses of a `subprocess.Popen[bytes]`."""

    def __init__(self, pid: int, stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes]) -> None:
        self.pid, self.stdin, self.stdout, self.stderr = pid, stdin, stdout, stderr
        self.returncode: int | None = None

    @classmethod
    def start(cls, arguments: Sequence[str]) -> ForkedLab:
        """A lab with these arguments, in a session of its own."""
        read_in, write_in = os.pipe()
        read_out, write_out = os.pipe()
        read_err, write_err = os.pipe()
        pid = os.fork()
        if pid == 0:
            _serve(arguments, read_in, write_out, write_err)
        for one in (read_in, write_out, write_err):
            os.close(one)
        return cls(pid, os.fdopen(write_in, "wb"), os.fdopen(read_out, "rb"), os.fdopen(read_err, "rb"))

    def poll(self) -> int | None:
        """The exit code, None while it serves."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float = 60.0) -> int:
        """Wait for its end; subprocess.TimeoutExpired after `timeout` seconds."""
        end = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("the lab", timeout)
            time.sleep(0.005)
        return code

    def kill(self) -> None:
        """End it at once."""
        os.kill(self.pid, signal.SIGKILL)


def _serve(arguments: Sequence[str], *streams: int) -> None:
    """In the fork: nothing of the run's is left but what it had loaded."""
    code = 70
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for caught in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
            signal.signal(caught, signal.SIG_DFL)
        for number, one in enumerate(streams):
            os.dup2(one, number)
        os.closerange(3, 1024)
        sys.stdin, sys.stdout, sys.stderr = map(os.fdopen, (0, 1, 2), "rww")
        code = serve.main(arguments)
    finally:
        os._exit(code)
