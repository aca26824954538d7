"""The command line that repeats a run, or one check of it: for reports, and for hints such as "give --budget"."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence

from btdiag.config import Settings
from btdiag.config.options import OPTIONS, OUTPUT, ValueKind
from btdiag.core.target import Target

# What is not part of what was tested: targets and selection are given anew, how results were shown does not matter.
_LEFT_OUT = {"target", "targets", "only", "skip", "dry_run", "wait", "watch", "header", "proxy"}


def command(settings: Settings, target: Target, only: Sequence[str], without: Collection[str] = ()) -> str:
    """`btdiag run` for one target with the flags that were given, but for those in `without` (option keys), and headers
    and proxy, which may be secret."""
    url = f"lab:{target.lab_scenario}" if target.lab_scenario else target.url
    words = ["btdiag", "run", "--target", url]
    for option in OPTIONS:
        if option.key not in settings.flags or option.group == OUTPUT or option.key in {*_LEFT_OUT, *without}:
            continue
        value = settings.flags[option.key]
        for item in value if isinstance(value, tuple) else (value,):
            words += _words(option.name, option.kind, item)
    for check_id in only:
        words += ["--only", check_id]
    return shlex.join(words)


def _words(name: str, kind: ValueKind, value: object) -> list[str]:
    if kind in (ValueKind.FLAG, ValueKind.SWITCH):
        return [f"--{name}"] if value else ([f"--no-{name}"] if kind is ValueKind.SWITCH else [])
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return [f"--{name}", text]
