"""How each client reads the proxy variables: which one it takes, and which entry of NO_PROXY takes a host out. Pure.

Observed with curl 7.88, requests 2.34, httpx 0.28 and undici 7 (what fetch of Node.js 24 calls with
NODE_USE_ENV_PROXY=1) on 34 pairs of entry and host; of Go (golang.org/x/net/http/httpproxy) with helm 3.17.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, ip_address, ip_network

from btdiag.core.client_kinds import ClientKind


class ValueFault(StrEnum):
    """What makes a proxy variable's value one that programs cannot use as it stands."""

    QUOTED = "quotes around it"
    RETURN = "a carriage return at its end"
    BLANK = "blanks around it"
    SOCKS = "a SOCKS proxy"
    SCHEMELESS = "no http:// before it"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyReading:
    """What a client makes of the variables: the one that it takes the proxy from ("" for none: it goes directly), and
    the entry of NO_PROXY that takes the host out ("" for none)."""

    variable: str = ""
    exempted_by: str = ""

    @property
    def proxied(self) -> bool:
        """Whether it asks a proxy."""
        return bool(self.variable) and not self.exempted_by


def reading(kind: ClientKind, variables: Mapping[str, str], scheme: str, host: str, port: int) -> ProxyReading:
    """How a client of this kind gets to a host. Node.js reads them where NODE_USE_ENV_PROXY is 1 (from version 24 on;
    https://nodejs.org/api/http.html#built-in-proxy-support)."""
    if kind is ClientKind.NODE and variables.get("NODE_USE_ENV_PROXY") != "1":
        return ProxyReading()
    chosen = next((name for name in _names(kind, scheme) if variables.get(name)), "")
    if not chosen:
        return ProxyReading()
    text = next((variables[name] for name in _exempting_names(kind) if variables.get(name)), "")
    return ProxyReading(variable=chosen, exempted_by=exempting(kind, text, host, port))


def exempting(kind: ClientKind, text: str, host: str, port: int) -> str:
    """The entry of a NO_PROXY value by which a client of this kind goes to the host directly; "" without one."""
    if kind is ClientKind.GO and (host == "localhost" or _is_loopback(host)):
        return "its own rule for this machine"
    matches = _RULES[kind]
    return next((entry for entry in _entries(kind, text) if matches(entry.lower(), host.lower(), port)), "")


def honoured(text: str, host: str, port: int) -> dict[str, tuple[ClientKind, ...]]:
    """The entries that let the host out for some client, each with the clients that it does so for."""
    found: dict[str, tuple[ClientKind, ...]] = {}
    for entry in _pieces(text, ", \t"):
        by = tuple(kind for kind in _RULES if exempting(kind, entry, host, port) == entry)
        if by:
            found[entry] = by
    return found


def cleaned(value: str) -> tuple[str, ValueFault | None]:
    """The value that was meant, and what is wrong with the way it is written (None for nothing)."""
    bare = value.strip()
    fault: ValueFault | None = None
    if bare != value:
        fault = ValueFault.RETURN if value.rstrip(" \t") != value.rstrip(" \t").rstrip("\r\n") else ValueFault.BLANK
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'":
        bare, fault = bare[1:-1].strip(), ValueFault.QUOTED
    if fault is None and "://" not in bare:
        fault = ValueFault.SCHEMELESS
    if re.match(r"socks(4a?|5h?)?://", bare, re.IGNORECASE):
        fault = ValueFault.SOCKS
    return bare, fault


_USUAL = frozenset({80, 443})
_BOTH = {"https": ("https_proxy", "HTTPS_PROXY"), "http": ("http_proxy", "HTTP_PROXY")}
_ALL = ("all_proxy", "ALL_PROXY")


def _names(kind: ClientKind, scheme: str) -> tuple[str, ...]:
    both = _BOTH[scheme]
    match kind:
        case ClientKind.GO:
            return both[::-1]
        case ClientKind.NODE:
            return both
        case ClientKind.CURL:
            return (*(both[:1] if scheme == "http" else both), *_ALL)  # HTTP_PROXY may be a CGI's request header
        case _:
            return (*both, *_ALL)


def _exempting_names(kind: ClientKind) -> tuple[str, str]:
    return ("NO_PROXY", "no_proxy") if kind is ClientKind.GO else ("no_proxy", "NO_PROXY")


def _entries(kind: ClientKind, text: str) -> list[str]:
    """How the list is taken apart: at commas; by curl and Node.js at blanks too."""
    blanks = kind in {ClientKind.CURL, ClientKind.NODE}
    if kind is ClientKind.PYTHON:
        text = text.replace(" ", "")
    return _pieces(text, ", \t" if blanks else ",")


def _pieces(text: str, separators: str) -> list[str]:
    pieces: Iterable[str] = re.split(f"[{separators}]", text)
    return [piece.strip() for piece in pieces if piece.strip()]


def _curl(entry: str, host: str, port: int) -> bool:
    name = entry.removesuffix(".").removeprefix(".")
    if _address(host):
        return entry == "*" or entry == host or _in_network(host, entry)
    return entry == "*" or (bool(name) and _is_below(host, name))


def _requests(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    if _address(host):
        return entry == host or ("/" in entry and _in_network(host, entry, only_v4=True))
    name = entry.lstrip(".")
    return _is_below(host, name) or (port not in _USUAL and _is_below(f"{host}:{port}", name))


def _httpx(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    if "://" in entry:
        return entry.partition("://")[2] in {host, f"{host}:{port}"}
    bare = entry.partition("/")[0]
    if _address(bare):
        return bare == host
    name, only = _with_port(entry, port)
    if only not in {None, port}:
        return False
    if only in _USUAL:  # of a URL's usual port it knows no more than that none is written
        return False
    return host.endswith(name) and host != name[1:] if name.startswith(".") else _is_below(host, name)


def _go(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        return _address(host) and _in_network(host, entry)
    name, only = _with_port(entry, port)
    if only not in {None, port}:
        return False
    if _address(name):
        return name == host
    suffix = name[1:] if name.startswith("*.") else name
    return host.endswith(suffix) if suffix.startswith(".") else _is_below(host, suffix)


def _node(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    name, only = _with_port(entry, port)
    if only not in {None, port}:
        return False
    bare = re.sub(r"^\*?\.", "", name)
    return bool(bare) and _is_below(host, bare) and ":" not in (name if entry[:1] != "[" else "")


_RULES: dict[ClientKind, Callable[[str, str, int], bool]] = {
    ClientKind.PYTHON: _requests,
    ClientKind.HTTPX: _httpx,
    ClientKind.NODE: _node,
    ClientKind.GO: _go,
    ClientKind.CURL: _curl,
}


def _with_port(entry: str, port: int) -> tuple[str, int | None]:
    """Name and port of an entry; no port where none is named."""
    match = re.fullmatch(r"(\[[^]]+]|[^:]+):([0-9]{1,5})", entry)
    name = match[1] if match else entry
    return name.strip("[]"), int(match[2]) if match else None


def _is_below(host: str, name: str) -> bool:
    return host == name or host.endswith(f".{name}")


def _address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return _address(host) and ip_address(host).is_loopback


def _in_network(host: str, entry: str, *, only_v4: bool = False) -> bool:
    try:
        network = ip_network(entry, strict=False)
        return ip_address(host) in network and (isinstance(network, IPv4Network) or not only_v4)
    except ValueError:
        return False
