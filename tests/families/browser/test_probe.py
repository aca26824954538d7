"""The handshake as browsers make it, against servers that take it, refuse it or are not there."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from btdiag.core.exchange import Failure, Phase, Timing, Trouble
from btdiag.core.handshake import Connection, Handshake
from btdiag.core.measurement import Blocked, NotAsked, PerAddress, Unknown
from btdiag.core.target import Target
from btdiag.families.browser.facts import SUITES, BrowserHandshake
from btdiag.families.browser.probe.handshake import browser_context, browser_handshake
from btdiag.net.wire import Wire
from tests.support.serving import http_target, route_to, saying, serving

TARGET = Target(url="https://127.0.0.1:9", scheme="https", host="127.0.0.1", port=9)
MADE = Connection(
    label="127.0.0.1",
    port=9,
    tls=True,
    started_at=datetime(2026, 11, 1, tzinfo=UTC),
    timing=Timing(),
    handshake=Handshake(version="TLSv1.3", cipher="x", alpn=None, chain=()),
)
REFUSED = Failure(phase=Phase.TCP, trouble=Trouble.REFUSED, detail="refused")


def tried(target: Target, *connections: Connection, port: int = 9) -> object:
    facts = PerAddress({one.label: one for one in connections})
    return asyncio.run(browser_handshake((route_to(port),), facts, Wire(target, user_agent="x"), target))


def test_without_tls_there_is_nothing_to_try() -> None:
    with pytest.raises(NotAsked):
        tried(http_target(9))


def test_what_keeps_programs_away_is_told_by_its_own_check() -> None:
    with pytest.raises(Blocked) as blocked:
        tried(TARGET, replace(MADE, handshake=None, failure=REFUSED))
    assert blocked.value.by == "connection.tcp-connects"
    with pytest.raises(NotAsked, match="no address"):
        tried(TARGET)


def test_of_several_that_break_the_furthest_tells() -> None:
    reset = Failure(phase=Phase.TLS, trouble=Trouble.RESET, detail="reset")
    first, second = (replace(MADE, label=str(n), handshake=None, failure=f) for n, f in enumerate((REFUSED, reset)))
    with pytest.raises(Blocked) as blocked:
        tried(TARGET, first, second)
    assert blocked.value.by == "connection.tls-handshake-completes"


def test_a_second_connection_that_does_not_come_about_tells_nothing() -> None:
    with pytest.raises(Unknown, match="did not come about"):
        tried(TARGET, MADE)


def test_what_answers_in_no_tls_says_no() -> None:
    async def run() -> object:
        async with serving(saying(b"HTTP/1.1 400 Bad Request\r\n\r\n", head=False)) as port:
            target = replace(TARGET, url=f"https://127.0.0.1:{port}", port=port)
            facts = PerAddress({MADE.label: MADE})
            return await browser_handshake((route_to(port),), facts, Wire(target, user_agent="x"), target)

    found = asyncio.run(run())
    assert isinstance(found, BrowserHandshake)
    assert found.failure is not None
    assert found.failure.trouble is Trouble.PROTOCOL


def test_a_browsers_suites_are_offered_and_no_others() -> None:
    offered = [cipher["name"] for cipher in browser_context(TARGET).get_ciphers() if cipher["protocol"] == "TLSv1.2"]
    assert set(offered) <= set(SUITES)
    assert "ECDHE-RSA-AES128-GCM-SHA256" in offered
