"""A store in a real PostgreSQL: what happens when it goes away and comes back, and that its password is never seen."""

from __future__ import annotations

import sys
from pathlib import Path

import psycopg
import pytest

from btdiag.config import UsageError
from btdiag.config.values import store_place
from btdiag.core.report import Report
from btdiag.store import postgresql
from btdiag.store.keeping import Keeping
from btdiag.store.store import Store, opened_store
from tests.support.cli import btdiag
from tests.support.postgres import PASSWORD, Server

pytestmark = pytest.mark.real

GOLDEN = Path(__file__).parent.parent / "report" / "golden" / "failing.ndjson"
URL = "https://braintrust.example.com"


def test_a_lost_connection_is_made_anew(server: Server, report: Report) -> None:
    with opened_store(store_place(server.new_database())) as store:
        store.add(report)
        with psycopg.connect(server.url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'btdiag'")
        store.add(report)
        assert len(store.runs(URL)) == 2


def test_a_server_that_is_gone_holds_up_nobody_twice(
    server: Server, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened_store(store_place(server.new_database())) as store:
        keeping = Keeping(store, 1e9)
        keeping.add(report)
        server.control("stop")
        try:
            with pytest.raises(UsageError, match="Connection refused"):
                keeping.add(report)
            with pytest.raises(UsageError, match="could not be reached just now"):
                keeping.add(report)
        finally:
            server.control("start")
        monkeypatch.setattr(postgresql, "monotonic", lambda: float("inf"))
        keeping.add(report)
        assert len(store.runs(URL)) == 2


def test_what_is_there_of_others_is_left_alone(server: Server) -> None:
    url = server.new_database()
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("CREATE TABLE runs (it TEXT)")
    with opened_store(store_place(url)) as store:
        assert store.targets() == []
    url = server.new_database()
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("CREATE SCHEMA btdiag CREATE TABLE runs (it TEXT)")
    with pytest.raises(UsageError, match="its schema btdiag is of something else"):
        Store(store_place(url))


def test_a_schema_that_an_administrator_made_is_used(server: Server, report: Report) -> None:
    url = server.new_database()
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE ROLE writer LOGIN PASSWORD 'other'")
        admin.execute("CREATE SCHEMA btdiag AUTHORIZATION writer")
        admin.execute("REVOKE CREATE ON DATABASE " + url.rpartition("/")[2] + " FROM PUBLIC")
    with opened_store(store_place(url.replace(f"keeper:{PASSWORD}", "writer:other"))) as store:
        store.add(report)


def test_whoever_writes_waits_for_the_other(server: Server, report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "_BEGIN", postgresql._BEGIN.replace("'10s'", "'50ms'"))
    place = store_place(server.new_database())
    with opened_store(place) as one, opened_store(place) as other:
        with one._database.writing(), pytest.raises(UsageError, match="lock timeout"):
            other.add(report)
        other.add(report)
        assert len(one.runs(URL)) == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ((PASSWORD, "wrong-canary"), "password authentication failed"),
        (("/postgres", "/none"), 'database "none" does not exist'),
        (("127.0.0.1", "127.0.0.1:1,127.0.0.1"), "does not exist: btdiag run --store"),
        ((PASSWORD, "1/wrong-canary"), "a store is a file, or postgresql://"),
        (("/postgres", "/postgres?sslmode=canary"), "sslmode"),
    ],
)
def test_what_is_wrong_is_one_line(server: Server, tmp_path: Path, change: tuple[str, str], why: str) -> None:
    done = btdiag("history", URL, "--store", server.url.replace(*change), cwd=tmp_path)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert why in done.err
    assert PASSWORD not in done.err
    assert "wrong-canary" not in done.err


def test_runs_are_kept_and_nothing_of_the_password(server: Server, tmp_path: Path) -> None:
    url = server.new_database()
    store = {"BTDIAG_STORE": url}
    target = "http://127.0.0.1:9"
    looking = btdiag("history", target, cwd=tmp_path, env=store)
    assert (looking.code, "does not exist" in looking.err) == (2, True)
    options = ("--only", "connection", "--quick", "--browser", "none", "--keep", "30d")
    runs = [
        btdiag("run", "--target", target, *options, *more, cwd=tmp_path, env=environment)
        for more, environment in (
            (("--store", url, "--format", "json"), {}),
            (("--verbose",), store),
        )
    ]
    assert [run.code for run in runs] == [1, 1], runs[0].err
    history = btdiag("history", target, "--format", "json", cwd=tmp_path, env=store)
    assert '"runs": 2' in history.out, history
    compared = btdiag("compare", f"{target}@first", f"{target}@now", "--store", url, cwd=tmp_path)
    assert compared.code == 0, compared.err
    shown = "".join(one.out + one.err for one in (looking, *runs, history, compared))
    files = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    with opened_store(store_place(url)) as kept:
        reports = str([kept.report(run.number) for run in kept.runs(target)])
    assert "postgresql://127.0.0.1" in files
    for text in (shown, files, reports):
        assert PASSWORD not in text


def test_without_the_driver_the_command_is_named(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UsageError, match=r"pip install 'btdiag\[postgresql\]'"):
        Store(store_place(server.url))
