"""Stripped, replaced, sent twice, or truly rejected: what became of the API key, by contrast."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from btdiag.core.exchange import Exchange
from btdiag.core.finding import Finding, HopName, Owner, Verdict
from btdiag.core.measurement import NotAsked, NotMeasured, PerAddress
from btdiag.core.target import Mode, Secret, Way
from btdiag.families.readiness.facts import KeyTrials
from btdiag.families.readiness.judge import key
from btdiag.families.readiness.probe import keys
from btdiag.net.wire import Wire
from tests.families.readiness.test_judge import GOOD, LIMITED, TARGET, per_address, roots, seen
from tests.support.serving import http_target, route_to, serving

NONE = NotMeasured(reason="not asked for", skipped=True)
MISSING = seen(401, '{"error":"Unauthorized: no token, request 17"}', path="/ping", WWW_Authenticate="Bearer")
INVALID = seen(401, '{"error":"Invalid API key"}', path="/ping", WWW_Authenticate="Bearer")
TWICE = seen(400, '{"error":"Bad Request"}', path="/ping")
PING = seen(200, "[withheld]", path="/ping")
LOGIN = seen(401, "<center>nginx/1.22.1</center>", path="/ping")


def judged(answer: Exchange, trials: KeyTrials) -> Finding:
    facts = PerAddress({"a": trials})
    return key.key_is_accepted(roots(a=[GOOD]), NONE, per_address(a=answer), facts, TARGET)


def trials(
    none: Exchange = MISSING,
    made_up: Exchange = INVALID,
    token: Exchange | None = INVALID,
    direct: Exchange | None = None,
) -> KeyTrials:
    return KeyTrials(none=none, made_up=made_up, token=token, direct=direct)


@pytest.mark.parametrize(
    ("answer", "tried", "owner", "says"),
    [
        (MISSING, trials(token=PING), Owner.LOAD_BALANCER, "strips or replaces the Authorization"),
        (MISSING, trials(token=None, direct=PING), Owner.LOAD_BALANCER, "strips or replaces the Authorization"),
        (TWICE, trials(token=PING), Owner.LOAD_BALANCER, "adds a second Authorization"),
        (INVALID, trials(), Owner.CLIENT, "rejects this API key"),
        (MISSING, trials(made_up=MISSING, token=MISSING, direct=INVALID), Owner.CLIENT, "rejects this API key"),
        (MISSING, trials(made_up=MISSING, token=MISSING), Owner.LOAD_BALANCER, "alike with the key and without"),
    ],
)
def test_what_became_of_the_key(answer: Exchange, tried: KeyTrials, owner: Owner, says: str) -> None:
    found = judged(answer, tried)
    assert found.verdict is Verdict.FAIL
    assert found.owner is owner
    assert says in found.answer
    assert len(found.answer) <= 90
    assert found.remedy is not None
    assert 0 < len(found.remedy.action) <= 140
    assert (owner is Owner.LOAD_BALANCER) == bool(found.remedy.snippets)


def test_a_login_of_the_gateway_is_told_from_its_own_page() -> None:
    found = judged(LOGIN, trials(none=LOGIN, made_up=LOGIN, token=LOGIN, direct=PING))
    assert found.hop is HopName.LOAD_BALANCER
    assert "login in front of the API" in found.summary


def test_ids_in_a_body_make_no_difference() -> None:
    other = replace(MISSING, body=MISSING.body.replace("17", "18"))
    assert key.alike(MISSING, other)
    assert not key.alike(MISSING, INVALID)


def measured(ping: Exchange, *, backend: bool) -> tuple[KeyTrials, list[str]]:
    heads: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        heads.append(head)
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()

    async def run() -> KeyTrials:
        async with serving(answer) as port:
            target = replace(http_target(port), api_key=Secret("sk-canary"))
            if backend:
                target = replace(target, backend=f"http://127.0.0.1:{port}", host="api.example.com")
            way = Way(route=route_to(port))
            return await keys.key_trials(way, Wire(target, user_agent="x"), target, ping)

    return asyncio.run(run()), heads


def test_nothing_is_asked_where_the_key_was_not_refused() -> None:
    for answer in (PING, seen(500, "", path="/ping"), LIMITED, replace(MISSING, key_withheld="no TLS")):
        with pytest.raises(NotAsked):
            measured(answer, backend=False)


def test_the_key_goes_to_a_forwarded_backend_and_not_over_plain_http_to_the_target() -> None:
    fact, heads = measured(MISSING, backend=True)
    assert [("sk-canary" in head, head.split()[1]) for head in heads] == [(False, "/ping")] * 3 + [(True, "/ping")]
    assert fact.token is None
    assert fact.direct is not None
    assert "sk-canary" not in repr(fact)
    assert measured(MISSING, backend=False)[0].direct is None


@pytest.mark.parametrize("mode", [Mode()])
def test_what_will_be_asked_is_announced(mode: Mode) -> None:
    assert len(keys._planned(TARGET, mode)) == 3
    assert len(keys._planned(replace(TARGET, backend="http://127.0.0.1:8000"), mode)) == 4
    assert keys._planned(replace(TARGET, api_key=None), mode) == []
