"""Runs btdiag's command line in forks of a process that has loaded it: as in a process of its own from the first
argument to the exit code, without the half second of loading that many runs would pay again and again."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType

from tests.support.cli import CLEAN, Done

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 120


class Loaded:
    """Processes that have loaded btdiag, each for one run at a time: `with Loaded(3) as loaded: loaded.run(...)`."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._processes: list[subprocess.Popen[str]] = []
        self._idle: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()

    def __enter__(self) -> Loaded:
        command = [sys.executable, "-m", "tests.support.loaded"]
        pipe = subprocess.PIPE
        for _ in range(self._number):
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=CLEAN, cwd=ROOT)
            self._processes.append(process)
            self._idle.put(process)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.communicate()

    def run(self, *arguments: str) -> Done:
        """`btdiag run` with these arguments; waits until a process is idle."""
        process = self._idle.get()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with tempfile.TemporaryDirectory() as folder:
                out, err = Path(folder, "out"), Path(folder, "err")
                process.stdin.write(json.dumps([("run", *arguments), str(out), str(err)]) + "\n")
                process.stdin.flush()
                return Done(int(process.stdout.readline()), out.read_text("utf-8"), err.read_text("utf-8"))
        finally:
            self._idle.put(process)


def serve() -> None:
    """Fork for each line of stdin ([arguments, file for stdout, file for stderr]); answers the exit code."""
    import_module("btdiag.engine.catalogue").list_checks("json", None)  # loads the checks, the probes and pytest
    import_module("btdiag.engine.command")
    import_module("btdiag.engine.delivery")
    entry = import_module("btdiag.entry").entry
    gc.freeze()
    for line in sys.stdin:
        arguments, *files = json.loads(line)
        child = os.fork()
        if child == 0:
            signal.alarm(LIMIT_S)
            try:
                for number, name in enumerate((os.devnull, *files)):
                    os.dup2(os.open(name, os.O_RDWR | os.O_CREAT, 0o600), number)
                entry(arguments)
            finally:
                os._exit(99)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()
