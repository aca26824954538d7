"""`btdiag lab`: list the scenarios, or serve one until Ctrl-C."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from types import FrameType
from typing import Any, TextIO

from tabulate import tabulate

from btdiag.engine import labhost
from btdiag.engine.catalogue import catalogue
from btdiag.report import json_
from btdiag.report.escape import plain

LISTS = ("fails", "warns", "inconclusive", "skips")


def list_scenarios(format_: str) -> str:
    """All scenarios with what they make fail, as text or JSON."""
    ids = [check.id for check in catalogue().checks]
    entries = [with_ids(entry, ids) for entry in labhost.declared_scenarios()]
    if format_ == "json":
        return json_.dumps(entries)
    rows = []
    for entry in entries:
        shown = [("fail", entry["fails"]), ("warn", entry["warns"]), ("inconclusive", entry["inconclusive"])]
        text = "\n".join(f"{word}: {check_id}" for word, found in shown for check_id in found)
        rows.append((entry["name"], entry["summary"], text or "-"))
    table = tabulate(rows, headers=("scenario", "what it is", "what btdiag says"), maxcolwidths=[None, 52, None])
    return f"{table}\n\nTry one: btdiag run --target lab:{entries[0]['name']}"


def with_ids(entry: Mapping[str, Any], ids: Sequence[str]) -> dict[str, Any]:
    """A scenario with every pattern replaced by the ids it means: what is in none of the lists passes."""
    listed: dict[str, Any] = {"name": entry["name"], "summary": entry["summary"]}
    verdicts = {check_id: _declared_list(entry, check_id) for check_id in ids}
    for key in LISTS:
        listed[key] = [check_id for check_id, found in verdicts.items() if found == key]
    return listed | {"options": entry["options"]}


def _declared_list(entry: Mapping[str, Any], check_id: str) -> str:
    """The list that a check belongs to; an id that is named outweighs a pattern."""
    for fits in (lambda pattern: pattern == check_id, lambda pattern: fnmatchcase(check_id, pattern)):
        for key in (*LISTS, "passes"):
            if any(fits(pattern) for pattern in entry[key]):
                return key
    return "passes"


def serve_lab(scenario: str, port: int | None, stdout: TextIO) -> int:
    """Start the lab, print how to reach it, and keep it up until Ctrl-C or SIGTERM."""
    lab = labhost.start(scenario, *(("--port", str(port)) if port else ()))
    try:
        announcement = lab.ready()
        target = announcement["target"]
        print(f"lab:{scenario} serves {target['url']}", file=stdout)
        for name, value in sorted(target.items()):
            if name != "url" and value:
                print(plain(f"  {name}: {value if isinstance(value, str) else json.dumps(value)}"), file=stdout)
        print("\nTry:", *map(plain, map(str, announcement.get("commands", ()))), sep="\n  ", file=stdout)
        print("\nCtrl-C ends it.", file=stdout, flush=True)
        _until_signal(lab)
    finally:
        lab.stop()
    return 0


def _until_signal(lab: labhost.LabProcess) -> None:
    """Wait; LabError if the lab ends by itself."""
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    while not ended.wait(0.5):  # a bounded wait lets signals in on every platform
        if (code := lab.process.poll()) is not None and not ended.is_set():
            raise labhost.LabError(f"lab:{lab.scenario} ended by itself ({code})")
