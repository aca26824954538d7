"""Reports bound for a place elsewhere: written into a folder of this machine first, and sent when all are there.

What could not be sent stays in that folder, and the error says where."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from btdiag.config import UsageError
from btdiag.config.settings import Output
from btdiag.core.credential import is_secret_name
from btdiag.core.elsewhere import Elsewhere, ReportPlace
from btdiag.core.target import Secret
from btdiag.net import uploads
from btdiag.report.redact import redact_text

_LONG = 6  # characters of a value of the environment that may be a secret; what is shorter is a word of many texts
_LOGINS = ("AWS_ACCESS_KEY", "FSSPEC_")


def look(output: Output) -> None:
    """Look at every place elsewhere before anything is measured; UsageError where nothing can be written there."""
    for name, place in output.reports:
        if isinstance(place, Elsewhere) and _reach(f"--report {name}=", place):
            raise UsageError(f"--report {name}={place}: exists already: name another place")
    if output.files and isinstance(output.directory, Elsewhere):
        _reach("--output ", output.directory)


def _reach(option: str, place: Elsewhere) -> bool:
    try:
        return uploads.is_there(place)
    except uploads.UploadError as error:
        raise UsageError(f"{option}{_told(error)}") from None


@dataclass(slots=True)
class Outbox:
    """Where the files of a run are written: in `folder`, None where there are none. What lies there goes to `directory`
    at the end, if that is elsewhere."""

    folder: Path | None = None
    directory: Elsewhere | None = None
    _bound: dict[Elsewhere, Path] = field(default_factory=dict)

    def path(self, place: ReportPlace) -> Path:
        """Where a report is written that is bound for this place."""
        if isinstance(place, Path):
            return place
        if place not in self._bound:
            self._bound[place] = staging() / place.name
        return self._bound[place]

    def send(self, written: Sequence[Path]) -> tuple[list[ReportPlace], UsageError | None]:
        """Send what is bound elsewhere; gives all files where they are now, and why one could not be sent."""
        sending: list[Callable[[], Sequence[ReportPlace]]] = []
        found: list[ReportPlace] = [path for path in written if path not in self._bound.values()]
        if self.folder is not None and self.directory is not None:
            mine = [path for path in written if path.is_relative_to(self.folder)]
            found = [path for path in found if path not in mine]
            runs = dict.fromkeys(self.folder / path.relative_to(self.folder).parts[0] for path in mine)
            sending += [partial(_send_all, self.directory, run) for run in runs]
        sending += [partial(_send_one, *bound) for bound in self._bound.items()]
        trouble = None
        for send in sending:
            try:
                found += send()
            except UsageError as error:
                trouble = trouble or error
        return found, trouble


def staging() -> Path:
    """A new folder of this machine, for what is sent elsewhere."""
    return Path(tempfile.mkdtemp(prefix="btdiag-"))


def _send_all(directory: Elsewhere, run: Path) -> list[Elsewhere]:
    """Send the folder of a run, under its name, or with a number where that is taken; gives the files."""
    for number in range(1, 100):
        there = directory.below(run.name if number == 1 else f"{run.name}-{number}")
        try:
            if uploads.is_there(there):
                continue
            sent = uploads.send_folder(there, run)
        except uploads.TakenError:
            continue
        except uploads.UploadError as error:
            raise UsageError(f"cannot write {_told(error)}; the files are in {run}") from None
        shutil.rmtree(run.parent, ignore_errors=True)
        return sent
    raise UsageError(f"--output {directory}: too many reports of this second; the files are in {run}")


def _send_one(place: Elsewhere, file: Path) -> list[Elsewhere]:
    """Send one report."""
    try:
        uploads.send(place, file)
    except uploads.UploadError as error:
        raise UsageError(f"cannot write {_told(error)}; the report is {file}") from None
    shutil.rmtree(file.parent, ignore_errors=True)
    return [place]


def _told(error: Exception) -> str:
    """What a storage said, without what the environment holds of logins."""
    names = [name for name in os.environ if is_secret_name(name) or name.startswith(_LOGINS)]
    return redact_text(str(error), [Secret(os.environ[name]) for name in names if len(os.environ[name]) >= _LONG])
