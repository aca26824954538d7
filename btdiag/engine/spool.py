"""Reports that leave as soon as their targets have ended: into a store, as a line of JSON, as a page for who needs
attention.

Of many targets nothing else holds a report in full: whoever is interrupted or killed has all that was done until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from btdiag.config import Output, Settings, UsageError
from btdiag.core.finding import Verdict
from btdiag.core.report import Report
from btdiag.engine.delivery import file_host, new_folder, write
from btdiag.report import json_
from btdiag.report.documents import MOST_WHOLE, Context
from btdiag.report.escape import plain
from btdiag.report.formats import render
from btdiag.store.keeping import Keeping, keeping

LINES = "reports.ndjson"
PAGES = "targets"


class Spool:
    """Takes the reports of one run. `place` is the folder of its files, None where they are written at the end, or not
    at all."""

    def __init__(self, chosen: Settings, folder: Path | None, stdout: TextIO) -> None:
        self._stdout = stdout if chosen.output.format == "ndjson" else None
        self._many = len(chosen.urls) > MOST_WHOLE
        self._open = ExitStack()
        output = chosen.output
        self._store = self._open.enter_context(keeping(output.store, output.keep_s)) if output.store else None
        self._not_stored: UsageError | None = None
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
        if self._store and not report.run.interrupted:
            self._keep(self._store, report)
        if self._stdout or self._files:
            line = json_.json_lines(report)
            for stream in [*([self._stdout] if self._stdout else []), *self._files]:
                stream.write(line)
                stream.flush()
        if self.place and report.verdict not in (Verdict.PASS, Verdict.SKIP):
            pages = self.place / PAGES
            pages.mkdir(exist_ok=True)
            write(pages / f"{self._number:06}-{file_host(report)}.html", render(report, "html", Context()))

    def _keep(self, store: Keeping, report: Report) -> None:
        """A store that fails meanwhile costs nobody the run: that is told at the end."""
        try:
            store.add(report)
        except UsageError as error:
            self._not_stored = error

    def close(self) -> None:
        """No more will come."""
        self._open.close()

    def complain(self) -> None:
        """Raise what the store had against a run, once all else is done."""
        if self._not_stored is not None:
            raise self._not_stored

    @property
    def written(self) -> list[Path]:
        """The files that hold the reports in full."""
        return [self.place / LINES] if self.place else []


@contextmanager
def keeper(output: Output, stderr: TextIO) -> Iterator[Callable[[Report], None] | None]:
    """Who keeps each run of --watch; a store that fails meanwhile is told of, and does not end the watching."""
    if output.store is None:
        yield None
        return
    with keeping(output.store, output.keep_s) as store:

        def keep(report: Report) -> None:
            if report.run.interrupted:
                return
            try:
                store.add(report)
            except UsageError as error:
                print(f"btdiag: {plain(str(error))}", file=stderr)

        yield keep
