"""Finished runs, kept one by one, so that whoever is killed has lost none that had ended: in one SQLite file, or in a
PostgreSQL database."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from btdiag.config import UsageError
from btdiag.core.database import StorePlace
from btdiag.core.finding import Verdict
from btdiag.core.report import Report, unix_seconds
from btdiag.report import json_
from btdiag.report.documents import ReportFileError, url_of
from btdiag.report.history import PastRun
from btdiag.store.database import Database, Execute, Value
from btdiag.store.schema import STEPS
from btdiag.store.sqlite import Sqlite

WHOLE_S = 7 * 86_400.0  # so long each run's report is kept; of older ones those that changed something
LARGEST_REPORT = 64 * 1024 * 1024  # unpacked, as for a report in a file
DAY_S = 86_400.0
MOST = 2**62  # rows: as many as there are
_LATER = (
    "EXISTS (SELECT 1 FROM runs AS later WHERE later.target = runs.target AND later.module = runs.module"
    " AND (later.started, later.id) > (runs.started, runs.id))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A run as a list of runs shows it; `whole` tells that its report is kept."""

    number: int
    target: str
    module: str
    entry: PastRun
    whole: bool


class Store:
    """A store that is open. Every method is a transaction of its own; all raise UsageError where the database fails."""

    def __init__(self, place: StorePlace, *, must_exist: bool = False) -> None:
        missing = UsageError(f"store {place}: does not exist: btdiag run --store {place} makes one")
        if must_exist and isinstance(place, Path) and not place.is_file():
            raise missing
        self._database = _database(place)
        self.name = self._database.name
        try:
            self._prepare(missing if must_exist else None)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def _prepare(self, missing: UsageError | None) -> None:
        """Bring the tables up to date, where there may be none yet or are some."""
        with self._database.reading() as execute:
            version = self._database.version(execute)
        if version > len(STEPS):
            raise UsageError(f"store {self.name}: was written by a newer btdiag: use that one, or another store")
        if missing is not None and not version:
            raise missing
        while version < len(STEPS):
            version = self._step()

    def _step(self) -> int:
        """One step of the schema; another process may have taken it meanwhile."""
        with self._database.writing() as execute:
            version = self._database.version(execute)
            if version < len(STEPS):
                self._database.mark(execute, version + 1)
                for statement in filter(str.strip, STEPS[version].split(";")):
                    execute(statement)
                version += 1
            return version

    def add(self, report: Report, module: str = "") -> None:
        """Keep a finished run. `module` names the set of options with which it was made, "" for a run by hand."""
        packed = zlib.compress(json_.render(report).encode(), 6)
        verdicts = json.dumps({check.id: _told(check.verdict, check.waived) for check in report.checks})
        with self._database.writing() as execute:
            target = _number_of(execute, "targets", "url", _text(name_of(report)))
            state = _number_of(execute, "states", "verdicts", verdicts)
            before = execute(
                "SELECT state FROM runs WHERE target = ? AND module = ? ORDER BY started DESC, id DESC LIMIT 1",
                (target, module),
            ).fetchone()
            execute(
                "INSERT INTO runs (target, module, run, vantage, started, duration_s, verdict, headline, state, turned,"
                " report) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(target, module, report.run.id, _text(report.run.vantage.hostname)),
                    *(unix_seconds(report.run.started_at), report.run.duration_s, report.verdict.value),
                    *(_text(report.headline), state, int(before is None or before[0] != state), packed),
                ),
            )

    def targets(self) -> list[str]:
        """The URLs of which there are runs, in order of their names."""
        with self._database.reading() as execute:
            return [url for (url,) in execute("SELECT url FROM targets ORDER BY url").fetchall()]

    def runs(self, target: str, module: str | None = None, limit: int = 1_000) -> list[Stored]:
        """The newest runs of a target, of any module unless one is named, newest first."""
        if module is None:
            return self._listed("url = ?", (target,), limit)
        return self._listed("url = ? AND module = ?", (target, module), limit)

    def newest(self, module: str) -> dict[str, Stored]:
        """The newest run of each target with that module, by its URL."""
        latest = (
            "runs.id IN (SELECT (SELECT id FROM runs AS one WHERE one.target = targets.id AND module = ?"
            " ORDER BY started DESC, id DESC LIMIT 1) FROM targets)"
        )
        return {run.target: run for run in self._listed(latest, (module,), MOST)}

    def last_pass(self, target: str, module: str) -> Stored | None:
        """The newest run of a target with that module that passed."""
        return next(iter(self._listed("url = ? AND module = ? AND verdict = 'pass'", (target, module), 1)), None)

    def newest_whole(self, target: str) -> Stored | None:
        """The newest run of a target, with any module, whose report is kept."""
        return next(iter(self._listed("url = ? AND report IS NOT NULL", (target,), 1)), None)

    def run(self, number: int) -> Stored | None:
        """The run of that number."""
        return next(iter(self._listed("runs.id = ?", (number,), 1)), None)

    def _listed(self, condition: str, values: Sequence[Value], limit: int) -> list[Stored]:
        query = (
            "SELECT runs.id, url, module, started, verdict, headline, vantage, run, verdicts, report IS NOT NULL"
            " FROM runs JOIN targets ON targets.id = target JOIN states ON states.id = state"
            f" WHERE {condition} ORDER BY started DESC, runs.id DESC LIMIT ?"
        )
        with self._database.reading() as execute:
            given = [_text(value) if isinstance(value, str) else value for value in values]
            return [_stored(*row) for row in execute(query, (*given, limit)).fetchall()]

    def report(self, number: int) -> Report | None:
        """The whole report of a run; None where only its verdicts are kept, or it is none of ours."""
        with self._database.reading() as execute:
            row = execute("SELECT report FROM runs WHERE id = ?", (number,)).fetchone()
        if row is None or row[0] is None:
            return None
        unpacking = zlib.decompressobj()
        try:
            text = unpacking.decompress(row[0], LARGEST_REPORT)
            found = json_.load(text.decode())
        except (zlib.error, UnicodeDecodeError, ReportFileError):
            return None
        return found if isinstance(found, Report) else None

    def prune(self, keep_s: float, now: float) -> int:
        """Forget runs older than `keep_s` seconds, and of those older than a week the reports in which nothing changed;
        gives how many runs were forgotten. The newest run of a target stays."""
        with self._database.writing() as execute:
            gone = execute(f"DELETE FROM runs WHERE started < ? AND {_LATER}", (now - keep_s,)).rowcount
            execute(
                f"UPDATE runs SET report = NULL WHERE started < ? AND turned = 0 AND report IS NOT NULL AND {_LATER}",
                (now - WHOLE_S,),
            )
            execute("DELETE FROM states WHERE NOT EXISTS (SELECT 1 FROM runs WHERE state = states.id)")
        return gone


