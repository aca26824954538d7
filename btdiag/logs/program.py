"""logs for programs: what `btdiag.logs(...)` does and returns."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import TypeAlias

from btdiag.logs import formats
from btdiag.logs.command import examined
from btdiag.logs.house import FAIL_ON, CheckResult, UsageError, Verdict, framed
from btdiag.logs.result import LogsResult

AnyPath: TypeAlias = "str | os.PathLike[str]"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LogsReport(LogsResult):
    """What a load balancer's logs prove."""

    def __getitem__(self, check_id: str) -> CheckResult:
        """The result of one check; KeyError if there is no such check."""
        for check in self.checks:
            if check.id == check_id:
                return check
        raise KeyError(check_id)

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that fail."""
        return tuple(check for check in self.checks if check.verdict is Verdict.FAIL)

    def to_json(self) -> str:
        """The same JSON as that of `btdiag logs --format json`."""
        return formats.render(self, "json")

    def __repr__(self) -> str:
        return f"<btdiag.LogsReport {self.verdict}: {self.headline}>"

    def _repr_html_(self) -> str:
        return framed(formats.render(self, "html"))


def logs(
    *paths: AnyPath,
    since: str | None = None,
    until: str | None = None,
    backend_keepalive: float | str | None = None,
    lb_idle_timeout: float | str | None = None,
    log_format: str | None = None,
    config: AnyPath | None = None,
    anonymize: bool = False,
    all_lines: bool = False,
    fail_on: str = "fail",
    with_report: AnyPath | None = None,
) -> LogsReport:
    """Say what the access and error logs of a load balancer prove, as `btdiag logs` does; no network. Raises UsageError
    for what cannot be read or is no option's value."""
    if not paths:
        raise UsageError("logs: name at least one file or folder")
    if fail_on not in FAIL_ON:
        raise UsageError(f"fail_on: is one of {', '.join(FAIL_ON)}")
    result = examined(
        [os.fspath(path) for path in paths],
        fail_on=fail_on,
        since=since,
        until=until,
        backend_keepalive=None if backend_keepalive is None else str(backend_keepalive),
        lb_idle_timeout=None if lb_idle_timeout is None else str(lb_idle_timeout),
        log_format=log_format,
        config=None if config is None else os.fspath(config),
        anonymize=anonymize,
        all_lines=all_lines,
        with_report=None if with_report is None else os.fspath(with_report),
    )
    return LogsReport(**{field.name: getattr(result, field.name) for field in fields(result)})
