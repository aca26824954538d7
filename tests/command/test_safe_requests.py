"""What is sent to find out about routes, limits and control-plane calls can change nothing: the key goes with reads and
the login alone, and no body is larger than 8 MiB."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest

from btdiag.core.measurement import NotAsked, NotMeasured
from btdiag.core.target import Mode, Secret, Target, Way
from btdiag.families.audit.probe import audit
from btdiag.families.gateway.plan import MOST_BODY
from btdiag.families.gateway.probe.requests import product_requests
from btdiag.families.gateway.probe.routes import route_answers
from btdiag.families.gateway.probe.streams import stream_seen
from btdiag.families.sdk.facts import SdkEnvironment
from btdiag.families.sdk.probe.calls import control_plane
from btdiag.net.wire import Wire
from tests.support.serving import http_target, route_to, serving

KEY = "sk-canary"
NONE = NotMeasured(reason="not measured")


@dataclass(frozen=True)
class Sent:
    """One request as the server saw it."""

    method: str
    path: str
    keyed: bool
    size: int


async def _everything(target_headers: tuple[tuple[str, Secret], ...] = ()) -> tuple[list[Sent], Wire, Way, Target]:
    seen: list[Sent] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, path, _ = head.split(" ", 2)
        length = next((int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0)
        left = length
        while left:
            left -= len(await reader.read(left))
        seen.append(Sent(method, path.partition("?")[0], KEY in head, length))
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()

    async with serving(handler) as port:
        target = replace(http_target(port), api_key=Secret(KEY), lab_scenario="test", headers=target_headers)
        wire, way = Wire(target, user_agent="btdiag/test"), Way(route=route_to(port))
        await product_requests(way, wire, target, Mode(), NONE)
        await control_plane(way, wire, target, SdkEnvironment())
        await audit(way, wire, target)
        await stream_seen(way, wire, target)
        if not target_headers:
            await route_answers(way, wire, target)
        return seen, wire, way, target


def test_the_key_goes_with_reads_and_the_login_alone() -> None:
    sent, *_ = asyncio.run(_everything())
    assert {(one.method, one.path) for one in sent if one.keyed} == {
        ("POST", "/api/apikey/login"),
        ("GET", "/api/project"),
        ("GET", "/v1/project"),
        ("GET", "/sse"),
    }


def test_bodies_are_empty_objects_and_one_is_large() -> None:
    sent, *_ = asyncio.run(_everything())
    large = [one for one in sent if one.size > 1024]
    assert [(one.method, one.path) for one in large] == [("POST", "/v1/btdiag-no-such-route")]
    assert large[0].size < MOST_BODY
    worded = {(one.method, one.path) for one in sent if 64 < one.size <= 1024}  # a packed empty object has some twenty
    assert worded == {("POST", "/v1/btdiag-no-such-route")}  # the words of a query, which firewalls take for code
    assert {one.path for one in sent if one.method in {"PUT", "PATCH", "DELETE"}} == {"/v1/btdiag-no-such-route"}


def test_nothing_that_writes_is_sent_where_a_header_logs_in_every_request() -> None:
    async def run() -> list[Sent]:
        sent, wire, way, target = await _everything((("Authorization", Secret(f"Bearer {KEY}")),))
        with pytest.raises(NotAsked):
            await route_answers(way, wire, target)
        return sent

    paths = {one.path for one in asyncio.run(run()) if one.method == "POST"}
    assert paths == {"/v1/btdiag-no-such-route", "/api/apikey/login"}
