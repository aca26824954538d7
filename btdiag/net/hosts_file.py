"""The system's hosts file: which lines give a name an address of their own, before or in place of DNS."""

from __future__ import annotations

import ipaddress
import os
import sys
from pathlib import Path

MOST_BYTES = 1024 * 1024  # lists of blocked names have some 100,000 lines; what is beyond a mebibyte is not looked at
_PLACE = Path(r"C:\Windows\System32\drivers\etc\hosts") if sys.platform == "win32" else Path("/etc/hosts")


def entries(name: str, place: Path = _PLACE) -> tuple[tuple[str, str], ...]:
    """Address and place ("/etc/hosts line 7") of every line for the name (hosts(5)); none where it cannot be read."""
    try:
        with place.open("rb") as file:
            if not os.path.isfile(place):
                return ()
            text = file.read(MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ()
    found: list[tuple[str, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        address, *names = line.partition("#")[0].split() or [""]
        if name.lower() in (each.lower() for each in names) and _is_address(address):
            found.append((address, f"{place} line {number}"))
    return tuple(found)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True
