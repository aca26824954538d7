"""What a store asks of the database it lies in. SQL is written once, as SQLite reads it; PostgreSQL's other words for
some of it are put in at one place (postgresql.py)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

BUSY_S = 10.0  # another process may be writing; a transaction of ours takes milliseconds
Value: TypeAlias = str | bytes | int | float | None


class Rows(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""

    def fetchone(self) -> Any:
        """The next row; None if there is none."""

    def fetchall(self) -> list[Any]:
        """All rows that are left."""


class Execute(Protocol):
    """Runs one statement; each `?` in it stands for one of the values."""

    def __call__(self, query: str, values: Sequence[Value] = (), /) -> Rows:
        """What it gave."""


class Database(Protocol):
    """An open database. Its methods and what they hand out raise UsageError, with one line, where it fails."""

    name: str

    def reading(self) -> AbstractContextManager[Execute]:
        """To read, for as long as the context lasts."""

    def writing(self) -> AbstractContextManager[Execute]:
        """To write, as one transaction: whoever else wants to write waits, BUSY_S at most."""

    def version(self, execute: Execute) -> int:
        """How many steps of the schema were taken, 0 where nothing is there; UsageError where something else is."""

    def mark(self, execute: Execute, version: int) -> None:
        """Remember that so many steps were taken."""

    def close(self) -> None:
        """Let go of it."""
