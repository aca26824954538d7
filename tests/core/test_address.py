"""Address spaces as Chromium 156 was observed to have them, and kinds as the registries name them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btdiag.core.address import AddressKind, Space, declared_space, described, is_ipv6, kind, parsed_address, space

SPACES = {
    Space.LOOPBACK: "127.0.0.1 127.255.255.254 ::1 0.0.0.0 :: ::ffff:127.0.0.1",
    Space.LOCAL: "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1 100.127.255.254 0.0.0.1 "
    "fc00::1 fdff::1 fe80::1 febf::1 fec0::1 2001:db8::1 3fff::1 ::ffff:10.0.0.1",
    Space.PUBLIC: "1.1.1.1 172.15.255.255 172.32.0.1 100.63.255.255 100.128.0.1 198.18.0.1 198.19.255.255 192.0.0.1 "
    "192.0.2.1 198.51.100.1 203.0.113.1 192.88.99.1 240.0.0.1 64:ff9b::a00:1 64:ff9b:1::1 2002:a00:1::1 2001::1 "
    "100::1 4000::1 2606:4700::1111 ::ffff:8.8.8.8",
}
KINDS = {
    AddressKind.UNSPECIFIED: "0.0.0.0 :: ::ffff:0.0.0.0",
    AddressKind.THIS_NETWORK: "0.1.2.3",
    AddressKind.LOOPBACK: "127.0.0.2 ::1",
    AddressKind.PRIVATE: "10.1.2.3 172.20.0.1 192.168.0.1",
    AddressKind.CGNAT: "100.100.0.1",
    AddressKind.LINK_LOCAL: "169.254.1.1 fe80::1%eth0",
    AddressKind.UNIQUE_LOCAL: "fd00::1",
    AddressKind.DOCUMENTATION: "192.0.2.7 2001:db8::7",
    AddressKind.BENCHMARK: "198.18.5.5",
    AddressKind.NAT64: "64:ff9b::1",
    AddressKind.MULTICAST: "224.0.0.1 ff02::1",
    AddressKind.RESERVED: "255.255.255.255",
    AddressKind.PUBLIC: "8.8.8.8 2a00:1450::1",
}


@pytest.mark.parametrize(
    ("address", "expected"), [(one, found) for found, text in SPACES.items() for one in text.split()]
)
def test_space_is_chromiums(address: str, expected: Space) -> None:
    assert space(address) is expected


@pytest.mark.parametrize(
    ("address", "expected"), [(one, found) for found, text in KINDS.items() for one in text.split()]
)
def test_kind_is_the_registries(address: str, expected: AddressKind) -> None:
    assert kind(address) is expected


def test_first_override_that_holds_the_address_wins() -> None:
    overrides = (("127.0.0.2/32", "public"), ("127.0.0.0/8", "local"), ("::1/128", "public"))
    assert space("127.0.0.2", overrides) is Space.PUBLIC
    assert space("127.0.0.3", overrides) is Space.LOCAL
    assert space("::1", overrides) is Space.PUBLIC
    assert space("10.0.0.1", overrides) is Space.LOCAL
    assert declared_space("10.0.0.1", overrides) is None
    assert described("127.0.0.2", overrides) == "127.0.0.2, declared public"
    assert described("10.0.0.1", overrides) == "10.0.0.1, private (RFC 1918)"


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_as_its_ipv4_address(address: IPv4Address) -> None:
    mapped = f"::ffff:{address}"
    assert space(mapped) is space(str(address))
    assert kind(mapped) is kind(str(address))
    assert not is_ipv6(mapped)


@settings(deadline=None)
@given(st.ip_addresses(v=6))
def test_every_ipv6_address_has_a_space_whatever_its_spelling(address: IPv6Address) -> None:
    assert space(str(address)) is space(address.exploded) is space(f"[{address}]")


@settings(deadline=None)
@given(st.ip_addresses())
def test_a_declared_space_always_wins(address: IPv4Address | IPv6Address) -> None:
    everything = (("0.0.0.0/0", "local"), ("::/0", "local"))
    assert space(str(address), everything) is Space.LOCAL


@pytest.mark.parametrize("text", ["api.example.com", "", "1.2.3", "localhost", "1.2.3.4.5", "::g"])
def test_a_name_is_no_address(text: str) -> None:
    assert parsed_address(text) is None
    assert not is_ipv6(text)
    with pytest.raises(ValueError, match="not an IP address"):
        space(text)
