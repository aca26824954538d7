"""One Target from the settings, or from what a lab says about itself: addresses, proxy, keys, declared values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from btdiag.config.declared import KEEPALIVE, LB_IDLE, found, in_effect
from btdiag.config.files import Meter, leaves
from btdiag.config.options import BRAINSTORE_ROLES
from btdiag.config.proxies import given_proxy, target_proxy
from btdiag.config.secretive import header_parts, header_value
from btdiag.config.settings import Settings
from btdiag.config.stated import in_force, stated
from btdiag.config.values import UsageError, printable
from btdiag.core.client_kinds import SDK_LANGUAGES
from btdiag.core.target import SYSTEM_RESOLVER, DeclaredSetting, Resolver, Secret, Target
from btdiag.core.urls import UrlParts, bracketed, quotable, url_parts

_SECRET = {
    "api_key_env": "the API key",
    "header": "the headers of --header",
    "client_cert": "the client certificate",
    "client_key": "its key",
}


def target(settings: Settings, name: str) -> Target:
    """The Target of one URL of the settings."""
    table = settings.per_target.get(name, {})
    values = {**settings.values, **table, **settings.flags}
    try:
        parts = url_parts(name)
    except ValueError as error:
        raise UsageError(f"--target: {error}") from None
    proxy, proxy_note = target_proxy(values, settings.environment, parts)
    key_name = values.get("api_key_env", "BRAINTRUST_API_KEY")
    key = _key(settings, key_name)
    found = Target(
        url=parts.normal,
        scheme=parts.scheme,
        host=parts.host,
        port=parts.port,
        path=parts.path,
        resolvers=_resolvers(values.get("nameserver")),
        **_resolve(values.get("resolve", ()), parts),
        plain_port=80 if (parts.scheme, parts.port) == ("https", 443) else None,
        proxy=proxy,
        proxy_note=proxy_note,
        api_key=Secret(key) if key else None,
        api_key_source=key_name if key else "",
        key_over_http=bool(values.get("key_over_http")),
        **_declared(values, settings.environment, _files(settings, values), settings.stated[values.get("config", ())]),
    )
    return _kept_from(found, settings.strangers.get(name, ""))


def _kept_from(target: Target, why: str) -> Target:
    """The target as it is, or without anything secret, so that nothing can send it, and with the words for why."""
    kept = [
        words
        for words, value in zip(_SECRET.values(), (target.api_key, target.headers, target.client_cert), strict=False)
        if value
    ]
    if not (why and kept):
        return target
    return replace(
        target,
        api_key=None,
        api_key_source="",
        headers=(),
        client_cert=None,
        client_key=None,
        withheld=_withheld(kept, why),
    )


def _withheld(kept: Sequence[str], why: str) -> str:
    return f"{' and '.join(kept)} {'was' if len(kept) == 1 else 'were'} withheld: {why}"


def _key(settings: Settings, name: str) -> str:
    """The value of the variable that holds the key; UsageError if the command line names one that is not set, without
    its name: whoever takes the option for the key itself gave the key."""
    key = settings.environment.get(name, "").strip()
    if "api_key_env" in settings.flags and not key:
        raise UsageError(
            "--api-key-env: there is no such variable, or it is empty: give its name, never the key itself"
        )
    return key


_TOLD = ("backend", "brainstore", "gateway", "bucket", "app_url", "role", "lb_idle_timeout", "backend_keepalive")


def _told_by(lab: Mapping[str, Any]) -> dict[str, Any]:
    """What a lab says of itself, as the options have it."""
    return {
        **{key: Path(lab[key]) if lab.get(key) else None for key in ("ca", "client_cert", "client_key")},
        **{key: lab[key] for key in _TOLD if lab.get(key) is not None},
        **{key: tuple(lab[key]) for key in ("origin", "allow", "expect_blocked", "sdk") if lab.get(key)},
    }


def lab_target(settings: Settings, scenario: str, lab: Mapping[str, Any]) -> Target:
    """The Target of a lab that serves: what the lab says, overridden by flags alone."""
    why = settings.strangers.get(f"lab:{scenario}", "")
    kept = [key for key in _SECRET if why and key in settings.flags]
    flags = {key: value for key, value in settings.flags.items() if key not in kept}
    parts = url_parts(lab["url"])
    variables = dict(lab.get("variables", {}))
    proxy, proxy_note = target_proxy({}, variables, parts) if variables else (None, "the lab needs none")
    if chosen := flags.get("proxy") or (None if flags.get("no_proxy") else lab.get("proxy")):
        proxy, proxy_note = given_proxy(chosen, "--proxy" if "proxy" in flags else "the lab"), ""
    key_name = flags.get("api_key_env")
    key = _key(settings, key_name) if key_name else lab.get("api_key")
    values = {**_told_by(lab), **flags}
    stage = {"config": tuple(Path(one) for one in lab.get("config", ())), **flags}
    lab_resolvers = tuple(Resolver(label=item["label"], address=item["address"]) for item in lab.get("resolvers", ()))
    resolve = flags["resolve"] if "resolve" in flags else tuple(lab.get("resolve") or ())
    return Target(
        url=parts.normal,
        scheme=parts.scheme,
        host=parts.host,
        port=parts.port,
        path=parts.path,
        resolvers=_resolvers(flags["nameserver"])[:1] if "nameserver" in flags else lab_resolvers or (SYSTEM_RESOLVER,),
        **_resolve(resolve, parts),
        plain_port=lab.get("plain_port"),
        proxy=proxy,
        proxy_note=proxy_note,
        api_key=Secret(key) if key else None,
        api_key_source=(key_name or "lab") if key else "",
        lab_scenario=scenario,
        address_spaces=tuple((network, space) for network, space in lab.get("address_spaces", ())),
        browser_profile=Path(lab["browser_profile"]) if lab.get("browser_profile") else None,
        page=lab.get("page", ""),
        variables=tuple(variables.items()),
        withheld=_withheld([_SECRET[key] for key in kept], why) if kept else "",
        **_declared(values, settings.environment, _files(settings, stage), settings.stated[stage.get("config", ())]),
    )


def _declared(
    values: Mapping[str, Any],
    environment: Mapping[str, str],
    files: Mapping[str, DeclaredSetting],
    others: Sequence[DeclaredSetting],
) -> dict[str, Any]:
    """The fields of Target that are the same whether a lab or a person gives them. `files` has only what no option of
    a person says, so that it outweighs what a lab says of itself."""
    app_url = values.get("app_url", "https://www.braintrust.dev")
    return {
        "ca_file": values.get("ca"),
        "client_cert": values.get("client_cert"),
        "client_key": values.get("client_key"),
        "headers": tuple(_header(entry, environment) for entry in values.get("header", ())),
        "backend": values.get("backend"),
        **_brainstore(values.get("brainstore", ())),
        "gateway": values.get("gateway"),
        "bucket": values.get("bucket"),
        "lb_idle_timeout": _seconds(files.get(LB_IDLE)) or values.get("lb_idle_timeout"),
        "backend_keepalive": _seconds(files.get(KEEPALIVE)) or values.get("backend_keepalive"),
        "app_url": app_url,
        "origins": tuple(_origin(entry) for entry in values.get("origin", ())),
        "settings": (*files.values(), *others),
        "logs": values.get("logs", ()),
        "sdks": tuple(_sdk(entry) for entry in values.get("sdk", ())),
        "role": values.get("role"),
        "allow": values.get("allow", ()),
        "expect_blocked": values.get("expect_blocked", ()),
    }


def _brainstore(entries: str | Sequence[str]) -> dict[str, Any]:
    """The first URL, and each with its role; a role that is given again is where that role is now."""
    listed = (entries,) if isinstance(entries, str) else tuple(entries)
    roles: dict[str, str] = {}
    for entry in listed:
        role, separator, url = entry.partition("=")
        named = separator and role in BRAINSTORE_ROLES
        roles[role if named else ""] = url if named else entry
    return {"brainstore": next(iter(roles.values()), None), "brainstore_roles": tuple(roles.items())}


def _files(settings: Settings, values: Mapping[str, Any]) -> dict[str, DeclaredSetting]:
    """What the files of --config declare, by name."""
    paths = values.get("config", ())
    if paths not in settings.declared:
        meter = Meter()
        read = [leaves(path, meter) for path in paths]
        settings.declared[paths] = [found(one) for one in read]
        settings.stated[paths] = in_force([stated(one) for one in read])
    return in_effect(settings.declared[paths], given=values)


def _seconds(setting: DeclaredSetting | None) -> float | None:
    return float(setting.value) if setting else None


def _header(entry: str, environment: Mapping[str, str]) -> tuple[str, Secret]:
    try:
        name, value = header_parts(entry)
        if value.startswith("@"):
            if value[1:] not in environment:
                raise ValueError(f"'{name}: @...': there is no variable of the name that follows the @")
            value = environment[value[1:]]
        return name, Secret(header_value(value))
    except ValueError as error:
        raise UsageError(f"--header: {error}") from None


def _origin(entry: str) -> str:
    if entry == "null":
        return entry
    try:
        parts = url_parts(entry)
    except ValueError as error:
        raise UsageError(f"--origin: {error}") from None
    if parts.path:
        raise UsageError(f"--origin {quotable(entry)}: an origin has no path")
    return parts.normal


def _sdk(entry: str) -> tuple[str, str]:
    language, _, version = entry.partition("=")
    if not language or not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6}){0,5}", version):
        raise UsageError(f"--sdk {printable(entry)}: write LANG=VERSION, for instance python=0.48.1")
    if language.lower() not in SDK_LANGUAGES:
        known = ", ".join(sorted(SDK_LANGUAGES))
        raise UsageError(f"--sdk {printable(entry)}: no such SDK is known; LANG is one of {known}")
    return language, version


def _resolvers(nameserver: str | None) -> tuple[Resolver, ...]:
    if nameserver is None:
        return (SYSTEM_RESOLVER,)
    address, port = nameserver, 53
    match = re.fullmatch(r"\[([^]]+)](?::([0-9]{1,5}))?", nameserver)
    if match:
        address, port = match[1], int(match[2] or 53)
    elif nameserver.count(":") == 1:
        address, _, text = nameserver.partition(":")
        port = int(text) if re.fullmatch(r"[0-9]{1,5}", text) else -1
    try:
        address = str(ip_address(address))
    except ValueError:
        port = -1
    if not 0 < port < 65536:
        raise UsageError(f"--nameserver {printable(nameserver)}: give an IP address, with :PORT if it is not 53")
    return Resolver(label=nameserver, address=f"{bracketed(address)}:{port}"), SYSTEM_RESOLVER


def _resolve(entries: Sequence[str], parts: UrlParts) -> dict[str, Any]:
    """The addresses that --resolve gives for this host and port, and all that it gives."""
    pinned = tuple(_pin(entry) for entry in entries)
    own = [address for host, port, given in pinned if (host, port) == (parts.host, parts.port) for address in given]
    return {"resolve": tuple(dict.fromkeys(own)), "pinned": pinned}


def _pin(entry: str) -> tuple[str, int, tuple[str, ...]]:
    """Host, port and addresses of one --resolve (curl's form: HOST:PORT:ADDRESS[,ADDRESS])."""
    match = re.fullmatch(r"(\[[^]]+]|[^:]+):([0-9]{1,5}):(.+)", entry)
    try:
        addresses = tuple(str(ip_address(item.strip().strip("[]"))) for item in match[3].split(",")) if match else ()
    except ValueError:
        addresses = ()
    if not match or not addresses:
        raise UsageError(f"--resolve {printable(entry)}: write HOST:PORT:ADDRESS")
    return match[1].strip("[]").lower(), int(match[2]), addresses
