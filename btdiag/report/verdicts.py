"""What follows from the results of checks: the verdict that leads, counts, root cause, order, exit code.

Pure functions; formats show what they returned. Waived findings never count. The first words are in `headline.py`, the
picture of the way in `path.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from btdiag.core.finding import Verdict, leading
from btdiag.core.report import CheckResult
from btdiag.report.documents import Document, reports_of

FAMILIES = (
    "dns",
    "connection",
    "readiness",
    "gateway",
    "cors",
    "browser",
    "lna",
    "keepalive",
    "egress",
    "sdk",
    "ratelimit",
    "audit",
    "brainstore",
    "telemetry",
    "retention",
    "config",
)
"""The families in the order in which a request meets what they test; users' own come after them."""

CRASH = "crash"
"""The kind of evidence that marks a check as undecided because btdiag itself broke."""

NOTHING_KNOWN = 3
_THRESHOLDS = {
    "fail": Verdict.FAIL.severity,
    "inconclusive": Verdict.INCONCLUSIVE.severity,
    "warn": Verdict.WARN.severity,
    "never": Verdict.FAIL.severity + 1,
}
DECIDED = frozenset({Verdict.PASS, Verdict.WARN, Verdict.FAIL})
"""The verdicts that say something of the target."""


def not_waived(checks: Iterable[CheckResult]) -> list[CheckResult]:
    """The results that count: all but waived ones."""
    return [check for check in checks if check.waived is None]


def overall(checks: Iterable[CheckResult]) -> Verdict:
    """The verdict that leads: what is known before what is not; `skip` when there is none."""
    return leading(check.verdict for check in not_waived(checks))


def counts(checks: Iterable[CheckResult]) -> dict[str, int]:
    """How often each verdict was reached, all five always present, most severe first but `pass` leading."""
    found = [check.verdict for check in not_waived(checks)]
    order = (Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.SKIP)
    return {verdict.value: found.count(verdict) for verdict in order}


def by_path(checks: Iterable[CheckResult]) -> list[CheckResult]:
    """Sorted by where on the way of a request they belong; the given order is kept within a family."""
    return sorted(checks, key=lambda check: _family_rank(check.family))


def by_severity(checks: Iterable[CheckResult]) -> list[CheckResult]:
    """Sorted for readers: failures, then warnings, then what is undecided, each along the path."""
    return sorted(by_path(checks), key=lambda check: check.verdict.place)


def findings(checks: Iterable[CheckResult]) -> list[CheckResult]:
    """What somebody has to look at: fail, warn and inconclusive that are not waived, in this order."""
    return [check for check in by_severity(not_waived(checks)) if check.verdict.severity >= Verdict.WARN.severity]


def with_one_reason(found: Iterable[CheckResult]) -> list[tuple[CheckResult, ...]]:
    """The results in their order, those that are undecided or skipped for one and the same reason together."""
    groups: dict[object, list[CheckResult]] = {}
    for check in found:
        alike = check.verdict in (Verdict.INCONCLUSIVE, Verdict.SKIP) and check.waived is None
        groups.setdefault((check.verdict, check.summary) if alike else check.id, []).append(check)
    return [tuple(group) for group in groups.values()]


def ids_of(group: Sequence[CheckResult]) -> str:
    """The ids of results that share a row: "a.b", or "3 checks: a.b, a.c, d.e"."""
    ids = ", ".join(check.id for check in group)
    return ids if len(group) == 1 else f"{len(group)} checks: {ids}"


def root_cause(checks: Iterable[CheckResult]) -> str | None:
    """The id of the failed check that comes first on the path; None without a failure."""
    failed = [check for check in by_path(not_waived(checks)) if check.verdict is Verdict.FAIL]
    return failed[0].id if failed else None


def crashed(check: CheckResult) -> bool:
    """Whether the check is undecided because btdiag itself broke."""
    return check.verdict is Verdict.INCONCLUSIVE and any(evidence.kind == CRASH for evidence in check.evidence)


def counts_at(check: CheckResult, fail_on: str) -> bool:
    """Whether this result alone makes a run fail at the given threshold (`--fail-on`)."""
    return check.waived is None and check.verdict.severity >= _THRESHOLDS[fail_on]


def nothing_known(checks: Sequence[CheckResult]) -> bool:
    """Whether the results tell nothing: not one check decided though some were asked for."""
    return bool(checks) and not any_decided(checks)


def any_decided(checks: Iterable[CheckResult]) -> bool:
    """Whether at least one check reached `pass`, `warn` or `fail`; a URL that no rule forbids is no knowledge yet."""
    return any(check.verdict in DECIDED and not is_about_the_url_alone(check) for check in checks)


def is_about_the_url_alone(check: CheckResult) -> bool:
    """Whether it passed without any measurement: a URL that no rule forbids is no knowledge of what answers there."""
    return check.verdict is Verdict.PASS and check.family == "browser" and not check.measurements


def exit_code_of(checks: Sequence[CheckResult], fail_on: str) -> int:
    """0, 1 or 3 for the results of one target; 2 and 130 are not decided here.

    Undecided checks that were asked to count (`fail_on`) do not where nothing is known, for a finding and a blind run
    call for different people.
    """
    blind = nothing_known(checks)
    counting = [check for check in checks if counts_at(check, fail_on)]
    if any(not blind or check.verdict is not Verdict.INCONCLUSIVE for check in counting):
        return 1
    return NOTHING_KNOWN if blind else 0


def exit_code(document: Document, fail_on: str) -> int:
    """The exit code of a document, the same for every format: findings (1) outweigh not knowing (3)."""
    codes = {exit_code_of(report.checks, fail_on) for report in reports_of(document)}
    return next((code for code in (1, NOTHING_KNOWN) if code in codes), 0)


def _family_rank(family: str) -> int:
    return FAMILIES.index(family) if family in FAMILIES else len(FAMILIES)
