"""The tables of a store, as the steps that lead to them: one of an earlier btdiag is brought up to date when it is
opened, and one of a later btdiag is left alone."""

from __future__ import annotations

STEPS: tuple[str, ...] = (
    """
    CREATE TABLE targets (id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE);
    CREATE TABLE states (id INTEGER PRIMARY KEY, verdicts TEXT NOT NULL UNIQUE);
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        target INTEGER NOT NULL REFERENCES targets (id),
        module TEXT NOT NULL,
        run TEXT NOT NULL,
        vantage TEXT NOT NULL,
        started REAL NOT NULL,
        duration_s REAL NOT NULL,
        verdict TEXT NOT NULL,
        headline TEXT NOT NULL,
        state INTEGER NOT NULL REFERENCES states (id),
        turned INTEGER NOT NULL,
        report BLOB
    );
    CREATE INDEX runs_of_target ON runs (target, module, started);
    CREATE INDEX runs_by_time ON runs (started);
    """,
    """
    CREATE INDEX runs_of_state ON runs (state);
    CREATE INDEX runs_whole ON runs (started) WHERE report IS NOT NULL AND turned = 0;
    """,
)
"""`states` holds each set of verdicts once (JSON, by check): most runs of a target repeat the one before. `turned` says
that a run's differs from that. `report` is report.json, compressed; NULL where only the verdicts were kept."""
