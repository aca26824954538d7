"""URLs and host names as users write them: taken apart, normalised, and matched against NO_PROXY. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit


def same_place(one: str, other: str) -> bool:
    """Whether two URLs name the same scheme, host, port and path; False when one is no URL."""
    try:
        return url_parts(one).normal == url_parts(other).normal
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlParts:
    """An http(s) URL taken apart: IDNA host, explicit port, path without a slash at its end."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def normal(self) -> str:
        """The URL again, in normal form."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == {"http": 80, "https": 443}[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def url_parts(text: str) -> UrlParts:
    """Take an http(s) URL apart (RFC 3986); ValueError says in plain words what is wrong with it."""
    shown = without_userinfo(text)
    if not re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", text):
        raise ValueError(f"{shown!r} has no scheme: write https://{shown.lstrip('/')}")
    if re.search(r"[\s\\]", text):
        raise ValueError(f"{shown!r} contains a space or a backslash")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{shown!r} is no URL: {error}") from None
    if parts.scheme not in {"http", "https"}:
        raise ValueError(f"{shown!r}: only http and https can be tested")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{shown!r} carried a user name or password: leave it out, use --header 'Authorization: @ENV'")
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise ValueError(f"{shown.split('?')[0].split('#')[0]!r}: leave out the query and the fragment")
    if port == 0:
        raise ValueError(f"{shown!r}: port 0 does not exist")
    return UrlParts(
        scheme=parts.scheme,
        host=host_name(parts.hostname or ""),
        port=port or {"http": 80, "https": 443}[parts.scheme],
        path=re.sub(r"/+$", "", parts.path),
    )


def url(text: str) -> str:
    """A URL in normal form; ValueError as in url_parts."""
    return url_parts(text).normal


def host_name(text: str) -> str:
    """A host as it goes on the wire: IP literal without brackets and zone, or an IDNA name in lower case (RFC 5891)."""
    if not text:
        raise ValueError("the URL names no host")
    try:
        return str(ip_address(text))
    except ValueError:
        pass
    if re.fullmatch(r"[\d.]+|0x[\da-f]+", text):
        raise ValueError(f"{text!r} is no complete IP address")
    name = text.rstrip(".").lower()
    ascii_name = name if name.isascii() else _idna(name)
    labels = ascii_name.split(".")
    if len(ascii_name) > 253 or not all(re.fullmatch(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", label) for label in labels):
        raise ValueError(f"{text!r} is no valid host name")
    return ascii_name


def without_userinfo(text: str) -> str:
    """The same URL without user name and password."""
    return re.sub(r"(^|//)[^/?#]*@", r"\1", text)


def exempting_entry(exempt: str, host: str, port: int) -> str | None:
    """The entry of a NO_PROXY list that takes this host out, None without one. As curl reads it: *, a domain with all
    below it, an address, a network in CIDR form, each with :PORT if only that port is meant."""
    for entry in exempt.replace(",", " ").split():
        name, _, only_port = entry.rpartition(":") if re.search(r"[^:]:\d+$|]:\d+$", entry) else (entry, "", "")
        if only_port and int(only_port) != port:
            continue
        name = name.strip("[]").lower().lstrip(".")
        if name == "*" or host == name or host.endswith(f".{name}") or _in_network(host, name):
            return entry
    return None


def _in_network(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False


def _idna(name: str) -> str:
    import idna  # its tables take longer to load than all else here, and most names are ASCII

    try:
        return idna.encode(name, uts46=True).decode()
    except idna.IDNAError as error:
        raise ValueError(f"{name!r} is no valid international host name: {error}") from None
