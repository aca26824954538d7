"""The lab's DNS servers say what the scenarios declare, over UDP and TCP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import dns.asyncquery
import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from btdiag.lab.plan import APP_HOST, HOST, LabPlan
from tests.support.labclient import Target, staged


async def query(target: Target, rdtype: str = "A", *, server: int = 0, name: str = HOST, tcp: bool = False) -> Any:
    host, _, port = target["resolvers"][server]["address"].rpartition(":")
    message = dns.message.make_query(name, rdtype, use_edns=True)
    ask = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
    return await ask(message, host, port=int(port), timeout=1.0)


def seen(what: str | LabPlan, look: Callable[[Target], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with staged(what) as target:
            return await look(target)

    return asyncio.run(run())


def texts(response: dns.message.Message, rdtype: str = "A") -> list[str]:
    wanted = dns.rdatatype.from_text(rdtype)
    return [record.to_text() for rrset in response.answer if rrset.rdtype == wanted for record in rrset]


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("server", [0, 1])
def test_healthy_gives_every_address_with_its_ttl(server: int, tcp: bool) -> None:
    response = seen("healthy", lambda target: query(target, server=server, tcp=tcp))
    assert texts(response) == ["127.0.0.2", "127.0.0.3"]
    assert response.answer[0].ttl == 60


def test_healthy_gives_the_ipv6_address() -> None:
    assert texts(seen("healthy", lambda target: query(target, "AAAA")), "AAAA") == ["::1"]


def test_name_is_found_in_any_case_and_the_question_comes_back_as_asked() -> None:
    response = seen("healthy", lambda target: query(target, name="aPi.LAB.example"))
    assert texts(response) == ["127.0.0.2", "127.0.0.3"]
    assert str(response.question[0].name) == "aPi.LAB.example."


def test_other_types_of_a_known_name_have_no_data() -> None:
    response = seen("healthy", lambda target: query(target, "HTTPS"))
    assert response.rcode() == dns.rcode.NOERROR
    assert not response.answer
    assert response.authority[0].rdtype == dns.rdatatype.SOA


@pytest.mark.parametrize(
    ("scenario", "rcode"),
    [
        ("dns-nxdomain", "NXDOMAIN"),
        ("dns-servfail", "SERVFAIL"),
        ("dns-refused", "REFUSED"),
        ("dns-no-address", "NOERROR"),
    ],
)
def test_name_without_an_address(scenario: str, rcode: str) -> None:
    response = seen(scenario, query)
    assert dns.rcode.to_text(response.rcode()) == rcode
    assert not response.answer


def test_control_plane_resolves_whatever_befalls_the_target() -> None:
    assert texts(seen("dns-nxdomain", lambda target: query(target, name=APP_HOST))) == ["127.0.0.1"]


def test_unknown_name_does_not_exist() -> None:
    assert seen("healthy", lambda target: query(target, name="x.lab.example")).rcode() == dns.rcode.NXDOMAIN


def test_servfail_carries_an_extended_error() -> None:
    options = seen("dns-servfail", query).options
    assert [int(option.code) for option in options if isinstance(option, dns.edns.EDEOption)] == [6]


@pytest.mark.parametrize("tcp", [False, True])
def test_silent_server_does_not_answer(tcp: bool) -> None:
    with pytest.raises(dns.exception.Timeout):
        seen("dns-timeout", lambda target: query(target, tcp=tcp))


def test_alias_chain_ends_in_addresses() -> None:
    response = seen("dns-cname-chain", query)
    assert texts(response, "CNAME") == ["data-plane.lab.example.", "lb-1234.eu.elb.lab.example."]
    assert texts(response) == ["127.0.0.2", "127.0.0.3"]


def test_end_of_the_chain_can_be_asked_by_itself() -> None:
    response = seen("dns-cname-chain", lambda target: query(target, name="lb-1234.eu.elb.lab.example"))
    assert texts(response, "CNAME") == []
    assert texts(response) == ["127.0.0.2", "127.0.0.3"]


def test_dangling_alias_is_shown_with_nxdomain() -> None:
    response = seen("dns-dangling-cname", query)
    assert response.rcode() == dns.rcode.NXDOMAIN
    assert texts(response, "CNAME") == ["lb-gone.eu.elb.lab.example."]


def test_truncated_answers_are_whole_over_tcp() -> None:
    async def both(target: Target) -> Any:
        return await query(target), await query(target, tcp=True)

    udp, tcp = seen("dns-truncated", both)
    assert udp.flags & dns.flags.TC
    assert not udp.answer
    assert texts(tcp) == ["127.0.0.2", "127.0.0.3"]


def test_resolvers_can_disagree() -> None:
    async def both(target: Target) -> Any:
        return await query(target, server=0), await query(target, server=1)

    system, other = seen("dns-resolvers-disagree", both)
    assert texts(system) == ["127.0.0.2", "127.0.0.3"]
    assert other.rcode() == dns.rcode.NXDOMAIN
    faces = seen("dns-two-faces", both)
    assert [texts(face) for face in faces] == [["127.0.0.2"], ["127.0.0.3"]]


def test_sinkhole_answers_unspecified_addresses() -> None:
    assert texts(seen("dns-sinkhole", query)) == ["0.0.0.0"]
    assert texts(seen("dns-sinkhole", lambda target: query(target, "AAAA")), "AAAA") == ["::"]


def test_slow_server_takes_its_time() -> None:
    async def timed(target: Target) -> float:
        start = time.monotonic()
        await query(target)
        return time.monotonic() - start

    assert seen("dns-slow", timed) >= 0.29


def test_nonsense_is_ignored() -> None:
    async def after_nonsense(target: Target) -> Any:
        host, _, port = target["resolvers"][0]["address"].rpartition(":")
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=(host, int(port))
        )
        transport.sendto(b"\x00\x01junk")
        transport.close()
        return await query(target)

    assert texts(seen("healthy", after_nonsense)) == ["127.0.0.2", "127.0.0.3"]
