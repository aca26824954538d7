"""The command line that repeats a run, or one check of it: for reports, and for hints such as "give --budget". It
runs as it stands when it is pasted, but for what is secret: that is named, and left to whoever pastes it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence

from btdiag.config import Settings
from btdiag.config.options import BY_KEY, OUTPUT, ValueKind
from btdiag.config.secretive import proxy_parts
from btdiag.core.target import Target

# What is not part of what was tested: targets and selection are given anew, how results were shown does not matter.
_LEFT_OUT = {"target", "targets", "only", "skip", "parallel", "store", "keep", "dry_run", "wait", "watch"}


def command(settings: Settings, target: Target, only: Sequence[str], without: Collection[str] = ()) -> str:
    """`btdiag run` for one target with the flags that were given, but for those in `without` (option keys)."""
    url = f"lab:{target.lab_scenario}" if target.lab_scenario else target.url
    words = ["btdiag", "run", "--target", url]
    left_out = {*_LEFT_OUT, *without}
    for key, option in BY_KEY.items():
        if key not in settings.flags or option.group == OUTPUT or key in left_out:
            continue
        value = settings.flags[key]
        for item in value if isinstance(value, tuple) else (value,):
            words += _words(option.name, option.kind, _shown(key, item))
    for check_id in only:
        words += ["--only", check_id]
    return shlex.join(words)


def with_option(line: str, option: str) -> str:
    """The command with one more option, unless it is a whole command already."""
    return option if option.startswith("btdiag") or not line else f"{line} {option}"


def _shown(key: str, value: object) -> object:
    """The value, with the name of a variable in place of a header's value, and no login in a proxy's URL."""
    if key == "header":
        name, _, given = str(value).partition(":")
        if given.strip().startswith("@"):
            return value
        return f"{name.strip()}: @{re.sub('[^A-Z0-9]', '_', name.strip().upper())}"
    if key == "proxy":
        try:
            return proxy_parts(str(value))[0]
        except ValueError:
            return "http://HOST:PORT"
    return value


def _words(name: str, kind: ValueKind, value: object) -> list[str]:
    if kind in (ValueKind.FLAG, ValueKind.SWITCH):
        return [f"--{name}"] if value else ([f"--no-{name}"] if kind is ValueKind.SWITCH else [])
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return [f"--{name}", text]
