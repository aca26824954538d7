"""The recipes in docs/ci.md do what they say, as far as they run outside of a CI service."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from ruamel.yaml import YAML

from tests.support.cli import CLEAN

PAGE = Path(__file__).parents[2] / "docs" / "ci.md"

pytestmark = pytest.mark.real


def recipe(name: str) -> Any:
    """The YAML of a recipe, as it stands on the page."""
    found = re.search(rf"<!-- recipe: {name} -->\n```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return YAML(typ="safe").load(found[1])


def shell(script: str, folder: Path, target: str, **environment: str) -> int:
    """Run one step as a CI service does: in bash, ending with the first command that fails."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{CLEAN.get('PATH', '')}"
    command = ["bash", "-eo", "pipefail", "-c", script]
    done = subprocess.run(
        command, cwd=folder, env={**CLEAN, "PATH": path, "DATA_PLANE_URL": target, **environment}, check=False
    )
    return done.returncode


@pytest.mark.parametrize(("target", "code"), [("lab:healthy", 0), ("lab:tcp-refused", 1)])
def test_the_github_recipe_fills_the_summary_and_writes_annotations(tmp_path: Path, target: str, code: int) -> None:
    summary = tmp_path / "summary.md"
    steps = [step["run"] for step in recipe("github")["steps"] if "run" in step]
    install, run, publish = steps
    assert install.startswith("pipx install")
    assert shell(run, tmp_path, target) == code
    assert shell(publish, tmp_path, target, GITHUB_STEP_SUMMARY=str(summary)) == 0
    assert summary.read_text().startswith("## ✗ fail" if code else "## ✓ pass")
    sarif = json.loads((tmp_path / "btdiag.sarif").read_text())
    assert sarif["version"] == "2.1.0"
    found = {result["ruleId"] for result in sarif["runs"][0]["results"] if result.get("level") == "error"}
    assert found == ({"connection.tcp-connects"} if code else set())


@pytest.mark.parametrize(("target", "code"), [("lab:healthy", 0), ("lab:tcp-refused", 1)])
def test_the_gitlab_recipe_writes_test_cases_and_code_quality(tmp_path: Path, target: str, code: int) -> None:
    job = recipe("gitlab")["data-plane"]
    install, run = job["script"]
    assert install.startswith("pipx install")
    assert shell(run, tmp_path, target) == code
    assert all(shell(script, tmp_path, target) == 0 for script in job["after_script"])
    files = job["artifacts"]["reports"]
    cases = ElementTree.parse(tmp_path / files["junit"]).getroot().iter("testcase")
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    assert len(failed) == code
    quality = json.loads((tmp_path / files["codequality"]).read_text())
    assert {entry["check_name"] for entry in quality} >= ({"connection.tcp-connects"} if code else set())
    assert all({"description", "fingerprint", "severity", "location"} <= set(entry) for entry in quality)
