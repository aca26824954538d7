"""What tests need of a machine: where it is missing they are skipped, but fail in CI, for nobody would miss them."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def need(tool: str) -> str:
    """The path of a program; without it the test is skipped, in CI it fails."""
    return shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/sbin") or lacking(f"{tool} is not installed")


def lacking(why: str) -> NoReturn:
    """Skip the test, in CI let it fail."""
    if os.environ.get("CI"):
        pytest.fail(f"{why}: CI has to have it")
    pytest.skip(why)
