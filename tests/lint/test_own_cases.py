"""Mutations of sound values, manifests and modules: all that deserves a word gets it in its place, and nothing else.

Each truth follows from what real helm and terraform do with such files, claim by claim.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lint.helpers import found

CASES = [json.loads(line) for line in Path(__file__).with_name("own_cases.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_own_case(case: dict[str, Any]) -> None:
    told = sorted([id_, line] for _, id_, line in found(case["files"], **case["options"]))
    assert told == case["said"]


def test_many_of_the_cases_are_sound() -> None:
    assert len(CASES) >= 180
    assert sum(not case["said"] for case in CASES) >= len(CASES) / 4
