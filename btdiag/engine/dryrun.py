"""`btdiag run --dry-run`: every request that would be sent and every wait, with nothing sent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice
from textwrap import wrap

from tabulate import tabulate

from btdiag.config import Settings, UsageError
from btdiag.core.measurement import MeasurementSpec, Scope
from btdiag.core.target import Mode, Target
from btdiag.engine.catalogue import Catalogue, catalogue, wait_of
from btdiag.engine.loader import watched
from btdiag.engine.run import chosen
from btdiag.report.escape import plain

_HOW_OFTEN = {Scope.RUN: "once", Scope.TARGET: "once", Scope.ADDRESS: "every address"}
WIDTH = 80  # of what is sent; the other columns take 50
MOST_LINES = 1_000
"""So many requests of one measurement are listed: a function of the user's may announce them without end."""


def plan(settings: Settings, targets: Sequence[Target]) -> str:
    """What a run with these settings would do, target by target."""
    with watched(settings.checks):
        return _plan(settings, targets)


def _plan(settings: Settings, targets: Sequence[Target]) -> str:
    found = catalogue(settings.checks)
    names = {name for check in chosen(found.checks, settings) for name in check.parameters}
    specs = found.registry.needs(sorted(names))
    return "\n\n".join(_plan_of(target, specs, settings, found) for target in targets)


def _plan_of(target: Target, specs: Sequence[MeasurementSpec], settings: Settings, found: Catalogue) -> str:
    rows = []
    for spec in specs:
        wait = wait_of(spec, target, settings.mode)
        lines = _requests(spec, target, settings.mode)
        waits = ("left out by --quick" if settings.mode.quick else f"{wait:g} s") if wait else "-"
        if lines or wait:
            rows.append((plain(spec.name), _HOW_OFTEN[spec.scope], "\n".join(_folded(lines)) or "-", waits))
    table = tabulate(rows, headers=("measurement", "how often", "sends", "waits"), tablefmt="simple")
    first = f"A run against {plain(target.url)} would send, within {settings.mode.budget:g} s (nothing was sent now):"
    return f"{first}\n\n{table}"


def _folded(lines: Sequence[str]) -> list[str]:
    """The lines, none longer than fits beside the other columns but for a URL of such a length."""
    fold = partial(wrap, width=WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return [part for line in lines for part in fold(plain(line))]


def _requests(spec: MeasurementSpec, target: Target, mode: Mode) -> list[str]:
    """The requests that a measurement announces; UsageError where one of the user's own cannot tell."""
    if spec.sends is None:
        return []
    try:
        return [str(line) for line in islice(spec.sends(target, mode), MOST_LINES)]
    except Exception as error:  # whatever a function of the user's raises
        raise UsageError(f"measurement {spec.name}: sends= raised {type(error).__name__}: {error}") from None
