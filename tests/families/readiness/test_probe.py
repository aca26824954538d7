"""What the health measurements send, and when they stop asking."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar, cast

import pytest

from btdiag.core.exchange import Exchange, Phase, Trouble
from btdiag.core.measurement import NotAsked, Unknown
from btdiag.core.target import Mode, Secret, Target, Way
from btdiag.families.readiness.probe import health
from btdiag.net.retry import RETRIES
from btdiag.net.wire import Wire
from tests.support.serving import Handler, http_target, resetting, route_to, saying, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
BAD = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
Result = TypeVar("Result")


class Scripted:
    """A server that gives the answers in turn, the last one for ever; counts connections and keeps heads."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.heads: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
        await writer.drain()


def with_server(handler: Handler, act: Callable[[Way, Wire, Target], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        async with serving(handler) as port:
            target = http_target(port)
            return await act(Way(route=route_to(port)), Wire(target, user_agent="x"), target)

    return asyncio.run(run())


@pytest.mark.parametrize(("deep", "count"), [(False, health.TIMES), (True, health.TIMES_DEEP)])
def test_roots_are_asked_for_on_connections_of_their_own(deep: bool, count: int) -> None:
    server = Scripted(OK)
    fact = with_server(server, lambda way, wire, target: health.roots(way, wire, target, Mode(deep=deep)))
    assert len(fact.exchanges) == len(server.heads) == count
    assert all(head.startswith("GET / HTTP/1.1") for head in server.heads)
    assert {seen.status for seen in fact.exchanges} == {200}


@pytest.mark.parametrize("measure", [health.version, health.status])
def test_hiccups_are_asked_again(measure: Callable[[Way, Wire, Target], Awaitable[Exchange]]) -> None:
    server = Scripted(BAD, BAD, OK)
    assert with_server(server, measure).status == 200
    assert len(server.heads) == 3


def test_asking_again_has_an_end() -> None:
    server = Scripted(BAD)
    assert with_server(server, health.version).status == 502
    assert len(server.heads) == 1 + RETRIES
    seen = with_server(resetting, health.version)
    assert seen.failure is not None
    assert seen.failure.trouble is Trouble.RESET


def test_ping_keeps_no_personal_data_and_no_key() -> None:
    server = Scripted(b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"email": "a@b"}\n')

    def act(way: Way, wire: Wire, target: Target) -> Awaitable[Exchange]:
        keyed = replace(target, api_key=Secret("sk-canary"))
        return health.ping(way, Wire(keyed, user_agent="x"), keyed)

    seen = with_server(server, act)
    assert seen.body == "[withheld]"
    assert "Authorization: Bearer sk-canary" in server.heads[0]  # over http, for it is this machine
    assert "canary" not in repr(seen)


def test_ping_without_a_key_is_not_asked() -> None:
    with pytest.raises(NotAsked, match="BRAINTRUST_API_KEY"):
        with_server(saying(OK), health.ping)


@pytest.mark.parametrize("name", ["backend", "brainstore"])
def test_direct_urls(name: str) -> None:
    measure = {"backend": health.backend_root, "brainstore": health.brainstore_root}[name]
    server = Scripted(OK)

    def act(_way: Way, wire: Wire, target: Target) -> Awaitable[Exchange]:
        return measure(wire, replace(target, **cast(Any, {name: f"http://localhost:{target.port}"})))

    assert with_server(server, act).status == 200
    assert "Host: localhost:" in server.heads[0]
    with pytest.raises(NotAsked, match=f"--{name}"):
        with_server(server, lambda _way, wire, target: measure(wire, target))


def test_direct_url_that_refuses_is_a_fact_and_one_that_does_not_resolve_is_unknown() -> None:
    async def nobody(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError("the load balancer is not asked")

    def act(url: str) -> Callable[[Way, Wire, Target], Awaitable[Exchange]]:
        return lambda _way, wire, target: health.backend_root(wire, replace(target, backend=url))

    seen = with_server(nobody, act("http://127.0.0.1:9"))
    assert seen.failure is not None
    assert (seen.failure.phase, seen.failure.trouble) == (Phase.TCP, Trouble.REFUSED)
    with pytest.raises(Unknown, match=r"nowhere\.localdomain\.invalid"):
        with_server(nobody, act("http://nowhere.localdomain.invalid"))


def test_the_backend_is_asked_as_its_load_balancer_asks_it() -> None:
    """An API that redirects plain http to https does not do so behind a load balancer that says how its client came."""
    server = Scripted(OK)

    async def ask(way: Way, wire: Wire, target: Target) -> Exchange:
        behind = replace(target, backend=target.url, scheme="https", host="api.example.com", port=443)
        return await health.backend_root(Wire(behind, user_agent="x"), behind)

    assert with_server(server, ask).status == 200
    assert "X-Forwarded-Proto: https" in server.heads[0]
    assert "X-Forwarded-Host: api.example.com" in server.heads[0]
