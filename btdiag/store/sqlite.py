"""A store in one SQLite file.

Sources: https://www.sqlite.org/wal.html (readers and one writer at the same time; with synchronous=NORMAL a process
that is killed loses nothing, a machine without power at most its last moments).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from btdiag.config import UsageError
from btdiag.store.database import BUSY_S, Execute, Rows, Value

APPLICATION_ID = 0x42544447
"""Marks the file as a store (PRAGMA application_id, https://www.sqlite.org/fileformat2.html section 1.3.11)."""


class Sqlite:
    """The file, open. One that is of something else is not touched."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            try:
                self._set_up()
            except BaseException:
                self._open.close()
                raise

    def _set_up(self) -> None:
        self.version(self._execute)
        self._open.execute("PRAGMA journal_mode = WAL")
        self._open.execute("PRAGMA synchronous = NORMAL")
        self._open.execute("PRAGMA foreign_keys = ON")

    def _execute(self, query: str, values: Sequence[Value] = (), /) -> Rows:
        return self._open.execute(query, values)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise UsageError(f"store {self.name}: {error}: name another with --store") from None

    @contextmanager
    def reading(self) -> Iterator[Execute]:
        """To read."""
        with self._told():
            yield self._execute

    @contextmanager
    def writing(self) -> Iterator[Execute]:
        """To write, as one transaction."""
        with self._told():
            self._open.execute("BEGIN IMMEDIATE")
            try:
                yield self._execute
            except BaseException:
                self._open.execute("ROLLBACK")
                raise
            self._open.execute("COMMIT")

    def version(self, execute: Execute) -> int:
        """How many steps of the schema were taken."""
        (application,) = execute("PRAGMA application_id").fetchone()
        (tables,) = execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != APPLICATION_ID:
            raise UsageError(f"store {self.name}: is a database of something else: name another with --store")
        (version,) = execute("PRAGMA user_version").fetchone()
        return int(version)

    def mark(self, execute: Execute, version: int) -> None:
        """Remember that so many steps were taken."""
        execute(f"PRAGMA user_version = {version}")
        execute(f"PRAGMA application_id = {APPLICATION_ID}")

    def close(self) -> None:
        """Let go of the file."""
        self._open.close()
