"""The files by which the C library of this machine asks and orders: read at each run, for they change."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from btdiag.core.resolver_rules import Precedences, ResolverRules, precedences, resolver_rules

_MOST_BYTES = 64 * 1024
_RESOLV, _GAI = Path("/etc/resolv.conf"), Path("/etc/gai.conf")


def own_resolver_rules(place: Path = _RESOLV) -> ResolverRules:
    """The options that this machine's programs resolve by; the built-in ones where no file can be read."""
    return resolver_rules(_text(place), os.environ.get("RES_OPTIONS", ""))


def own_precedences(place: Path = _GAI) -> Precedences:
    """The order of address families that glibc's gai.conf sets; the built-in one with any other C library."""
    return precedences(_text(place)) if platform.libc_ver()[0] == "glibc" else precedences()


def _text(place: Path) -> str:
    try:
        with place.open("rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8", "replace") if os.path.isfile(place) else ""
    except OSError:
        return ""
