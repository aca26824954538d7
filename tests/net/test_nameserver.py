"""Questions to name servers that answer well, badly, late, cut off, or not at all: real sockets on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btdiag.core.resolution import DnsAnswer, LookupOutcome, QueryLoss
from btdiag.net import nameserver
from btdiag.net.limits import UDP_TIMEOUT
from btdiag.net.nameserver import NameServer, ask

Reply = Callable[[dns.message.Message], list[bytes]]
NAME = "api.example."


class Udp(asyncio.DatagramProtocol):
    """Answers each query with the datagrams that `reply` makes of it."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        for answer in self.reply(dns.message.from_wire(data)):
            self.transport.sendto(answer, addr)


@contextlib.asynccontextmanager
async def name_server(udp: Reply, tcp: Reply | None = None) -> AsyncIterator[NameServer]:
    """A name server on a free port of loopback; without `tcp` that port refuses TCP."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        query = dns.message.from_wire(await reader.readexactly(length))
        for answer in tcp(query) if tcp else []:
            writer.write(struct.pack("!H", len(answer)) + answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    if tcp is None:
        server.close()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Udp(udp), local_addr=("127.0.0.1", port))
    try:
        yield NameServer("127.0.0.1", port)
    finally:
        transport.close()
        server.close()
        await asyncio.sleep(0)


def saying(
    *records: tuple[str, str, str], rcode: dns.rcode.Rcode = dns.rcode.NOERROR, truncated: bool = False, error: int = -1
) -> Reply:
    """A reply with the records (name, type, value), each with a TTL of 30 s."""

    def reply(query: dns.message.Message) -> list[bytes]:
        response = dns.message.make_response(query)
        response.set_rcode(rcode)
        response.flags |= dns.flags.TC if truncated else 0
        response.answer = [dns.rrset.from_text(name, 30, "IN", kind, value) for name, kind, value in records]
        if error >= 0:
            response.use_edns(0, options=[dns.edns.EDEOption(dns.edns.EDECode.make(error), "because")])
        return [response.to_wire()]

    return reply


def silent(_: dns.message.Message) -> list[bytes]:
    return []


def asked(udp: Reply, tcp: Reply | None = None, qtype: str = "A") -> DnsAnswer:
    async def run() -> DnsAnswer:
        async with name_server(udp, tcp) as server:
            return await ask(server, NAME, qtype)

    return asyncio.run(run())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is silence after 50 ms."""
    monkeypatch.setattr(nameserver, "UDP_TIMEOUT", 0.05)
    monkeypatch.setattr(nameserver, "UDP_PATIENCE", 0.3)
    monkeypatch.setattr(nameserver, "TCP_TIMEOUT", 0.2)


def test_addresses_with_their_aliases_and_time_to_live() -> None:
    answer = asked(saying((NAME, "CNAME", "lb.example."), ("lb.example.", "A", "192.0.2.1")))
    assert (answer.outcome, answer.addresses) == (LookupOutcome.ADDRESSES, ("192.0.2.1",))
    assert (answer.chain, answer.ttl, answer.transport) == (("lb.example",), 30, "udp")


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        pytest.param(saying(rcode=dns.rcode.NXDOMAIN), LookupOutcome.NXDOMAIN, id="nxdomain"),
        pytest.param(saying(), LookupOutcome.NO_DATA, id="no data"),
        pytest.param(saying(rcode=dns.rcode.SERVFAIL), LookupOutcome.SERVFAIL, id="servfail"),
        pytest.param(saying(rcode=dns.rcode.REFUSED), LookupOutcome.REFUSED, id="refused"),
        pytest.param(saying(rcode=dns.rcode.NOTIMP), LookupOutcome.ERROR, id="notimp"),
    ],
)
def test_each_no_is_told_apart(reply: Reply, outcome: LookupOutcome) -> None:
    assert asked(reply).outcome is outcome


