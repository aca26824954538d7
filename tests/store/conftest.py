"""For all tests of the store: one PostgreSQL, and one report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from btdiag.core.report import Report
from btdiag.report.json_ import load
from tests.support.postgres import Server, postgres

GOLDEN = Path(__file__).parent.parent / "report" / "golden" / "failing.ndjson"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with postgres() as running:
        yield running


@pytest.fixture(scope="session")
def report() -> Report:
    found = load(GOLDEN.read_text())
    assert isinstance(found, Report)
    return found
