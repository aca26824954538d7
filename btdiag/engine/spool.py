"""Reports that leave as soon as their targets have ended: into a store, as a line of JSON, as a page for who needs
attention.

Of many targets nothing else holds a report in full: whoever is interrupted or killed has all that was done until then.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from btdiag.config import Settings, UsageError
from btdiag.core.finding import Verdict
from btdiag.core.report import Report
from btdiag.engine.delivery import file_host, new_folder, write
from btdiag.report import json_
from btdiag.report.documents import MOST_WHOLE, Context
from btdiag.report.formats import render
from btdiag.store.store import opened_store

LINES = "reports.ndjson"
PAGES = "targets"


class Spool:
    """Takes the reports of one run. `place` is the folder of its files, None where they are written at the end, or not
    at all."""

    def __init__(self, chosen: Settings, folder: Path | None, stdout: TextIO) -> None:
        self._stdout = stdout if chosen.output.format == "ndjson" else None
        self._many = len(chosen.urls) > MOST_WHOLE
        self._open = ExitStack()
        self._store = self._open.enter_context(opened_store(chosen.output.store)) if chosen.output.store else None
        self._files: list[TextIO] = []
        self._number = 0
        self.place = new_folder(folder, f"{len(chosen.urls)}-targets") if self._many and folder else None
        paths = [path for name, path in chosen.output.reports if name == "ndjson"] if self._many else []
        for path in [*paths, *([self.place / LINES] if self.place else [])]:
            self._files.append(self._opened(path))

    def _opened(self, path: Path) -> TextIO:
        try:
            return self._open.enter_context(path.open("w", encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}: choose another place") from None

    @property
    def taker(self) -> Callable[[Report], None] | None:
        """Who wants each report in full; None where nobody does."""
        return self.take if self._stdout or self._files or self._store else None

    def take(self, report: Report) -> None:
        """Write one report."""
        self._number += 1
        if self._store:
            self._store.add(report)
        if self._stdout or self._files:
            line = json_.json_lines(report)
            for stream in [*([self._stdout] if self._stdout else []), *self._files]:
                stream.write(line)
                stream.flush()
        if self.place and report.verdict not in (Verdict.PASS, Verdict.SKIP):
            pages = self.place / PAGES
            pages.mkdir(exist_ok=True)
            write(pages / f"{self._number:06}-{file_host(report)}.html", render(report, "html", Context()))

    def close(self) -> None:
        """No more will come."""
        self._open.close()

    @property
    def written(self) -> list[Path]:
        """The files that hold the reports in full."""
        return [self.place / LINES] if self.place else []
