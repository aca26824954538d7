"""Which proxy btdiag asks: the one that is given, or the one that the environment's variables choose for a URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from btdiag.config.secretive import proxy_parts
from btdiag.config.values import UsageError, printable
from btdiag.core.proxy_rules import ValueFault, cleaned, honoured
from btdiag.core.target import Proxy, Secret
from btdiag.core.urls import UrlParts, exempting_entry, url_parts

_NAMES = {
    "https": ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
    "http": ("http_proxy", "all_proxy", "ALL_PROXY"),
}


def environment_proxy(environment: Mapping[str, str], url: str) -> tuple[Proxy | None, str]:
    """The proxy that the environment's variables choose for a URL and, without one, why: NO_PROXY is read for each URL.
    UsageError or ValueError where the variable or the URL is none."""
    return target_proxy({}, environment, url_parts(url))


def target_proxy(
    values: Mapping[str, Any], environment: Mapping[str, str], parts: UrlParts
) -> tuple[Proxy | None, str]:
    """The proxy for a target and, without one, why: flags and profile first, then the variables that curl reads too.
    With one that a variable names, the words tell which entries of NO_PROXY take the host out for other programs."""
    if values.get("no_proxy"):
        return None, "--no-proxy"
    if "proxy" in values:
        return given_proxy(values["proxy"], "--proxy"), ""
    for name in _NAMES[parts.scheme]:
        if raw := environment.get(name, ""):
            return _by_variable(name, raw, environment, parts)
    return None, "no proxy is set"


def _by_variable(name: str, raw: str, environment: Mapping[str, str], parts: UrlParts) -> tuple[Proxy | None, str]:
    """What a variable comes to. Its value is taken as it was meant: what programs make of quotes or blanks in it is a
    finding of its own."""
    variable = "no_proxy" if environment.get("no_proxy") else "NO_PROXY"
    exempt = environment.get(variable, "")
    entry = exempting_entry(exempt, parts.host, parts.port)
    if entry is not None:
        return None, f"{name} is set, but {printable(entry)} in {variable} exempts {parts.host}"
    meant, fault = cleaned(raw)
    if fault is ValueFault.SOCKS:
        return None, f"{name} names a SOCKS proxy, which btdiag cannot ask: it goes directly"
    others = honoured(exempt, parts.host, parts.port)
    told = [f"{printable(one)} in {variable} exempts it for {', '.join(by)} alone" for one, by in others.items()]
    return given_proxy(meant, name), "; ".join(told)


def given_proxy(raw: str, source: str) -> Proxy:
    """The proxy that a value names; UsageError, which repeats nothing of it, where it names none."""
    try:
        url, credentials = proxy_parts(raw)
    except ValueError as error:
        raise UsageError(f"{source}: {error}") from None
    return Proxy(url=url, source=source, credentials=Secret(credentials) if credentials else None)
