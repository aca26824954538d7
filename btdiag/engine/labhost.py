"""Starts and stops the embedded lab: a process of its own that serves while its standard input stays open.

What the process says is waited for and read within bounds: something in this installation (a `sitecustomize`, a broken
library) may make it print what it likes, or nothing.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any

from btdiag.config import UsageError

# Generating keys and binding sockets takes a quarter of a second here; a busy machine gets plenty.
START_BUDGET_S = 20.0
# An announcement has 2 kB, the list of all scenarios 200 kB.
LONGEST_ANNOUNCEMENT = 1 << 20
LONGEST_LIST = 1 << 24
LONGEST_ERROR = 1 << 14
WRONG_USAGE = 2
_LISTED = {
    "name": str,
    "summary": str,
    "fails": list,
    "warns": list,
    "inconclusive": list,
    "skips": list,
    "passes": list,
    "options": list,
}


class LabError(Exception):
    """The lab's process did not do what it always does: a fault of this installation, not of the user's command."""


@dataclass(slots=True)
class LabProcess:
    """A lab that was told to start; `ready` waits for what it serves."""

    scenario: str
    process: subprocess.Popen[bytes]

    def ready(self) -> Mapping[str, Any]:
        """The lab's announcement ({"target": {...}, ...}), waited for; UsageError if the scenario does not exist or its
        port is taken, LabError if the process says anything else or nothing."""
        line = _said(self.process, self.process.stdout, _line, LONGEST_ANNOUNCEMENT)
        if line is None:
            raise LabError(f"lab:{self.scenario} did not say within {START_BUDGET_S:g} s what it serves")
        if not line:
            self._ended()
        announcement = _json(line)
        target = announcement.get("target") if isinstance(announcement, dict) else None
        if not isinstance(target, dict) or not isinstance(target.get("url"), str):
            raise LabError(f"lab:{self.scenario} said something else than what it serves: {line[:80]!r}")
        found: Mapping[str, Any] = announcement
        return found

    def _ended(self) -> None:
        """Raise what there is to say about a lab that closed its output instead of serving."""
        said = _said(self.process, self.process.stderr, _all, LONGEST_ERROR)
        code = _ended_with(self.process)
        last = said.decode("utf-8", "replace").strip().splitlines()[-1:] if said else []
        if code == WRONG_USAGE and last:
            raise UsageError(last[0])
        raise LabError(f"lab:{self.scenario} ended before it served ({code}): {last[0] if last else 'without a word'}")

    def stop(self) -> None:
        """End the lab and wait until it is gone."""
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        _ended_with(self.process)


def start(scenario: str, *arguments: str) -> LabProcess:
    """Start a lab without waiting for it. In a session of its own, so that Ctrl-C reaches the run alone."""
    return LabProcess(scenario, _start((scenario, *arguments)))


@contextmanager
def labs_of(names: Iterable[str]) -> Iterator[dict[str, LabProcess]]:
    """The labs of all `lab:` targets among the names, started at once, ended whatever happens."""
    labs: dict[str, LabProcess] = {}
    try:
        for name in names:
            if name.startswith("lab:"):
                labs[name] = start(name.removeprefix("lab:"))
        yield labs
    finally:
        for lab in labs.values():
            lab.stop()


def _start(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "btdiag.lab", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def declared_scenarios() -> list[dict[str, Any]]:
    """All scenarios with the verdicts they declare, as `btdiag lab --list --format json` prints them; LabError if the
    lab's process does not tell."""
    lab = LabProcess("--list", _start(("--list", "--json")))
    try:
        said = _said(lab.process, lab.process.stdout, _all, LONGEST_LIST)
    finally:
        lab.stop()
    listed = _json(said or b"")
    if not isinstance(listed, list) or not listed or not all(map(_is_scenario, listed)):
        raise LabError(f"the lab did not list its scenarios, but said {(said or b'')[:80]!r}")
    return listed


def _is_scenario(entry: object) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(name), kind) for name, kind in _LISTED.items())


def _json(text: bytes) -> Any:
    """The JSON value, None for anything else."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _line(stream: IO[bytes], limit: int) -> bytes:
    return stream.readline(limit)


def _all(stream: IO[bytes], limit: int) -> bytes:
    return stream.read(limit)


def _said(
    process: subprocess.Popen[bytes], stream: IO[bytes] | None, read: Callable[[IO[bytes], int], bytes], limit: int
) -> bytes | None:
    """What the process says, at most `limit` bytes; None, and the process is ended, if it takes too long."""
    assert stream is not None
    found: list[bytes] = []
    # A thread, for not every platform can wait for a pipe with a time limit.
    reader = threading.Thread(target=lambda: found.append(read(stream, limit)), daemon=True)
    reader.start()
    reader.join(START_BUDGET_S)
    if reader.is_alive():
        _kill(process)
        reader.join(1.0)
        return None
    return found[0] if found else b""


def _ended_with(process: subprocess.Popen[bytes]) -> int:
    """The exit code of a process that has been told to end."""
    try:
        return process.wait(1.0)
    except subprocess.TimeoutExpired:
        _kill(process)
        return process.wait()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and those that it started: they hold the same pipes."""
    if sys.platform == "win32":
        process.kill()
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
