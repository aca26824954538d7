"""The measurements of connection against real TLS servers on loopback that are wrong in one way each."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import trustme

from btdiag.core.exchange import Exchange, Phase, Trouble
from btdiag.core.handshake import Astray, Connection, TlsVersions
from btdiag.core.measurement import Blocked, NotAsked, PerAddress, Unknown
from btdiag.core.resolution import (
    AddressSource,
    Detour,
    DetourKind,
    DnsAnswer,
    LookupOutcome,
    Resolution,
    ServerLookup,
    View,
)
from btdiag.core.target import Route, Target, Way
from btdiag.families.connection.facts import PlainHttp
from btdiag.families.connection.probe import connect as probe
from btdiag.families.connection.probe.connect import connect, reach, way
from btdiag.families.connection.probe.plain_http import plain_http
from btdiag.families.connection.probe.tls_versions import asks_certificate, tls_versions
from btdiag.net.limits import GREETING
from btdiag.net.wire import Wire
from tests.support.serving import Handler, saying, serving, silent

HOST = "api.example.com"
OK = saying(b"HTTP/1.1 200 OK\r\nDate: Mon, 15 Jun 2026 12:00:00 GMT\r\nContent-Length: 0\r\n\r\n")
RESOLVED = Resolution(name=HOST, source=AddressSource.OVERRIDE, addresses=("127.0.0.1",))
Configure = Callable[[ssl.SSLContext], None]


@cache
def authority(name: str) -> trustme.CA:
    return trustme.CA(organization_name=name)


def context(names: tuple[str, ...] = (HOST,), ca: str = "own", configure: Configure = lambda _: None) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority(ca).issue_cert(*names).configure_cert(made)
    configure(made)
    return made


@pytest.fixture(scope="module")
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority("own").cert_pem.write_to_path(str(path))
    return path


def https(port: int, ca_file: Path, scheme: str = "https") -> Target:
    return Target(url=f"{scheme}://{HOST}:{port}", scheme=scheme, host=HOST, port=port, ca_file=ca_file)


def to(port: int) -> Route:
    return Route(label="127.0.0.1", address="127.0.0.1", port=port)


def connected(
    ca_file: Path, handler: Handler = OK, tls: ssl.SSLContext | None = None, scheme: str = "https"
) -> Connection:
    async def run() -> Connection:
        async with serving(handler, context=tls) as port:
            target = https(port, ca_file, scheme)
            return await reach(to(port), Wire(target, user_agent="btdiag/test"), target)

    return asyncio.run(run())


def wanted_way(one: Connection, resolution: Resolution = RESOLVED) -> Way:
    target = Target(url=f"https://{HOST}", scheme="https", host=HOST, port=443)
    return asyncio.run(way(to(one.port), one, resolution, target, Wire(target, user_agent="btdiag/test")))


def test_a_sound_server(ca_file: Path) -> None:
    one = connected(ca_file, tls=context())
    assert (one.failure, one.distrust, one.broke_at) == (None, None, None)
    assert one.handshake is not None
    assert one.handshake.version == "TLSv1.3"
    assert one.leaf is not None
    assert one.leaf.names == (HOST,)
    assert one.greeting is not None
    assert (one.greeting.method, one.greeting.status) == ("HEAD", 200)
    assert one.timing.tcp_s is not None
    assert one.timing.tls_s is not None
    assert wanted_way(one).verify


@pytest.mark.parametrize(
    ("tls", "code"),
    [
        pytest.param(lambda: context(("other.example.com",)), 62, id="wrong name"),
        pytest.param(lambda: context(ca="stranger"), 20, id="unknown CA"),
    ],
)
def test_an_untrusted_server_is_looked_at_without_verification(
    ca_file: Path, tls: Callable[[], ssl.SSLContext], code: int
) -> None:
    one = connected(ca_file, tls=tls())
    assert one.distrust is not None
    assert one.distrust.code == code
    assert one.leaf is not None
    assert one.failure is None
    assert not wanted_way(one).verify


def test_nobody_listens(ca_file: Path) -> None:
    async def run() -> Connection:
        async with serving(OK) as port:
            pass
        target = https(port, ca_file)
        return await reach(to(port), Wire(target, user_agent="btdiag/test"), target)

    one = asyncio.run(run())
    assert one.failure is not None
    assert (one.failure.phase, one.failure.trouble) == (Phase.TCP, Trouble.REFUSED)
    with pytest.raises(Blocked) as blocked:
        wanted_way(one)
    assert blocked.value.by == "connection.tcp-connects"


def test_a_mere_connection_sends_no_request(ca_file: Path) -> None:
    async def run() -> tuple[Connection, Connection]:
        async with serving(saying(b""), context=context()) as port:
            target = https(port, ca_file)
            made = await connect(to(port), Wire(target, user_agent="x"), target, timeout=5.0)
        gone = await connect(to(port), Wire(target, user_agent="x"), target, timeout=5.0)
        return made, gone

    made, gone = asyncio.run(run())
    assert (made.failure, made.greeting) == (None, None)
    assert gone.failure is not None
    assert (gone.failure.phase, gone.failure.trouble) == (Phase.TCP, Trouble.REFUSED)


def filtered(*addresses: str) -> Resolution:
    answers = (DnsAnswer(qtype="A", outcome=LookupOutcome.ADDRESSES, addresses=addresses),)
    view = View(label="system", servers=(ServerLookup(server="10.0.0.53:53", name=HOST, answers=answers),))
    return Resolution(name=HOST, source=AddressSource.RESOLVER, addresses=addresses, views=(view,))


def test_a_dead_address_of_a_dns_filter_is_blamed_on_dns(ca_file: Path) -> None:
    one = connected(ca_file, saying(b"", head=False))
    with pytest.raises(Blocked) as blocked:
        wanted_way(one, filtered("127.0.0.1"))
    assert blocked.value.by == "dns.addresses-are-usable"


@pytest.mark.parametrize(
    ("trouble", "label", "errno", "missing"),
    [
        (Trouble.LOCAL, "127.0.0.1", 1, Unknown),
        (Trouble.UNREACHABLE, "2001:db8::1", 101, NotAsked),
        (Trouble.UNREACHABLE, "192.0.2.1", 101, Blocked),
    ],
)
def test_what_this_machine_cannot_do_blames_nobody(
    ca_file: Path, trouble: Trouble, label: str, errno: int, missing: type[Exception]
) -> None:
    one = connected(ca_file, saying(b"", head=False))
    assert one.failure is not None
    ours = replace(one, label=label, failure=replace(one.failure, phase=Phase.TCP, trouble=trouble, errno=errno))
    with pytest.raises(missing):
        wanted_way(ours)


def test_an_address_of_a_family_without_a_route_is_not_asked_for_where_there_is_another_family(ca_file: Path) -> None:
    one = connected(ca_file, saying(b"", head=False))
    assert one.failure is not None
    failure = replace(one.failure, phase=Phase.TCP, trouble=Trouble.UNREACHABLE, errno=101)
    for label, other in (("2001:db8::1", "192.0.2.1"), ("192.0.2.1", "2001:db8::1")):
        with pytest.raises(NotAsked):
            wanted_way(replace(one, label=label, failure=failure), filtered(other))


def test_plain_http_on_the_tls_port(ca_file: Path) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        known = (await reader.read(4)).startswith(b"HEAD")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" if known else b"HTTP/1.1 400 Bad Request\r\n\r\n")

    one = connected(ca_file, plain)
    assert one.failure is not None
    assert one.failure.trouble is Trouble.PROTOCOL
    assert one.plain_status == 200
    assert one.blocked_by == "connection.tls-handshake-completes"


def test_a_connection_that_ends_after_the_client_hello_is_tried_without_a_name(ca_file: Path) -> None:
    one = connected(ca_file, saying(b"", head=False))
    assert one.failure is not None
    assert one.failure.trouble in {Trouble.CLOSED, Trouble.RESET}
    assert one.without_sni not in {"", "succeeded"}
    assert one.plain_status is None


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def hang_up_after_hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.close()


def test_a_server_that_ends_every_connection_does_so_before_anything_is_sent(ca_file: Path) -> None:
    assert connected(ca_file, hang_up).hangs_up
    assert not connected(ca_file, hang_up_after_hello).hangs_up


def test_a_name_that_is_filtered_shows_in_the_second_try(ca_file: Path) -> None:
    def refuse_the_name(made: ssl.SSLContext) -> None:
        def decide(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> int | None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME if name else None

        made.sni_callback = decide

    assert connected(ca_file, tls=context(configure=refuse_the_name)).without_sni == "succeeded"


def old(made: ssl.SSLContext, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_1) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made.minimum_version, made.maximum_version = ssl.TLSVersion.TLSv1, newest
    made.set_ciphers("ALL:@SECLEVEL=0")


def test_old_versions_are_found_out(ca_file: Path) -> None:
    one = connected(ca_file, tls=context(configure=old))
    assert one.outdated == "TLS 1.1"
    assert one.blocked_by == "connection.tls-versions-suffice"


@pytest.mark.parametrize("trouble", [Trouble.TIMEOUT, Trouble.RESET])
def test_small_packets_are_tried_after_silence_alone(ca_file: Path, trouble: Trouble) -> None:
    async def run() -> tuple[bool, bool]:
        async with serving(OK, context=context()) as port:
            target = https(port, ca_file)
            wire = Wire(target, user_agent="btdiag/test")
            passed = await probe._in_small_packets(wire, to(port), trouble)
        return passed, await probe._in_small_packets(wire, to(port), trouble)

    assert asyncio.run(run()) == (trouble is Trouble.TIMEOUT, False)


def test_an_address_has_no_server_name_to_leave_out(ca_file: Path) -> None:
    async def run() -> Connection:
        async with serving(saying(b"", head=False)) as port:
            target = replace(https(port, ca_file), host="127.0.0.1", url=f"https://127.0.0.1:{port}")
            return await reach(to(port), Wire(target, user_agent="btdiag/test"), target)

    assert asyncio.run(run()).without_sni == ""


async def reset_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def test_who_resets_or_refuses_every_connection_is_told_from_who_waits(ca_file: Path) -> None:
    async def run() -> list[bool]:
        found = []
        for handler in (reset_at_once, silent):
            async with serving(handler) as port:
                wire = Wire(https(port, ca_file), user_agent="btdiag/test")
                found.append(await probe._hangs_up(wire, to(port)))
        return [*found, await probe._hangs_up(wire, to(port))]

    assert asyncio.run(run()) == [True, False, False]


@pytest.mark.parametrize("works", [True, False])
def test_where_programs_are_led_elsewhere_both_places_are_looked_at(ca_file: Path, works: bool) -> None:
    """And if only the one that DNS names works, the other is nothing to measure."""
    detour = Detour(kind=DetourKind.HOSTS_FILE, where="/etc/hosts:1", straight=("127.0.0.2", "127.0.0.3"))
    view = View(label="system", servers=(), detour=detour)

    async def run() -> Astray:
        async with serving(OK, context=context()) as port, serving(OK, context=context(ca="other")) as wrong:
            target = https(port, ca_file)
            straight = await asyncio.start_server(OK, "127.0.0.2", port, ssl=context())
            wire = Wire(target, user_agent="btdiag/test")
            async with straight:
                resolution = replace(RESOLVED, views=(view,))
                found = await probe.astray((to(port if works else wrong),), resolution, wire, target)
                if not works:
                    with pytest.raises(Blocked):
                        await probe.connection(to(wrong), wire, target, found)
                else:
                    assert (await probe.connection(to(port), wire, target, found)).failure is None
                return found

    found = asyncio.run(run())
    assert found.straight is not None
    assert (found.straight.label, found.straight.failure) == ("127.0.0.2", None)
    assert found.is_proved is not works


def test_where_nobody_is_led_elsewhere_nothing_more_is_asked(ca_file: Path) -> None:
    target = https(1, ca_file)
    nothing = asyncio.run(probe.astray((to(1),), RESOLVED, Wire(target, user_agent="x"), target))
    assert nothing == Astray()


def demand(made: ssl.SSLContext) -> None:
    made.verify_mode = ssl.CERT_REQUIRED
    authority("own").configure_trust(made)


def demand_at_once(made: ssl.SSLContext) -> None:
    demand(made)
    made.maximum_version = ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("configure", [demand, demand_at_once])
def test_a_demanded_client_certificate_is_seen_with_or_without_an_alert(ca_file: Path, configure: Configure) -> None:
    one = connected(ca_file, tls=context(configure=configure))
    assert one.asks_certificate
    assert one.broke_at is Phase.TLS


def test_a_server_that_asks_for_nothing(ca_file: Path) -> None:
    async def run() -> bool:
        async with serving(OK, context=context()) as port:
            return await asks_certificate(Wire(https(port, ca_file), user_agent="btdiag/test"), to(port), 2.0)

    assert not asyncio.run(run())


def test_a_slow_answer_delays_nobody(ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "GREETING", replace(GREETING, total=0.1))
    one = connected(ca_file, silent, tls=context())
    assert one.broke_at is None
    assert one.greeting is not None
    assert one.greeting.status is None


@pytest.mark.parametrize(("tls", "speaks_tls"), [(None, False), (context, True)])
def test_http_targets(ca_file: Path, tls: Callable[[], ssl.SSLContext] | None, speaks_tls: bool) -> None:
    one = connected(ca_file, tls=tls() if tls else None, scheme="http")
    assert one.speaks_tls is speaks_tls
    assert one.broke_at is (Phase.TLS if speaks_tls else None)
    assert not one.tls


def test_an_http_target_that_is_gone(ca_file: Path) -> None:
    async def run() -> Connection:
        async with serving(OK) as port:
            pass
        target = https(port, ca_file, "http")
        return await reach(to(port), Wire(target, user_agent="btdiag/test"), target)

    assert asyncio.run(run()).blocked_by == "connection.tcp-connects"


def tried(ca_file: Path, tls: ssl.SSLContext | None, handler: Handler = OK) -> TlsVersions:
    async def run() -> TlsVersions:
        async with serving(handler, context=tls) as port:
            target = https(port, ca_file)
            wire = Wire(target, user_agent="btdiag/test")
            known = PerAddress({"127.0.0.1": await reach(to(port), wire, target)})
            return await tls_versions((to(port),), known, wire, target)

    return asyncio.run(run())


def test_every_version_is_tried(ca_file: Path) -> None:
    assert tried(ca_file, context()).accepted == ("TLS 1.2", "TLS 1.3")
    everything = tried(ca_file, context(configure=lambda made: old(made, ssl.TLSVersion.TLSv1_3)))
    assert everything.accepted == ("TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3")
    outdated = tried(ca_file, context(configure=old))
    assert outdated.accepted == ("TLS 1.0", "TLS 1.1")
    assert outdated.refused == ("TLS 1.2", "TLS 1.3")


def test_versions_of_a_dead_or_silent_address_are_not_asked_for(ca_file: Path) -> None:
    one = connected(ca_file, saying(b"", head=False))
    assert one.failure is not None
    target = https(one.port, ca_file)
    for trouble, phase in ((Trouble.TIMEOUT, Phase.TLS), (Trouble.REFUSED, Phase.TCP)):
        dead = replace(one, failure=replace(one.failure, trouble=trouble, phase=phase))
        with pytest.raises(Blocked):
            asyncio.run(
                tls_versions((to(one.port),), PerAddress({"127.0.0.1": dead}), Wire(target, user_agent="x"), target)
            )


def test_versions_behind_a_demanded_client_certificate_are_not_guessed(ca_file: Path) -> None:
    with pytest.raises(Blocked) as blocked:
        tried(ca_file, context(configure=demand))
    assert blocked.value.by == "connection.tls-handshake-completes"


def test_an_address_that_knows_old_versions_only_is_the_one_to_be_shown(ca_file: Path) -> None:
    async def run() -> TlsVersions:
        async with serving(OK, context=context()) as new, serving(OK, context=context(configure=old)) as outdated:
            target = https(new, ca_file)
            wire = Wire(target, user_agent="btdiag/test")
            made = (to(new), replace(to(outdated), label="old"))
            known = PerAddress({route.label: await reach(route, wire, target) for route in made})
            return await tls_versions(made, known, wire, target)

    seen = asyncio.run(run())
    assert (seen.label, seen.accepted) == ("old", ("TLS 1.0", "TLS 1.1"))


def beside(ca_file: Path, handler: Handler, plain_tls: ssl.SSLContext | None = None) -> PlainHttp:
    async def run() -> PlainHttp:
        async with serving(OK, context=context()) as port, serving(handler, context=plain_tls) as plain_port:
            target = replace(https(port, ca_file), plain_port=plain_port, path="/braintrust")
            wire = Wire(target, user_agent="btdiag/test")
            known = PerAddress({"127.0.0.1": await reach(to(port), wire, target)})
            return await plain_http((to(port),), known, wire, target)

    return asyncio.run(run())


def test_the_plain_port_is_asked_for_the_targets_own_path(ca_file: Path) -> None:
    seen = beside(ca_file, saying(b"HTTP/1.1 308 Go\r\nLocation: https://x/\r\nContent-Length: 0\r\n\r\n"))
    answer: Exchange = seen.answer
    assert (answer.status, seen.speaks_tls) == (308, False)
    assert answer.url.endswith("/braintrust/")
    assert "authorization" not in {name.lower() for name, _ in answer.request_headers}


def test_a_plain_port_that_speaks_tls(ca_file: Path) -> None:
    assert beside(ca_file, OK, context()).speaks_tls


def test_what_does_not_apply_is_not_asked(ca_file: Path) -> None:
    http, without = https(80, ca_file, "http"), https(443, ca_file)
    nothing: PerAddress[Connection] = PerAddress({})
    for target in (http, without):
        with pytest.raises(NotAsked):
            asyncio.run(plain_http((), nothing, Wire(target, user_agent="x"), target))
    with pytest.raises(NotAsked):
        asyncio.run(tls_versions((), nothing, Wire(http, user_agent="x"), http))


def test_a_plain_port_beside_a_broken_one_is_not_asked(ca_file: Path) -> None:
    one = connected(ca_file, saying(b"", head=False))
    target = replace(https(one.port, ca_file), plain_port=80)
    with pytest.raises(Blocked) as blocked:
        asyncio.run(plain_http((to(one.port),), PerAddress({"127.0.0.1": one}), Wire(target, user_agent="x"), target))
    assert blocked.value.by == "connection.tls-handshake-completes"
