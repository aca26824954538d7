"""Evidence as the HTML template shows it: a table, a picture, a plot, or text in a fixed-width block."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from btdiag.core.finding import Evidence, Json
from btdiag.report import evidence_lines, picture
from btdiag.report.evidence_lines import a_list, a_table, an_object, cell

LONGEST = 6_000
"""So many characters of one text are shown; the rest is in report.json. Keeps the page small."""
MOST_ROWS = 200
MOST_POINTS = 2_000
_PNG = re.compile(r"(?:data:image/png;base64,)?(iVBOR[A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A table cell; `state` is "pass", "warn", "fail" ... or "" and is always said in the text as well."""

    text: str
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableView:
    """Rows under headers; `row_heads` when the first column names the rows."""

    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    row_heads: bool = False
    left_out: int = 0
    template: str = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextView:
    """Text as it stands."""

    text: str
    left_out: int = 0
    template: str = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageView:
    """A PNG picture, base64."""

    base64: str
    template: str = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotView:
    """The keep-alive race as a picture, with the same as a table."""

    plot: picture.Plot
    table: TableView
    timeouts: str
    template: str = "plot"


View: TypeAlias = TableView | TextView | ImageView | PlotView

_STATES = frozenset({"pass", "warn", "fail", "inconclusive", "skip"})


def view(evidence: Evidence) -> View:
    """How the evidence is shown; as JSON text where its data has another shape than its kind promises."""
    make = _KINDS.get(evidence.kind)
    if make is not None:
        try:
            return make(evidence.data)
        except evidence_lines.MISSHAPEN:
            return _text("\n".join(evidence_lines.as_json(evidence.data)))
    return _text("\n".join(evidence_lines.evidence_lines(evidence)))


def _text(text: str) -> TextView:
    return TextView(text=text[:LONGEST], left_out=max(len(text) - LONGEST, 0))


def _table(data: Json) -> TableView:
    values = an_object(data)
    rows = [tuple(_cell(item) for item in row) for row in a_table(values["rows"])]
    return TableView(
        headers=tuple(map(cell, a_list(values["headers"]))),
        rows=tuple(rows[:MOST_ROWS]),
        left_out=max(len(rows) - MOST_ROWS, 0),
    )


def _cell(value: Json) -> Cell:
    return Cell(text=cell(value)[:LONGEST])


def _matrix(data: Json) -> TableView:
    values = an_object(data)
    rows = [
        (Cell(text=cell(name)), *map(_state_cell, row))
        for name, row in zip(a_list(values["rows"]), a_table(values["cells"]), strict=True)
    ]
    headers = ("", *map(cell, a_list(values["columns"])))
    return TableView(headers=headers, rows=tuple(rows), row_heads=True)


def _state_cell(item: Json) -> Cell:
    state = str(an_object(item)["state"])
    return Cell(text=evidence_lines.matrix_cell(item), state=state if state in _STATES else "")


def _object(data: Json) -> TableView:
    """Any object with one line for each key; what is nested is shown as JSON."""
    rows = [(Cell(text=name), _cell(value)) for name, value in an_object(data).items()]
    return TableView(
        headers=("field", "value"), rows=tuple(rows[:MOST_ROWS]), row_heads=True, left_out=max(len(rows) - MOST_ROWS, 0)
    )


def _plot(data: Json) -> PlotView:
    if len(a_list(an_object(data)["points"])) > MOST_POINTS:
        raise ValueError("too many points to draw")
    rows = tuple(tuple(Cell(text=text) for text in row) for row in evidence_lines.race_rows(data))
    table = TableView(headers=evidence_lines.RACE_HEADERS, rows=rows)
    return PlotView(plot=picture.race_plot(data), table=table, timeouts=evidence_lines.timeouts(data))


def _image(data: Json) -> ImageView:
    found = _PNG.fullmatch(data) if isinstance(data, str) else None
    if found is None:
        raise ValueError("no PNG in base64")
    return ImageView(base64=found[1])


_KINDS: Mapping[str, Callable[[Json], View]] = {
    "table": _table,
    "matrix": _matrix,
    "facts": _object,
    "certificate": _object,
    "timeline": _plot,
    "image": _image,
}