def test_a_dangling_alias_keeps_its_chain() -> None:
    answer = asked(saying((NAME, "CNAME", "gone.example."), rcode=dns.rcode.NXDOMAIN))
    assert (answer.outcome, answer.chain) == (LookupOutcome.NXDOMAIN, ("gone.example",))


def test_an_alias_loop_is_no_answer() -> None:
    loop = saying((NAME, "CNAME", "b.example."), ("b.example.", "CNAME", NAME))
    assert asked(loop).outcome is LookupOutcome.ERROR


def test_the_extended_error_is_read() -> None:
    assert asked(saying(rcode=dns.rcode.SERVFAIL, error=9)).extended_error == "9 dnskey missing: because"
    assert asked(saying(rcode=dns.rcode.SERVFAIL, error=4242)).extended_error == "4242 unassigned: because"


def test_what_a_hostile_server_says_is_bounded_and_legible() -> None:
    many = dns.rrset.from_text(NAME, 30, "IN", "A", *(f"10.0.{number // 250}.{number % 250}" for number in range(300)))

    def crowd(query: dns.message.Message) -> list[bytes]:
        response = dns.message.make_response(query)
        response.answer = [many]
        response.use_edns(0, options=[dns.edns.EDEOption(dns.edns.EDECode.make(15), "\x1b[31mred")])
        return [response.to_wire(max_size=65535)]

    answer = asked(crowd)
    assert len(answer.addresses) == nameserver.MOST_ADDRESSES
    assert answer.extended_error == "15 blocked: \\x1b[31mred"


def test_a_cut_answer_is_asked_for_over_tcp() -> None:
    answer = asked(saying(truncated=True), saying((NAME, "A", "192.0.2.1")))
    assert (answer.addresses, answer.transport) == (("192.0.2.1",), "tcp")


def test_a_cut_answer_without_tcp_is_no_answer() -> None:
    answer = asked(saying(truncated=True))
    assert answer.outcome is LookupOutcome.TIMEOUT
    assert answer.detail == "no usable answer over UDP; over TCP: Connection refused"


@pytest.mark.usefixtures("impatient")
def test_silence_over_udp_is_silence_for_programs_though_tcp_answers() -> None:
    filtered = asked(silent, saying((NAME, "A", "192.0.2.1")))
    assert (filtered.outcome, filtered.addresses, filtered.lost) == (LookupOutcome.TIMEOUT, (), 2)
    assert "while TCP answers" in filtered.detail
    dead = asked(silent, silent)
    assert dead.outcome is LookupOutcome.TIMEOUT
    assert "no usable answer" in dead.detail


def without_edns(reply: Reply, instead: Reply = lambda _: []) -> Reply:
    """Answers plain queries alone; those with EDNS get something else."""
    return lambda query: reply(query) if query.edns < 0 else instead(query)


@pytest.mark.usefixtures("impatient")
def test_queries_with_edns_that_are_lost_are_asked_again_as_c_libraries_do() -> None:
    answer = asked(without_edns(saying((NAME, "A", "192.0.2.1"))))
    assert (answer.addresses, answer.lost) == (("192.0.2.1",), 1)


