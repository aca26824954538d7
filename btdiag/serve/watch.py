"""What a serving process knows: the newest report of each target and module, kept in the store as they end, and the
sweeps over all targets that bring new ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from btdiag.config import UsageError
from btdiag.core.report import Report
from btdiag.engine.common import Common
from btdiag.engine.reporting import slim_report
from btdiag.report.documents import url_of
from btdiag.serve.engine import Engine
from btdiag.serve.modules import Modules
from btdiag.store.store import Store

PRUNE_EVERY_S = 3600.0


@dataclass(slots=True)
class NewestReports:
    """The newest reports, without evidence and facts, by URL and module; how many runs ended since the start."""

    reports: dict[tuple[str, str], Report] = field(default_factory=dict)
    runs: int = 0
    not_stored: int = 0
    swept: float | None = None


class Keeper:
    """Takes finished reports: into the store first, so that what is shown is not lost."""

    def __init__(self, store: Store, keep_s: float, listed: Sequence[str], say: Callable[[str], None]) -> None:
        self.known = NewestReports()
        self._listed = frozenset(listed)
        self._store = store
        self._keep_s = keep_s
        self._say = say
        self._pruned = 0.0

    def take(self, module: str, report: Report) -> None:
        """Keep one of a listed target; a store that takes nothing (a full disk) is told of, and does not end the
        watching."""
        self.known.runs += 1
        if url_of(report) not in self._listed:
            return
        try:
            self._store.add(report, module)
            if time.time() - self._pruned > PRUNE_EVERY_S:
                self._pruned = time.time()
                self._store.prune(self._keep_s, self._pruned)
        except UsageError as error:
            self.known.not_stored += 1
            self._say(str(error))
        self.known.reports[url_of(report), module] = slim_report(report)


class Sweeper:
    """Runs a module on all targets at an interval (seconds), the first time at once. A target that is still on from the
    sweep before is left to it."""

    def __init__(
        self, engine: Engine, modules: Modules, names: Sequence[str], every_s: float, known: NewestReports
    ) -> None:
        self._engine = engine
        self._modules = modules
        self._names = tuple(names)
        self._every_s = every_s
        self._known = known
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._sweep_on, name="btdiag sweeps", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no further sweep."""
        self._end.set()

    def _sweep_on(self) -> None:
        while not self._end.is_set():
            begun = time.monotonic()
            self.sweep()
            self._end.wait(max(0.0, self._every_s - (time.monotonic() - begun)))

    def sweep(self) -> None:
        """Ask for a run of all targets; does not wait for them."""
        common = Common()
        for name in self._names:
            for url in self._modules.targets:
                settings, target = self._modules.target(url, name)
                self._engine.run(name, settings, target, common, patient=True)
        self._known.swept = time.time()
