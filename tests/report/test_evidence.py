"""Every kind of evidence is shown in its form, and data of another shape is shown nevertheless."""

from __future__ import annotations

import pytest

from btdiag.core.finding import Evidence, Json
from btdiag.report import evidence_lines, picture
from btdiag.report.evidence_views import LONGEST, MOST_POINTS, MOST_ROWS, ImageView, PlotView, TableView, TextView, view

EXCHANGE: dict[str, Json] = {
    "method": "GET",
    "url": "https://h/",
    "label": "proxy",
    "started_at": "t",
    "request_headers": [["Host", "h"]],
    "headers": [],
    "status": None,
    "failure": {"phase": "tls", "trouble": "reset", "detail": "by peer"},
    "timing": {"tcp_s": 0.001, "tls_s": None},
}


def shown(kind: str, data: Json) -> list[str]:
    return evidence_lines.evidence_lines(Evidence(kind=kind, title="t", data=data))


def seen(kind: str, data: Json) -> object:
    return view(Evidence(kind=kind, title="t", data=data))


def test_a_failed_exchange_tells_its_phase() -> None:
    assert shown("exchange", EXCHANGE) == [
        "t to proxy, local port None",
        "> GET https://h/",
        "> Host: h",
        "failed while in phase tls: reset (by peer)",
        "times: tcp 1.0 ms",
    ]


def test_a_long_body_is_cut() -> None:
    lines = shown("exchange", {**EXCHANGE, "status": 200, "body": "x\n" * 20, "timing": None, "failure": None})
    assert lines[-1] == "| ... 8 more lines"


def test_a_long_table_is_cut() -> None:
    rows: list[Json] = [["x"]] * (evidence_lines.MOST_ROWS + 2)
    lines = shown("table", {"headers": ["a"], "rows": rows})
    assert (len(lines), lines[-1]) == (evidence_lines.MOST_ROWS + 3, "... 2 more rows")


def test_a_picture_is_named_in_text() -> None:
    assert shown("image", "A" * 400) == ["(picture, 300 bytes: see the HTML report)"]


@pytest.mark.parametrize("kind", ["exchange", "table", "timeline", "matrix", "image", "facts", "certificate", "own"])
@pytest.mark.parametrize(
    "data", [None, [], {}, "text", 7, [[1]], {"rows": 1}, {"rows": [], "cells": [[]], "columns": []}]
)
def test_data_of_any_shape_is_shown(kind: str, data: Json) -> None:
    assert isinstance(shown(kind, data), list)
    assert isinstance(seen(kind, data), TableView | TextView)


def test_views_by_kind() -> None:
    points: list[Json] = [{"age_s": 1.0, "outcome": "ok", "volley": "race"}]
    assert isinstance(seen("timeline", {"points": points}), PlotView)
    assert isinstance(seen("image", "iVBORw0KGgo="), ImageView)
    assert isinstance(seen("image", "<svg>"), TextView)
    table = seen("facts", {"a": None, "b": [1]})
    assert isinstance(table, TableView)
    assert [[cell.text for cell in row] for row in table.rows] == [["a", "-"], ["b", "[1]"]]


def test_long_evidence_is_cut_and_says_so() -> None:
    text = seen("text", "x" * (LONGEST + 5))
    assert isinstance(text, TextView)
    assert (len(text.text), text.left_out) == (LONGEST, 5)
    rows: list[Json] = [["x"]] * (MOST_ROWS + 2)
    table = seen("table", {"headers": ["a"], "rows": rows})
    assert isinstance(table, TableView)
    assert (len(table.rows), table.left_out) == (MOST_ROWS, 2)
    point: Json = {"age_s": 1, "outcome": "ok", "volley": "race"}
    assert isinstance(seen("timeline", {"points": [point] * (MOST_POINTS + 1)}), TextView)


def race(k: float | None, idle: float | None, *ages: float) -> picture.Plot:
    points: list[Json] = [{"age_s": age, "outcome": "502", "volley": "race"} for age in ages]
    return picture.race_plot({"k_s": k, "lb_idle_s": idle, "points": points})


def test_a_timeout_within_the_panel_is_drawn_at_its_age() -> None:
    plot = race(66.0, None, 65.9, 66.1)
    (line,) = plot.lines
    (panel,) = plot.panels
    assert line.x == round((panel.left + panel.right) / 2, 1)
    assert not line.outside


def test_a_timeout_far_away_is_drawn_at_the_edge() -> None:
    plot = race(66.0, 300.0, 65.9)
    assert [line.outside for line in plot.lines] == [False, True]
    assert plot.lines[1].text.endswith("→")


def test_a_race_without_points_has_an_empty_panel() -> None:
    (panel,) = race(None, None).panels
    assert (panel.dots, panel.first, panel.last) == ((), "0.000 s", "1.000 s")


def test_every_dot_lies_inside_its_panel() -> None:
    plot = race(66.0, 300.0, *(65.0 + n / 100 for n in range(150)))
    (panel,) = plot.panels
    for part in panel.dots[0].path.split("M")[1:]:
        x, y = map(float, part.split("m")[0].split())
        assert panel.left <= x <= panel.right
        assert 30 <= y <= 202


def test_the_waterfall_of_nothing_is_empty() -> None:
    assert picture.waterfall([], 0.0) == []
