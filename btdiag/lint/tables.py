"""The charts and modules by version: which keys are read, what the defaults are, which variables exist.

Data in `data/`: found by rendering every version of the chart and reading the variables of every version of the
modules. A tag 2.5.0 of the chart was cut by mistake from what is 6.6.0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from btdiag.lint.nodes import Node, Path, default

_MISTAGGED = {"2.5.0": "6.6.0"}


@cache
def _data(name: str) -> Any:
    return json.loads(files("btdiag.lint").joinpath("data", name).read_text("utf-8"))


def version_key(version: str) -> tuple[int, ...]:
    """A version for comparison: "v5.3.0" is (5, 3, 0, 1), "v1.0.0-alpha" (1, 0, 0, 0)."""
    match = re.match(r"v?(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?(-)?", version.strip())
    if match is None:
        return (0, 0, 0, 0)
    return (*(int(part or 0) for part in match.groups()[:3]), 0 if match[4] else 1)


def is_version(text: str) -> bool:
    """Whether a text is one version, and not a range ("~> 5.0") or a branch."""
    return re.fullmatch(r"v?\d{1,6}(\.\d{1,6}){1,2}([-+][0-9A-Za-z.-]{1,40})?", text.strip()) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The Helm chart at one version."""

    version: str

    def since(self, version: str) -> bool:
        """Whether this is the version or a later one."""
        return version_key(_MISTAGGED.get(self.version, self.version)) >= version_key(version)

    def between(self, first: str, last: str) -> bool:
        """Whether this is one of the versions from first to last."""
        return self.since(first) and version_key(_MISTAGGED.get(self.version, self.version)) <= version_key(last)

    @property
    def defaults(self) -> Node:
        """The chart's own values."""
        return _defaults(_MISTAGGED.get(self.version, self.version))

    def reads(self, path: Path) -> bool:
        """Whether a template reads the key, something above it as a whole, or something below it."""
        read, above = _reads(_MISTAGGED.get(self.version, self.version))
        names = [".".join(path[:depth]) for depth in range(1, len(path) + 1)]
        return names[-1] in above or any(name in read for name in names)

    def reads_whole(self, path: Path) -> bool:
        """Whether a template takes the key with all that is below it."""
        read, _ = _reads(_MISTAGGED.get(self.version, self.version))
        return ".".join(path) in read

    def life(self, path: Path) -> tuple[str, str | None] | None:
        """From which to which version the key, or a key below it, is read; None if no version ever did."""
        name = ".".join(path)
        spans = [span for key, span in _data("chart.json")["reads"].items() if f"{key}.".startswith(f"{name}.")]
        spans = spans or [span for key, span in _data("chart.json")["reads"].items() if name.startswith(f"{key}.")]
        if not spans:
            return None
        last = None if any(span[1] is None for span in spans) else max((span[1] for span in spans), key=version_key)
        return min((span[0] for span in spans), key=version_key), last

    def siblings(self, path: Path) -> list[str]:
        """The names that are read at this version under a path."""
        depth = len(path)
        read, _ = _reads(_MISTAGGED.get(self.version, self.version))
        parts = [tuple(name.split(".")) for name in read]
        return sorted({part[depth] for part in parts if part[:depth] == path and len(part) > depth})


def newest_chart() -> str:
    """The newest version that the tables know."""
    version: str = _data("chart.json")["versions"][-1]
    return version


def chart_versions() -> tuple[str, ...]:
    """All versions in the tables, oldest first."""
    return tuple(_data("chart.json")["versions"])


@cache
def _defaults(version: str) -> Node:
    values: dict[str, object] = {}
    for step in _data("chart.json")["defaults"]:
        if version_key(step["since"]) <= version_key(version):
            values = {key: value for key, value in values.items() if key not in step.get("unset", ())} | step["set"]
    tree: dict[str, Any] = {}
    for name, value in values.items():
        place = tree
        *parents, last = name.split(".")
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return default(tree)


@cache
def _reads(version: str) -> tuple[frozenset[str], frozenset[str]]:
    """(keys that are read, keys above them)."""
    read = {
        key
        for key, (first, last) in _data("chart.json")["reads"].items()
        if version_key(first) <= version_key(version) and (last is None or version_key(version) <= version_key(last))
    }
    above = {key.rsplit(".", depth)[0] for key in read for depth in range(1, key.count(".") + 1)}
    return frozenset(read), frozenset(above)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable of a module: its type as written, its default at this version ("<required>" for none)."""

    name: str
    type: str
    default: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A Terraform module at one version; `cloud` is aws, azure or google."""

    cloud: str
    version: str

    def since(self, version: str) -> bool:
        return version_key(self.version) >= version_key(version)

    def before(self, version: str) -> bool:
        return version_key(self.version) < version_key(version)

    def between(self, first: str, last: str | None) -> bool:
        """Whether this is one of the versions from first to last; without a last one from there on."""
        return self.since(first) and (last is None or version_key(self.version) <= version_key(last))

    @property
    def variables(self) -> Mapping[str, Variable]:
        """What the module declares at this version."""
        return _variables(self.cloud, self.version)

    def life(self, name: str) -> tuple[str, str | None] | None:
        """From which to which version a variable exists; None if it never did."""
        entry = _data("modules.json")[self.cloud]["variables"].get(name)
        return (entry["since"], entry["until"]) if entry else None


def clouds() -> tuple[str, ...]:
    """The clouds for which there is a module."""
    return tuple(_data("modules.json"))


def newest_module(cloud: str) -> str:
    """The newest version that the tables know."""
    version: str = _data("modules.json")[cloud]["versions"][-1]
    return version


@cache
def _variables(cloud: str, version: str) -> Mapping[str, Variable]:
    found = {}
    for name, entry in _data("modules.json")[cloud]["variables"].items():
        if version_key(entry["since"]) <= version_key(version) and (
            entry["until"] is None or version_key(version) <= version_key(entry["until"])
        ):
            value = [one for since, one in entry["defaults"] if version_key(since) <= version_key(version)]
            found[name] = Variable(name=name, type=entry["type"], default=value[-1] if value else None)
    return found
