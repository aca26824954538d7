"""Which enterprise policies decide on what the web app's page may call: proxies, and Local Network Access. Pure.

Sources: https://chromeenterprise.google/policies/#ProxySettings; the policies on local networks as Chromium 156 heeds
them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from btdiag.families.lna.facts import ManagedPolicy, ManagedProxy

_SHOWN = 200  # characters
_ON_LOCAL_NETWORKS = (
    "LocalNetworkAccessBlockedForUrls",
    "LocalNetworkAccessAllowedForUrls",
    "LocalNetworkBlockedForUrls",
    "LocalNetworkAllowedForUrls",
    "LoopbackNetworkBlockedForUrls",
    "LoopbackNetworkAllowedForUrls",
    "LocalNetworkAccessIpAddressSpaceOverrides",
    "LocalNetworkAccessPermissionsPolicyDefaultEnabled",
    "LocalNetworkAccessRestrictionsTemporaryOptOut",
)


def proxies_in(values: Mapping[str, Any], where: str) -> Iterator[ManagedProxy]:
    """The proxy settings among some policies: ProxySettings, or the older policies of one value each."""
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


def network_policies(values: Mapping[str, Any], where: str) -> Iterator[ManagedPolicy]:
    """The policies on local networks among some policies."""
    for name in _ON_LOCAL_NETWORKS:
        if name in values:
            yield ManagedPolicy(policy=name, value=json.dumps(values[name], default=str)[:_SHOWN], where=where)


def named_policies(given: tuple[ManagedPolicy, ...], *words: str) -> str:
    """ " (X is set in FILE)": the first whose name has one of these words in it; "" where none was seen."""
    found = next((one for one in given if any(word in one.policy for word in words)), None)
    return f" ({found.policy} is set in {found.where})" if found else ""
