"""`btdiag lab`: list the scenarios, or serve one until Ctrl-C."""

from __future__ import annotations

import json
import signal
import threading
from types import FrameType
from typing import TextIO

from tabulate import tabulate

from btdiag.engine import labhost


def list_scenarios(format_: str) -> str:
    """All scenarios with what they make fail, as text or JSON."""
    entries = labhost.scenarios()
    if format_ == "json":
        return json.dumps(entries, indent=2)
    rows = []
    for entry in entries:
        shown = [("fail", entry["fails"]), ("warn", entry["warns"]), ("inconclusive", entry["inconclusive"])]
        text = "\n".join(f"{word}: {check_id}" for word, ids in shown for check_id in ids)
        rows.append((entry["name"], entry["summary"], text or "-"))
    table = tabulate(rows, headers=("scenario", "what it is", "what btdiag says"), maxcolwidths=[None, 52, None])
    return f"{table}\n\nTry one: btdiag run --target lab:{entries[0]['name']}"


def serve(scenario: str, port: int | None, stdout: TextIO) -> int:
    """Start the lab, print how to reach it, and keep it up until Ctrl-C or SIGTERM."""
    lab = labhost.start(scenario, *(("--port", str(port)) if port else ()))
    try:
        announcement = lab.ready()
        target = announcement["target"]
        print(f"lab:{scenario} serves {target['url']}", file=stdout)
        for name, value in sorted(target.items()):
            if name != "url" and value:
                print(f"  {name}: {value if isinstance(value, str | int | float) else json.dumps(value)}", file=stdout)
        print("\nTry:", *announcement.get("commands", ()), sep="\n  ", file=stdout)
        print("\nCtrl-C ends it.", file=stdout, flush=True)
        _until_signal()
    finally:
        lab.stop()
    return 0


def _until_signal() -> None:
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    while not ended.wait(0.5):  # a bounded wait lets signals in on every platform
        pass
