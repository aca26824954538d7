"""From hits to the result that formats show: sorted, redacted, waived, against a baseline. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from btdiag.lint.catalogue import RULES
from btdiag.lint.house import Verdict, Waiver, plain, redact_text
from btdiag.lint.rules import (
    arguments,
    buckets,
    fastreaders,
    keepalive,
    keys,
    kubernetes,
    lifecycle,
    parts,
    ports,
    probes,
    rendered,
    resources,
    settings,
    switches,
    telemetry,
    variables,
    volumes,
)
from btdiag.lint.subjects import Hit, Subjects

_CHECKS = (
    telemetry, variables, keepalive, resources, probes, ports, rendered, buckets, volumes, fastreaders, keys,
    kubernetes, settings, parts, arguments, switches, lifecycle,
)  # fmt: skip
_SECRET = re.compile(
    r"secret|token|passw|credential|licen[sc]e|api_?key|private|connection_?string|(?:^|_)(?:PG|REDIS|DATABASE)_URL",
    re.IGNORECASE,
)
LEVELS: Mapping[str, Collection[Verdict]] = {
    "fail": (Verdict.FAIL,),
    "inconclusive": (Verdict.FAIL,),
    "warn": (Verdict.FAIL, Verdict.WARN),
    "never": (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFinding:
    """One finding as it is shown. `waived` is why it does not count; `fix` the corrected value."""

    id: str
    verdict: Verdict
    file: str
    line: int
    column: int
    key: str
    summary: str
    expected: str = ""
    seen: str = ""
    remedy: str = ""
    sources: tuple[str, ...] = ()
    waived: str | None = None
    fix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LintResult:
    """What lint says of all files."""

    verdict: Verdict
    headline: str
    files: tuple[str, ...]
    assumed: Mapping[str, str]
    findings: tuple[FileFinding, ...] = ()
    exit_code: int = 0
    rules: tuple[str, ...] = field(default=tuple(RULES))

    @property
    def counted(self) -> tuple[FileFinding, ...]:
        """The findings that are not waived."""
        return tuple(finding for finding in self.findings if finding.waived is None)


def judge_files(
    subjects: Subjects,
    waivers: Sequence[Waiver] = (),
    today: date = date.min,
    baseline: Collection[tuple[str, str, str]] = (),
    fail_on: str = "fail",
) -> LintResult:
    """The result. `baseline` holds (id, file, key) of an earlier report: what is in it does not count."""
    hits = [hit for check in _CHECKS for hit in check.check(subjects)]
    findings = [_known(_waived(_finding(hit), waivers, today), baseline) for hit in _once(hits)]
    findings.sort(key=lambda one: (-one.verdict.severity, one.file, one.line, one.column, one.id))
    counted = [finding for finding in findings if finding.waived is None]
    verdict = max((one.verdict for one in counted), key=lambda one: one.severity, default=Verdict.PASS)
    return LintResult(
        verdict=verdict,
        headline=_headline(counted, subjects.files),
        files=tuple(map(plain, subjects.files)),
        assumed=dict(subjects.assumed),
        findings=tuple(findings),
        exit_code=int(any(one.verdict in LEVELS[fail_on] for one in counted)),
    )


def _once(hits: Iterable[Hit]) -> list[Hit]:
    """One hit for one rule at one place; what a folder's overlays share is said once."""
    return list({(hit.rule, hit.place, hit.key): hit for hit in hits}.values())


def _finding(hit: Hit) -> FileFinding:
    secret = _SECRET.search(hit.key.rsplit(".", 1)[-1]) is not None
    return FileFinding(
        id=hit.rule,
        verdict=hit.verdict,
        file=_shown(hit.place.file),
        line=hit.place.line,
        column=hit.place.column,
        key=_shown(hit.key)[:300],
        summary=_shown(hit.summary),
        expected=_shown(hit.expected),
        seen="(withheld)" if secret and hit.seen else _shown(hit.seen),
        remedy=_shown(hit.remedy),
        sources=RULES[hit.rule].sources,
        fix=None if secret else hit.fix,
    )


def _shown(text: str) -> str:
    return plain(redact_text(text))


def _waived(finding: FileFinding, waivers: Sequence[Waiver], today: date) -> FileFinding:
    for waiver in waivers:
        if waiver.id == finding.id and today <= waiver.until:
            return replace(finding, waived=f"{plain(waiver.reason)} (accepted until {waiver.until.isoformat()})")
    return finding


def _known(finding: FileFinding, baseline: Collection[tuple[str, str, str]]) -> FileFinding:
    if finding.waived is None and (finding.id, finding.file, finding.key) in baseline:
        return replace(finding, waived="in the baseline")
    return finding


def _headline(findings: Sequence[FileFinding], files: Sequence[str]) -> str:
    if not findings:
        return f"Nothing found in {len(files)} file{'s' * (len(files) != 1)}."
    first = findings[0]
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return f"{first.file}:{first.line}: {first.summary}{more}"
