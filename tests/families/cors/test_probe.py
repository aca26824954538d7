"""The CORS survey against the lab: what is sent, on how many connections, and that it ends whatever the server does."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from btdiag.core.credential import WITHHELD
from btdiag.core.measurement import NotAsked, Unknown
from btdiag.core.product import WEB_APP
from btdiag.core.target import Mode, Proxy, Route, Secret, Target, Way
from btdiag.families.cors.facts import HEADERS, CorsSurvey, Purpose
from btdiag.families.cors.probe.survey import CONNECTIONS, cors_backend, cors_bucket, cors_survey
from btdiag.families.cors.questions import LARGE_BODY
from btdiag.lab.plan import LabPlan
from btdiag.net.wire import Wire
from tests.support.labclient import staged

ADDRESS = "127.0.0.2"


def in_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test that runs in an event loop of its own."""

    @functools.wraps(test)
    def run() -> None:
        asyncio.run(test())

    return run


def target_of(told: Any) -> Target:
    """The lab's target with a key, which the survey must never send."""
    host, _, port = told["url"].removeprefix("https://").partition(":")
    return Target(
        url=told["url"],
        scheme="https",
        host=host,
        port=int(port),
        ca_file=Path(told["ca"]),
        backend=told["backend"],
        api_key=Secret("sk-not-to-be-sent"),
        lab_scenario="healthy",
    )


def way_of(target: Target) -> Way:
    return Way(route=Route(label=ADDRESS, address=ADDRESS, port=target.port))


@in_a_loop
async def test_few_connections_carry_all_requests_of_a_browser() -> None:
    async with staged(LabPlan()) as told:
        target = target_of(told)
        wire = Wire(target, user_agent="btdiag/test")
        survey = await cors_survey(way_of(target), target, wire, Mode(quick=True))
    assert wire.counts.connections == CONNECTIONS + len(survey.of(Purpose.CALL))
    assert wire.counts.requests == len(survey.trials)
    assert all(trial.answered for trial in survey.trials)
    first = survey.of(Purpose.PREFLIGHT)[0].exchange
    sent = dict(first.request_headers)
    assert sent["Access-Control-Request-Headers"] == ",".join(HEADERS)
    assert sent["Access-Control-Request-Method"] == "POST"
    assert (sent["Origin"], sent["Accept"], sent["Sec-Fetch-Mode"]) == (WEB_APP, "*/*", "cors")
    carrying = {"authorization", "cookie", "content-type", "x-bt-parent"}
    with_them = [
        trial.purpose
        for trial in survey.trials
        if carrying & {name.lower() for name, _ in trial.exchange.request_headers}
    ]
    assert with_them == [Purpose.CALL, Purpose.CALL]


@in_a_loop
async def test_the_calls_are_made_as_the_web_app_makes_them() -> None:
    async with staged(LabPlan()) as told:
        target = target_of(told)
        survey = await cors_survey(way_of(target), target, Wire(target, user_agent="btdiag/test"), Mode(quick=True))
    read, write = [trial.exchange for trial in survey.of(Purpose.CALL)]
    assert (read.method, write.method, write.url.endswith("/v1/btdiag-no-such-route")) == ("GET", "POST", True)
    for seen in (read, write):
        sent = {name.lower(): value for name, value in seen.request_headers}
        assert sent["user-agent"] == "btdiag/test"
        assert sent["accept-encoding"] == "gzip, deflate, br, zstd"
        assert sent["authorization"] == WITHHELD
        assert {"x-bt-use-gateway", "sec-fetch-site", "sec-ch-ua", "referer", "origin"} <= sent.keys()


@in_a_loop
async def test_the_key_goes_to_an_api_server_on_this_machine_and_to_no_other_port_of_it() -> None:
    async with staged(LabPlan()) as told:
        target = replace(target_of(told), lab_scenario=None)
        elsewhere = replace(target, backend="http://127.0.0.1:9")
        for known, keyed in ((target, True), (elsewhere, False)):
            survey = await cors_backend(target, Wire(known, user_agent="btdiag/test"))
            read, _ = [trial.exchange for trial in survey.of(Purpose.CALL)]
            assert (read.key_withheld is None) is keyed
            assert ("authorization" in {name.lower() for name, _ in read.request_headers}) is keyed


@in_a_loop
async def test_a_longer_run_sends_a_large_body_too() -> None:
    async with staged(LabPlan()) as told:
        target = target_of(told)
        survey = await cors_survey(way_of(target), target, Wire(target, user_agent="btdiag/test"), Mode())
    assert [one.exchange.method for one in survey.of(Purpose.LARGE)] == ["POST"]
    assert LARGE_BODY < 1024 * 1024


@in_a_loop
async def test_the_api_server_is_asked_directly() -> None:
    async with staged(LabPlan()) as told:
        target = target_of(told)
        wire = Wire(target, user_agent="btdiag/test")
        survey = await cors_backend(target, wire)
        assert survey.of(Purpose.PREFLIGHT)
        assert not survey.of(Purpose.FOREIGN)
        with pytest.raises(NotAsked):
            await cors_backend(replace(target, backend=None), wire)
        with pytest.raises(NotAsked):
            await cors_bucket(target, wire)


@in_a_loop
async def test_the_object_store_is_asked_as_a_redirected_page_does() -> None:
    async with staged("cors-bucket") as told:
        target = replace(target_of(told), bucket=told["bucket"])
        survey = await cors_bucket(target, Wire(target, user_agent="btdiag/test"))
    assert {trial.page.origin for trial in survey.trials} == {"null"}
    assert {trial.exchange.header("Access-Control-Allow-Origin") for trial in survey.trials} == {"*"}


@in_a_loop
async def test_nobody_there_is_unknown() -> None:
    target = Target(url="http://127.0.0.1:9", scheme="http", host="127.0.0.1", port=9, backend="http://127.0.0.1:9")
    with pytest.raises(Unknown):
        await cors_backend(target, Wire(target, user_agent="btdiag/test"))


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def surveyed(serve: Serve, proxied: bool = False) -> tuple[CorsSurvey, Wire]:
    """The survey of a server in this process, as the target itself or as a proxy in front of it."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy = Proxy(url=f"http://127.0.0.1:{port}", source="--proxy") if proxied else None
    target = Target(url=f"http://127.0.0.1:{port}", scheme="http", host="127.0.0.1", port=port, proxy=proxy)
    wire = Wire(target, user_agent="btdiag/test")
    way = Way(route=Route(label="here", address=None if proxied else "127.0.0.1", port=port, proxy=proxy))
    async with server:
        return await cors_survey(way, target, wire, Mode(quick=True)), wire


@in_a_loop
async def test_a_server_that_closes_after_each_answer_is_asked_anew() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    survey, wire = await surveyed(serve)
    assert all(trial.answered for trial in survey.trials)
    assert wire.counts.connections >= len(survey.trials)


@in_a_loop
async def test_plain_http_through_a_proxy_is_asked_whole() -> None:
    lines: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    survey, _ = await surveyed(serve, proxied=True)
    assert len(lines) == len(survey.trials)
    assert all(b" http://127.0.0.1:" in line for line in lines)


@in_a_loop
async def test_a_server_that_hangs_up_leaves_silent_trials() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    survey, _ = await surveyed(serve)
    assert survey.of(*Purpose) == ()
    assert all(trial.is_silent for trial in survey.trials)
