"""The documents say what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from btdiag.lint.catalogue import RULES, table
from btdiag.lint.ruletable import RANGES

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="no documents beside an installed package")
def test_the_table_of_rules_is_the_one_of_the_code() -> None:
    assert (ROOT / "docs" / "lint.md").read_text("utf-8").endswith(table())


def test_ranges_are_of_rules() -> None:
    assert set(RANGES) <= set(RULES)
