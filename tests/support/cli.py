"""Runs btdiag as a user does: its command line in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Nothing of the machine that runs the tests may decide their outcome.
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if not name.lower().endswith("_proxy")
    and not name.startswith(("BRAINTRUST_", "PYTEST_", "COVERAGE_"))
    and name not in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "NODE_OPTIONS")
    and name not in ("NO_COLOR", "FORCE_COLOR")
}
# How a process that measures coverage makes its children do so.
TRACED = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
# What an interpreter reads as it starts.
AT_START = ("PYTHON", "LC_", "LANG")
# Nothing but loopback is ever contacted: the control plane of a test is a closed port of this machine.
CLEAN["BRAINTRUST_APP_URL"] = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Done:
    """A finished call."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """The output as a JSON report."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict of each check by id."""
        return {check["id"]: check["verdict"] for check in self.report["checks"]}


def btdiag(
    *arguments: str,
    cwd: Path | None = None,
    env: Mapping[str, str | None] | None = None,
    timeout: float = 60,
    traced: bool = False,
    prefix: Sequence[str] = (),
    own_process: bool = False,
) -> Done:
    """Call `btdiag` with these arguments in a clean environment (plus `env`, less what is None there); `traced` counts
    what it covers, which takes nearly twice as long: for what no test reaches within this process. `prefix` is a
    command that runs it elsewhere, in a namespace. `own_process`: from the interpreter's start, for what is about
    loading; else in a fork of one that has loaded."""
    given = {**CLEAN, **(TRACED if traced else {}), **(env or {})}
    environment = {name: value for name, value in given.items() if value is not None}
    if not (own_process or traced or prefix or any(name.startswith(AT_START) for name in env or ())):
        from tests.support.loaded import shared

        return shared().call(arguments, cwd or Path.cwd(), environment, timeout)
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "btdiag", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        timeout=timeout,
        errors="strict",
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def run_json(target: str, *arguments: str, **more: Any) -> Done:
    """`btdiag run --target ... --format json` without files."""
    return btdiag("run", "--target", target, "--format", "json", "--no-files", *arguments, **more)
