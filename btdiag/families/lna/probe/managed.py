"""Reads which proxy the enterprise policies of this machine give its browsers: they win over every switch.

Sources: https://chromeenterprise.google/policies/#ProxySettings; the folders are those that Chrome, Chromium and Edge
read on Linux. Elsewhere policies stand in the registry or in profiles, and are not read.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from btdiag.families.lna.facts import ManagedProxy

LARGEST = 1024 * 1024  # bytes of one policy file
MOST_FILES = 64
_FOLDERS = {
    "Chrome": "/etc/opt/chrome/policies",
    "Edge": "/etc/opt/edge/policies",
    "Chromium": "/etc/chromium/policies",
}
_SHOWN = 200  # characters


def can_be_read() -> bool:
    """Whether this system keeps policies where they are looked for."""
    return sys.platform == "linux"


def managed_proxies(product: str) -> tuple[ManagedProxy, ...]:
    """The proxy settings in the policies of this browser ("Chrome", "Edge", "Chromium"); () where there are none."""
    if not can_be_read():
        return ()
    return tuple(one for where, values in _policies(product) for one in proxies_in(values, where))


def proxies_in(values: Mapping[str, Any], where: str) -> Iterator[ManagedProxy]:
    """The proxy settings of one policy file: ProxySettings, or the older policies of one value each."""
    settings = values.get("ProxySettings")
    if isinstance(settings, Mapping):
        yield from _one("ProxySettings", settings, where)
        return
    older = {name: values[name] for name in ("ProxyMode", "ProxyServer", "ProxyPacUrl") if name in values}
    if older:
        yield from _one(next(iter(older)), older, where)


def _one(policy: str, settings: Mapping[str, Any], where: str) -> Iterator[ManagedProxy]:
    mode = str(settings.get("ProxyMode", "fixed_servers" if settings.get("ProxyServer") else "pac_script"))
    if mode in {"direct", "system"}:
        return
    server, script = str(settings.get("ProxyServer", "")), str(settings.get("ProxyPacUrl", ""))
    hosts = tuple(host for part in server.replace(",", ";").split(";") if (host := _host(part)))
    fixed = mode == "fixed_servers"
    value = server if fixed else f"{mode} {script}".strip()
    yield ManagedProxy(policy=policy, value=value[:_SHOWN], where=where, hosts=hosts if fixed else ())


def _host(part: str) -> str:
    """The host in "proxy:3128", "https=proxy:3128" or "http://proxy:3128"."""
    bare = part.strip().rpartition("=")[2].rpartition("://")[2]
    try:
        return urlsplit(f"//{bare}").hostname or ""
    except ValueError:
        return ""


def _policies(product: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for level in ("managed", "recommended"):
        for file in sorted((Path(_FOLDERS[product]) / level).glob("*.json"))[:MOST_FILES]:
            yield str(file), _read(file)


def _read(file: Path) -> Mapping[str, Any]:
    """The policies of a file; none where it cannot be read, as for the browser."""
    try:
        values = json.loads(file.read_bytes()) if file.stat().st_size <= LARGEST else {}
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