@pytest.mark.parametrize("code", [dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_a_server_that_turns_edns_down_is_asked_without_it(code: dns.rcode.Rcode) -> None:
    assert asked(without_edns(saying((NAME, "A", "192.0.2.1")), saying(rcode=code))).addresses == ("192.0.2.1",)


@pytest.mark.usefixtures("impatient")
def test_a_late_answer_is_slow_and_not_lost() -> None:
    held: list[bytes] = []

    def late(query: dns.message.Message) -> list[bytes]:
        """The first query is answered when the second one has come."""
        held.extend(saying((NAME, "A", "192.0.2.1"))(query))
        return held[:1] if len(held) > 1 else []

    answer = asked(late)
    assert (answer.addresses, answer.lost) == (("192.0.2.1",), 0)
    assert answer.duration_s >= 0.05


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("reply", "edns_lost", "plain_lost", "of_edns"),
    [
        (saying((NAME, "A", "192.0.2.1")), 0, 0, False),
        (without_edns(saying((NAME, "A", "192.0.2.1"))), nameserver.SAMPLE, 0, True),
        (silent, nameserver.SAMPLE, nameserver.SAMPLE, False),
    ],
)
def test_a_series_of_queries_tells_what_is_lost(reply: Reply, edns_lost: int, plain_lost: int, of_edns: bool) -> None:
    async def run() -> QueryLoss:
        async with name_server(reply) as server:
            return await nameserver.sample(server, NAME, "A", 0.2)

    loss = asyncio.run(run())
    assert (loss.edns_lost, loss.plain_lost, loss.of_edns) == (edns_lost, plain_lost, of_edns)
    assert (loss.lost, loss.asked) == (edns_lost + plain_lost, 2 * nameserver.SAMPLE)


def test_a_series_to_a_closed_port_is_lost() -> None:
    async def run() -> QueryLoss:
        async with name_server(silent) as server:
            pass
        return await nameserver.sample(server, NAME, "A", 0.2)

    assert asyncio.run(run()).plain_lost == nameserver.SAMPLE


@pytest.mark.usefixtures("impatient")
def test_nonsense_over_tcp_is_no_answer() -> None:
    assert asked(silent, lambda _: [b"\x00" * 12]).outcome is LookupOutcome.ERROR
    assert asked(silent, lambda _: [b"\xff"]).outcome is LookupOutcome.ERROR


@pytest.mark.usefixtures("impatient")
def test_one_lost_datagram_does_no_harm() -> None:
    answers = [silent, saying((NAME, "A", "192.0.2.1"))]
    assert asked(lambda query: answers.pop(0)(query)).addresses == ("192.0.2.1",)


def test_forged_and_broken_datagrams_are_passed_over() -> None:
    def reply(query: dns.message.Message) -> list[bytes]:
        (good,) = saying((NAME, "A", "192.0.2.1"))(query)
        forged = dns.message.make_response(query)
        forged.id = query.id ^ 1
        forged.answer = [dns.rrset.from_text(NAME, 30, "IN", "A", "203.0.113.66")]
        return [b"", b"\x00" * 5, forged.to_wire(), good]

    assert asked(reply).addresses == ("192.0.2.1",)


@pytest.mark.usefixtures("impatient")
def test_a_server_that_says_only_nonsense_is_told_from_a_silent_one() -> None:
    answer = asked(lambda _: [b"\x00" * 5])
    assert answer.outcome is LookupOutcome.ERROR
    assert answer.detail


def test_a_closed_port_is_known_at_once() -> None:
    async def run() -> DnsAnswer:
        async with name_server(silent) as server:
            pass
        return await ask(server, NAME, "AAAA")

    answer = asyncio.run(run())
    assert answer.outcome is LookupOutcome.UNREACHABLE
    assert answer.duration_s < UDP_TIMEOUT


def test_what_this_machine_forbids_says_nothing_of_the_server() -> None:
    answer = asyncio.run(ask(NameServer("255.255.255.255"), NAME, "A"))  # broadcast: EACCES without SO_BROADCAST
    assert answer.outcome is LookupOutcome.LOCAL


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:5353", "127.0.0.1", 5353),
        ("127.0.0.1", "127.0.0.1", 53),
        ("[::1]:5353", "::1", 5353),
        ("[::1]", "::1", 53),
        ("fd00::53", "fd00::53", 53),
    ],
)
def test_every_spelling_of_a_name_server(text: str, host: str, port: int) -> None:
    assert NameServer.parse(text) == NameServer(host, port)


@settings(deadline=None)
@given(st.ip_addresses(), st.integers(1, 65535))
def test_a_name_server_is_read_as_it_is_written(address: object, port: int) -> None:
    server = NameServer(str(address), port)
    assert NameServer.parse(str(server)) == server
