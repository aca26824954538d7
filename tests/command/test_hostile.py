"""Servers that mean harm: each run ends in time, in little memory, with a failure and without a control character."""

from __future__ import annotations

import subprocess
import sys

import pytest

from btdiag.engine.labhost import declared_scenarios
from tests.support.cli import CLEAN, run_json

HOSTILE = [entry["name"] for entry in declared_scenarios() if entry["name"].startswith("hostile-")]
MEMORY_LIMIT_MIB = 200
CONTROL = {chr(number) for number in (*range(32), *range(127, 160))} - {"\n"}


def test_there_are_eight_of_them() -> None:
    assert len(HOSTILE) >= 8


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_server_is_told_for_what_it_is(name: str) -> None:
    done = run_json(f"lab:{name}", "--budget", "12s", "--browser", "none", timeout=20)
    failed = [check for check in done.report["checks"] if check["verdict"] == "fail"]
    assert done.code == 1
    assert {check["family"] for check in failed} & {"readiness", "connection"}
    assert done.report["run"]["duration_s"] <= 12
    assert not set(done.out + done.err) & CONTROL


def test_a_bomb_stays_small_in_memory() -> None:
    script = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    command = [sys.executable, "-m", "btdiag", "run", "--target", "lab:hostile-gzip-bomb", "--no-files"]
    done = subprocess.run(
        [sys.executable, "-c", script, *command, "--budget", "12s", "--browser", "none"],
        capture_output=True,
        text=True,
        check=True,
        env=CLEAN,
    )
    assert int(done.stdout) < MEMORY_LIMIT_MIB * 1024  # KiB on Linux
