"""The wire as an httpx client: the same bounds and the same way, in the words of that library."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest

from btdiag.core.exchange import Exchange
from btdiag.core.target import Secret, Target, Way
from btdiag.net.client import client
from btdiag.net.wire import Wire
from tests.support.serving import Handler, http_target, resetting, route_to, saying, serving, silent

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nX-A: 2\r\n\r\nhello"


def asked(handler: Handler, ask: Callable[[httpx.AsyncClient], Coroutine[Any, Any, httpx.Response]]) -> httpx.Response:
    async def go() -> httpx.Response:
        async with serving(handler) as port:
            target = http_target(port)
            return await ask(client(Wire(target, user_agent="btdiag/test"), Way(route=route_to(port)), target))

    return asyncio.run(go())


def test_an_answer_is_a_response_with_the_exchange_beside_it() -> None:
    response = asked(saying(HELLO), lambda client: client.get("/version"))
    assert (response.status_code, response.text, response.headers.get_list("x-a")) == (200, "hello", ["1", "2"])
    exchange = response.extensions["exchange"]
    assert exchange.url.endswith("/version")
    assert dict(exchange.request_headers)["User-Agent"] == "btdiag/test"


def test_bytes_stay_bytes_and_are_unpacked_once() -> None:
    raw = bytes(range(256))
    packed = gzip.compress(raw)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    response = asked(saying(head + packed), lambda client: client.get("/"))
    assert response.content == raw
    assert response.extensions["exchange"].header("content-encoding") == "gzip"


def test_redirects_are_not_followed() -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    response = asked(saying(moved), lambda client: client.get("/"))
    assert (response.status_code, response.is_redirect) == (302, True)


def test_a_body_is_sent_with_its_length() -> None:
    got: list[bytes] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(7))
        writer.write(HELLO)

    asked(echo, lambda client: client.post("/x", json={"a": 1}))
    assert b'{"a":1}' in got[0]
    assert got[0].lower().count(b"content-length: 7") == 1
    assert got[0].lower().count(b"host:") == 1


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (silent, httpx.ReadTimeout),
        (resetting, httpx.ReadError),
        (saying(b"SSH-2.0-x\r\n\r\n"), httpx.RemoteProtocolError),
    ],
)
def test_what_is_no_answer_raises_httpxs_own_error(handler: Handler, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"GET http://127\.0\.0\.1"):
        asked(handler, lambda client: client.get("/", timeout=0.3))


def test_a_closed_port_is_a_connect_error() -> None:
    async def go() -> None:
        async with serving(silent) as port:
            pass
        target = http_target(port)
        await client(Wire(target, user_agent="t"), Way(route=route_to(port)), target).get("/")

    with pytest.raises(httpx.ConnectError):
        asyncio.run(go())


def test_the_key_goes_only_where_it_may_and_where_it_is_asked_for() -> None:
    async def go(key: bool, url: str = "/") -> Exchange:
        async with serving(saying(HELLO)) as port:
            bare = http_target(port)
            target = Target(url=bare.url, scheme="http", host=bare.host, port=port, api_key=Secret("sk-test-key"))
            made = client(Wire(target, user_agent="t"), Way(route=route_to(port)), target)
            answer = await made.get(url, extensions={"key": key})
            seen: Exchange = answer.extensions["exchange"]
            return seen

    def sent(seen: Exchange) -> bool:
        return any(name == "Authorization" for name, _ in seen.request_headers)

    assert sent(asyncio.run(go(True)))
    assert not sent(asyncio.run(go(False)))
    elsewhere = asyncio.run(go(True, "http://other.example/"))
    assert elsewhere.key_withheld == "other.example is not the target's own host and port"
    assert not sent(elsewhere)
