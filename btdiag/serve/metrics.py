"""Reports as Prometheus metrics, in the text format or as OpenMetrics, whichever is asked for.

Sources: https://prometheus.io/docs/instrumenting/writing_exporters/ (names, units, probe_success as blackbox_exporter
has it); https://prometheus.io/docs/practices/naming/.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from btdiag import __version__
from btdiag.core.finding import Verdict
from btdiag.core.report import CheckResult, Report, unix_seconds
from btdiag.report.openmetrics import Fixed, metric_label
from btdiag.serve.watch import NewestReports

_QUIET = frozenset({Verdict.PASS, Verdict.SKIP})


def exposition(families: Iterable[Metric], accept: str, *, process: bool = False) -> tuple[bytes, str]:
    """The metrics as text and its media type, in the format that the header Accept asks for."""
    registry = CollectorRegistry()
    registry.register(Fixed(families))
    if process:
        ProcessCollector(registry=registry)
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


def of_probe(report: Report, fail_on: str) -> Iterator[Metric]:
    """The metrics of one probe: Prometheus adds the target's labels itself."""
    success = GaugeMetricFamily("probe_success", f"Whether nothing at or above {fail_on} was found")
    success.add_metric([], float(report.run.exit_code == 0))
    yield success
    yield from _of_reports({(): report}, ())
    yield _checks_of({(): report}, (), everything=True)


def of_all(known: NewestReports, waiting: int) -> Iterator[Metric]:
    """The metrics of the newest runs of all targets, and of the serving process itself."""
    reports: dict[tuple[str, ...], Report] = dict(sorted(known.reports.items()))
    yield from _of_reports(reports, ("target", "module"))
    yield _checks_of(reports, ("target", "module"), everything=False)
    yield CounterMetricFamily("btdiag_runs", "Runs that ended since the start", value=known.runs)
    yield CounterMetricFamily(
        "btdiag_runs_not_stored", "Runs that the store did not take since the start", value=known.not_stored
    )
    yield GaugeMetricFamily("btdiag_runs_waiting", "Runs that wait or are on", value=waiting)
    yield InfoMetricFamily("btdiag_build", "The version that serves", value={"version": __version__})


def _of_reports(reports: Mapping[tuple[str, ...], Report], labels: Sequence[str]) -> Iterator[Metric]:
    verdict = GaugeMetricFamily("btdiag_verdict", "1 for the verdict of the newest run", labels=[*labels, "verdict"])
    checks = GaugeMetricFamily("btdiag_checks", "Number of checks by verdict", labels=[*labels, "verdict"])
    took = GaugeMetricFamily("probe_duration_seconds", "Time that the newest run took", labels=labels)
    ended = GaugeMetricFamily("btdiag_run_timestamp_seconds", "When the newest run began", labels=labels)
    cause = GaugeMetricFamily(
        "btdiag_root_cause", "1 for the failed check that explains most", labels=[*labels, "check"]
    )
    for key, report in reports.items():
        given = [metric_label(value) for value in key]
        for one in Verdict:
            verdict.add_metric([*given, one.value], float(report.verdict is one))
        for name, count in report.counts.items():
            checks.add_metric([*given, name], count)
        took.add_metric(given, report.run.duration_s)
        ended.add_metric(given, unix_seconds(report.run.started_at))
        if report.root_cause:
            cause.add_metric([*given, metric_label(report.root_cause)], 1)
    yield from (verdict, checks, took, ended, cause)


def _checks_of(reports: Mapping[tuple[str, ...], Report], labels: Sequence[str], *, everything: bool) -> Metric:
    """The verdict of each check; of many targets those alone that somebody has to look at."""
    names = [*labels, "check", "family", "hop", "verdict", "accepted"]
    family = GaugeMetricFamily("btdiag_check_verdict", "1 for the verdict that a check reached", labels=names)
    for key, report in reports.items():
        for check in report.checks:
            if everything or check.verdict not in _QUIET:
                family.add_metric([*map(metric_label, key), *_described(check)], 1)
    return family


def _described(check: CheckResult) -> list[str]:
    accepted = "no" if check.waived is None else "yes"
    return [metric_label(check.id), metric_label(check.family), metric_label(check.hop), check.verdict.value, accepted]
