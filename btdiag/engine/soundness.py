"""What a user's own checks and measurements hand over may be anything: only what a report can show gets further. Pure.

Bounds: a finding larger than these is none that anybody reads, and a cyclic one has no end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from enum import Enum
from itertools import islice
from pathlib import PurePath

from btdiag.core.evidence import to_json
from btdiag.core.finding import Evidence, Finding, Json, Remedy, Snippet, Verdict

MOST_DEPTH = 40
MOST_VALUES = 50_000
LONGEST_TEXT = 100_000
LONGEST_LINE = 5_000
MOST_EVIDENCE = 50


class UnsoundError(Exception):
    """A finding or fact that a report cannot show; the text says why."""


def bounded_json(value: object) -> Json:
    """The value as JSON; UnsoundError when it is cyclic, too deep or too large, or cannot be read."""
    _measure(value)
    try:
        return to_json(value)
    except RecursionError:
        raise UnsoundError("is nested too deeply") from None


def _measure(value: object) -> None:
    """Count before converting: what has no end is never begun."""
    left = MOST_VALUES
    stack: list[tuple[object, int]] = [(value, 0)]
    while stack:
        item, depth = stack.pop()
        left -= 1
        if depth > MOST_DEPTH:
            raise UnsoundError(f"is nested more than {MOST_DEPTH} deep, or in itself")
        if left < 0:
            raise UnsoundError(f"has more than {MOST_VALUES} values")
        if isinstance(item, str | bytes) and len(item) > LONGEST_TEXT:
            raise UnsoundError(f"has a text of more than {LONGEST_TEXT} characters")
        stack += [(child, depth + 1) for child in islice(_children(item), left + 1)]


def _children(item: object) -> Iterable[object]:
    if isinstance(item, str | bytes | int | float | bool | Enum | PurePath | None):
        return ()
    if is_dataclass(item) and not isinstance(item, type):
        return (getattr(item, field.name) for field in fields(item))
    if isinstance(item, dict):
        return (*item.keys(), *item.values())
    return item if isinstance(item, list | tuple | set | frozenset) else ()


def sound(finding: Finding) -> Finding:
    """The finding, every field of which is what it should be; UnsoundError names the first one that is not."""
    if not isinstance(finding.verdict, Verdict):
        raise UnsoundError(f"verdict is {finding.verdict!r:.100}, which is none of Verdict")
    for name in ("summary", "hop", "owner", "expected", "seen"):
        _text(name, getattr(finding, name))
    if finding.because is not None:
        _text("because", finding.because)
    _texts("sources", finding.sources)
    _texts("unless", finding.unless)
    _evidence(finding.evidence)
    _remedy(finding.remedy)
    return finding


def _text(name: str, value: object) -> None:
    if not isinstance(value, str) or len(value) > LONGEST_LINE:
        raise UnsoundError(f"{name} must be a text of at most {LONGEST_LINE} characters, not {type(value).__name__}")


def _texts(name: str, values: object) -> None:
    if not isinstance(values, tuple) or len(values) > MOST_EVIDENCE:
        raise UnsoundError(f"{name} must be a tuple of at most {MOST_EVIDENCE} texts, not {type(values).__name__}")
    for value in values:
        _text(name, value)


def _evidence(evidence: object) -> None:
    if not isinstance(evidence, tuple) or len(evidence) > MOST_EVIDENCE:
        raise UnsoundError(f"evidence must be a tuple of at most {MOST_EVIDENCE} Evidence")
    for one in evidence:
        if not isinstance(one, Evidence):
            raise UnsoundError(f"evidence holds {type(one).__name__}, which is no Evidence")
        _text("the kind of evidence", one.kind)
        _text("the title of evidence", one.title)
        if bounded_json(one.data) != one.data:
            raise UnsoundError(f"the data of evidence {one.title!r:.100} is no JSON")


def _remedy(remedy: object) -> None:
    if remedy is None:
        return
    if not isinstance(remedy, Remedy) or not isinstance(remedy.snippets, tuple):
        raise UnsoundError(f"remedy must be a Remedy, not {type(remedy).__name__}")
    _text("remedy", remedy.text)
    for snippet in remedy.snippets:
        if not isinstance(snippet, Snippet):
            raise UnsoundError(f"remedy holds {type(snippet).__name__}, which is no Snippet")
        _text("the product of a snippet", snippet.product)
        _text("a snippet", snippet.code)
