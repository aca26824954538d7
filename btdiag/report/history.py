"""What became of a target over time: stretches of one verdict, when a check turned, and which do not settle. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from tabulate import tabulate

from btdiag.core.finding import Verdict
from btdiag.report.escape import plain
from btdiag.report.words import label

FLAPPING_TURNS, FLAPPING_RUNS = 3, 10
"""A check that turned so often within so many of the newest runs does not settle: once is a fault, twice its end."""
_ABSENT = "absent"
_SETTLED = frozenset({"pass", "warn", "fail"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """One run: when, from where, what it came to, and the verdict of each check ("fail, accepted" for a waived one)."""

    at: datetime
    verdict: Verdict
    headline: str
    vantage: str
    run: str
    verdicts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Runs one after the other with the same verdict; `headline` is that of the newest."""

    since: datetime
    until: datetime
    runs: int
    verdict: Verdict
    headline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A check that had another verdict than in the run before."""

    at: datetime
    check: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All of it, the newest first. `flapping` are the checks that do not settle."""

    target: str
    runs: int
    stretches: tuple[Stretch, ...]
    turns: tuple[Turn, ...]
    flapping: tuple[str, ...]

    @property
    def headline(self) -> str:
        """What is so now, since when, and what does not settle."""
        if not self.stretches:
            return f"No run of {self.target} is stored"
        now = self.stretches[0]
        since = f"{now.verdict.upper()} since {stamp(now.since)} ({_count(now.runs, 'run')})"
        unsettled = f"; {', '.join(self.flapping)} {'do' if len(self.flapping) > 1 else 'does'} not settle"
        return f"{since}{unsettled if self.flapping else ''}"


def history_of(target: str, entries: Sequence[PastRun]) -> History:
    """The history that runs tell, given newest first."""
    return History(
        target=target,
        runs=len(entries),
        stretches=tuple(_stretches(entries)),
        turns=tuple(_turns(entries)),
        flapping=tuple(_flapping(entries[:FLAPPING_RUNS])),
    )


def _stretches(entries: Sequence[PastRun]) -> list[Stretch]:
    found: list[list[PastRun]] = []
    for entry in entries:
        if found and found[-1][-1].verdict is entry.verdict:
            found[-1].append(entry)
        else:
            found.append([entry])
    return [
        Stretch(
            since=group[-1].at,
            until=group[0].at,
            runs=len(group),
            verdict=group[0].verdict,
            headline=group[0].headline,
        )
        for group in found
    ]


def _turns(entries: Sequence[PastRun]) -> list[Turn]:
    return [turn for new, old in pairwise(entries) for turn in changed(old, new)]


def changed(old: PastRun, new: PastRun) -> list[Turn]:
    """The checks that have another verdict in the new run than in the old one."""
    found = []
    for check in {**old.verdicts, **new.verdicts}:
        before, after = old.verdicts.get(check, _ABSENT), new.verdicts.get(check, _ABSENT)
        if before != after:
            found.append(Turn(at=new.at, check=check, old=before, new=after))
    return found


def _flapping(entries: Sequence[PastRun]) -> list[str]:
    """Checks that went from one decided verdict to another too often; what was skipped or undecided in between does not
    count."""
    turned: Counter[str] = Counter()
    last: dict[str, str] = {}
    for entry in entries:
        for check, verdict in entry.verdicts.items():
            if verdict not in _SETTLED:
                continue
            turned[check] += last.get(check, verdict) != verdict
            last[check] = verdict
    return [check for check, times in turned.items() if times >= FLAPPING_TURNS]


def render(found: History, format: str, *, most: int = 20) -> str:
    """The history as text (the newest `most` rows of each table) or JSON."""
    if format == "json":
        return json.dumps(_as_json(found), indent=1) + "\n"
    parts = [f"{plain(found.target)}: {plain(found.headline)}"]
    if found.stretches:
        rows = [
            (stamp(each.since), stamp(each.until), each.runs, label(each.verdict), plain(each.headline))
            for each in found.stretches[:most]
        ]
        parts.append(_table(rows, ("from", "until", "runs", "verdict", "headline"), len(found.stretches)))
    if found.turns:
        turned = [
            (stamp(each.at), plain(each.check), f"{plain(each.old)} -> {plain(each.new)}")
            for each in found.turns[:most]
        ]
        parts.append(_table(turned, ("when", "check", "turned"), len(found.turns)))
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[Sequence[object]], headers: Sequence[str], of: int) -> str:
    shown = tabulate(rows, headers, tablefmt="simple", disable_numparse=True)
    return shown if of <= len(rows) else f"{shown}\n{of - len(rows):,} older ones: --format json"


def _as_json(found: History) -> dict[str, object]:
    return {
        "schema_version": 1,
        "kind": "history",
        "target": found.target,
        "headline": found.headline,
        "runs": found.runs,
        "stretches": [
            {
                "since": stamp(each.since),
                "until": stamp(each.until),
                "runs": each.runs,
                "verdict": each.verdict.value,
                "headline": each.headline,
            }
            for each in found.stretches
        ],
        "turns": [
            {"at": stamp(each.at), "check": each.check, "old": each.old, "new": each.new} for each in found.turns
        ],
        "flapping": list(found.flapping),
    }


def stamp(at: datetime) -> str:
    """A moment to the second, in RFC 3339."""
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
