"""Runs btdiag's command line in forks of a process that has loaded it: as in a process of its own from the first
argument to the exit code, without the half second of loading that many runs would pay again and again."""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from types import TracebackType

from tests.support.cli import CLEAN, Done
from tests.support.forked_lab import ForkedLab

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 120
AT_ONCE = 4
LOADED = (
    "btdiag.engine.command",
    "btdiag.engine.delivery",
    "btdiag.engine.dryrun",
    "btdiag.engine.repeat",
    "btdiag.engine.spool",
    "btdiag.engine.progress",
    "btdiag.store.sqlite",
    "detect_secrets.plugins.aws",
    "dns.rdtypes.IN.A",
    "dns.rdtypes.IN.AAAA",
    "OpenSSL",
    "btdiag.report.html",
    "btdiag.report.text",
    "btdiag.report.json_",
    "rich.console",
)


class Loaded:
    """Up to `number` processes that have loaded btdiag, each for one run at a time, started when they are needed:
    `with Loaded(3) as loaded: loaded.run("--target", ...)`."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._processes: list[subprocess.Popen[str]] = []
        self._idle: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
        self._lock = Lock()

    def __enter__(self) -> Loaded:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.communicate()

    def run(self, *arguments: str) -> Done:
        """`btdiag run` with these arguments."""
        return self.call(("run", *arguments), ROOT, CLEAN)

    def call(self, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], limit_s: float = LIMIT_S) -> Done:
        """`btdiag` with these arguments in a folder and an environment; waits until a process is idle. What takes
        longer than the limit is killed: its exit code is -14."""
        process = self._one()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with tempfile.TemporaryDirectory() as folder:
                out, err = Path(folder, "out"), Path(folder, "err")
                job: dict[str, object] = {"arguments": arguments, "out": str(out), "err": str(err)}
                job |= {"cwd": str(cwd), "env": dict(env), "limit_s": limit_s}
                process.stdin.write(json.dumps(job) + "\n")
                process.stdin.flush()
                code = int(process.stdout.readline())
                return Done(code, out.read_bytes().decode("utf-8"), err.read_bytes().decode("utf-8"))
        finally:
            self._idle.put(process)

    def _one(self) -> subprocess.Popen[str]:
        try:
            return self._idle.get_nowait()
        except Empty:
            pass
        with self._lock:
            if len(self._processes) < self._number:
                command = [sys.executable, "-m", "tests.support.loaded"]
                pipe = subprocess.PIPE
                process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=CLEAN, cwd=ROOT)
                self._processes.append(process)
                return process
        return self._idle.get()


@cache
def shared() -> Loaded:
    """The processes that all tests of this process share."""
    loaded = Loaded(AT_ONCE)
    atexit.register(loaded.close)
    return loaded


def serve() -> None:
    """Fork for each line of stdin, which is one call as JSON; answers the exit code."""
    import_module("btdiag.engine.catalogue").list_checks("json")  # loads the checks, the probes and pytest
    for name in LOADED:
        import_module(name)
    entry = import_module("btdiag.entry").entry
    vars(import_module("btdiag.engine.labhost"))["_start"] = ForkedLab.start
    gc.freeze()
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            signal.setitimer(signal.ITIMER_REAL, job["limit_s"])
            try:
                os.chdir(job["cwd"])
                os.environ.clear()
                os.environ.update(job["env"])
                for number, name in enumerate((os.devnull, job["out"], job["err"])):
                    os.dup2(os.open(name, os.O_RDWR | os.O_CREAT, 0o600), number)
                entry(job["arguments"])
            finally:
                os._exit(99)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()
