"""Many answers at once: servers on loopback that give all of them, a few, or none, and what that comes to."""

from __future__ import annotations

import asyncio

import pytest

from btdiag.core.exchange import Exchange
from btdiag.core.target import Proxy, Route, Target, Way
from btdiag.families.gateway.facts.requests import ManyAnswers
from btdiag.families.gateway.probe import answers
from btdiag.families.gateway.probe.answers import LEAST, MOST_ASKED, many_answers
from btdiag.net.wire import Wire
from tests import factories
from tests.support.serving import Handler, serving

ANSWER = b"HTTP/1.1 404 Not Found\r\nContent-Length: 500\r\n\r\n" + b"x" * 500
SHORT, LONG = factories.exchange(body_bytes=20), factories.exchange(body_bytes=5000)


def asked(handler: Handler, alone: Exchange = LONG, proxy: Proxy | None = None) -> tuple[ManyAnswers, ...]:
    async def go() -> tuple[ManyAnswers, ...]:
        async with serving(handler) as port:
            target = Target(url=f"http://127.0.0.1:{port}", scheme="http", host="127.0.0.1", port=port)
            way = Way(route=Route(label="a", address="127.0.0.1", port=port, proxy=proxy), verify=True)
            return await many_answers(way, Wire(target, user_agent="btdiag/test"), target, alone)

    return asyncio.run(go())


def answering(most: int, *, hold: bool = False) -> Handler:
    """Answers so many requests of a connection, then hangs up or falls silent."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(most):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
        if hold:
            await reader.read()
        writer.close()

    return handler


def test_all_answers_come_and_as_many_are_asked_for_as_fill_packets() -> None:
    (few,) = asked(answering(MOST_ASKED))
    assert (few.asked, few.begun, few.complete, few.stalled) == (LEAST, LEAST, True, False)
    (many,) = asked(answering(MOST_ASKED), SHORT)
    assert (many.asked, many.complete) == (MOST_ASKED, True)


def test_a_server_that_hangs_up_is_asked_once() -> None:
    (one,) = asked(answering(1))
    assert (one.begun, one.stalled, one.complete) == (1, False, False)


def test_a_server_that_falls_silent_is_asked_again_in_small_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "STALLED", 0.1)
    first, second = asked(answering(2, hold=True))
    assert (first.begun, first.stalled, second.begun, second.stalled) == (2, True, 2, True)


def test_a_proxy_has_packets_of_its_own() -> None:
    assert asked(answering(1), proxy=Proxy(url="http://127.0.0.1:9", source="--proxy")) == ()
