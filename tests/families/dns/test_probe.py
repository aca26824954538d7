"""The measurements of dns: which resolvers are asked, in what order the addresses come, which routes follow."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from btdiag.core.measurement import Blocked, Unknown
from btdiag.core.resolution import (
    TESTED_ADDRESSES,
    AddressSource,
    DnsAnswer,
    LookupOutcome,
    Resolution,
    ServerLookup,
    View,
)
from btdiag.core.resolver_rules import precedences
from btdiag.core.target import Proxy, Resolver, Target
from btdiag.families.dns.probe import resolution, routes
from btdiag.net import names
from btdiag.net.names import getaddrinfo, in_system_order
from btdiag.net.nameserver import NameServer

HOST = "api.example.com"
TARGET = Target(url=f"https://{HOST}", scheme="https", host=HOST, port=8443)
RESOLVER = replace(TARGET, resolvers=(Resolver(label="lab", address="127.0.0.1:5353"),))
Zone = dict[str, tuple[str, ...]]


def measured(target: Target) -> Resolution:
    return asyncio.run(resolution(target))


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Callable[[Zone, Zone], None]:
    """Replaces the world: what name servers answer by name, and what getaddrinfo gives by name."""

    def replace_world(served: Zone, system: Zone, search: tuple[str, ...] = ()) -> None:
        async def ask(_: NameServer, name: str, qtype: str) -> DnsAnswer:
            found = tuple(each for each in served.get(name, ()) if (":" in each) == (qtype == "AAAA"))
            missing = LookupOutcome.NO_DATA if name in served else LookupOutcome.NXDOMAIN
            return DnsAnswer(qtype=qtype, outcome=LookupOutcome.ADDRESSES if found else missing, addresses=found)

        def system_lookup(name: str, *_: object, **__: object) -> list[tuple[Any, ...]]:
            if name not in system:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [(None, None, None, "", (address, 0)) for address in system[name]]

        monkeypatch.setattr(names, "ask", ask)
        monkeypatch.setattr(socket, "getaddrinfo", system_lookup)
        monkeypatch.setattr(names, "configured_servers", lambda: ((NameServer("10.0.0.53"),), search))

    return replace_world


def test_a_literal_and_given_addresses_ask_nobody() -> None:
    literal = measured(replace(TARGET, host="192.0.2.1"))
    assert (literal.source, literal.addresses, literal.views) == (AddressSource.LITERAL, ("192.0.2.1",), ())
    given = measured(replace(TARGET, resolve=("192.0.2.1", "2001:db8::1")))
    assert (given.source, given.addresses) == (AddressSource.OVERRIDE, ("192.0.2.1", "2001:db8::1"))


def test_a_given_resolver_is_asked_alone(zone: Callable[..., None]) -> None:
    zone({HOST: ("127.0.0.2", "127.0.0.3")}, {})
    found = measured(RESOLVER)
    assert found.addresses == ("127.0.0.2", "127.0.0.3")
    assert found.views[0].system is None
    assert found.views[0].servers[0].server == "127.0.0.1:5353"


def test_the_system_is_asked_as_programs_do_and_directly(zone: Callable[..., None]) -> None:
    zone({HOST: ("192.0.2.9",)}, {HOST: ("192.0.2.1", "192.0.2.1", "192.0.2.2")})
    found = measured(TARGET)
    assert found.addresses == ("192.0.2.1", "192.0.2.2")
    assert found.views[0].servers[0].addresses == ("192.0.2.9",)


def test_a_name_that_does_not_exist_is_known_at_once(zone: Callable[..., None]) -> None:
    zone({}, {})
    view = measured(TARGET).views[0]
    assert view.system is not None
    assert view.system.error == "EAI_NONAME"
    assert view.servers[0].outcome is LookupOutcome.NXDOMAIN


def test_the_search_list_is_followed_when_only_the_system_knows_the_name(zone: Callable[..., None]) -> None:
    zone({"api.corp.example": ("10.0.0.1",)}, {"api": ("10.0.0.1",)}, ("other.example", "corp.example"))
    view = measured(replace(TARGET, host="api")).views[0]
    assert view.servers[0].name == "api.corp.example"
    assert not view.outside_dns


def test_a_hosts_file_entry_is_outside_dns(zone: Callable[..., None]) -> None:
    zone({}, {HOST: ("10.0.0.1",)})
    assert measured(TARGET).views[0].outside_dns


@pytest.mark.parametrize("name", ["localhost", "api.localhost"])
def test_names_of_this_machine_are_asked_of_no_name_server(zone: Callable[..., None], name: str) -> None:
    zone({}, {name: ("127.0.0.1",)})
    found = measured(replace(TARGET, host=name))
    assert found.views[0].servers == ()
    assert found.addresses == ("127.0.0.1",)


def test_a_resolver_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hanging(*_: object, **__: object) -> list[object]:
        release.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    lookup = asyncio.run(getaddrinfo(HOST, 0.05))
    release.set()
    assert (lookup.addresses, lookup.error) == ((), "no answer")


def test_dead_name_servers_end_the_wait_for_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    async def ask(_: NameServer, __: str, qtype: str) -> DnsAnswer:
        return DnsAnswer(qtype=qtype, outcome=LookupOutcome.TIMEOUT)

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(10) and [])
    monkeypatch.setattr(names, "ask", ask)
    monkeypatch.setattr(names, "SYSTEM_TIMEOUT", 0.05)
    monkeypatch.setattr(names, "configured_servers", lambda: ((NameServer("10.0.0.53"),), ()))
    view = measured(TARGET).views[0]
    release.set()
    assert view.system is not None
    assert view.system.error == "no answer"
    assert "0.05 s" in view.system.detail


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), UnicodeError("label too long")])
def test_whatever_getaddrinfo_raises_is_a_fact(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def raising(*_: object, **__: object) -> list[object]:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", raising)
    assert asyncio.run(getaddrinfo(HOST, 1.0)).error == type(error).__name__


def test_an_unreadable_resolver_configuration_leaves_getaddrinfo(monkeypatch: pytest.MonkeyPatch) -> None:
    import dns.resolver

    def unreadable(*_: object, **__: object) -> object:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver, "Resolver", unreadable)
    assert names.configured_servers() == ((), ())


def test_routes_are_every_usable_address_in_order() -> None:
    found = Resolution(name=HOST, source=AddressSource.OVERRIDE, addresses=("2001:db8::1", "192.0.2.1"))
    made = asyncio.run(routes(TARGET, found))
    assert [(route.label, route.address, route.port) for route in made] == [
        ("2001:db8::1", "2001:db8::1", 8443),
        ("192.0.2.1", "192.0.2.1", 8443),
    ]


def test_a_large_pool_is_tested_in_part() -> None:
    pool = tuple(f"192.0.2.{number}" for number in range(40))
    found = Resolution(name=HOST, source=AddressSource.OVERRIDE, addresses=pool)
    assert len(asyncio.run(routes(TARGET, found))) == TESTED_ADDRESSES


def test_a_proxy_is_the_only_route_whatever_dns_says() -> None:
    proxied = replace(TARGET, proxy=Proxy(url="http://proxy.example:3128", source="HTTPS_PROXY"))
    nothing = Resolution(name=HOST, source=AddressSource.RESOLVER, addresses=(), proxy="proxy.example:3128")
    (route,) = asyncio.run(routes(proxied, nothing))
    assert (route.label, route.address, route.proxy) == ("proxy proxy.example:3128", None, proxied.proxy)


def lookup(outcome: LookupOutcome, *addresses: str) -> Resolution:
    answer = DnsAnswer(qtype="A", outcome=outcome, addresses=addresses)
    view = View(label="lab", servers=(ServerLookup(server="10.0.0.53:53", name=HOST, answers=(answer,)),))
    return Resolution(name=HOST, source=AddressSource.RESOLVER, addresses=addresses, views=(view,))


@pytest.mark.parametrize(
    ("found", "check"),
    [
        (lookup(LookupOutcome.NXDOMAIN), "dns.resolves"),
        (lookup(LookupOutcome.TIMEOUT), "dns.resolves"),
        (lookup(LookupOutcome.ADDRESSES, "0.0.0.0", "::"), "dns.addresses-are-usable"),
    ],
)
def test_no_usable_address_blocks_in_the_name_of_the_check_that_fails(found: Resolution, check: str) -> None:
    with pytest.raises(Blocked) as blocked:
        asyncio.run(routes(TARGET, found))
    assert blocked.value.by == check


def test_queries_that_did_not_get_out_leave_the_routes_unknown() -> None:
    with pytest.raises(Unknown):
        asyncio.run(routes(TARGET, lookup(LookupOutcome.LOCAL)))


def test_sinkholes_are_left_out_of_the_routes() -> None:
    (route,) = asyncio.run(routes(TARGET, lookup(LookupOutcome.ADDRESSES, "0.0.0.0", "192.0.2.1")))
    assert route.address == "192.0.2.1"


def test_ipv6_comes_first_only_where_there_is_a_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_has_route", lambda address: True)
    assert in_system_order(("192.0.2.1", "2001:db8::1", "192.0.2.2")) == ("2001:db8::1", "192.0.2.1", "192.0.2.2")
    monkeypatch.setattr(names, "_has_route", lambda address: ":" not in address)
    assert in_system_order(("192.0.2.1", "2001:db8::1")) == ("192.0.2.1", "2001:db8::1")


def test_gai_conf_may_put_ipv4_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_has_route", lambda address: True)
    monkeypatch.setattr(names, "own_precedences", lambda: precedences("precedence ::ffff:0:0/96 100"))
    assert in_system_order(("2001:db8::1", "192.0.2.1")) == ("192.0.2.1", "2001:db8::1")


def test_a_route_to_oneself_always_exists() -> None:
    assert names._has_route("127.0.0.1")
    assert not names._has_route("999.0.0.1")
