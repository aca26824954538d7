"""Checks that other installed packages bring: each entry point of the group `btdiag.checks` names a package with files
check_*.py in it."""

from __future__ import annotations

import importlib.util
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from btdiag.config import UsageError

GROUP = "btdiag.checks"


def installed() -> tuple[Path, ...]:
    """The folders of all such packages, each once, in the order of their names; UsageError if one is not there."""
    found = sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))
    return tuple(dict.fromkeys(folder for point in found for folder in _folders(point)))


def _folders(point: EntryPoint) -> list[Path]:
    try:
        spec = importlib.util.find_spec(point.value)
    except Exception as error:  # a dotted name is looked for by importing what stands before the dot
        raise UsageError(f"{_whose(point)}: {type(error).__name__}: {error}") from None
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(f"{_whose(point)}: there is no such package")
    return [Path(place) for place in spec.submodule_search_locations]


def _whose(point: EntryPoint) -> str:
    named = f" of {point.dist.name}" if point.dist else ""
    return f"the checks {point.value!r}{named}, by its entry point {GROUP}, cannot be loaded"
