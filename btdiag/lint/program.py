"""lint for programs: what `btdiag.lint(...)` does and returns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeAlias

from btdiag.lint import formats
from btdiag.lint.command import linted
from btdiag.lint.house import UsageError, Verdict, framed
from btdiag.lint.judging import LEVELS, FileFinding, LintResult

AnyPath: TypeAlias = "str | os.PathLike[str]"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LintReport(LintResult):
    """What lint says of files."""

    def __getitem__(self, rule: str) -> tuple[FileFinding, ...]:
        """The findings of one rule; KeyError if there is no such rule."""
        if rule not in self.rules:
            raise KeyError(rule)
        return tuple(finding for finding in self.findings if finding.id == rule)

    @property
    def failed(self) -> tuple[FileFinding, ...]:
        """The findings that fail and are not accepted."""
        return tuple(finding for finding in self.counted if finding.verdict is Verdict.FAIL)

    def to_json(self) -> str:
        """The same JSON as that of `btdiag lint --format json`."""
        return formats.render(self, "json")

    def __repr__(self) -> str:
        return f"<btdiag.LintReport {self.verdict}: {self.headline}>"

    def _repr_html_(self) -> str:
        return framed(formats.render(self, "html"))


def lint(
    *paths: AnyPath,
    chart: str | None = None,
    modules: Sequence[str] = (),
    namespace: str | None = None,
    upgrade_from: str | None = None,
    baseline: AnyPath | None = None,
    profile: AnyPath | None = None,
    fail_on: str = "fail",
) -> LintReport:
    """Judge Helm values, manifests, Terraform, compose and env files, as `btdiag lint` does; no network, and nothing is
    read that was not named. Raises UsageError for what cannot be read or is no option's value."""
    if not paths:
        raise UsageError("lint: name at least one file or folder")
    if fail_on not in LEVELS:
        raise UsageError(f"fail_on: is one of {', '.join(LEVELS)}")
    result, _ = linted(
        [os.fspath(path) for path in paths],
        folder=None,
        chart=chart,
        modules=modules,
        namespace=namespace,
        upgrade_from=upgrade_from,
        baseline=None if baseline is None else os.fspath(baseline),
        profile=None if profile is None else os.fspath(profile),
        fail_on=fail_on,
    )
    return LintReport(**{field.name: getattr(result, field.name) for field in fields(result)})
