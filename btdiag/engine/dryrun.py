"""`btdiag run --dry-run`: every request that would be sent and every wait, with nothing sent."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from btdiag.config import Settings
from btdiag.core.measurement import MeasurementSpec, Scope
from btdiag.core.target import Target
from btdiag.engine.catalogue import Catalogue, catalogue
from btdiag.engine.run import chosen

_HOW_OFTEN = {Scope.RUN: "once", Scope.TARGET: "once", Scope.ADDRESS: "every address"}


def plan(settings: Settings, targets: Sequence[Target]) -> str:
    """What a run with these settings would do, target by target."""
    found = catalogue(settings.checks_dir)
    names = {name for check in chosen(found.checks, settings) for name in check.parameters}
    specs = found.registry.needs(sorted(names))
    return "\n\n".join(_plan_of(target, specs, settings, found) for target in targets)


def _plan_of(target: Target, specs: Sequence[MeasurementSpec], settings: Settings, found: Catalogue) -> str:
    rows = []
    for spec in specs:
        wait = spec.idle(target, settings.mode) if spec.idle else 0.0
        lines = spec.sends(target, settings.mode) if spec.sends else ()
        waits = ("left out by --quick" if settings.mode.quick else f"{wait:g} s") if wait else "-"
        if lines or wait:
            rows.append((spec.name, _HOW_OFTEN[spec.scope], "\n".join(lines) or "-", waits))
    table = tabulate(rows, headers=("measurement", "how often", "sends", "waits"), tablefmt="simple")
    return (
        f"A run against {target.url} would send, within {settings.mode.budget:g} s (nothing was sent now):\n\n{table}"
    )
