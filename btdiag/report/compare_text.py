"""A comparison as text, Markdown or JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence

from tabulate import tabulate

from btdiag.core.finding import Json
from btdiag.report import json_, markdown
from btdiag.report.compare import Change, ChangeKind, Comparison, TimeChange, got_worse
from btdiag.report.escape import plain
from btdiag.report.words import seconds

Comparisons = Sequence[Comparison]


def render(comparisons: Comparisons, format: str, *, width: int = 80) -> str:
    """The comparisons in a format of COMPARE_FORMATS; `width` (columns) matters to text only."""
    return COMPARE_FORMATS[format](comparisons, width)


def _text(comparisons: Comparisons, width: int) -> str:
    return "\n\n".join("\n".join(_text_of(each, width)) for each in comparisons) + "\n"


def _text_of(comparison: Comparison, width: int) -> list[str]:
    lines = [line for note in comparison.notes for line in textwrap.wrap(f"Note: {plain(note)}", width)]
    lines += textwrap.wrap(plain(comparison.headline), width)
    rows = [(change.kind.value, plain(_verdicts(change)), _wrapped(change, width)) for change in _changed(comparison)]
    if rows:
        lines += [
            "",
            *tabulate(rows, ("change", "verdict", "check"), tablefmt="simple", disable_numparse=True).splitlines(),
        ]
    lines += ["", *(f"{plain(each.name)}: {_times(each)}" for each in comparison.times)] if comparison.times else []
    return [line.rstrip() for line in lines]


def _wrapped(change: Change, width: int) -> str:
    room = max(width - 40, 20)
    return "\n".join([plain(change.id), *textwrap.wrap(plain(_summary(change)), room, break_on_hyphens=False)])


def _markdown(comparisons: Comparisons, width: int) -> str:
    return "\n\n".join("\n".join(_markdown_of(each)) for each in comparisons) + "\n"


def _markdown_of(comparison: Comparison) -> list[str]:
    lines = [f"- Note: {markdown.prose(note)}" for note in comparison.notes]
    lines += ["", f"## {markdown.prose(comparison.headline)}"]
    rows = [_markdown_row(change) for change in _changed(comparison)]
    lines += ["", *markdown.markdown_table(rows, ("change", "verdict", "check", "what was seen"))]
    times = [(markdown.code(each.name), seconds(each.old_s), seconds(each.new_s)) for each in comparison.times]
    return [*lines, "", *markdown.markdown_table(times, ("measurement", "took then", "takes now"))]


def _markdown_row(change: Change) -> tuple[str, ...]:
    said = markdown.prose(_verdicts(change))
    return (change.kind.value, said, markdown.code(change.id), markdown.prose(_summary(change)))


def _json(comparisons: Comparisons, width: int) -> str:
    data: dict[str, Json] = {
        "schema_version": 1,
        "kind": "comparison",
        "worse": got_worse(comparisons),
        "comparisons": [_object(each) for each in comparisons],
    }
    return json_.dumps(data, unfolded=4)


def _object(comparison: Comparison) -> Json:
    return {
        "target": plain(comparison.target),
        "headline": plain(comparison.headline),
        "worse": comparison.worse,
        "notes": [plain(note) for note in comparison.notes],
        "changes": [
            {
                "id": plain(change.id),
                "change": change.kind.value,
                "old": change.old,
                "new": change.new,
                "was": plain(change.was),
                "summary": plain(change.summary),
            }
            for change in comparison.changes
        ],
        "times": [
            {"measurement": plain(each.name), "old_s": each.old_s, "new_s": each.new_s} for each in comparison.times
        ],
    }


COMPARE_FORMATS: Mapping[str, Callable[[Comparisons, int], str]] = {"text": _text, "markdown": _markdown, "json": _json}
"""The formats in which a comparison can be shown."""


def _changed(comparison: Comparison) -> list[Change]:
    """What is worth a line: changes, and findings that stay."""
    return [
        change for change in comparison.changes if change.kind is not ChangeKind.SAME or change.new in {"fail", "warn"}
    ]


def _verdicts(change: Change) -> str:
    return change.new if change.old == change.new else f"{change.old or 'absent'} → {change.new or 'absent'}"


def _summary(change: Change) -> str:
    """What is seen now; where a finding stays but looks different, what was seen before as well."""
    if change.kind is ChangeKind.SAME and change.was != change.summary:
        return f"{change.summary} (before: {change.was})"
    return change.summary or change.was


def _times(change: TimeChange) -> str:
    return f"{seconds(change.old_s)} then, {seconds(change.new_s)} now"
