"""The settings file: TOML with the options as keys, tables for single targets, and accepted findings.

A file that merely lies in the current directory may not set what decides where keys go or what code runs.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from btdiag.config.options import BY_KEY
from btdiag.config.values import UsageError, printable, read, target_name

DEFAULT_PROFILE = "btdiag.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """An accepted finding: `id` does not count until the day `until` is over."""

    id: str
    until: date
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A settings file: `values` by option key, `targets` the tables for one URL, `waivers`, and where it came from."""

    values: Mapping[str, Any] = field(default_factory=dict)
    targets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()
    path: Path | None = None
    trusted: bool = True


def load_profile(named: Path | None, folder: Path) -> Profile:
    """Read the profile named by the flag, or btdiag.toml of `folder` if it is there, else an empty one."""
    path = named or folder / DEFAULT_PROFILE
    if named is None and not path.is_file():
        return Profile()
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"profile {path}: {error.strerror or error}: check the path given to --profile") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"profile {path} is no valid TOML: {printable(str(error))}") from None
    return _profile(data, path, trusted=named is not None)


def _profile(data: dict[str, Any], path: Path, *, trusted: bool) -> Profile:
    waivers = tuple(_waiver(entry, path) for entry in _list(data.pop("waive", []), path, "waive"))
    tables = data.pop("targets", {})
    if isinstance(tables, str):
        data["targets"], tables = tables, {}
    if not isinstance(tables, dict):
        raise UsageError(f"profile {path}: [targets] holds tables, one for each URL")
    per_target = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise UsageError(f'profile {path}: write [targets."{printable(name)}"] as a table')
        per_target[target_name(name, f"profile {path}")] = _profile_values(table, path, trusted=trusted)
    return Profile(
        values=_profile_values(data, path, trusted=trusted),
        targets=per_target,
        waivers=waivers,
        path=path,
        trusted=trusted,
    )


def _profile_values(table: Mapping[str, Any], path: Path, *, trusted: bool) -> dict[str, Any]:
    values = {}
    for key, raw in table.items():
        option = BY_KEY.get(key)
        if option is None or not option.profile:
            raise UsageError(f"profile {path}: unknown key {printable(key)!r}: see btdiag run --help")
        if option.trusted and not trusted:
            raise UsageError(
                f"profile {path}: {key} may not be set by a file found in the current directory; "
                f"name the file with --profile {path} if you trust it"
            )
        values[key] = read(option, raw, f"profile {path}, {key}")
    return values


def _list(raw: Any, path: Path, name: str) -> list[Any]:
    if not isinstance(raw, list):
        raise UsageError(f"profile {path}: write {name} as [[{name}]]")
    return raw


def _waiver(entry: Any, path: Path) -> Waiver:
    known = {"id", "until", "reason"}
    if not isinstance(entry, dict) or set(entry) != known:
        raise UsageError(f"profile {path}: [[waive]] needs id, until and reason, and nothing else")
    until = entry["until"]
    try:
        until = until if isinstance(until, date) else date.fromisoformat(str(until))
    except ValueError:
        raise UsageError(f"profile {path}: [[waive]] until is a date: 2030-12-31") from None
    if not isinstance(entry["id"], str) or not isinstance(entry["reason"], str) or not entry["reason"].strip():
        raise UsageError(f"profile {path}: [[waive]] id and reason are texts that are not empty")
    return Waiver(id=entry["id"], until=date(until.year, until.month, until.day), reason=entry["reason"])
