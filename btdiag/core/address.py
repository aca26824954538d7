"""What kind of address an IP address is, and to which of a browser's address spaces it belongs.

`space` is Chromium's view, which decides on Local Network Access; `kind` is the registries' view, for people. They
differ where Chromium differs from the registries: NAT64 and 198.18.0.0/15 are public for Chromium.
Sources: https://wicg.github.io/local-network-access/ (IP address space table), observed with Chromium 156; IANA
special-purpose address registries (RFC 6890).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network


class Space(StrEnum):
    """The address spaces of Local Network Access."""

    LOOPBACK = "loopback"
    LOCAL = "local"
    PUBLIC = "public"


class AddressKind(StrEnum):
    """What an address is for, in the words of its registry."""

    UNSPECIFIED = "unspecified"
    LOOPBACK = "loopback"
    PRIVATE = "private (RFC 1918)"
    CGNAT = "shared (CGNAT, RFC 6598)"
    LINK_LOCAL = "link-local"
    UNIQUE_LOCAL = "unique local (ULA, RFC 4193)"
    SITE_LOCAL = "site-local (deprecated)"
    THIS_NETWORK = "this network (0.0.0.0/8)"
    DOCUMENTATION = "documentation"
    BENCHMARK = "benchmarking (198.18.0.0/15)"
    NAT64 = "NAT64 (RFC 6052)"
    MULTICAST = "multicast"
    RESERVED = "reserved"
    PUBLIC = "public"


_KINDS: tuple[tuple[AddressKind, tuple[Network, ...]], ...] = tuple(
    (kind, tuple(ip_network(text) for text in networks.split()))
    for kind, networks in (
        (AddressKind.UNSPECIFIED, "0.0.0.0/32 ::/128"),
        (AddressKind.THIS_NETWORK, "0.0.0.0/8"),
        (AddressKind.LOOPBACK, "127.0.0.0/8 ::1/128"),
        (AddressKind.PRIVATE, "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16"),
        (AddressKind.CGNAT, "100.64.0.0/10"),
        (AddressKind.LINK_LOCAL, "169.254.0.0/16 fe80::/10"),
        (AddressKind.UNIQUE_LOCAL, "fc00::/7"),
        (AddressKind.SITE_LOCAL, "fec0::/10"),
        (AddressKind.DOCUMENTATION, "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20"),
        (AddressKind.BENCHMARK, "198.18.0.0/15"),
        (AddressKind.NAT64, "64:ff9b::/96 64:ff9b:1::/48"),
        (AddressKind.MULTICAST, "224.0.0.0/4 ff00::/8"),
        (AddressKind.RESERVED, "240.0.0.0/4 192.0.0.0/24 100::/64"),
    )
)

_LOOPBACK_KINDS = frozenset({AddressKind.LOOPBACK, AddressKind.UNSPECIFIED})
_LOCAL_KINDS = frozenset(
    {
        AddressKind.PRIVATE,
        AddressKind.CGNAT,
        AddressKind.LINK_LOCAL,
        AddressKind.UNIQUE_LOCAL,
        AddressKind.SITE_LOCAL,
        AddressKind.THIS_NETWORK,
    }
)
_LOCAL_DOCUMENTATION = (ip_network("2001:db8::/32"), ip_network("3fff::/20"))


def parsed_address(text: str) -> Address | None:
    """The address a text stands for: an IPv4-mapped one as IPv4, a zone (%eth0) dropped; None for a name."""
    try:
        address = ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def kind(text: str) -> AddressKind:
    """What the address is for; raises ValueError for a text that is no address."""
    address = _parsed(text)
    for found, networks in _KINDS:
        if any(address in network for network in networks):
            return found
    return AddressKind.PUBLIC


def declared_space(text: str, overrides: Iterable[tuple[str, str]]) -> Space | None:
    """The space that an override gives the address, the first network that holds it winning; None without one.

    `overrides` are (network, "public" | "local" | "loopback") as in Target.address_spaces.
    """
    address = _parsed(text)
    return next((Space(name) for network, name in overrides if address in ip_network(network, strict=False)), None)


def space(text: str, overrides: Iterable[tuple[str, str]] = ()) -> Space:
    """The address space of an address as Chromium sees it, unless an override says otherwise.

    Raises ValueError for a text that is no address.
    """
    said = declared_space(text, overrides)
    if said is not None:
        return said
    found = kind(text)
    if found in _LOOPBACK_KINDS:
        return Space.LOOPBACK
    local = found in _LOCAL_KINDS or any(_parsed(text) in network for network in _LOCAL_DOCUMENTATION)
    return Space.LOCAL if local else Space.PUBLIC


def described(text: str, overrides: Iterable[tuple[str, str]] = ()) -> str:
    """The address with what it is for: "10.0.0.1, private (RFC 1918)"; a declared space replaces that."""
    said = declared_space(text, overrides)
    return f"{text}, {kind(text)}" if said is None else f"{text}, declared {said}"


def is_ipv6(text: str) -> bool:
    """Whether the address is IPv6 on the wire (an IPv4-mapped one is not)."""
    return isinstance(parsed_address(text), IPv6Address)


def _parsed(text: str) -> Address:
    address = parsed_address(text)
    if address is None:
        raise ValueError(f"not an IP address: {text!r}")
    return address
