"""The enterprise policies that this machine gives its browsers: files on Linux, the registry on Windows, managed
preferences on macOS. What comes from a company's cloud stands in none of them, and is not seen.

Sources: https://chromeenterprise.google/policies/; https://learn.microsoft.com/en-us/deployedge/microsoft-edge-policies
"""

from __future__ import annotations

import importlib
import json
import os
import plistlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

LARGEST = 1024 * 1024  # bytes of one file
MOST = 64  # files of a folder, values of a key
_LINUX = {"Chrome": "etc/opt/chrome/policies", "Edge": "etc/opt/edge/policies", "Chromium": "etc/chromium/policies"}
_MAC = {"Chrome": "com.google.Chrome", "Edge": "com.microsoft.Edge", "Chromium": "org.chromium.Chromium"}
_WINDOWS = {
    "Chrome": r"SOFTWARE\Policies\Google\Chrome",
    "Edge": r"SOFTWARE\Policies\Microsoft\Edge",
    "Chromium": r"SOFTWARE\Policies\Chromium",
}
_LEVELS = ("managed", "recommended")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySet:
    """The policies of one place: a file, or a key of the registry. What stands first counts."""

    where: str
    values: Mapping[str, Any]


def browser_policies(
    product: str, system: str = sys.platform, root: Path = Path("/"), registry: Any = None
) -> tuple[PolicySet, ...] | None:
    """All that this browser ("Chrome", "Edge", "Chromium") is given; None where the system keeps policies in no place
    that is known. `root` and `registry` stand for the file system and for Python's winreg."""
    if system == "linux":
        return tuple(_files(root / _LINUX[product]))
    if system == "darwin":
        return tuple(_preferences(root / "Library/Managed Preferences", f"{_MAC[product]}.plist"))
    if system == "win32":
        return tuple(_keys(registry or importlib.import_module("winreg"), _WINDOWS[product]))
    return None


def _files(folder: Path) -> Iterator[PolicySet]:
    for level in _LEVELS:
        for file in sorted((folder / level).glob("*.json"))[:MOST]:
            yield PolicySet(where=str(file), values=_mapping(file, json.loads))


def _preferences(folder: Path, name: str) -> Iterator[PolicySet]:
    """Of the machine, and of whoever runs this."""
    for file in (folder / name, folder / os.environ.get("USER", "-") / name):
        if file.is_file():
            yield PolicySet(where=str(file), values=_mapping(file, plistlib.loads))


def _mapping(file: Path, read: Any) -> Mapping[str, Any]:
    """What a file says; nothing where it cannot be read, as for the browser."""
    try:
        values = read(file.read_bytes()) if file.is_file() and file.stat().st_size <= LARGEST else {}
    except (OSError, ValueError, plistlib.InvalidFileException, ExpatError):
        return {}
    return values if isinstance(values, dict) else {}


def _keys(registry: Any, path: str) -> Iterator[PolicySet]:
    """Of the machine before those of the user, what is ordered before what is recommended."""
    for under in (path, rf"{path}\Recommended"):
        for name in ("HKEY_LOCAL_MACHINE", "HKEY_CURRENT_USER"):
            if values := from_registry(*_read_key(registry, getattr(registry, name), under)):
                yield PolicySet(where=rf"{name}\{under}", values=values)


def _read_key(registry: Any, hive: Any, path: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The values of a key, and those of each key below; both empty where it cannot be read."""
    try:
        with registry.OpenKey(hive, path) as key:
            below, own, _ = registry.QueryInfoKey(key)
            values = dict(registry.EnumValue(key, number)[:2] for number in range(min(own, MOST)))
            names = [registry.EnumKey(key, number) for number in range(min(below, MOST))]
    except OSError:
        return {}, {}
    return values, {name: _read_key(registry, hive, rf"{path}\{name}")[0] for name in names if name != "Recommended"}


def from_registry(values: Mapping[str, Any], below: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Policies as files have them: a list is a key with values "1", "2" and so on, a dictionary is text in JSON."""
    lists = {
        name: [entries[number] for number in sorted(filter(str.isdecimal, entries), key=int)]
        for name, entries in below.items()
    }
    return {name: _unpacked(value) for name, value in values.items()} | {
        name: one for name, one in lists.items() if one
    }


def _unpacked(value: Any) -> Any:
    if not (isinstance(value, str) and value.lstrip().startswith(("{", "["))):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
