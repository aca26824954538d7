"""What becomes of a run's store: of runs that were cut off, and where the store fails meanwhile."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from btdiag.config import UsageError, settings
from btdiag.core.report import Report
from btdiag.engine.spool import Spool, keeper
from btdiag.report.json_ import load
from btdiag.store.keeping import Keeping
from btdiag.store.store import opened_store

URL = "https://braintrust.example.com"


@pytest.fixture(scope="module")
def report() -> Report:
    found = load((Path(__file__).parent.parent / "report" / "golden" / "failing.ndjson").read_text())
    assert isinstance(found, Report)
    return found


def cut_off(report: Report) -> Report:
    """The same, interrupted."""
    return replace(report, run=replace(report.run, interrupted=True))


def test_finished_runs_are_kept_and_old_ones_forgotten(tmp_path: Path, report: Report) -> None:
    store = tmp_path / "new" / "s.sqlite"
    flags = {"target": (URL,), "no_files": True, "store": str(store), "keep": "30d"}
    chosen = settings(flags, {}, tmp_path)
    old = replace(report, run=replace(report.run, started_at="2020-01-01T00:00:00Z"))
    spool = Spool(chosen, None, StringIO())
    with closing(spool):
        for one in (old, report, cut_off(report)):
            spool.take(one)
    spool.complain()
    with keeper(chosen.output, StringIO()) as keep:
        assert keep is not None
        keep(report)
        keep(cut_off(report))
    with opened_store(store) as found:
        assert [run.entry.at.year for run in found.runs(URL)] == [2026, 2026]
    with keeper(replace(chosen.output, store=None), StringIO()) as keep:
        assert keep is None


def test_a_store_that_fails_costs_no_run(tmp_path: Path, report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(keeping: Keeping, report: Report) -> None:
        raise UsageError("store: disk is full")

    monkeypatch.setattr(Keeping, "add", full)
    chosen = settings({"target": (URL,), "store": str(tmp_path / "s.sqlite")}, {}, tmp_path)
    out, err = StringIO(), StringIO()
    with closing(Spool(replace(chosen, output=replace(chosen.output, format="ndjson")), None, out)) as spool:
        spool.take(report)
    assert out.getvalue().count("\n") == 1
    with pytest.raises(UsageError, match="disk is full"):
        spool.complain()
    with keeper(chosen.output, err) as keep:
        assert keep is not None
        keep(report)
    assert err.getvalue() == "btdiag: store: disk is full\n"
