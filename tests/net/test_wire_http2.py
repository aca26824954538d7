"""HTTP/2 gives the same Exchange as HTTP/1.1, and its failures are named."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import pytest
import trustme

from btdiag.core.exchange import Exchange, Phase, Trouble
from btdiag.core.target import Target, Way
from btdiag.net.limits import Limits
from btdiag.net.wire import Wire
from tests.support.serving import route_to, saying, serving

HOST = "api.lab.example"


@dataclass(slots=True)
class H2Server:
    """A server that answers with `act` once the request is complete."""

    act: Callable[[h2.connection.H2Connection, int], None]
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                self.take(connection, event)
            writer.write(connection.data_to_send())
            await writer.drain()

    def take(self, connection: h2.connection.H2Connection, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self.headers = list(event.headers or [])
        if isinstance(event, h2.events.DataReceived):
            self.body += event.data or b""
            connection.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
        if isinstance(event, h2.events.StreamEnded):
            self.act(connection, event.stream_id or 0)


def context(*alpn: str) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(HOST).configure_cert(made)
    made.set_alpn_protocols(list(alpn))
    return made


def ask(server: H2Server, body: bytes = b"", limits: Limits | None = None) -> Exchange:
    async def run() -> Exchange:
        async with serving(server, context=context("h2")) as port:
            target = Target(url=f"https://{HOST}:{port}", scheme="https", host=HOST, port=port)
            way = Way(route=route_to(port), verify=False)
            wire = Wire(target, user_agent="btdiag/test")
            method = "POST" if body else "GET"
            return await wire.exchange(way, method, target.url_for("/v1?x=y"), body=body, http2=True, limits=limits)

    return asyncio.run(run())


def hello(connection: h2.connection.H2Connection, stream: int) -> None:
    connection.send_headers(stream, [(b":status", b"200"), (b"content-type", b"text/plain"), (b"x-e", b"a\x80")])
    connection.send_data(stream, b"hello", end_stream=True)


def test_request_and_answer() -> None:
    server = H2Server(hello)
    seen = ask(server)
    assert (seen.http_version, seen.status, seen.body, seen.failure) == ("HTTP/2", 200, "hello", None)
    assert seen.headers == (("content-type", "text/plain"), ("x-e", "a\\x80"))
    sent = dict(server.headers)
    assert (sent[b":method"], sent[b":path"], sent[b"user-agent"]) == (b"GET", b"/v1?x=y", b"btdiag/test")
    assert sent[b":authority"].startswith(HOST.encode())
    assert b"connection" not in sent
    assert seen.timing.first_byte_s is not None


def test_body_larger_than_the_window_is_sent_whole() -> None:
    server = H2Server(hello)
    assert ask(server, body=b"x" * 300_000).status == 200
    assert len(server.body) == 300_000


def reset(connection: h2.connection.H2Connection, stream: int) -> None:
    connection.reset_stream(stream, error_code=11)


def go_away(connection: h2.connection.H2Connection, stream: int) -> None:
    connection.close_connection(error_code=0)


def cut(connection: h2.connection.H2Connection, stream: int) -> None:
    connection.send_headers(stream, [(b":status", b"200")])


def interim(connection: h2.connection.H2Connection, stream: int) -> None:
    for _ in range(30):
        connection.send_headers(stream, [(b":status", b"103")])


@pytest.mark.parametrize(
    ("act", "phase", "trouble", "detail"),
    [
        (reset, Phase.HEADERS, Trouble.RESET, "ENHANCE_YOUR_CALM"),
        (go_away, Phase.HEADERS, Trouble.CLOSED, "GOAWAY: NO_ERROR"),
        (cut, Phase.BODY, Trouble.TIMEOUT, ""),
        (interim, Phase.HEADERS, Trouble.TOO_LARGE, "1xx"),
    ],
)
def test_failures(
    act: Callable[[h2.connection.H2Connection, int], None], phase: Phase, trouble: Trouble, detail: str
) -> None:
    failure = ask(H2Server(act), limits=Limits(total=0.5)).failure
    assert failure is not None
    assert (failure.phase, failure.trouble) == (phase, trouble)
    assert detail in failure.detail


@pytest.mark.parametrize(
    ("answer", "alpn", "version", "trouble"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "http/1.1", "HTTP/1.1", None),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20, "h2", None, Trouble.PROTOCOL),
        (b"", "h2", None, Trouble.CLOSED),
    ],
)
def test_server_that_does_not_speak_http2(
    answer: bytes, alpn: str, version: str | None, trouble: Trouble | None
) -> None:
    async def run() -> Exchange:
        async with serving(saying(answer), context=context(alpn)) as port:
            target = Target(url=f"https://{HOST}:{port}", scheme="https", host=HOST, port=port)
            way = Way(route=route_to(port), verify=False)
            return await Wire(target, user_agent="x").exchange(way, "GET", target.url_for("/"), http2=True)

    seen = asyncio.run(run())
    assert seen.http_version == version
    assert (seen.failure.trouble if seen.failure else None) is trouble
