"""The diff of --fix: it applies, what it gives parses, and lint has nothing left to correct there."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from btdiag.lint import fixes
from tests.lint.helpers import BASE, judged

CASES = [json.loads(line) for line in Path(__file__).with_name("cases.jsonl").read_text("utf-8").splitlines()]
MODULE = """module "braintrust" {
  source = "github.com/braintrustdata/terraform-aws-braintrust-data-plane?ref=v6.6.0"

  deployment_name        = "globex"
  braintrust_org_name    = "globex"
  brainstore_license_key = var.key
  enable_ecs_api         = true # traffic goes to ECS
  monitoring_telemetry   = "Status, Metrics"
  braintrust_api_extra_env_vars = { TS_API_KEEP_ALIVE_TIMEOUT_SECONDS = "300", DISABLE_SYSADMIN_TELEMETRY = "yes" }
}
"""
VALUES = (
    BASE.replace("  orgName: globex\n", "  orgName: globex\n  controlPlaneTelemetry: Status,Metrics # both\n")
    .replace("cloud: aws", "cloud: 'AWS'")
    .replace("index", "index # the first")
    + """api:
  podLabels: {tier: 1, kept: "2"}
  resources: {limits: {}, requests: {cpu: 1}}
  extraEnvVars:
    - name: A
      value: 310
    - {name: DISABLE_SYSADMIN_TELEMETRY, value: "TRUE"}
"""
)
OWN = [
    {"values.yaml": VALUES},
    {"main.tf": MODULE},
    {"a.env": "DISABLE_SYSADMIN_TELEMETRY=Yes # off\nexport CONTROL_PLANE_TELEMETRY='Status'\n"},
    {
        "compose.yaml": "services:\n  api:\n    image: x/standalone-api:v2\n    environment:\n"
        "      - DISABLE_SYSADMIN_TELEMETRY=1\n      - CONTROL_PLANE_TELEMETRY=Status\n"
    },
]


def applied(files: Mapping[str, str], diff: str) -> dict[str, str]:
    """The files with a diff of changed lines, one by one, checked as patch does."""
    texts = {name: text.splitlines() for name, text in files.items()}
    lines = iter(diff.splitlines())
    name = ""
    for line in lines:
        if line.startswith("--- "):
            name = line[4:]
            assert next(lines) == f"+++ {name}"
        else:
            match = re.fullmatch(r"@@ -(\d+) \+\1 @@", line)
            assert match is not None, line
            number = int(match[1]) - 1
            assert next(lines) == f"-{texts[name][number]}"
            texts[name][number] = next(lines).removeprefix("+")
    return {name: "\n".join(text) + "\n" for name, text in texts.items()}


def _corrected(files: Mapping[str, str], **options: Any) -> tuple[int, int]:
    """(corrections, those that are left after applying them)."""
    result = judged(files, **options)
    diff = fixes.diff(result.findings, files)
    changed = applied(files, diff)
    again = judged(changed, **options)
    lines = {(one.id, one.file, one.line) for one in again.findings}
    fixed = [one for one in result.findings if one.fix is not None]
    assert {one.id for one in again.findings} <= {one.id for one in result.findings}
    return diff.count("\n@@") + diff.startswith("@@"), sum((one.id, one.file, one.line) in lines for one in fixed)


@pytest.mark.parametrize("files", OWN, ids=["values", "terraform", "env", "compose"])
def test_corrections_apply_and_leave_nothing_to_correct(files: dict[str, str]) -> None:
    corrections, left = _corrected(files, chart="6.11.0")
    assert corrections > 0
    assert left == 0


def test_corrections_of_all_cases() -> None:
    total = 0
    for case in CASES:
        modules = dict([case["module"]]) if case["module"] else {}
        corrections, left = _corrected(case["files"], chart=case["chart"], modules=modules, **(case["options"] or {}))
        assert left == 0, case["id"]
        total += corrections
    assert total >= 5


def test_patch_takes_the_diff(tmp_path: Path) -> None:
    files = {"values.yaml": VALUES}
    (tmp_path / "values.yaml").write_text(VALUES)
    diff = fixes.diff(judged(files, chart="6.11.0").findings, files)
    command = ["git", "apply", "-p0", "--unidiff-zero", "-"]
    subprocess.run(command, input=diff, text=True, check=True, cwd=tmp_path, timeout=20, capture_output=True)
    assert (tmp_path / "values.yaml").read_text() == applied(files, diff)["values.yaml"]
