"""Starts and stops the embedded lab: a process of its own that serves while its standard input stays open."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from btdiag.config import UsageError

# Generating keys and binding sockets takes a quarter of a second here; a busy machine gets plenty.
START_BUDGET_S = 20.0


@dataclass(slots=True)
class LabProcess:
    """A lab that was told to start; `ready` waits for what it serves."""

    scenario: str
    process: subprocess.Popen[str]

    def ready(self) -> Mapping[str, Any]:
        """The lab's announcement ({"target": {...}, ...}), waited for; UsageError if the scenario does not exist."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(START_BUDGET_S)
            said = self.process.stderr.read().strip() if self.process.stderr else ""
            raise UsageError(said.splitlines()[-1] if said else f"the lab {self.scenario} did not start")
        announcement: Mapping[str, Any] = json.loads(line)
        return announcement

    def stop(self) -> None:
        """End the lab and wait until it is gone."""
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        try:
            self.process.wait(1.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(scenario: str, *arguments: str) -> LabProcess:
    """Start a lab without waiting for it. In a session of its own, so that Ctrl-C reaches the run alone."""
    command = [sys.executable, "-P", "-m", "btdiag.lab", scenario, *arguments]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    return LabProcess(scenario, process)


def scenarios() -> list[dict[str, Any]]:
    """All scenarios with the verdicts they declare, as `btdiag lab --list --format json` prints them."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "btdiag.lab", "--list", "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=START_BUDGET_S,
    )
    listed: list[dict[str, Any]] = json.loads(done.stdout)
    return listed
