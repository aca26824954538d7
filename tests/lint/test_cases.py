"""Cases whose truth real helm and terraform gave: every fault found in its place, and nothing else said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from btdiag.lint.judging import FileFinding
from tests.lint.helpers import judged

CASES = [json.loads(line) for line in Path(__file__).with_name("cases.jsonl").read_text("utf-8").splitlines()]
ALLOWED = {
    "brainstore.chart-default-status": "brainstore.readiness-recovers",
    "config.ignored-key": "config.keys-are-read",
    "config.type": "config.types-fit",
    "ratelimit.invalid": "ratelimit.values-are-valid",
    "telemetry.disabled": "telemetry.support-sees-the-deployment",
    "tf.type": "terraform.types-fit",
    "tf.validation": "terraform.values-are-valid",
}
"""Our ids for those that cases allow."""


def _fits(truth: dict[str, Any], finding: FileFinding) -> bool:
    if finding.verdict not in truth["accept"] or finding.file != truth["file"]:
        return False
    return truth["line"] is None or finding.line in truth["lines_ok"]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    options = dict(case["options"] or {})
    modules = dict([case["module"]]) if case["module"] else {}
    result = judged(case["files"], chart=case["chart"], modules=modules, **options)
    for truth in case["truth"]:
        assert any(_fits(truth, one) for one in result.findings), truth["why"]
    allowed = {ALLOWED.get(name) for name in case["allowed"]}
    false = [
        one
        for one in result.findings
        if one.id not in allowed and not any(_fits(truth, one) for truth in case["truth"])
    ]
    assert false == []


def test_cases_are_all_here() -> None:
    assert len(CASES) == 52
    assert sum(not case["truth"] for case in CASES) == 16
