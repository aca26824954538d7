"""Which stored run a reference means, and what is said where there is none."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from btdiag.config import UsageError
from btdiag.core.finding import Verdict
from btdiag.core.report import Report
from btdiag.engine import past, stored
from btdiag.report.json_ import load
from btdiag.store.store import opened_store

URL = "https://dp.example"
VERDICTS = (Verdict.PASS, Verdict.WARN, Verdict.PASS, Verdict.FAIL)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Four runs of one target, one a day."""
    report = load((Path(__file__).parent.parent / "report" / "golden" / "failing.ndjson").read_text())
    assert isinstance(report, Report)
    with opened_store(tmp_path / "s.sqlite") as store:
        for day, verdict in enumerate(VERDICTS, 1):
            run = replace(report.run, started_at=f"2026-11-0{day}T00:00:00Z", id=f"{day:08x}")
            store.add(replace(report, target={"url": URL}, run=run, verdict=verdict, headline=f"day {day}"))
    return tmp_path / "s.sqlite"


@pytest.mark.parametrize(
    ("which", "day"),
    [
        ("now", 4),
        ("last-pass", 3),
        ("previous", 3),
        ("first", 1),
        ("00000002", 2),
        ("2026-11-02", 2),
        ("2026-11-02T12:00:00Z", 2),
    ],
)
def test_a_reference_means_one_run(kept: Path, which: str, day: int) -> None:
    assert past.is_reference(f"{URL}@{which}")
    assert past.referred(kept, f"{URL}@{which}").headline == f"day {day}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{URL}@0000000f", "no such run"),
        (f"{URL}@2020-01-01", "no such run"),
        (f"{URL}@2026-11-02T99", "is no time"),
        ("https://dq.example@now", "did you mean https://dp.example"),
        ("ftp://dp.example@now", "target"),
    ],
)
def test_what_is_not_there_is_said(kept: Path, text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        past.referred(kept, text)


def test_files_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("report@now").touch()
    assert not past.is_reference("report@now")
    assert not past.is_reference("here/report.json")


def test_only_verdicts_are_left(kept: Path) -> None:
    with opened_store(kept) as store:
        store.prune(4e9, 4e9)
    with pytest.raises(UsageError, match="only the verdicts are kept"):
        past.referred(kept, f"{URL}@2026-11-02")


def test_history_and_comparison_read_the_store(kept: Path) -> None:
    out = StringIO()
    assert past.show_history(kept, URL, None, "text", out) == 0
    assert "FAIL since 2026-11-04T00:00:00Z (1 run)" in out.getvalue()
    out = StringIO()
    assert stored.print_comparison(f"{URL}@last-pass", f"{URL}@now", kept, "text", 100, out) == 0
    assert "unchanged" in out.getvalue()
    with pytest.raises(UsageError, match="has no run of"):
        past.show_history(kept, URL, "no-such-module", "text", out)
