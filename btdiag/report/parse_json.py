"""Parses JSON that may come from anybody, within bounds that every renderer can bear; what goes past them is refused.

Sources: RFC 8259 section 4 (a name that stands twice is unpredictable), section 6 (no NaN, no infinity, and nothing
beyond the range of IEEE 754 doubles is to be relied upon), section 9 (a parser may set limits on size and depth).
"""

from __future__ import annotations

import json
import math
from collections import Counter

from btdiag.core.finding import Json
from btdiag.report.documents import ReportFileError

DEEPEST = 64
"""Levels of nesting; a report of btdiag's own has 14, and each renderer needs several calls for a level."""
MOST_VALUES = 4_000_000
"""Values in one document. A report has some 30,000 for each MB; millions of empty lists would fill the memory."""
MOST_DIGITS = 1_000
"""Digits of a whole number. Serial numbers of certificates have some 50; reading digits takes the square of their
number in time."""


def parsed_json(text: str) -> Json:
    """The JSON value that the text holds; raises ReportFileError if there is none, or one beyond the bounds."""
    if sum(map(text.count, ",[{")) > MOST_VALUES:
        raise ReportFileError(f"holds more than {MOST_VALUES:,} values")
    try:
        parsed: Json = json.loads(
            text, parse_constant=_no_constant, parse_int=_int, parse_float=_float, object_pairs_hook=_object
        )
    except RecursionError:
        raise ReportFileError(_TOO_DEEP) from None
    except ValueError as error:
        raise ReportFileError(f"not JSON: {error}") from None
    if _depth_exceeds(parsed, DEEPEST):
        raise ReportFileError(_TOO_DEEP)
    return parsed


_TOO_DEEP = f"nested more than {DEEPEST} levels deep"


def _depth_exceeds(value: Json, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _no_constant(name: str) -> Json:
    raise ReportFileError(f"{name} is no JSON number")


def _int(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ReportFileError(f"the number {digits[:12]}... has {len(digits)} digits")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ReportFileError(f"the number {digits[:12]} is too large")
    return number


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise ReportFileError(f"the key {twice[:60]!r} stands twice in one object")
    return found
