"""The store: what is kept, what is forgotten, what a killed process leaves, and files that are none of ours."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from btdiag.config import UsageError
from btdiag.core.database import StorePlace, database_url
from btdiag.core.finding import Verdict
from btdiag.core.report import Report
from btdiag.report.verdicts import counts, overall
from btdiag.store import schema
from btdiag.store.store import DAY_S, Store, opened_store

GOLDEN = Path(__file__).parent.parent / "report" / "golden" / "failing.ndjson"
DAY = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> StorePlace:
    """Where nothing is stored yet."""
    if request.param == "sqlite":
        return tmp_path / "s.sqlite"
    url = database_url(request.getfixturevalue("server").new_database())
    assert url is not None
    return url


def at(report: Report, day: float, *, passes: bool = True, url: str = "https://dp.example") -> Report:
    """The same report of another day and verdict."""
    began = (DAY + timedelta(days=day)).isoformat()
    first = replace(report.checks[0], verdict=Verdict.PASS if passes else Verdict.FAIL)
    return replace(
        report,
        target={"url": url},
        run=replace(report.run, started_at=began, id=f"{int(day * 10):08x}"),
        checks=(first,),
        verdict=overall([first]),
        counts=counts([first]),
    )


def test_what_is_added_comes_back(place: StorePlace, report: Report) -> None:
    with opened_store(place) as store:
        store.add(at(report, 1))
        store.add(at(report, 2, passes=False), "quick")
        store.add(at(report, 2, url="https://other.example"))
        assert store.targets() == ["https://dp.example", "https://other.example"]
        newest, oldest = store.runs("https://dp.example")
        assert (newest.module, newest.entry.verdict, newest.entry.at) == (
            "quick",
            Verdict.FAIL,
            DAY + timedelta(days=2),
        )
        assert newest.entry.verdicts == {report.checks[0].id: "fail"}
        assert store.report(oldest.number) == at(report, 1)
        assert store.runs("https://dp.example", "") == [oldest]
        assert store.run(newest.number) == newest
        assert (store.run(99), store.report(99)) == (None, None)


def test_runs_of_a_lab_are_of_one_target(place: StorePlace, report: Report) -> None:
    with opened_store(place) as store:
        for port in (1, 2):
            store.add(replace(report, target={"url": f"https://api.lab.example:{port}", "lab": "healthy"}))
        assert store.targets() == ["lab:healthy"]


def test_accepted_findings_are_told_apart(place: StorePlace, report: Report) -> None:
    with opened_store(place) as store:
        store.add(report)
        (run,) = store.runs(str(report.target["url"]))
        assert "fail, accepted" in run.entry.verdicts.values()


def test_old_runs_are_forgotten_and_dull_reports_before(place: StorePlace, report: Report) -> None:
    with opened_store(place) as store:
        for day, passes in ((0, True), (50, True), (51, True), (52, False), (53, False), (99, False)):
            store.add(at(report, day, passes=passes))
        store.add(at(report, 0, url="https://alone.example"))
        now = (DAY + timedelta(days=100)).timestamp()
        assert store.prune(90 * DAY_S, now) == 1
        kept = store.runs("https://dp.example")
        assert [(run.entry.at - DAY).days for run in kept] == [99, 53, 52, 51, 50]
        assert [run.whole for run in kept] == [True, False, True, False, False]
        assert store.report(kept[1].number) is None
        assert len(store.runs("https://alone.example")) == 1, "the only run of a target stays"


def test_verdicts_that_repeat_are_kept_once(tmp_path: Path, report: Report) -> None:
    with opened_store(tmp_path / "s.sqlite") as store:
        for day in range(5):
            store.add(at(report, day))
    with sqlite3.connect(tmp_path / "s.sqlite") as database:
        assert database.execute("SELECT count(*) FROM states").fetchone() == (1,)
        assert database.execute("SELECT sum(turned) FROM runs").fetchone() == (1,)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_two_processes_may_write(place: StorePlace, report: Report) -> None:
    with opened_store(place) as one, opened_store(place) as other:
        one.add(at(report, 1))
        other.add(at(report, 2))
        assert len(one.runs("https://dp.example")) == 2


def test_an_earlier_one_is_brought_up_to_date(
    place: StorePlace, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = schema.STEPS
    monkeypatch.setattr("btdiag.store.store.STEPS", steps[:1])
    with opened_store(place) as store:
        store.add(at(report, 1))
    later = "ALTER TABLE runs ADD COLUMN note TEXT; UPDATE runs SET note = 'x'"
    monkeypatch.setattr("btdiag.store.store.STEPS", (*steps, later))
    with opened_store(place) as store:
        store.add(at(report, 2))
        assert len(store.runs("https://dp.example")) == 2
    with closing(Store(place)) as store, store._database.reading() as execute:
        assert execute("SELECT note FROM runs ORDER BY started").fetchall() == [("x",), (None,)]
    monkeypatch.setattr("btdiag.store.store.STEPS", steps)
    with pytest.raises(UsageError, match="newer btdiag"):
        Store(place)


def of_something_else(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE mine (it TEXT)")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (of_something_else, "a database of something else"),
        (lambda path: path.write_bytes(b"no database at all, but text\n" * 100), "not a database"),
        (lambda path: path.mkdir(), "unable to open"),
    ],
)
def test_what_is_no_store_is_left_alone(tmp_path: Path, make: Callable[[Path], None], why: str) -> None:
    path = tmp_path / "s.sqlite"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(UsageError, match=why):
        Store(path)
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_a_missing_store_is_not_made_by_looking(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"), opened_store(tmp_path / "s.sqlite", must_exist=True):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_is_damaged_is_none(place: StorePlace, report: Report) -> None:
    with opened_store(place) as store:
        store.add(at(report, 1))
        (run,) = store.runs("https://dp.example")
        for blob in (b"no zlib", zlib.compress(b"{}"), zlib.compress(b"\xff")):
            with store._database.writing() as execute:
                execute("UPDATE runs SET report = ?", (blob,))
            assert store.report(run.number) is None


def test_a_transaction_that_breaks_leaves_nothing(
    place: StorePlace, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened_store(place) as store:
        monkeypatch.setattr("btdiag.store.store.unix_seconds", lambda text: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.add(at(report, 1))
        assert store.targets() == []


def test_texts_of_any_kind_and_length_are_kept(place: StorePlace, report: Report) -> None:
    odd = replace(at(report, 1), headline="a\0b\ud800 ? %s " + "x" * 100_000)
    many = replace(odd, checks=tuple(replace(report.checks[0], id=f"own.{number:05}") for number in range(5_000)))
    with opened_store(place) as store:
        for _ in range(2):
            store.add(many, "quick")
        newest = store.newest("quick")["https://dp.example"]
        assert newest.entry.headline.startswith("a\ufffdb? ? %s xxx")
        assert len(newest.entry.verdicts) == 5_000
        assert store.runs("https://dp.example\0") == []


def test_the_newest_is_the_one_that_began_last(place: StorePlace, report: Report) -> None:
    with opened_store(place) as store:
        for day, module in ((3, "quick"), (2, "quick"), (4, "full")):
            store.add(at(report, day), module)
        store.add(at(report, 1, url="https://other.example"), "quick")
        newest = store.newest("quick")
        assert {url: (run.entry.at - DAY).days for url, run in newest.items()} == {
            "https://dp.example": 3,
            "https://other.example": 1,
        }


WRITER = """
import sys
from pathlib import Path
from btdiag.report.json_ import load
from btdiag.config.values import store_place
from btdiag.store.store import Store
report, store = load(Path(sys.argv[1]).read_text()), Store(store_place(sys.argv[2]))
for number in range(100_000):
    store.add(report)
    print(number, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 40])
def test_a_killed_process_has_lost_no_finished_run(place: StorePlace, report: Report, lines: int) -> None:
    whole = str(place) if isinstance(place, Path) else place.whole.reveal()
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(GOLDEN), whole], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(lines)]
        writer.kill()
    with opened_store(place) as store:
        runs = store.runs(str(report.target["url"]), limit=100_000)
        assert len(runs) > told[-1]
        assert store.report(runs[0].number) == report
