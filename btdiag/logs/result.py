"""What `btdiag logs` says of all files: the value that every format shows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from btdiag.logs import findings
from btdiag.logs.claims import CLAIM_OF, ToldTimeouts
from btdiag.logs.groups import BalancerGroup, groups_of
from btdiag.logs.house import CheckResult, Verdict, action_of, answer_of, exit_code_of, leading
from btdiag.logs.judging import JudgedFile
from btdiag.logs.quoting import Quoter
from btdiag.logs.rows import KindRow, rows_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsResult:
    """Verdict and headline, the checks, and behind them the files, their rows and the groups that were counted."""

    verdict: Verdict
    headline: str
    exit_code: int
    checks: tuple[CheckResult, ...]
    files: tuple[JudgedFile, ...]
    rows: tuple[KindRow, ...]
    groups: tuple[BalancerGroup, ...]
    told: ToldTimeouts
    quoter: Quoter
    all_lines: bool = False
    fail_on: str = "fail"


def result_of_logs(files: Sequence[JudgedFile], told: ToldTimeouts, quoter: Quoter, *, fail_on: str, all_lines: bool,
             more: Sequence[CheckResult] = ()) -> LogsResult:  # fmt: skip
    """The result for files that are judged and joined; `more` are checks of what else was asked for."""
    groups = groups_of(files)
    checks = ordered((*findings.claim_results(groups, files, told, quoter), *more))
    verdict = leading(check.verdict for check in checks)
    return LogsResult(
        verdict=verdict,
        headline=_headline(checks, verdict, files, groups),
        exit_code=exit_code_of(checks, fail_on),
        checks=tuple(checks),
        files=tuple(files),
        rows=tuple(row for one in files for row in rows_of(one)),
        groups=tuple(groups),
        told=told,
        quoter=quoter,
        all_lines=all_lines,
        fail_on=fail_on,
    )


_ORDER = {claim.id: number for number, claim in enumerate(dict.fromkeys(CLAIM_OF.values()))}


def ordered(checks: Sequence[CheckResult]) -> list[CheckResult]:
    """What is known first, and of that what explains most."""
    return sorted(checks, key=lambda check: (check.verdict.place, _ORDER.get(check.id, len(_ORDER))))


def _headline(
    checks: Sequence[CheckResult], verdict: Verdict, files: Sequence[JudgedFile], groups: Sequence[BalancerGroup]
) -> str:
    first = checks[0]
    if verdict in (Verdict.FAIL, Verdict.WARN):
        return " ".join(filter(None, (f"{answer_of(first)}.", action_of(first))))
    lines = sum(one.account.lines for one in files)
    requests = sum(group.requests or 0 for group in groups)
    much = f"{requests:,} requests" if requests else f"{lines:,} lines"
    if verdict is Verdict.INCONCLUSIVE:
        failed = sum(row.count for group in groups for row in group.rows)
        if failed:
            return f"{failed:,} of {much} failed, and the logs leave open why. {_what_settles(first)}"
        return f"No failure in {much}. {first.summary}"
    race = next((one for one in checks if one.id == next(iter(_ORDER)) and one.verdict is Verdict.PASS), None)
    return f"No failure in {much}. {race.summary if race else ''}".strip()


def _what_settles(check: CheckResult) -> str:
    return check.remedy.text if check.remedy else ""
