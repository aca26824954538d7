"""Evidence as lines of text, each kind in the form in which it reads best: for every format without pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence

from tabulate import tabulate

from btdiag.core.finding import Evidence, Json
from btdiag.report.escape import block, plain

MOST_ROWS = 1_000
BODY_LINES = 12
"""So many rows of a table, and lines of a body, are shown; the rest is in report.json."""


MISSHAPEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What the renderers raise for data of another shape than its kind promises, or with numbers beyond all measure."""


def evidence_lines(evidence: Evidence) -> list[str]:
    """The evidence without its title, harmless to any terminal; any kind that is not known, or whose data has another
    shape than its kind promises, is shown as JSON."""
    show = _KINDS.get(evidence.kind, as_json)
    try:
        return show(evidence.data)
    except MISSHAPEN:
        return as_json(evidence.data)


def as_json(data: Json) -> list[str]:
    """Any data, indented."""
    return block(json.dumps(data, indent=2, ensure_ascii=False, default=str)).splitlines()


def exchange_lines(data: Json) -> list[str]:
    """A request and its answer, much as curl -v shows it."""
    values = an_object(data)
    where = f"{values.get('address') or values.get('label')}, local port {values.get('local_port')}"
    sent = [f"> {plain(str(values['method']))} {plain(str(values['url']))}", *_headers(">", values["request_headers"])]
    return [
        f"{plain(str(values['started_at']))} to {plain(where)}",
        *sent,
        *_answer(values),
        *_failure(values.get("failure")),
        *_timing(an_object(values.get("timing") or {})),
    ]


def text_lines(data: Json) -> list[str]:
    """Text as it stands."""
    return block(str(data)).splitlines()


def table_lines(data: Json) -> list[str]:
    """Rows under headers."""
    values = an_object(data)
    rows = [[plain(cell(item)) for item in row] for row in a_table(values["rows"])]
    headers = [plain(cell(item)) for item in a_list(values["headers"])]
    return _laid_out(rows, headers)


def timeline_lines(data: Json) -> list[str]:
    """The keep-alive race as a table: how many requests of each volley ended how, and at which idle ages."""
    rows = [[plain(item) for item in row] for row in race_rows(data)]
    return [plain(timeouts(data)), *_laid_out(rows, RACE_HEADERS)]


def matrix(data: Json) -> list[str]:
    """A table of states with row and column names."""
    values = an_object(data)
    rows = [
        [plain(cell(name)), *(plain(matrix_cell(item)) for item in row)]
        for name, row in zip(a_list(values["rows"]), a_table(values["cells"]), strict=True)
    ]
    headers = ["", *(plain(cell(name)) for name in a_list(values["columns"]))]
    return _laid_out(rows, headers)


def _laid_out(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> list[str]:
    shown = tabulate(rows[:MOST_ROWS], headers, tablefmt="simple", disable_numparse=True).splitlines()
    left_out = len(rows) - MOST_ROWS
    return [*shown, f"... {left_out} more rows"] if left_out > 0 else shown


def image(data: Json) -> list[str]:
    """A picture cannot be shown as text; says how large it is."""
    return [f"(picture, {len(str(data)) * 3 // 4} bytes: see the HTML report)"]


_KINDS: Mapping[str, Callable[[Json], list[str]]] = {
    "exchange": exchange_lines,
    "table": table_lines,
    "text": text_lines,
    "curl": text_lines,
    "timeline": timeline_lines,
    "matrix": matrix,
    "image": image,
}


RACE_HEADERS = ("volley", "outcome", "requests", "idle age")


def race_rows(data: Json) -> list[tuple[str, str, str, str]]:
    """The points of timeline data grouped by volley and outcome, to stand under RACE_HEADERS."""
    groups: dict[tuple[str, str], list[float]] = {}
    for point in map(an_object, a_list(an_object(data)["points"])):
        groups.setdefault((str(point["volley"]), str(point["outcome"])), []).append(finite_number(point["age_s"]))
    return [
        (volley, outcome, str(len(ages)), f"{min(ages):.3f} to {max(ages):.3f} s")
        for (volley, outcome), ages in groups.items()
    ]


def timeouts(data: Json) -> str:
    """Both timeouts of timeline data in words, as far as they are known."""
    values = an_object(data)
    names = (("k_s", "backend closes after"), ("lb_idle_s", "load balancer keeps for"))
    return ", ".join(f"{name} {finite_number(values[key]):g} s" for key, name in names if values.get(key) is not None)


def finite_number(value: Json) -> float:
    """A finite number, or a TypeError."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise TypeError("a number was expected")


def cell(value: Json) -> str:
    """A value in a table: text as it is, nothing as "-", anything nested as JSON."""
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def matrix_cell(item: Json) -> str:
    """ "fail: refused": state and text of one cell."""
    values = an_object(item)
    return f"{values['state']}: {values['text']}" if values.get("text") else str(values["state"])


def _answer(values: Mapping[str, Json]) -> list[str]:
    if values.get("status") is None:
        return []
    version = plain(str(values.get("http_version") or "?"))
    body = block(str(values.get("body") or "")).splitlines()
    more = [f"| ... {len(body) - BODY_LINES} more lines"] if len(body) > BODY_LINES else []
    return [
        f"< HTTP/{version} {plain(str(values['status']))} {plain(str(values.get('reason') or ''))}".rstrip(),
        *_headers("<", values["headers"]),
        *(f"| {line}" for line in body[:BODY_LINES]),
        *more,
    ]


def _headers(sign: str, pairs: Json) -> list[str]:
    return [f"{sign} {plain(str(name))}: {plain(str(value))}" for name, value in a_table(pairs)]


def _failure(data: Json) -> list[str]:
    if not data:
        return []
    failure = an_object(data)
    return [plain(f"failed while in phase {failure['phase']}: {failure['trouble']} ({failure['detail']})")]


def _timing(timing: Mapping[str, Json]) -> list[str]:
    told = [
        f"{name.removesuffix('_s')} {float(str(value)) * 1000:.1f} ms"
        for name, value in timing.items()
        if value is not None
    ]
    return [plain("times: " + ", ".join(told))] if told else []


def an_object(data: Json) -> Mapping[str, Json]:
    """The data as an object, or a TypeError."""
    if not isinstance(data, dict):
        raise TypeError("an object was expected")
    return data


def a_list(data: Json) -> list[Json]:
    """The data as an array, or a TypeError."""
    if not isinstance(data, list):
        raise TypeError("an array was expected")
    return data


def a_table(data: Json) -> list[list[Json]]:
    """The data as an array of arrays, or a TypeError."""
    return [a_list(row) for row in a_list(data)]
