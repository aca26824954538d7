"""Words in a sentence."""

from __future__ import annotations

from collections.abc import Iterable


def enumerated(names: Iterable[str], conjunction: str = "and") -> str:
    """ "A, B and C"; "" for nothing."""
    *first, last = [str(name) for name in names] or [""]
    return f"{', '.join(first)} {conjunction} {last}" if first else last
