"""What Prometheus and Grafana need to know of `btdiag serve`: scrape configuration, alert rules, a dashboard. Pure.

Sources: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#scrape_config (the relabelling is
that of blackbox_exporter's README); https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/;
https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

PRINTS = ("scrape-config", "rules", "dashboard")


def printed(what: str, address: str, module: str, targets: Sequence[str]) -> str:
    """One of PRINTS, for a server at that address (host:port)."""
    match what:
        case "scrape-config":
            return _scrape_config(address, module, targets)
        case "rules":
            return _rules(address)
    return json.dumps(_dashboard(), indent=1) + "\n"


def _scrape_config(address: str, module: str, targets: Sequence[str]) -> str:
    listed = "\n".join(f"          - {json.dumps(target)}" for target in targets) or "          []"
    return f"""scrape_configs:
  # the newest scheduled run of every target (btdiag serve --every 5m)
  - job_name: btdiag
    scrape_interval: 1m
    static_configs:
      - targets: [{json.dumps(address)}]
  # a run of its own for every scrape, as with blackbox_exporter
  - job_name: btdiag-probe
    metrics_path: /probe
    params:
      module: [{json.dumps(module)}]
    scrape_interval: 5m
    scrape_timeout: 60s
    static_configs:
      - targets:
{listed}
    relabel_configs:
      - source_labels: [__address__]
        target_label: __param_target
      - source_labels: [__param_target]
        target_label: target
      - target_label: __address__
        replacement: {json.dumps(address)}
"""


def _rules(address: str) -> str:
    links = _LINKS.replace("ADDRESS", address)
    return _RULES.replace("          LINKS\n", links)


_LINKS = """          report: "http://ADDRESS/report?url={{ $labels.target | urlquery }}"
          history: "http://ADDRESS/target?url={{ $labels.target | urlquery }}"
"""
"""An annotation that is a link is one click in Alertmanager and in what it sends."""

_RULES = """groups:
  - name: btdiag
    rules:
      - alert: DataPlaneFails
        expr: max by (target) (btdiag_verdict{verdict="fail"}) == 1
        for: 5m
        labels:
          severity: critical
        annotations:
          summary: "{{ $labels.target }} fails"
          description: "Users of this data plane are affected; the report names the cause."
          LINKS
      - alert: DataPlaneWarns
        expr: max by (target) (btdiag_verdict{verdict="warn"}) == 1
        for: 1h
        labels:
          severity: warning
        annotations:
          summary: "{{ $labels.target }} works, with a risk"
          description: "The report says what to change."
          LINKS
      - alert: DataPlaneUndecided
        expr: max by (target) (btdiag_verdict{verdict="inconclusive"}) == 1
        for: 1h
        labels:
          severity: warning
        annotations:
          summary: "nothing can be said of {{ $labels.target }}"
          description: "Checks could not be decided for an hour; the report says what was missing."
          LINKS
      - alert: DataPlaneNotSeen
        expr: time() - max by (target) (btdiag_run_timestamp_seconds) > 3600
        labels:
          severity: warning
        annotations:
          summary: "{{ $labels.target }} has not been looked at for an hour"
          description: "btdiag serve runs, but has no newer run of this target."
          LINKS
      - alert: BtdiagDown
        expr: up{job=~"btdiag.*"} == 0
        for: 10m
        labels:
          severity: warning
        annotations:
          summary: "btdiag serve does not answer"
          description: "No data plane is watched."
"""


def _dashboard() -> dict[str, object]:
    return {
        "__inputs": [{"name": "DS_PROMETHEUS", "label": "Prometheus", "type": "datasource", "pluginId": "prometheus"}],
        "title": "Data planes (btdiag)",
        "uid": "btdiag",
        "schemaVersion": 39,
        "time": {"from": "now-24h", "to": "now"},
        "panels": [
            _panel(1, "stat", "Failing now", _NOW.format("fail"), (0, 0, 6)),
            _panel(2, "stat", "With a warning", _NOW.format("warn"), (6, 0, 6)),
            _panel(3, "stat", "Targets", "count(count by (target) (btdiag_verdict))", (12, 0, 6)),
            _panel(4, "timeseries", "Failing targets", 'sum by (target) (btdiag_verdict{verdict="fail"})', (0, 6, 24)),
            _panel(5, "timeseries", "Findings by check", _FINDINGS, (0, 14, 24)),
        ],
    }


_SOURCE = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
_NOW = 'count(max by (target) (btdiag_verdict{{verdict="{}"}}) == 1) or vector(0)'
_FINDINGS = 'sum by (check, verdict) (btdiag_check_verdict{verdict=~"fail|warn"})'


def _panel(number: int, kind: str, title: str, expression: str, place: tuple[int, int, int]) -> dict[str, object]:
    x, y, width = place
    return {
        "id": number,
        "type": kind,
        "title": title,
        "datasource": _SOURCE,
        "gridPos": {"x": x, "y": y, "w": width, "h": 6 if kind == "stat" else 8},
        "targets": [{"refId": "A", "expr": expression, "datasource": _SOURCE}],
    }
