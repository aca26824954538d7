"""From what became of a check to its line in the report: the one place where blocked, unknown and crashed meet. Pure.

A bad observation fails its own check. What lacks its input is `skip` "because X failed" when X did fail, and
`inconclusive` when that is not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from btdiag.config import Waiver
from btdiag.core.finding import Evidence, Finding, Remedy, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.report import CheckResult
from btdiag.engine.attempt import Attempt
from btdiag.engine.checks import Check
from btdiag.engine.inputs import weightiest
from btdiag.engine.rerun import with_option


def check_result(
    check: Check, attempt: Attempt, *, measurements: tuple[str, ...], rerun: str, again: str = ""
) -> CheckResult:
    """The report's line for one check, before the others are looked at (see `with_root_causes`). `rerun` is the command
    for this check, `again` the one for the whole run, which an option may be added to."""
    finding = _finding(check, attempt, again)
    explanation = check.explanation
    remedy = finding.remedy
    if remedy is None and explanation.remedy and finding.verdict in (Verdict.FAIL, Verdict.WARN):
        remedy = Remedy(text=explanation.remedy)
    return CheckResult(
        id=check.id,
        family=check.family,
        title=explanation.title,
        why=explanation.why,
        verdict=finding.verdict,
        summary=_with_command(finding.summary, again),
        answer=finding.answer,
        hop=str(finding.hop),
        owner=str(finding.owner),
        because=finding.because,
        expected=finding.expected,
        seen=finding.seen,
        rerun=rerun,
        evidence=finding.evidence,
        remedy=remedy,
        sources=tuple(dict.fromkeys((*finding.sources, *explanation.sources))),
        measurements=measurements,
        duration_s=round(attempt.duration_s, 4),
    )


def _with_command(summary: str, again: str) -> str:
    """A judgement knows the option that would settle it, and not the command that it belongs to."""
    reason, found, option = summary.partition(TO_FIND_OUT)
    return f"{reason}{TO_FIND_OUT}{with_option(again, option)}" if found else summary


def _finding(check: Check, attempt: Attempt, again: str) -> Finding:
    if attempt.crash is not None:
        last = attempt.crash.splitlines()[-1]
        evidence = Evidence(kind="crash", title="Where btdiag failed", data=attempt.crash)
        return Finding(
            verdict=Verdict.INCONCLUSIVE, summary=f"the check itself failed: {last}", hop="client", evidence=(evidence,)
        )
    if attempt.assertion is not None:
        first, _, rest = attempt.assertion.partition("\n")
        evidence = Evidence(kind="text", title="The assertion", data=attempt.assertion)
        return Finding(verdict=Verdict.FAIL, summary=first, evidence=(evidence,) if rest else ())
    if attempt.missing:
        return _without(weightiest([missing for _, missing in attempt.missing]), again)
    return attempt.finding or Finding(verdict=Verdict.PASS, summary=check.explanation.title)


def _without(missing: NotMeasured, again: str) -> Finding:
    """The finding of a check that did not get its facts."""
    if missing.by is not None:
        return Finding(verdict=Verdict.SKIP, summary=missing.reason, because=missing.by)
    hint = f"{TO_FIND_OUT}{with_option(again, missing.command)}" if missing.command else ""
    verdict = Verdict.SKIP if missing.skipped else Verdict.INCONCLUSIVE
    return Finding(verdict=verdict, summary=f"{missing.reason}{hint}")


def with_root_causes(
    results: Mapping[str, CheckResult],
    also: Mapping[str, tuple[str, ...]] | None = None,
    unless: Mapping[str, tuple[str, ...]] | None = None,
) -> dict[str, CheckResult]:
    """Follow every `because` to the check where the chain ends, and let its verdict decide.

    `also` names further checks that may explain a result: the first one that did fail does. `unless` names those whose
    failure takes the place of a finding.
    """
    more, better = also or {}, unless or {}
    known = {check_id: _explained(entry, results, better.get(check_id, ())) for check_id, entry in results.items()}
    return {check_id: _resolved(entry, known, more.get(check_id, ())) for check_id, entry in known.items()}


def _explained(entry: CheckResult, results: Mapping[str, CheckResult], unless: tuple[str, ...]) -> CheckResult:
    """The result, or where one of these failed: skipped because of that."""
    cause = next((one for one in unless if one in results and results[one].verdict is Verdict.FAIL), None)
    if cause is None or entry.verdict is Verdict.PASS:
        return entry
    return replace(entry, verdict=Verdict.SKIP, because=cause, answer="", remedy=None)


def _resolved(entry: CheckResult, results: Mapping[str, CheckResult], also: tuple[str, ...]) -> CheckResult:
    if entry.because is None:
        return entry
    causes = [_root(replace(entry, because=cause), results) for cause in (entry.because, *also)]
    failed = next((cause for cause in causes if cause is not None and cause.verdict is Verdict.FAIL), None)
    cause = failed or causes[0]
    if cause is None:
        summary = f"{entry.because} should explain this, but it was not judged: {entry.summary}"
        return replace(entry, verdict=Verdict.INCONCLUSIVE, because=None, summary=summary)
    if cause.verdict is Verdict.FAIL:
        why = f"because {cause.id} failed: "
        return replace(entry, because=cause.id, summary=why + entry.summary.removeprefix(why))
    if cause.verdict is Verdict.SKIP:
        return replace(entry, because=None, summary=f"{cause.id} was skipped: {cause.summary}")
    if cause.verdict is Verdict.INCONCLUSIVE:
        summary = f"{cause.id} could not be decided: {entry.summary}"
    elif cause.verdict is Verdict.WARN:
        summary = f"{cause.id} warns: {entry.summary}"
    else:
        summary = f"undecided, for {cause.id} holds: {entry.summary}"
    return replace(entry, verdict=Verdict.INCONCLUSIVE, because=None, summary=summary)


def _root(entry: CheckResult, results: Mapping[str, CheckResult]) -> CheckResult | None:
    """Where the chain of `because` ends; None if it leads nowhere, or in a circle."""
    seen = {entry.id}
    cause = results.get(entry.because or "")
    while cause is not None and cause.because is not None:
        if cause.id in seen:
            return None
        seen.add(cause.id)
        cause = results.get(cause.because)
    return cause


def waive(entry: CheckResult, waivers: tuple[Waiver, ...], today: date) -> CheckResult:
    """Mark an accepted finding; a waiver is void after its date, and means nothing for what passed or was skipped."""
    if entry.verdict in (Verdict.PASS, Verdict.SKIP):
        return entry
    for waiver in waivers:
        if waiver.id == entry.id and today <= waiver.until:
            return replace(entry, waived=f"{waiver.reason} (accepted until {waiver.until.isoformat()})")
    return entry


TO_FIND_OUT = "; to find out: "
"""What parts the reason why something was not seen from the command that would settle it."""


def not_seen(results: Mapping[str, CheckResult]) -> tuple[str, ...]:
    """What this run could not observe, and why: every skip and undecided check that no failure explains, by the command
    that would settle it, else by reason."""
    groups: dict[str, dict[str, list[str]]] = {}
    for entry in results.values():
        open_question = entry.verdict is Verdict.SKIP and entry.because is None
        if open_question or entry.verdict is Verdict.INCONCLUSIVE:
            reason, _, settles = entry.summary.partition(TO_FIND_OUT)
            groups.setdefault(settles or reason, {}).setdefault(reason, []).append(entry.id)
    return tuple(_not_seen(settles, reasons) for settles, reasons in groups.items())


def _not_seen(settles: str, reasons: Mapping[str, Sequence[str]]) -> str:
    told = "; ".join(f"{', '.join(ids)}: {reason}" for reason, ids in reasons.items())
    return told if settles in reasons else f"{told}{TO_FIND_OUT}{settles}"
