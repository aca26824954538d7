"""What a check is to the engine: its id, its explanation (the docstring), and the facts that it asks for."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

LABELS = ("Measured", "Remedy", "Sources")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A check's docstring taken apart: the claim, why it matters, how it is measured, the remedy and the sources."""

    title: str
    why: str = ""
    measured: str = ""
    remedy: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check. `parameters` are the names it asks for; `own` tells a user's check from the shipped ones."""

    id: str
    family: str
    explanation: Explanation
    parameters: tuple[str, ...]
    function: Callable[..., Any]
    own: bool = False


def checks_folder() -> Path:
    """Where the shipped checks lie: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "checks", package.parent / "checks"):
        if folder.is_dir():
            return folder
    raise RuntimeError(f"this installation of btdiag is broken: no checks folder beside {package}; reinstall it")


def check_of(function: Callable[..., Any], file: Path, *, own: bool) -> Check:
    """Describe the check function found in a file check_<family>.py (a user's may have any name)."""
    family = _hyphens(file.stem.removeprefix("check_"))
    return Check(
        id=f"{family}.{_hyphens(function.__name__.removeprefix('check_'))}",
        family=family,
        explanation=explanation(inspect.getdoc(function) or "", function.__name__),
        parameters=tuple(inspect.signature(function).parameters),
        function=function,
        own=own,
    )


def explanation(docstring: str, name: str) -> Explanation:
    """Take a docstring apart into labelled paragraphs; without one the function's name is the title."""
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", docstring.strip()) if part.strip()]
    labelled = {}
    why = []
    for paragraph in paragraphs[1:]:
        label, colon, rest = paragraph.partition(":")
        if colon and label in LABELS:
            labelled[label] = rest.strip()
        else:
            why.append(paragraph)
    return Explanation(
        title=(paragraphs[0] if paragraphs else _hyphens(name).replace("-", " ")).rstrip("."),
        why="\n\n".join(why),
        measured=labelled.get("Measured", ""),
        remedy=labelled.get("Remedy", ""),
        sources=tuple(part.strip() for part in labelled.get("Sources", "").rstrip(".").split(";") if part.strip()),
    )


def matches(check: Check, pattern: str) -> bool:
    """Is the check meant by a pattern of --only or --skip: a family, an id, or a glob over ids?"""
    return pattern in (check.family, check.id) or fnmatchcase(check.id, pattern)


def select(checks: Iterable[Check], only: tuple[str, ...], skip: tuple[str, ...]) -> tuple[Check, ...]:
    """The checks that --only and --skip leave; ValueError names a pattern that fits no check at all."""
    everything = tuple(checks)
    for pattern in (*only, *skip):
        if not any(matches(check, pattern) for check in everything):
            raise ValueError(f"no check is called {pattern!r}: see btdiag checks")
    return tuple(
        check
        for check in everything
        if (not only or any(matches(check, pattern) for pattern in only))
        and not any(matches(check, pattern) for pattern in skip)
    )


def _hyphens(name: str) -> str:
    return name.replace("_", "-")