def _database(place: StorePlace) -> Database:
    if isinstance(place, Path):
        return Sqlite(place)
    from btdiag.store.postgresql import Postgresql

    return Postgresql(place)


def _number_of(execute: Execute, table: str, column: str, value: str) -> int:
    """The id of a row of a table of names, which is made where there is none."""
    execute(f"INSERT INTO {table} ({column}) VALUES (?) ON CONFLICT DO NOTHING", (value,))
    (number,) = execute(f"SELECT id FROM {table} WHERE {column} = ?", (value,)).fetchone()
    return int(number)


def _text(text: str) -> str:
    """A text that every database takes: without NUL and lone surrogates, which a server's answer may hold."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def name_of(report: Report) -> str:
    """The target as a store names it; a lab has another port in every run."""
    scenario = report.target.get("lab")
    return f"lab:{scenario}" if scenario else url_of(report)


def _told(verdict: Verdict, waived: str | None) -> str:
    return f"{verdict.value}, accepted" if waived is not None else verdict.value


def _stored(
    number: int,
    url: str,
    module: str,
    started: float,
    verdict: str,
    headline: str,
    vantage: str,
    run: str,
    verdicts: str,
    whole: bool,
) -> Stored:
    entry = PastRun(
        at=datetime.fromtimestamp(started, UTC),
        verdict=Verdict(verdict),
        headline=headline,
        vantage=vantage,
        run=run,
        verdicts=json.loads(verdicts),
    )
    return Stored(number=number, target=url, module=module, entry=entry, whole=bool(whole))


@contextmanager
def opened_store(place: StorePlace, *, must_exist: bool = False) -> Iterator[Store]:
    """A store for as long as it is needed; one that must exist is not made by looking."""
    with closing(Store(place, must_exist=must_exist)) as store:
        yield store
