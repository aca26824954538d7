"""GET / that is answered as soon as it arrives otherwise: after a line of the PROXY protocol, with another host."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from btdiag.core.answers import Roots
from btdiag.core.exchange import Exchange, Timing, Trouble
from btdiag.core.finding import Verdict
from btdiag.core.measurement import NotAsked, PerAddress
from btdiag.core.target import Way
from btdiag.core.urls import other_host
from btdiag.families.readiness.facts import Arrival
from btdiag.families.readiness.judge import root
from btdiag.families.readiness.plan import may_miss_a_proxy_line, may_want_another_host
from btdiag.families.readiness.probe import arrival as probe
from btdiag.net.wire import Wire
from tests.families.readiness.test_judge import BAD, GOOD, NONE, roots, seen
from tests.support.serving import http_target, route_to, serving

SHUT = seen(trouble=Trouble.CLOSED)
SOON = replace(SHUT, timing=Timing(total_s=0.01))
LOST = seen(404, "<center>nginx</center>")


@pytest.mark.parametrize(
    ("shown", "tried", "cause", "action"),
    [
        (SHUT, Arrival(with_proxy_line=GOOD), "expects a line of the PROXY protocol", "PROXY protocol"),
        (
            LOST,
            Arrival(with_host=("api.example.com:443", GOOD)),
            "knows the host api.example.com:443",
            "with and without",
        ),
        (SHUT, Arrival(with_proxy_line=SHUT), "closed before", "Let the load balancer reach"),
        (SOON, Arrival(), "closed before", "Correct, or reload"),
        (LOST, Arrival(with_host=("api.example.com:443", LOST)), "no rule", ""),
        (LOST, Arrival(), "no rule", ""),
    ],
)
def test_what_is_answered_otherwise_names_the_cause(shown: Exchange, tried: Arrival, cause: str, action: str) -> None:
    found = root.root_answers(roots(a=[shown, shown]), NONE, GOOD, tried)
    assert found.verdict is Verdict.FAIL
    assert cause in found.summary
    assert found.remedy is not None
    assert action in found.remedy.action


def test_what_tells_that_a_request_should_arrive_otherwise() -> None:
    assert may_miss_a_proxy_line([SHUT, seen(trouble=Trouble.RESET)])
    assert not may_miss_a_proxy_line([SHUT, BAD])
    assert may_want_another_host([LOST])
    assert not may_want_another_host([LOST, BAD])


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://api.example.com/", "api.example.com:443"),
        ("https://api.example.com:8443/", "api.example.com"),
        ("http://user@[::1]:8000/", "[::1]"),
        ("http://[::1]/", "[::1]:80"),
    ],
)
def test_the_other_form_of_the_host(url: str, host: str) -> None:
    assert other_host(url) == host


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that expects the PROXY protocol, and knows its host without a port only."""
    asked = (await reader.readuntil(b"\r\n\r\n")).decode()
    if "Host: 127.0.0.1\r\n" in asked:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    elif asked.startswith("PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n"):
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    writer.close()


def _tried(first: Exchange) -> Arrival:
    async def run() -> Arrival:
        async with serving(_answer) as port:
            target = http_target(port)
            way = PerAddress({"a": Way(route=route_to(port), verify=True)})
            asked = PerAddress({"a": Roots(exchanges=(first, first))})
            return await probe.arrival(way, asked, NONE, Wire(target, user_agent="x"), target)

    return asyncio.run(run())


def test_each_is_tried_where_it_may_help() -> None:
    line, host = _tried(SHUT).with_proxy_line, _tried(LOST).with_host
    assert line is not None
    assert line.status == 204
    assert host is not None
    assert (host[0], host[1].status) == ("127.0.0.1", 200)
    assert ("Host", "127.0.0.1") in host[1].request_headers


@pytest.mark.parametrize("first", [GOOD, BAD])
def test_nothing_is_tried_where_it_cannot_help(first: Exchange) -> None:
    with pytest.raises(NotAsked):
        _tried(first)
