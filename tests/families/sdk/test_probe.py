"""The login as it is asked for again, and the one request to another place that login names."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from btdiag.core.target import Secret, Way
from btdiag.families.sdk.facts import ControlPlane, SdkEnvironment
from btdiag.families.sdk.probe.calls import control_plane
from btdiag.net.wire import Wire
from tests.support.serving import http_target, route_to, serving

KEY = "sk-canary"
LOGIN = "/api/apikey/login"
RESET = b""


@dataclass(frozen=True)
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    keyed: bool


def answer(status: int, body: object = None, *headers: str) -> bytes:
    """A whole response."""
    content = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} -", f"Content-Length: {len(content)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + content


def organisation(api_url: str, name: str = "acme") -> dict[str, str]:
    """One entry of org_info."""
    return {"id": "1", "name": name, "api_url": api_url}


def seen_with(logins: Sequence[bytes], environment: SdkEnvironment | None = None) -> tuple[ControlPlane, list[Asked]]:
    """What the probe finds where the login is answered so, one answer after the other and the last again and again."""
    asked: list[Asked] = []
    left = list(logins)

    ports: list[int] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, path, _ = head.split(" ", 2)
        asked.append(Asked(method, path, KEY in head))
        said = answer(404, {})
        if path == LOGIN:
            said = (left.pop(0) if len(left) > 1 else left[0]).replace(b"PORT", str(ports[0]).encode())
        writer.write(said)
        await writer.drain()

    async def run() -> ControlPlane:
        async with serving(handler) as own:
            ports.append(own)
            target = replace(http_target(own), api_key=Secret(KEY), lab_scenario="test")
            wire, way = Wire(target, user_agent="btdiag/test"), Way(route=route_to(own))
            return await control_plane(way, wire, target, environment or SdkEnvironment())

    return asyncio.run(run()), asked


HERE = answer(200, {"org_info": [organisation("http://127.0.0.1:1")]})


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (answer(429, {}, "Retry-After: 0"), 429),
        (answer(502, {}), 502),
        (RESET, None),
    ],
    ids=["429", "502", "closed"],
)
def test_a_login_that_stumbles_is_asked_for_again(first: bytes, status: int | None) -> None:
    found, asked = seen_with([first, HERE])
    assert found.login.first is not None
    assert (found.login.first.status, found.login.exchange.status) == (status, 200)
    assert found.login.organisations is not None
    assert len([one for one in asked if one.path == LOGIN]) == 2
    assert found.login.first in found.exchanges


@pytest.mark.parametrize("told", ["Retry-After: 17", "Retry-After: Wed, 21 Oct 2065 07:28:00 GMT"])
def test_a_login_that_may_come_back_late_is_left_alone(told: str) -> None:
    found, asked = seen_with([answer(429, {}, told), HERE])
    assert (found.login.first, found.login.exchange.status) == (None, 429)
    assert len([one for one in asked if one.path == LOGIN]) == 1


def test_another_place_on_the_own_host_gets_one_request_without_the_key() -> None:
    prefix = organisation("http://127.0.0.1:PORT/prefix")
    found, asked = seen_with([answer(200, {"org_info": [prefix]}).replace(b"Content-Length", b"X-Length")])
    assert found.elsewhere is not None
    assert found.elsewhere.status == 404
    assert [one for one in asked if one.path == "/prefix/version"] == [Asked("GET", "/prefix/version", keyed=False)]


@pytest.mark.parametrize("api_url", ["http://127.0.0.2:9", "nonsense", "http://127.0.0.1:9?x"])
def test_another_host_is_never_contacted(api_url: str) -> None:
    found, _ = seen_with([answer(200, {"org_info": [organisation(api_url)]})])
    assert found.elsewhere is None


def test_the_organisation_that_sdks_choose_decides() -> None:
    listed = [organisation("http://127.0.0.1:1/", "a"), organisation("http://127.0.0.2:1", "b")]
    found, _ = seen_with([answer(200, {"org_info": listed})], SdkEnvironment(org_name="b"))
    assert found.elsewhere is None
    found, _ = seen_with([answer(200, {"org_info": listed})])
    assert found.elsewhere is not None
    assert found.elsewhere.failure is not None
