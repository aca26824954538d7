"""Pictures as inline SVG: failures over time, and idle ages with the moment at which the backend closes. Pure."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence

from btdiag.logs import times
from btdiag.logs.ages import BINS_PER_S
from btdiag.logs.result import LogsResult
from btdiag.logs.rows import KindRow

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 900, 220, 60, 40, 26
_BARS = 90
_COLORS = ("#b00020", "#00539b", "#7a4b00", "#5b2a86", "#00561b", "#5f5f5f")


def pictures(result: LogsResult) -> list[tuple[str, str]]:
    """(title, SVG) of what there is to draw."""
    rows = [row for group in result.groups for row in group.rows]
    found = []
    if rows:
        found.append(("Failures over time", _over_time(rows)))
    if any(row.ages for row in rows if row.fits[0] in ("race", "race_retried")):
        found.append(("Idle age of the connection that a request rode", _ages(result, rows)))
    return found


def _over_time(rows: Sequence[KindRow]) -> str:
    since, until = min(row.since for row in rows), max(row.until for row in rows)
    span = max(until - since, 1.0)
    kinds = [kind for kind, _ in _totals(rows).most_common(len(_COLORS) - 1)]
    counts: list[Counter[str]] = [Counter() for _ in range(_BARS)]
    for row in rows:
        name = row.kind if row.kind in kinds else "other"
        for event in row.events:
            counts[min(int((event.end - since) / span * _BARS), _BARS - 1)][name] += 1
    shown = [*kinds, *(["other"] if any("other" in each for each in counts) else [])]
    most = max(sum(each.values()) for each in counts) or 1
    bars = "".join(_stack(index, each, shown, most) for index, each in enumerate(counts))
    return _framed(bars + _legend(shown), most, times.shown(float(int(since))), times.shown(float(int(until))),
                   "Number of failed requests over time, by kind")  # fmt: skip


def _totals(rows: Sequence[KindRow]) -> Counter[str]:
    totals = Counter[str]()
    for row in rows:
        totals[row.kind] += row.count
    return totals


def _stack(index: int, counts: Counter[str], kinds: Sequence[str], most: int) -> str:
    width = (_WIDTH - _LEFT) / _BARS
    drawn, parts = 0.0, []
    for number, kind in enumerate(kinds):
        height = counts[kind] / most * (_HEIGHT - _BOTTOM - _TOP)
        if height:
            y = _HEIGHT - _BOTTOM - drawn - height
            parts.append(_bar(_LEFT + index * width, y, width - 1, height, _COLORS[number % len(_COLORS)]))
            drawn += height
    return "".join(parts)


def _bar(x: float, y: float, width: float, height: float, color: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{color}"/>'


def _label(x: float, y: float, text: str, anchor: str = "start", color: str = "#1b1b1b") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="12" text-anchor="{anchor}" fill="{color}">{html.escape(text)}</text>'
    )


def _legend(kinds: Sequence[str]) -> str:
    parts, x = [], float(_LEFT)
    for number, kind in enumerate(kinds):
        parts.append(_bar(x, 4, 12, 12, _COLORS[number % len(_COLORS)]) + _label(x + 16, 15, kind.replace("_", " ")))
        x += 30 + 7.2 * len(kind)
    return "".join(parts)


def _framed(content: str, most: int, left: str, right: str, title: str) -> str:
    base = _HEIGHT - _BOTTOM
    axis = f'<path d="M{_LEFT} {_TOP}V{base}H{_WIDTH}" fill="none" stroke="#767676"/>'
    labels = (
        _label(_LEFT - 6, _TOP + 10, f"{most:,}", "end")
        + _label(_LEFT - 6, base, "0", "end")
        + _label(_LEFT, _HEIGHT - 10, left)
        + _label(_WIDTH - 4, _HEIGHT - 10, right, "end")
    )
    return (
        f'<svg role="img" aria-label="{html.escape(title)}" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}"'
        f' height="{_HEIGHT}"><title>{html.escape(title)}</title>{axis}{content}{labels}</svg>'
    )


def _ages(result: LogsResult, rows: Sequence[KindRow]) -> str:
    """Lost requests above good ones, by idle age; lines where the backend closes and where the load balancer would."""
    lost = [age for row in rows if row.fits[0] in ("race", "race_retried") for age in row.ages]
    good: Counter[int] = sum((group.speaker.account.good_ages for group in result.groups), Counter())
    k = next((row.k_s for row in rows if row.k_s is not None), None)
    marks = [("backend closes", k), ("load balancer's idle timeout", result.told.balancer_s),
             ("backend keep-alive, as told", result.told.keepalive_s)]  # fmt: skip
    last = max([*lost, *(value for _, value in marks if value is not None)]) * 1.08 + 0.001
    bins = [Counter[str]() for _ in range(_BARS)]
    for age in lost:
        bins[min(int(age / last * _BARS), _BARS - 1)]["lost"] += 1
    for bin_, count in good.items():
        age = bin_ / BINS_PER_S
        if age < last:
            bins[int(age / last * _BARS)]["good"] += count
    most = max(max(each["lost"] for each in bins), 1)
    rows_good = max(max(each["good"] for each in bins), 1)
    drawn = "".join(_pair(index, each, most, rows_good) for index, each in enumerate(bins))
    drawn += "".join(
        _mark(name, value, last, number) for number, (name, value) in enumerate(marks) if value is not None
    )
    legend = _bar(_LEFT, 4, 12, 12, _COLORS[0]) + _label(_LEFT + 16, 15, f"lost (at most {most:,})")
    legend += _bar(_LEFT + 150, 4, 12, 12, "#9fb8cf") + _label(
        _LEFT + 166, 15, f"good (at most {rows_good:,}, own scale)"
    )
    return _framed(drawn + legend, most, "0 s", f"{last:.4g} s", "Idle age of connections, lost and good requests")


def _pair(index: int, counts: Counter[str], most: int, most_good: int) -> str:
    width = (_WIDTH - _LEFT) / _BARS
    room = _HEIGHT - _BOTTOM - _TOP
    parts = []
    for name, whole, color, share in (("good", most_good, "#9fb8cf", 1.0), ("lost", most, _COLORS[0], 0.5)):
        height = counts[name] / whole * room
        if height:
            parts.append(_bar(_LEFT + index * width, _HEIGHT - _BOTTOM - height, width * share, height, color))
    return "".join(parts)


def _mark(name: str, value: float, last: float, number: int) -> str:
    x = _LEFT + value / last * (_WIDTH - _LEFT)
    y = _TOP + 12 + 14 * number
    anchor = "end" if x > _WIDTH / 2 else "start"
    line = f'<path d="M{x:.1f} {_TOP}V{_HEIGHT - _BOTTOM}" stroke="#1b1b1b" stroke-dasharray="4 3"/>'
    return line + _label(x + (-4 if anchor == "end" else 4), y, f"{name}: {value:.4g} s", anchor)
