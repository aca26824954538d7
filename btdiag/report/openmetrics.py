"""OpenMetrics text for a Prometheus file collector or push gateway: verdicts and times of every check and measurement.

prometheus-client writes it, as it writes what `btdiag serve` answers. Source:
https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md (units, info, exemplars, EOF).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from btdiag.core.report import Report, unix_seconds
from btdiag.report.answer_times import Asked, answer_times
from btdiag.report.documents import Document, reports_of, url_of
from btdiag.report.escape import plain

if TYPE_CHECKING:
    from prometheus_client.core import Metric

LONGEST = 300
"""Characters of a label's value: Prometheus keeps each of them for as long as its series."""
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, float("inf"))
"""Seconds; Prometheus' own usual bounds."""
_SHOWN = 40  # characters of an exemplar's label: OpenMetrics allows 128 for all of them, names included


class Fixed:
    """A collector that hands out families which were made before."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        return self._families


def render(document: Document) -> str:
    """The document in OpenMetrics text, `# EOF` at its end. Times in seconds; samples carry the end of their run."""
    from prometheus_client.openmetrics.exposition import generate_latest

    text: bytes = generate_latest(Fixed(_families(reports_of(document))))
    return text.decode()


def metric_label(text: str) -> str:
    """A label's value: one line of bounded length."""
    return plain(text)[:LONGEST]


def _families(reports: Sequence[Report]) -> Iterator[Metric]:
    from prometheus_client.core import InfoMetricFamily

    info = InfoMetricFamily("btdiag_run", "The run and from where it looked")
    for report in _unlike(reports):
        more = {"run": report.run.id, "version": report.tool_version, "platform": report.run.vantage.platform}
        info.add_metric([], _labels(report, **more), timestamp=_end(report))
    yield info
    for name, text, samples in (
        ("btdiag_checks", "Number of checks by verdict", _counts),
        ("btdiag_check_verdict", "1 for the verdict that a check reached", _verdicts),
        ("btdiag_check_duration_seconds", "Time that judging took", _check_times),
        ("btdiag_measurement_duration_seconds", "Time that a measurement took", _measured),
    ):
        yield _gauge(name, text, ((report, each) for report in reports for each in samples(report)))
    yield _histogram(reports)
    for field, name, text in (
        ("duration_s", "btdiag_run_duration_seconds", "Time that the run took"),
        ("longest_wait_s", "btdiag_run_longest_wait_seconds", "Longest idle wait"),
        ("requests_sent", "btdiag_run_requests", "Requests sent in the run"),
        ("exit_code", "btdiag_run_exit_code", "Exit code of the run"),
    ):
        yield _gauge(name, text, ((report, ({}, getattr(report.run, field))) for report in reports))


Value = tuple[Mapping[str, str], float]


def _gauge(name: str, text: str, values: Iterable[tuple[Report, Value]]) -> Metric:
    """A family of one value a report and set of labels; of several alike the last one counts."""
    from prometheus_client.core import Metric

    family = Metric(name, text, "gauge", "seconds" if name.endswith("_seconds") else "")
    found: dict[tuple[tuple[str, str], ...], tuple[float, float | None]] = {}
    for report, (more, value) in values:
        found[tuple(_labels(report, **more).items())] = float(value), _end(report)
    for labels, (value, at) in found.items():
        family.add_sample(name, dict(labels), value, at)
    return family


def _histogram(reports: Sequence[Report]) -> Metric:
    """How long answers took, with the slowest of each bucket as its example: its run's id is in the balancer's log."""
    from prometheus_client.core import Exemplar, Metric

    name = "btdiag_answer_seconds"
    family = Metric(name, "From a request's last byte to its answer's first", "gaugehistogram", "seconds")
    for report in _unlike(reports):
        times = answer_times(report.measurements)
        below = 0.0
        for bound in BUCKETS if times else ():
            inside = [one for one in times if below < one.seconds <= bound or one.seconds == below == 0]
            slowest = max(inside, key=lambda one: one.seconds, default=None)
            example = Exemplar(_example(report, slowest), slowest.seconds, _at(slowest)) if slowest else None
            count = sum(one.seconds <= bound for one in times)
            family.add_sample(f"{name}_bucket", _labels(report, le=_bound(bound)), count, _end(report), example)
            below = bound
        if times:
            family.add_sample(f"{name}_gcount", _labels(report), len(times), _end(report))
            family.add_sample(f"{name}_gsum", _labels(report), sum(one.seconds for one in times), _end(report))
    return family


def _bound(seconds: float) -> str:
    return "+Inf" if seconds == float("inf") else repr(seconds)


def _example(report: Report, asked: Asked) -> dict[str, str]:
    return {"run": plain(report.run.id)[:_SHOWN], "request": plain(asked.request)[:_SHOWN]}


def _at(asked: Asked) -> float | None:
    try:
        return unix_seconds(asked.started_at)
    except (ValueError, OverflowError):
        return None


def _unlike(reports: Sequence[Report]) -> Iterable[Report]:
    """One report for each target and place: the last one."""
    return {tuple(_labels(report).items()): report for report in reports}.values()


def _labels(report: Report, **more: str) -> dict[str, str]:
    named = {"target": url_of(report), "vantage": report.run.vantage.hostname, **more}
    return {key: metric_label(value) for key, value in named.items()}


def _end(report: Report) -> float | None:
    """When the run ended, in Unix seconds; None where its start is no time."""
    try:
        return round(unix_seconds(report.run.started_at) + report.run.duration_s, 3)
    except (ValueError, OverflowError):
        return None


def _counts(report: Report) -> list[Value]:
    return [({"verdict": verdict}, count) for verdict, count in report.counts.items()]


def _verdicts(report: Report) -> list[Value]:
    return [
        (
            {
                "family": check.family,
                "check": check.id,
                "verdict": check.verdict.value,
                "accepted": "no" if check.waived is None else "yes",
            },
            1,
        )
        for check in report.checks
    ]


def _check_times(report: Report) -> list[Value]:
    return [({"family": check.family, "check": check.id}, check.duration_s) for check in report.checks]


def _measured(report: Report) -> list[Value]:
    return [({"measurement": record.name}, record.duration_s) for record in report.measurements]
