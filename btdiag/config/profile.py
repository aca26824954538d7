"""The settings file: TOML with the options as keys, tables for single targets, and accepted findings.

A file that merely lies in the current directory may be a stranger's, of a repository that was cloned. What it may set
is marked in the table of options (`discovered`); everything else in it is an error.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from btdiag.config.options import BY_KEY, OUTPUT
from btdiag.config.reading import KIB, read_text
from btdiag.config.values import UsageError, printable, target_name, value_of

DEFAULT_PROFILE = "btdiag.toml"
MAX_BYTES = 64 * KIB
_NOT_IN_MODULES = frozenset({"target", "targets", "checks", "parallel", "induce"})
MAX_NESTING = 16  # brackets within each other; a profile needs two
MAX_DOTS = 32  # in one line outside of quotes: the parser's time grows with the square of the parts of a key
# Each piece of text in quotes, or comment; without its end it reaches as far as it can, so that nothing is tried twice.
_QUOTED = re.compile(
    r'"""(?:[^"\\]|\\[\s\S]?|"(?!""))*(?:""")?'
    r"|'''(?:[^']|'(?!''))*(?:''')?"
    r'|"(?:[^"\\\n]|\\.?)*"?'
    r"|'[^'\n]*'?"
    r"|#[^\n]*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """An accepted finding: `id` does not count until the day `until` is over."""

    id: str
    until: date
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A settings file: `values` by option key, `targets` the tables for one URL, `modules` named sets of options for
    btdiag serve, `waivers`, and where it came from."""

    values: Mapping[str, Any] = field(default_factory=dict)
    targets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    modules: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()
    path: Path | None = None
    trusted: bool = True


def load_profile(named: Path | None, folder: Path | None) -> Profile:
    """Read the profile named by the flag, or btdiag.toml of `folder` (None: of nowhere) if it is there, else an empty
    one."""
    path = named or (folder / DEFAULT_PROFILE if folder else None)
    if path is None or (named is None and not os.path.lexists(path)):
        return Profile()
    text = read_text(path, MAX_BYTES, "profile")
    shown = f"profile {printable(str(path))}"  # the folder may be a stranger's, its name too
    try:
        _bound(text)
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        place = re.search(r"\((at [a-z0-9, ]+)\)$", str(error))
        raise UsageError(f"{shown} is no valid TOML{f' {place[1]}' if place else ''}") from None
    except ValueError as error:
        raise UsageError(f"{shown}: {_own_words(error)}") from None
    found = _profile(data, shown, trusted=named is not None)
    return replace(found, path=path)


def _bound(text: str) -> None:
    """ValueError for what would keep the parser busy, or be nested more deeply than any profile."""
    depth = 0
    for line in _QUOTED.sub("", text).splitlines():
        if line.count(".") > MAX_DOTS:
            raise ValueError(f"a key has more than {MAX_DOTS} parts")
        for bracket in re.findall(r"[][{}]", line):
            depth += 1 if bracket in "[{" else -1
            if depth > MAX_NESTING:
                raise ValueError(f"is nested more than {MAX_NESTING} deep")


def _own_words(error: ValueError) -> str:
    said = str(error)
    return said if said.startswith(("a key", "is nested")) else "has a number or a date that is none"


def _profile(data: dict[str, Any], where: str, *, trusted: bool) -> Profile:
    waivers = tuple(_waiver(entry, where) for entry in _list(data.pop("waive", []), where, "waive"))
    modules = _modules(data.pop("modules", {}), where, trusted=trusted)
    tables = data.pop("targets", {})
    if isinstance(tables, str):
        data["targets"], tables = tables, {}
    if not isinstance(tables, dict):
        raise UsageError(f"{where}: [targets] holds tables, one for each URL")
    per_target = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise UsageError(f'{where}: write each [targets."URL"] as a table')
        url = target_name(name, where)
        if url in per_target:
            raise UsageError(f'{where}: two tables [targets."URL"] are of the same target: put them in one')
        per_target[url] = _profile_values(table, where, trusted=trusted)
    return Profile(
        values=_profile_values(data, where, trusted=trusted),
        targets=per_target,
        modules=modules,
        waivers=waivers,
        trusted=trusted,
    )


def _profile_values(table: Mapping[str, Any], where: str, *, trusted: bool) -> dict[str, Any]:
    values = {}
    for key, raw in table.items():
        option = BY_KEY.get(key)
        if option is None or not option.profile:
            shown = f"unknown key {key!r}" if re.fullmatch(r"[a-z_-]{1,30}", key) else "a key that is no option"
            raise UsageError(f"{where}: {shown}: see btdiag run --help")
        if not (option.discovered or trusted):
            raise UsageError(
                f"{where}: {key} may not be set by a file that was merely found in the current directory; "
                f"--{where} would trust it"
            )
        values[key] = value_of(option, raw, f"{where}, {key}")
    return values


def _modules(tables: Any, where: str, *, trusted: bool) -> dict[str, dict[str, Any]]:
    """The sets of options by name; they say nothing of targets or of where reports go, which `btdiag serve` decides."""
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise UsageError(f"{where}: write each module as a table [modules.NAME]")
    for name, table in tables.items():
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", name):
            raise UsageError(f"{where}: a module's name is made of small letters, digits, - and _")
        for key in table:
            option = BY_KEY.get(key)
            if option is not None and (key in _NOT_IN_MODULES or option.single or option.group == OUTPUT):
                raise UsageError(f"{where}: [modules.{name}] may not set {key}")
    return {name: _profile_values(table, where, trusted=trusted) for name, table in tables.items()}


def _list(raw: Any, where: str, name: str) -> list[Any]:
    if not isinstance(raw, list):
        raise UsageError(f"{where}: write {name} as [[{name}]]")
    return raw


def _waiver(entry: Any, where: str) -> Waiver:
    known = {"id", "until", "reason"}
    if not isinstance(entry, dict) or set(entry) != known:
        raise UsageError(f"{where}: [[waive]] needs id, until and reason, and nothing else")
    until = entry["until"]
    try:
        until = until if isinstance(until, date) else date.fromisoformat(str(until))
    except ValueError:
        raise UsageError(f"{where}: [[waive]] until is a date: 2030-12-31") from None
    if not isinstance(entry["id"], str) or not isinstance(entry["reason"], str) or not entry["reason"].strip():
        raise UsageError(f"{where}: [[waive]] id and reason are texts that are not empty")
    return Waiver(id=entry["id"], until=date(until.year, until.month, until.day), reason=entry["reason"])
