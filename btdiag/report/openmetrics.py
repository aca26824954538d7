"""OpenMetrics text for a Prometheus file collector or push gateway: verdicts and times of every check and measurement.

Source: https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md (escaping, units, info, EOF).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from btdiag.core.report import Report
from btdiag.report.documents import Document, reports_of, url_of
from btdiag.report.escape import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One line: the value under labels, with the time (Unix seconds) at which it was true, None if unknown."""

    labels: tuple[tuple[str, str], ...]
    value: float
    at: float | None


def render(document: Document) -> str:
    """The document in OpenMetrics text, `# EOF` at its end. Times in seconds; samples carry the end of their run."""
    reports = reports_of(document)
    families = [
        ("btdiag_run", "info", "The run and from where it looked.", _info(reports)),
        ("btdiag_checks", "gauge", "Number of checks by verdict.", _counts(reports)),
        ("btdiag_check_verdict", "gauge", "1 for the verdict that a check reached.", _verdicts(reports)),
        ("btdiag_check_duration_seconds", "gauge", "Time that judging took.", _check_times(reports)),
        ("btdiag_measurement_duration_seconds", "gauge", "Time that a measurement took.", _measured(reports)),
        ("btdiag_run_duration_seconds", "gauge", "Time that the run took.", _of_run(reports, "duration_s")),
        ("btdiag_run_longest_wait_seconds", "gauge", "Longest idle wait.", _of_run(reports, "longest_wait_s")),
        ("btdiag_run_requests", "gauge", "Requests sent in the run.", _of_run(reports, "requests_sent")),
        ("btdiag_run_exit_code", "gauge", "Exit code of the run.", _of_run(reports, "exit_code")),
    ]
    return "".join(_family(*family) for family in families) + "# EOF\n"


def _family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> str:
    unit = f"# UNIT {name} seconds\n" if name.endswith("_seconds") else ""
    suffix = "_info" if kind == "info" else ""
    unique = {sample.labels: sample for sample in samples}
    lines = [_line(name + suffix, sample) for sample in unique.values()]
    return f"# TYPE {name} {kind}\n{unit}# HELP {name} {text}\n" + "".join(lines)


def _line(name: str, sample: Sample) -> str:
    labels = ",".join(f'{key}="{_escaped(value)}"' for key, value in sample.labels)
    at = f" {sample.at:.3f}" if sample.at is not None else ""
    return f"{name}{{{labels}}} {sample.value:g}{at}\n"


def _escaped(text: str) -> str:
    return plain(text).replace("\\", "\\\\").replace('"', '\\"')


def _labels(report: Report, **more: str) -> tuple[tuple[str, str], ...]:
    return (("target", url_of(report)), ("vantage", report.run.vantage.hostname), *more.items())


def _end(report: Report) -> float | None:
    """When the run ended, in Unix seconds; None where its start is no time."""
    try:
        started = datetime.fromisoformat(report.run.started_at)
    except (ValueError, OverflowError):
        return None
    return started.replace(tzinfo=started.tzinfo or UTC).timestamp() + report.run.duration_s


def _info(reports: Sequence[Report]) -> list[Sample]:
    return [
        Sample(
            labels=_labels(
                report, run=report.run.id, version=report.tool_version, platform=report.run.vantage.platform
            ),
            value=1,
            at=_end(report),
        )
        for report in reports
    ]


def _counts(reports: Sequence[Report]) -> list[Sample]:
    return [
        Sample(labels=_labels(report, verdict=verdict), value=count, at=_end(report))
        for report in reports
        for verdict, count in report.counts.items()
    ]


def _verdicts(reports: Sequence[Report]) -> list[Sample]:
    return [
        Sample(
            labels=_labels(
                report,
                family=check.family,
                check=check.id,
                verdict=check.verdict.value,
                accepted="no" if check.waived is None else "yes",
            ),
            value=1,
            at=_end(report),
        )
        for report in reports
        for check in report.checks
    ]


def _check_times(reports: Sequence[Report]) -> list[Sample]:
    return [
        Sample(labels=_labels(report, family=check.family, check=check.id), value=check.duration_s, at=_end(report))
        for report in reports
        for check in report.checks
    ]


def _measured(reports: Sequence[Report]) -> list[Sample]:
    return [
        Sample(labels=_labels(report, measurement=record.name), value=record.duration_s, at=_end(report))
        for report in reports
        for record in report.measurements
    ]


def _of_run(reports: Sequence[Report], field: str) -> list[Sample]:
    return [Sample(labels=_labels(report), value=getattr(report.run, field), at=_end(report)) for report in reports]
