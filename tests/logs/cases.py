"""The logs with known truth: 73 runs of real load balancers and formats of clouds, packed beside this file."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from btdiag.logs import joining, judging, reading
from btdiag.logs.account import FileAccount
from btdiag.logs.event import Event
from btdiag.logs.judging import JudgedFile

ARCHIVE = Path(__file__).with_name("cases.tar.xz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One file: what is true of it, and what was judged of it alone and together with its neighbours."""

    truth: Mapping[str, Any]
    alone: Mapping[int, tuple[tuple[str, ...], bool]]
    proved_alone: bool
    judged: JudgedFile

    @property
    def kinds(self) -> dict[int, str]:
        """The true kind of each failing line."""
        return {line: kind for kind, found in self.truth["kinds"].items() for line in found["line_numbers"]}

    @property
    def hidden(self) -> set[str]:
        """Kinds whose lines look healthy in this format."""
        return {kind for kind, found in self.truth["kinds"].items() if found["from_this_file_alone"] == "hidden"}

    @property
    def events(self) -> dict[int, Event]:
        """What was found, by line."""
        return {event.line: event for event in self.judged.account.failures}


def unpack(folder: Path) -> Path:
    """The cases as files below a folder."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


def read(path: Path, name: str = "") -> FileAccount:
    """One file, taken in."""
    account = FileAccount(name or str(path))
    with reading.opened_log(str(path)) as file:
        account.read(reading.log_lines(file))
    return account


def judged_cases(folder: Path) -> list[Case]:
    """Every file of every case, judged alone and then together with the others of its case."""
    by_case: dict[str, list[tuple[dict[str, Any], JudgedFile]]] = {}
    for line in (folder / "truth.jsonl").read_text("utf-8").splitlines():
        truth = json.loads(line)
        judged = judging.judge_log(read(folder / truth["file"], truth["file"]))
        by_case.setdefault(truth["case"], []).append((truth, judged))
    found = []
    for members in by_case.values():
        alone = [({event.line: (event.fits, event.sure) for event in judged.account.failures}, judged.proved)
                 for _, judged in members]  # fmt: skip
        joining.join([judged for _, judged in members])
        for (truth, judged), (lines, proved) in zip(members, alone, strict=True):
            found.append(Case(truth=truth, alone=lines, proved_alone=proved, judged=judged))
    return found
