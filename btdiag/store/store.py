"""One SQLite file of finished runs: written run by run, so that whoever is killed has lost none that had ended.

Sources: https://www.sqlite.org/wal.html (readers and one writer at the same time; with synchronous=NORMAL a process
that is killed loses nothing, a machine without power at most its last moments).
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from btdiag.config import UsageError
from btdiag.core.finding import Verdict
from btdiag.core.report import Report
from btdiag.report import json_
from btdiag.report.documents import ReportFileError, url_of
from btdiag.report.history import PastRun
from btdiag.store.schema import APPLICATION_ID, STEPS

BUSY_S = 10.0  # another process may be writing; a transaction of ours takes milliseconds
WHOLE_S = 7 * 86_400.0  # so long each run's report is kept; of older ones those that changed something
LARGEST_REPORT = 64 * 1024 * 1024  # unpacked, as for a report in a file
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A run as a list of runs shows it; `whole` tells that its report is kept."""

    number: int
    target: str
    module: str
    entry: PastRun
    whole: bool


class Store:
    """A store that is open. Every method is a transaction of its own; all raise UsageError where the file fails."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._told():
            self._open = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            self._prepare()

    def close(self) -> None:
        """Let go of the file."""
        self._open.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise UsageError(f"store {self.path}: {error}: name another file with --store") from None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._told():
            self._open.execute("BEGIN IMMEDIATE")
            try:
                yield self._open
            except BaseException:
                self._open.execute("ROLLBACK")
                raise
            self._open.execute("COMMIT")

    def _prepare(self) -> None:
        """Bring the tables up to date; a file that is none of ours is not touched."""
        (application,) = self._open.execute("PRAGMA application_id").fetchone()
        (version,) = self._open.execute("PRAGMA user_version").fetchone()
        (tables,) = self._open.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != APPLICATION_ID:
            raise UsageError(f"store {self.path}: is a database of something else: name another file with --store")
        if version > len(STEPS):
            raise UsageError(f"store {self.path}: was written by a newer btdiag: use that one, or another file")
        self._open.execute("PRAGMA journal_mode = WAL")
        self._open.execute("PRAGMA synchronous = NORMAL")
        self._open.execute("PRAGMA foreign_keys = ON")
        while version < len(STEPS):
            version = self._step()

    def _step(self) -> int:
        """One step of the schema; another process may have taken it meanwhile."""
        with self._writing() as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version < len(STEPS):
                for statement in STEPS[version].split(";"):
                    database.execute(statement)
                version += 1
                database.execute(f"PRAGMA user_version = {version}")
                database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            return int(version)

    def add(self, report: Report, module: str = "") -> None:
        """Keep a finished run. `module` names the set of options with which it was made, "" for a run by hand."""
        packed = zlib.compress(json_.render(report).encode(), 6)
        verdicts = json.dumps({check.id: _told(check.verdict, check.waived) for check in report.checks})
        with self._writing() as database:
            target = _number_of(database, "targets", "url", name_of(report))
            state = _number_of(database, "states", "verdicts", verdicts)
            before = database.execute(
                "SELECT state FROM runs WHERE target = ? AND module = ? ORDER BY started DESC, id DESC LIMIT 1",
                (target, module),
            ).fetchone()
            database.execute(
                "INSERT INTO runs (target, module, run, vantage, started, duration_s, verdict, headline, state, turned,"
                " report) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(target, module, report.run.id, report.run.vantage.hostname, moment(report.run.started_at)),
                    *(report.run.duration_s, report.verdict.value, report.headline, state),
                    *(before is None or before[0] != state, packed),
                ),
            )

    def targets(self) -> list[str]:
        """The URLs of which there are runs, in order of their names."""
        with self._told():
            return [url for (url,) in self._open.execute("SELECT url FROM targets ORDER BY url")]

    def runs(self, target: str, module: str | None = None, limit: int = 1_000) -> list[Stored]:
        """The newest runs of a target, of any module unless one is named, newest first."""
        return self._listed("url = ? AND (? IS NULL OR module = ?)", (target, module, module), limit)

    def newest(self, module: str) -> dict[str, Stored]:
        """The newest run of each target with that module, by its URL."""
        latest = "runs.id IN (SELECT max(id) FROM runs WHERE module = ? GROUP BY target)"
        return {run.target: run for run in self._listed(latest, (module,), -1)}

    def last_pass(self, target: str, module: str) -> Stored | None:
        """The newest run of a target with that module that passed."""
        return next(iter(self._listed("url = ? AND module = ? AND verdict = 'pass'", (target, module), 1)), None)

    def run(self, number: int) -> Stored | None:
        """The run of that number."""
        return next(iter(self._listed("runs.id = ?", (number,), 1)), None)

    def _listed(self, condition: str, values: Sequence[object], limit: int) -> list[Stored]:
        query = (
            "SELECT runs.id, url, module, started, verdict, headline, vantage, run, verdicts, report IS NOT NULL"
            " FROM runs JOIN targets ON targets.id = target JOIN states ON states.id = state"
            f" WHERE {condition} ORDER BY started DESC, runs.id DESC LIMIT ?"
        )
        with self._told():
            return [_stored(*row) for row in self._open.execute(query, (*values, limit))]

    def report(self, number: int) -> Report | None:
        """The whole report of a run; None where only its verdicts are kept, or it is none of ours."""
        with self._told():
            row = self._open.execute("SELECT report FROM runs WHERE id = ?", (number,)).fetchone()
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
        newest = "SELECT max(id) FROM runs GROUP BY target, module"
        with self._writing() as database:
            gone = database.execute(
                f"DELETE FROM runs WHERE started < ? AND id NOT IN ({newest})", (now - keep_s,)
            ).rowcount
            database.execute(
                f"UPDATE runs SET report = NULL WHERE started < ? AND NOT turned AND id NOT IN ({newest})",
                (now - WHOLE_S,),
            )
            database.execute("DELETE FROM states WHERE id NOT IN (SELECT state FROM runs)")
        return int(gone)


def _number_of(database: sqlite3.Connection, table: str, column: str, value: str) -> int:
    """The id of a row of a table of names, which is made where there is none."""
    database.execute(f"INSERT OR IGNORE INTO {table} ({column}) VALUES (?)", (value,))
    (number,) = database.execute(f"SELECT id FROM {table} WHERE {column} = ?", (value,)).fetchone()
    return int(number)


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
    whole: int,
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


def moment(text: str) -> float:
    """A time in RFC 3339 as Unix seconds; UTC where it names no zone."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=found.tzinfo or UTC).timestamp()


@contextmanager
def opened_store(path: Path, *, must_exist: bool = False) -> Iterator[Store]:
    """A store for as long as it is needed."""
    if must_exist and not path.is_file():
        raise UsageError(f"store {path}: does not exist: btdiag run --store {path} makes one")
    with closing(Store(path)) as store:
        yield store
