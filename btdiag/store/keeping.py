"""A store that runs are written to as they end, and that forgets what is old meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from btdiag.core.database import StorePlace
from btdiag.core.report import Report
from btdiag.store.store import Store, opened_store

FORGET_EVERY_S = 3600.0


class Keeping:
    """Adds runs, and forgets those older than `keep_s` seconds: with the first one, and once an hour after that."""

    def __init__(self, store: Store, keep_s: float) -> None:
        self._store = store
        self._keep_s = keep_s
        self._forgot: float | None = None

    def add(self, report: Report, module: str = "") -> None:
        """Keep one; UsageError where the store takes nothing."""
        self._store.add(report, module)
        if self._forgot is None or time.monotonic() - self._forgot > FORGET_EVERY_S:
            self._forgot = time.monotonic()
            self._store.prune(self._keep_s, time.time())


@contextmanager
def keeping(place: StorePlace, keep_s: float) -> Iterator[Keeping]:
    """A store to write to, for as long as it is needed."""
    with opened_store(place) as store:
        yield Keeping(store, keep_s)
