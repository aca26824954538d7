"""URLs and host names as users write them: taken apart, normalised, and matched against NO_PROXY. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

_PORTS = {"http": 80, "https": 443}


def default_port(scheme: str) -> int:
    """The port that a URL of this scheme need not name (RFC 9110 section 4.2); 0 for schemes that are not HTTP's."""
    return _PORTS.get(scheme, 0)


def port_of(parts: SplitResult) -> int:
    """The port of a URL, its scheme's own where it names none; ValueError as urlsplit has it."""
    return parts.port or default_port(parts.scheme)


def other_host(url: str) -> str:
    """The Host header with the port where it goes without one, and without it where it has one."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    name = host.removesuffix(f":{parts.port}") if parts.port else host
    return name if host != name else f"{host}:{default_port(parts.scheme)}"


def bracketed(host: str) -> str:
    """A host or address as it stands before a port: an IPv6 address in brackets (RFC 3986 section 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def same_place(one: str, other: str) -> bool:
    """Whether two URLs name the same scheme, host, port and path; False when one is no URL."""
    try:
        return url_parts(one).normal == url_parts(other).normal
    except ValueError:
        return False


LONGEST = 4096  # characters of a URL: load balancers take hardly more
_LONGEST_NAME = 253  # characters; RFC 1035 section 2.3.4, without the last dot


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
        port = "" if self.port == default_port(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{bracketed(self.host)}{port}{self.path}"

    @property
    def with_port(self) -> str:
        """scheme://host:port, the port written out always."""
        return f"{self.scheme}://{bracketed(self.host)}:{self.port}"


def url_parts(text: str) -> UrlParts:
    """Take an http(s) URL apart (RFC 3986); ValueError says in plain words what is wrong with it, and repeats of it no
    more than scheme and host: what does not parse may be a password in the wrong place."""
    if len(text) > LONGEST:
        raise ValueError(f"a URL of more than {LONGEST:,} characters cannot be meant")
    shown = quotable(text)
    if not re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", text):
        raise ValueError(f"{shown} has no scheme: write {_with_scheme(text)}")
    if re.search(r"[\s\\]", text):
        raise ValueError(f"{shown} contains a space or a backslash")
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError(f"{shown} is no URL: it cannot be taken apart") from None
    if parts.scheme not in {"http", "https"}:
        raise ValueError(f"{shown}: only http and https can be tested")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{shown} carried a user name or password: leave it out, use --header 'Authorization: @ENV'")
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise ValueError(f"{shown}: leave out the query and the fragment")
    return UrlParts(
        scheme=parts.scheme,
        host=host_name(parts.hostname or ""),
        port=_port(parts, shown),
        path=parts.path.rstrip("/"),
    )


def _port(parts: SplitResult, shown: str) -> int:
    try:
        port = parts.port
    except ValueError:
        raise ValueError(f"{shown} is no URL: a port is a number from 1 to 65535") from None
    if port == 0:
        raise ValueError(f"{shown}: port 0 does not exist")
    return port or default_port(parts.scheme)


def quotable(text: str) -> str:
    """What an error may repeat of a URL that may hold a secret anywhere: scheme and host if they can be nothing else,
    in quotes, otherwise "the URL". What stands before an @ or after a colon may be a password, however it was cut."""
    match = re.match(
        r"((?:[a-zA-Z][a-zA-Z0-9+.-]{0,19}:)?//)?([a-zA-Z0-9._-]{1,100}|\[[0-9a-fA-F:.]{2,45}])(?![^:/])", text
    )
    if match is None or "@" in text or "\\" in text:
        return "the URL"
    if match[1] is None and (":" in text or "." not in match[2]):  # a key or user:password instead of a URL
        return "the URL"
    return repr(match[0])


def _with_scheme(text: str) -> str:
    shown = quotable(text)
    return "https://HOST" if shown == "the URL" else f"https://{shown[1:-1].lstrip('/')}"


def url(text: str) -> str:
    """A URL in normal form; ValueError as in url_parts."""
    return url_parts(text).normal


def host_name(text: str) -> str:
    """A host as it goes on the wire: IP literal without brackets and zone, or an IDNA name in lower case (RFC 5891).
    ValueError for anything else, which it does not repeat: a host that is none may be what follows a password's @."""
    if not text:
        raise ValueError("the URL names no host")
    try:
        return str(ip_address(text))
    except ValueError:
        pass
    if re.fullmatch(r"[\d.]+|0x[\da-f]+", text):
        raise ValueError("the host is a number, but no complete IP address")
    if len(text) > _LONGEST_NAME:
        raise ValueError(f"a host name has at most {_LONGEST_NAME} characters")
    name = text.rstrip(".").lower()
    ascii_name = name if name.isascii() else _idna(name)
    labels = ascii_name.split(".")
    if len(ascii_name) > _LONGEST_NAME or not all(
        re.fullmatch(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", label) for label in labels
    ):
        raise ValueError("the host is no valid host name: letters, digits, hyphens and dots, at most 63 between dots")
    return ascii_name


def without_userinfo(text: str) -> str:
    """The same URL without user name and password: nothing before its last @ is kept, wherever that stands."""
    return re.sub(r"^([a-zA-Z][a-zA-Z0-9+.-]*://|//)?.*@", lambda match: match[1] or "", text, count=1, flags=re.DOTALL)


def exempting_entry(exempt: str, host: str, port: int) -> str | None:
    """The entry of a NO_PROXY list that takes this host out, None without one. As curl reads it: *, a domain with all
    below it, an address, a network in CIDR form, each with :PORT if only that port is meant."""
    for entry in exempt.replace(",", " ").split():
        name, _, only_port = entry.rpartition(":") if re.search(r"[^:]:\d{1,5}$", entry) else (entry, "", "")
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
    except (idna.IDNAError, UnicodeError):
        raise ValueError("the host is no valid international host name") from None
