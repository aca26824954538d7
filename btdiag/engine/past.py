"""Runs that a store holds: the history of a target, and which of its runs a comparison means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TextIO

from btdiag.config import UsageError
from btdiag.config.values import printable, target_name
from btdiag.core.database import StorePlace
from btdiag.core.finding import Verdict
from btdiag.core.report import Report, unix_seconds
from btdiag.report.history import history_of, render
from btdiag.store.store import Store, Stored, opened_store

MOST_RUNS = 10_000  # of one target; at one a minute a week of them
_TIME, _RUN = r"\d{4}-\d\d-\d\d[T0-9:.+Z-]*", r"[0-9a-f]{8}"
_REFERENCE = re.compile(rf"(?P<target>.+)@(?P<which>now|last-pass|previous|first|{_TIME}|{_RUN})")


def show_history(store: StorePlace, target: str, module: str | None, format_: str, stdout: TextIO) -> int:
    """Print what became of a target over time; UsageError where there is no run of it."""
    with opened_store(store, must_exist=True) as open_store:
        runs = _runs(open_store, target, module)
    stdout.write(render(history_of(runs[0].target, [run.entry for run in runs]), format_))
    return 0


def is_reference(text: str) -> bool:
    """Does it mean a stored run (TARGET@now, TARGET@last-pass ...) and not a file?"""
    return _REFERENCE.fullmatch(text) is not None and not Path(text).exists()


def referred(store: StorePlace, text: str) -> Report:
    """The report of the run that TARGET@WHICH means; UsageError where there is none."""
    match = _REFERENCE.fullmatch(text)
    assert match is not None
    with opened_store(store, must_exist=True) as open_store:
        runs = _runs(open_store, match["target"], None)
        chosen = _chosen(runs, match["which"])
        if chosen is None:
            raise UsageError(f"{printable(text)}: the store has no such run of this target: see btdiag history")
        found = open_store.report(chosen.number)
    if found is None:
        raise UsageError(f"{printable(text)}: of this run only the verdicts are kept: see btdiag history")
    return found


def _runs(store: Store, target: str, module: str | None) -> list[Stored]:
    url = target_name(target, "target")
    runs = store.runs(url, module, MOST_RUNS)
    if not runs:
        close = get_close_matches(url, store.targets(), 1, 0.3)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise UsageError(f"store {store.name}: has no run of {url}{hint}")
    return runs


def _chosen(runs: Sequence[Stored], which: str) -> Stored | None:
    """Of the runs, newest first, the one that is meant."""
    match which:
        case "now":
            return runs[0]
        case "first":
            return runs[-1]
        case "previous":
            return runs[1] if len(runs) > 1 else None
        case "last-pass":
            return next((run for run in runs[1:] if run.entry.verdict is Verdict.PASS), None)
    if re.fullmatch(_RUN, which):
        return next((run for run in runs if run.entry.run == which), None)
    try:
        latest = unix_seconds(which)
    except ValueError:
        raise UsageError(f"@{which}: is no time: write 2030-12-31 or 2030-12-31T23:59:59Z") from None
    return next((run for run in runs if run.entry.at.timestamp() <= latest), None)
