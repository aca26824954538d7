"""Judging: each check on the facts of one target, and which others it names as the cause."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from btdiag.core.account import Account, Closing, Explainer
from btdiag.core.finding import Evidence, Verdict
from btdiag.core.report import CheckResult
from btdiag.engine import outcome
from btdiag.engine.checks import Check
from btdiag.engine.inputs import weightiest
from btdiag.engine.job import Run
from btdiag.engine.rerun import command
from btdiag.engine.schedule import Schedule
from btdiag.engine.session import Collected

LAST = "closing"
"""The built-in that a check asks for to be judged after all others."""


@dataclass(slots=True)
class Judged:
    """The results on one target so far, by check id; `also` names further checks that may explain one that lacks its
    facts, `unless` those whose failure explains a finding, `again` is the command that repeats the run."""

    results: dict[str, CheckResult] = field(default_factory=dict)
    also: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unless: dict[str, tuple[str, ...]] = field(default_factory=dict)
    inputs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    again: str = ""

    @property
    def explanations(self) -> tuple[Explainer, ...]:
        """What warns or fails so far, and what is skipped for that."""
        return tuple(
            Explainer(
                check=entry.id,
                measurements=frozenset(self.inputs[entry.id]),
                words=f"{entry.summary} {entry.seen}",
                shown=" ".join(str(one.data) for one in entry.evidence),
                statuses=frozenset(_statuses(entry.evidence)),
                follows=entry.because is not None,
            )
            for entry in self.results.values()
            if entry.verdict in {Verdict.FAIL, Verdict.WARN} or entry.because
        )


def _statuses(evidence: Sequence[Evidence]) -> Iterator[int]:
    """Of the answers that are shown."""
    for one in evidence:
        if one.kind == "exchange" and isinstance(one.data, dict) and isinstance(status := one.data.get("status"), int):
            yield status


def judge_check(
    run: Run, found: Collected, check: Check, schedule: Schedule, number: int, judged: Judged, within_s: float
) -> None:
    """Run one check on one target's facts and keep what became of it."""

    def fact(name: str) -> object:
        match name:
            case "target":
                return run.targets[number]
            case "mode":
                return run.settings.mode
            case "closing":
                return Closing(account=schedule.accounts.get(number, Account()), findings=judged.explanations)
        return schedule.value(name, number)

    attempt = found.judge(check, fact, within_s)
    names = tuple(spec.name for spec in found.registry.needs(check.parameters))
    again = judged.again = judged.again or command(run.settings, run.targets[number], ())
    rerun = f"{again} {shlex.join(['--only', check.id])}"
    entry = outcome.check_result(check, attempt, measurements=names, rerun=rerun, again=again)
    if entry.verdict is Verdict.INCONCLUSIVE and (crashes := _crashes(schedule, names, number)):
        entry = replace(entry, evidence=(*entry.evidence, *crashes))
    judged.results[check.id] = entry
    judged.inputs[check.id] = check.parameters
    if attempt.finding is not None and attempt.finding.verdict is not Verdict.PASS:
        judged.unless[check.id] = attempt.finding.unless
    if attempt.missing:
        judged.also[check.id] = weightiest([missing for _, missing in attempt.missing]).also_by


def blockers(judged: Judged, checks: Mapping[str, Check]) -> tuple[str, ...]:
    """The checks that others are blocked by, and that nobody has judged yet: the report has to show them."""
    causes = [entry.because for entry in judged.results.values() if entry.because]
    causes += [cause for named in judged.also.values() for cause in named]
    causes += [cause for id_, named in judged.unless.items() if not _is_explained(id_, judged) for cause in named]
    return tuple(dict.fromkeys(cause for cause in causes if cause in checks and cause not in judged.results))


def _is_explained(id_: str, judged: Judged) -> bool:
    """Does a check follow from another one that failed, or is yet to be judged? Then no further one takes its place."""
    because = judged.results[id_].because if id_ in judged.results else None
    return because is not None and (because not in judged.results or judged.results[because].verdict is Verdict.FAIL)


def _crashes(schedule: Schedule, names: Sequence[str], number: int) -> list[Evidence]:
    return [
        Evidence(kind="crash", title=f"Where btdiag failed ({key.text})", data=done.crash)
        for key, done in schedule.outcomes.items()
        if done.crash and key.name in names and key.target_number in (None, number)
    ]
