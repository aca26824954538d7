"""Many targets in a few lines: those that need attention by their cause, the worst and most frequent first. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from btdiag.core.finding import Verdict
from btdiag.core.report import CheckResult, Report
from btdiag.report.documents import url_of
from btdiag.report.headline import action_of, answer_of, leading_finding


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedCause:
    """What the first words of several reports say alike. `check` is "" where nothing could be decided; `what` is the
    answer, `action` what to do ("" without a remedy), `targets` their URLs in the order of the reports."""

    check: str
    verdict: Verdict
    what: str
    action: str
    targets: tuple[str, ...]


def causes(reports: Sequence[Report]) -> tuple[SharedCause, ...]:
    """The causes for which targets need attention."""
    groups: dict[tuple[Verdict, str, str], list[tuple[Report, CheckResult | None]]] = {}
    for report in reports:
        if report.verdict in (Verdict.PASS, Verdict.SKIP):
            continue
        finding = leading_finding(report.checks)
        key = (report.verdict, finding.id if finding else "", _told(finding))
        groups.setdefault(key, []).append((report, finding))
    found = [_cause(verdict, check, what, members) for (verdict, check, what), members in groups.items()]
    return tuple(sorted(found, key=lambda cause: (cause.verdict.place, -len(cause.targets))))


def _cause(
    verdict: Verdict, check: str, what: str, members: Sequence[tuple[Report, CheckResult | None]]
) -> SharedCause:
    actions = {action_of(finding) if finding else "" for _, finding in members}
    return SharedCause(
        check=check,
        verdict=verdict,
        what=what,
        action=actions.pop() if len(actions) == 1 else "",
        targets=tuple(url_of(report) for report, _ in members),
    )


def _told(finding: CheckResult | None) -> str:
    """What can be said of all that have this finding: a summary has figures of its own target in it."""
    if finding is None:
        return "Nothing could be decided"
    if finding.answer:
        return answer_of(finding)
    held = "could not be decided" if finding.verdict is Verdict.INCONCLUSIVE else "does not hold"
    return f"{finding.id} {held}: {finding.title}"


def headline_of_many(reports: Sequence[Report]) -> str:
    """How many of many targets need attention, and the worst cause with its share."""
    found = causes(reports)
    of = f"{len(reports):,}"
    if not found:
        return f"Healthy: {of} targets checked, no finding"
    bad = sum(len(cause.targets) for cause in found)
    first = found[0]
    return " ".join(filter(None, (f"{bad:,} of {of} need attention. {share(first, len(reports))}.", first.action)))


def share(cause: SharedCause, of: int) -> str:
    """ "37 of 1,000: Certificate expires within two weeks"."""
    return f"{len(cause.targets):,} of {of:,}: {cause.what}"


def worst_first(reports: Sequence[Report]) -> list[Report]:
    """The reports by what leads in them, in their order otherwise."""
    return sorted(reports, key=lambda report: report.verdict.place)
