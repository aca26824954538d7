"""Helm's merge: its properties. What the real helm makes of the same values is in test_real_helm."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag.lint import merge
from btdiag.lint.nodes import default, plain_value
from btdiag.lint.tables import Chart, chart_versions

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
    whole = merge.merged_values([one, two, three])
    assert plain_value(whole) == plain_value(merge.merged_values([merge.merged_values([one, two]), three]))


@pytest.mark.parametrize("version", chart_versions())
def test_every_chart_of_the_tables_reads_its_own_keys(version: str) -> None:
    chart = Chart(version=version)
    assert chart.reads(("api", "replicas"))
    assert not chart.reads(("api", "replica"))
    assert chart.defaults.text_at("api", "service", "port") == "8000"
