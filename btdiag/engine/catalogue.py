"""What checks there are, and what one of them means: `btdiag checks` and `btdiag explain`."""

from __future__ import annotations

import math
import shlex
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tabulate import tabulate

from btdiag.config import UsageError
from btdiag.core.measurement import MeasurementSpec
from btdiag.core.target import Mode, Target
from btdiag.engine import labhost, symptoms
from btdiag.engine.checks import Check
from btdiag.engine.loader import watched
from btdiag.engine.registry import Registry
from btdiag.engine.run import collected
from btdiag.logs.claims import CLAIMS
from btdiag.report import json_
from btdiag.report.escape import plain
from btdiag.report.verdicts import FAMILIES


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All checks, in the order of the path, and the measurements that they need."""

    checks: tuple[Check, ...]
    registry: Registry

    def wait_s(self, check: Check) -> float:
        """The longest idle wait (seconds) that a check needs on a target about which nothing was declared."""
        target = Target(url="https://api.example", scheme="https", host="api.example", port=443)
        return max((wait_of(spec, target, Mode()) for spec in self.registry.needs(check.parameters)), default=0.0)


def wait_of(spec: MeasurementSpec, target: Target, mode: Mode) -> float:
    """The idle wait (seconds) that a measurement plans; UsageError where one of the user's own gives none."""
    if spec.idle is None:
        return 0.0
    try:
        wait = float(spec.idle(target, mode))
    except Exception as error:  # whatever a function of the user's raises
        raise UsageError(f"measurement {spec.name}: idle= raised {type(error).__name__}: {error}") from None
    if not 0 <= wait < math.inf:
        raise UsageError(f"measurement {spec.name}: idle= gave {wait}, which is no wait")
    return wait


def _rank(family: str) -> tuple[int, str]:
    return (FAMILIES.index(family) if family in FAMILIES else len(FAMILIES), family)


def catalogue(places: Sequence[Path] = (), *, guest: bool = False) -> Catalogue:
    """All checks, in the order of the path; UsageError if the user's cannot be loaded. `guest`: see `collected`."""
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # a list leaves nothing behind
    try:
        return collected(
            places,
            lambda found: Catalogue(tuple(sorted(found.checks, key=lambda check: _rank(check.family))), found.registry),
            guest=guest,
        )
    finally:
        sys.dont_write_bytecode = writes


def list_checks(format_: str, places: Sequence[Path] = ()) -> str:
    """The list of all checks as text or JSON."""
    found, waits = _with_waits(places)
    rows = [
        {"id": check.id, "family": check.family, "claim": check.explanation.title, "wait_s": wait}
        for check, wait in zip(found.checks, waits, strict=True)
    ]
    if format_ == "json":
        return json_.dumps(rows)
    table = [
        (plain(check.id), plain(check.explanation.title), f"{wait:g} s" if wait else "-")
        for check, wait in zip(found.checks, waits, strict=True)
    ]
    return tabulate(table, headers=("id", "claim", "waits"), maxcolwidths=[None, 72, None], tablefmt="simple")


def _with_waits(places: Sequence[Path]) -> tuple[Catalogue, list[float]]:
    """All checks, and how long each waits: functions of the user's own say so."""
    with watched(places):
        found = catalogue(places)
        return found, [found.wait_s(check) for check in found.checks]


def explain_check(check_id: str, places: Sequence[Path]) -> str:
    """Everything known about one check, for reading; of words that are no id, the symptoms that they may mean."""
    found, waits = _with_waits(places)
    pairs = zip(found.checks, waits, strict=True)
    check, wait = next(((check, wait) for check, wait in pairs if check.id == check_id), (None, 0.0))
    if check is None:
        if meant := symptoms.fitting(check_id):
            claims = {claim.id: claim.title.rstrip(".") for claim in CLAIMS}
            return symptoms.as_text(meant, claims | {check.id: check.explanation.title for check in found.checks})
        near = get_close_matches(check_id, [check.id for check in found.checks], n=1)
        hint = f": did you mean {near[0]}?" if near else ": see btdiag checks"
        raise UsageError(f"no check is called {check_id!r}{hint}")
    text = check.explanation
    parts = [f"{check.id}\n\n{text.title}."]
    parts += [_wrapped(paragraph) for paragraph in text.why.split("\n\n") if paragraph]
    if text.measured:
        parts.append(_wrapped(f"How it is measured: {text.measured}"))
    if wait:
        parts.append(f"It waits about {wait:g} s, at the same time as everything else; --quick leaves the wait out.")
    if text.remedy:
        parts.append(_wrapped(f"What to do: {text.remedy}"))
    if text.sources:
        parts.append("Sources:\n" + "\n".join(f"  {source}" for source in text.sources))
    parts.append(_in_the_lab(check.id))
    return "\n\n".join(part for part in parts if part)


def _wrapped(paragraph: str) -> str:
    return textwrap.fill(paragraph, width=96)


def _in_the_lab(check_id: str) -> str:
    """The commands that show the check failing, or warning if that is its worst."""
    for word, shown in in_the_lab(check_id, labhost.declared_scenarios()).items():
        commands = "\n".join(f"  {lab_command(scenario, check_id)}" for scenario in shown[:3])
        return f"See it {word} in the lab:\n{commands}"
    return ""


def in_the_lab(check_id: str, scenarios: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The scenarios, as `labhost.declared_scenarios` lists them, in which the check does not pass: by what it does
    there, and first those in which the fewest others fail or warn with it."""
    purest = sorted(scenarios, key=lambda scenario: len(scenario["fails"]) + len(scenario["warns"]))
    found = {
        word: [scenario for scenario in purest if check_id in scenario[verdict]]
        for verdict, word in (("fails", "fail"), ("warns", "warn"), ("inconclusive", "stay undecided"))
    }
    return {word: shown for word, shown in found.items() if shown}


def lab_command(scenario: Mapping[str, Any], check_id: str) -> str:
    """The command that shows one check in one scenario, with the options which that needs."""
    return shlex.join(
        ["btdiag", "run", "--target", f"lab:{scenario['name']}", "--only", check_id, *scenario["options"]]
    )
