"""Geometry of the pictures in the HTML report: the keep-alive race as a plot, the measurements as a waterfall."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from btdiag.core.finding import Json
from btdiag.core.report import MeasurementRecord
from btdiag.report.evidence_lines import a_list, an_object, finite_number

WIDTH, HEIGHT = 640, 240
_TOP, _BOTTOM = 34, 200
_CONTROL, _RACE = (16.0, 150.0), (190.0, 624.0)
_MARGIN = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Dots:
    """Requests with the same outcome, as one SVG path of points."""

    outcome: str
    tone: str
    count: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotLine:
    """A timeout drawn as an upright line; `outside` when it lies beyond the right edge of the panel."""

    x: float
    text: str
    tone: str
    outside: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One volley, or the controls: requests by idle age, between two ages that are written at the axis."""

    title: str
    left: float
    right: float
    first: str
    last: str
    dots: tuple[Dots, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """The race: controls on the left, the race volleys magnified on the right, timeouts as lines."""

    panels: tuple[Panel, ...]
    lines: tuple[PlotLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A measurement in the waterfall. `start` and `width` are percentages of the whole run."""

    record: MeasurementRecord
    start: float
    width: float


def waterfall(records: Sequence[MeasurementRecord], duration_s: float) -> list[Bar]:
    """What ran when, in the order of starting, on one scale for the whole run."""
    end = max([duration_s, *(record.started_s + record.duration_s for record in records)], default=0.0) or 1.0
    return [
        Bar(
            record=record,
            start=round(100 * record.started_s / end, 2),
            width=round(max(100 * record.duration_s / end, 0.3), 2),
        )
        for record in sorted(records, key=lambda record: (record.started_s, record.name))
    ]


def race_plot(data: Json) -> Plot:
    """The plot of timeline data ({"k_s", "lb_idle_s", "points": [{"age_s", "outcome", "volley"}]}); raises TypeError,
    KeyError or ValueError for anything else."""
    values = an_object(data)
    points = [_point(an_object(item)) for item in a_list(values["points"])]
    raced = [point for point in points if point[2] == "race"]
    controls = [point for point in points if point[2] != "race"]
    k, idle = (None if values.get(key) is None else finite_number(values[key]) for key in ("k_s", "lb_idle_s"))
    low, high = _range([age for age, _, _ in raced] + ([k] if k is not None and raced else []))
    panels = [_panel("Controls", controls, _CONTROL, *_range([age for age, _, _ in controls]))] if controls else []
    panels.append(_panel("Race", raced, _RACE, low, high))
    marks = [(k, "backend closes", "fail"), (idle, "load balancer gives up", "warn")]
    lines = [_line(at, text, tone, low, high) for at, text, tone in marks if at is not None and at >= low]
    return Plot(panels=tuple(panels), lines=tuple(lines))


def _point(item: Mapping[str, Json]) -> tuple[float, str, str]:
    return finite_number(item["age_s"]), str(item["outcome"]), str(item["volley"])


def _range(ages: Sequence[float]) -> tuple[float, float]:
    """The ages to show, with a margin on both sides, never empty and never below 0."""
    if not ages:
        return 0.0, 1.0
    margin = max((max(ages) - min(ages)) * _MARGIN, 0.001)
    return max(min(ages) - margin, 0.0), max(ages) + margin


def _panel(
    title: str, points: Sequence[tuple[float, str, str]], edges: tuple[float, float], low: float, high: float
) -> Panel:
    step = (_BOTTOM - _TOP - 12) / max(len(points), 1)
    placed: dict[str, list[tuple[float, float]]] = {}
    for index, (age, outcome, _) in enumerate(points):
        placed.setdefault(outcome, []).append((_x(age, edges, low, high), _TOP + 8 + step * (index + 0.5)))
    return Panel(
        title=title,
        left=edges[0],
        right=edges[1],
        first=f"{low:.3f} s",
        last=f"{high:.3f} s",
        dots=tuple(_dots(outcome, where) for outcome, where in sorted(placed.items())),
    )


def _dots(outcome: str, where: Iterable[tuple[float, float]]) -> Dots:
    """Answers ("ok", or a status below 500) are round dots, losses crosses: colour is not needed to tell them apart."""
    spots = list(where)
    good = outcome == "ok" or (outcome.isdecimal() and len(outcome) == 3 and outcome < "500")
    shape = "M{x:.1f} {y:.1f}h0" if good else "M{x:.1f} {y:.1f}m-3 -3l6 6m0 -6l-6 6"
    return Dots(
        outcome=outcome,
        tone="pass" if good else "fail",
        count=len(spots),
        path="".join(shape.format(x=x, y=y) for x, y in spots),
    )


def _x(age: float, edges: tuple[float, float], low: float, high: float) -> float:
    return edges[0] + (edges[1] - edges[0]) * (age - low) / (high - low)


def _line(at: float, text: str, tone: str, low: float, high: float) -> PlotLine:
    outside = at > high
    x = _RACE[1] if outside else _x(at, _RACE, low, high)
    return PlotLine(x=round(x, 1), text=f"{text} at {at:g} s{' →' if outside else ''}", tone=tone, outside=outside)
