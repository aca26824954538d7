"""What tests need of a machine: where it is missing they are skipped, but fail in CI, for nobody would miss them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

FETCHED = Path(os.environ.get("BTDIAG_SDKS") or Path.home() / ".cache" / "btdiag-sdks")
"""Where tests/sdks.sh puts what it fetches."""
BALANCERS = FETCHED / "balancers-1"


def need(tool: str) -> str:
    """The path of a program; without it the test is skipped, in CI it fails."""
    found = shutil.which(tool) or shutil.which(tool, path=f"/usr/sbin:/sbin:{BALANCERS}")
    return found or lacking(f"{tool} is not installed")


def helm() -> str | None:
    """The path of helm, the machine's or the one that tests/sdks.sh fetches."""
    kept = FETCHED / "helm-3.17.3" / "helm"
    return shutil.which("helm") or (str(kept) if kept.exists() else None)


def go_program() -> str:
    """A program with Go's own HTTP client, which is helm; without it the test is skipped."""
    found = helm()
    if found is None:
        pytest.skip("no helm here: tests/sdks.sh fetches one for x86-64 Linux")
    return found


def lacking(why: str) -> NoReturn:
    """Skip the test, in CI let it fail."""
    if os.environ.get("CI"):
        pytest.fail(f"{why}: CI has to have it")
    pytest.skip(why)
