"""Which missing facts a function takes in its stride: a parameter annotated `Fact | NotMeasured` admits one."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from btdiag.core.measurement import NotMeasured, PerAddress


@cache
def admits(function: Callable[..., Any], parameter: str) -> bool:
    """Does the annotation of this parameter include NotMeasured?"""
    try:
        hint = typing.get_type_hints(function).get(parameter)
    except Exception:  # a user's annotation may name anything; one that cannot be read admits nothing
        return False
    return hint is NotMeasured or (
        typing.get_origin(hint) in (typing.Union, types.UnionType) and NotMeasured in typing.get_args(hint)
    )


def absent(value: object) -> NotMeasured | None:
    """Why there is no fact in this value; None if there is one. Facts per address count when one address has one."""
    if isinstance(value, NotMeasured):
        return value
    if isinstance(value, PerAddress) and not value.facts:
        missing = list(value.missing.values())
        return weightiest(missing) if missing else NotMeasured(reason="the target has no address")
    return None


def weightiest(missing: list[NotMeasured]) -> NotMeasured:
    """Of several reasons the one that decides: blocked by a failure, then unknown, then not asked for,
    that with the option which would settle it before others.

    Other checks that block as well are kept in `also_by`: which of them did fail is known only when all are judged.
    """
    decisive = min(missing, key=lambda entry: (entry.by is None, entry.skipped, entry.command is None))
    blockers = [by for entry in missing for by in (entry.by, *entry.also_by) if by is not None]
    return replace(decisive, also_by=tuple(by for by in dict.fromkeys(blockers) if by != decisive.by))


def not_admitted(function: Callable[..., Any], values: Mapping[str, object]) -> tuple[tuple[str, NotMeasured], ...]:
    """The missing ones among a function's arguments that it cannot do without."""
    gaps = ((name, absent(value)) for name, value in values.items())
    return tuple((name, gap) for name, gap in gaps if gap is not None and not admits(function, name))
