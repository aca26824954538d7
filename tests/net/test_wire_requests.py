"""What an exchange sends, to whom, and where the API key goes and where it does not."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import trustme

from btdiag.core.exchange import Exchange, Phase, Trouble
from btdiag.core.target import Proxy, Route, Secret, Target, Way
from btdiag.net.limits import Limits
from btdiag.net.streams import DialError
from btdiag.net.wire import Wire
from tests.support.serving import Handler, http_target, route_to, saying, serving, silent

HOST = "api.lab.example"
KEY = "sk-canary-key"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True, slots=True)
class Pki:
    """A certificate authority and a server certificate for HOST and localhost."""

    ca_file: Path
    context: ssl.SSLContext


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    ca = trustme.CA()
    ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(HOST, "localhost").configure_cert(context)
    return Pki(ca_file, context)


@dataclass(slots=True)
class Recorder:
    """A server that keeps every request head and answers all of them."""

    heads: list[bytes] = field(default_factory=list)
    answer: bytes = ANSWER

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.answer)
            await writer.drain()

    @property
    def text(self) -> str:
        return b"".join(self.heads).decode()


def https_target(port: int, pki: Pki | None) -> Target:
    return Target(
        url=f"https://{HOST}:{port}",
        scheme="https",
        host=HOST,
        port=port,
        ca_file=pki.ca_file if pki else None,
        api_key=Secret(KEY),
        headers=(("X-Door", Secret("canary-door")),),
    )


def run_https(pki: Pki, act: Callable[[Wire, Target, Recorder], Awaitable[Exchange]]) -> tuple[Exchange, Recorder]:
    """The exchange that `act` makes with a recording TLS server, and what the server got."""

    async def run() -> tuple[Exchange, Recorder]:
        recorder = Recorder()
        async with serving(recorder, context=pki.context) as port:
            target = https_target(port, pki)
            return await act(Wire(target, user_agent="btdiag/test"), target, recorder), recorder

    return asyncio.run(run())


def test_key_and_own_headers_go_over_verified_tls_and_are_not_recorded(pki: Pki) -> None:
    async def act(wire: Wire, target: Target, _: Recorder) -> Exchange:
        return await wire.exchange(route_to(target.port), "GET", target.url_for("/ping"), with_key=True)

    seen, server = run_https(pki, act)
    assert seen.status == 200
    assert seen.tls_verified is True
    assert seen.key_withheld is None
    assert f"Authorization: Bearer {KEY}" in server.text
    assert "X-Door: canary-door" in server.text
    assert "User-Agent: btdiag/test" in server.text
    assert f"Host: {HOST}:" in server.text
    assert "canary" not in repr(seen)
    assert dict(seen.request_headers)["Authorization"] == "[withheld]"


def test_no_secret_goes_over_untrusted_tls(pki: Pki) -> None:
    async def act(wire: Wire, target: Target, _: Recorder) -> Exchange:
        way = Way(route=route_to(target.port), verify=False)
        return await wire.exchange(way, "GET", target.url_for("/ping"), with_key=True)

    seen, server = run_https(pki, act)
    assert seen.status == 200
    assert seen.key_withheld == "the certificate could not be verified"
    assert "canary" not in server.text


def test_no_secret_goes_to_another_host_or_port(pki: Pki) -> None:
    async def act(wire: Wire, target: Target, _: Recorder) -> Exchange:
        url = f"https://localhost:{target.port}/ping"
        foreign = Wire(target=replace(target), user_agent="btdiag/test")
        return await foreign.exchange(route_to(target.port), "GET", url, with_key=True)

    seen, server = run_https(pki, act)
    assert seen.key_withheld is not None
    assert "not the target's own host" in seen.key_withheld
    assert "canary" not in server.text


def test_redirect_is_an_answer_and_not_followed(pki: Pki) -> None:
    async def act(wire: Wire, target: Target, server: Recorder) -> Exchange:
        location = f"Location: https://localhost:{target.port}/\r\n".encode()
        server.answer = b"HTTP/1.1 302 Found\r\n" + location + b"Content-Length: 0\r\n\r\n"
        return await wire.exchange(route_to(target.port), "GET", target.url_for("/ping"), with_key=True)

    seen, server = run_https(pki, act)
    assert seen.status == 302
    assert len(server.heads) == 1


def test_untrusted_certificate_is_a_failure(pki: Pki) -> None:
    async def act(wire: Wire, target: Target, _: Recorder) -> Exchange:
        stranger = Wire(replace(target, ca_file=None), user_agent="btdiag/test")
        return await stranger.exchange(route_to(target.port), "GET", target.url_for("/"))

    seen, server = run_https(pki, act)
    assert seen.failure is not None
    assert (seen.failure.phase, seen.failure.trouble) == (Phase.TLS, Trouble.UNTRUSTED)
    assert server.heads == []


def test_unreadable_ca_file_is_a_local_failure(tmp_path: Path) -> None:
    async def run() -> Exchange:
        async with serving(silent) as port:
            target = replace(https_target(port, None), ca_file=tmp_path / "none.pem")
            return await Wire(target, user_agent="x").exchange(route_to(port), "GET", target.url_for("/"))

    failure = asyncio.run(run()).failure
    assert failure is not None
    assert (failure.phase, failure.trouble) == (Phase.TLS, Trouble.LOCAL)


@pytest.mark.parametrize("proxied", [False, True])
def test_key_goes_over_http_to_this_machine_alone_and_not_to_a_proxy_on_it(proxied: bool) -> None:
    async def run() -> tuple[Exchange, Recorder]:
        recorder = Recorder()
        async with serving(recorder) as port:
            target = replace(http_target(port), api_key=Secret(KEY), key_over_http=True)
            proxy = Proxy(url=f"http://127.0.0.1:{port}", source="--proxy")
            way = Route(label="proxy", address=None, port=port, proxy=proxy) if proxied else route_to(port)
            wire = Wire(target, user_agent="x")
            return await wire.exchange(way, "GET", target.url_for("/ping"), with_key=True), recorder

    seen, server = asyncio.run(run())
    assert seen.key_withheld == ("the connection is not encrypted" if proxied else None)
    assert (KEY in server.text) is not proxied


def test_set_cookie_values_are_not_kept() -> None:
    async def run() -> Exchange:
        answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=canary; Path=/\r\nContent-Length: 0\r\n\r\n"
        async with serving(saying(answer)) as port:
            target = http_target(port)
            return await Wire(target, user_agent="x").exchange(route_to(port), "GET", target.url_for("/"))

    assert asyncio.run(run()).header("set-cookie") == "sid=[withheld]; Path=/"


def test_several_requests_on_one_stream_until_it_ends() -> None:
    async def run() -> None:
        recorder = Recorder()
        async with serving(recorder) as port:
            target = http_target(port)
            wire = Wire(target, user_agent="x")
            stream = await wire.dial(route_to(port), tls=False)
            for _ in range(2):
                seen = await wire.send_on(stream, "POST", target.url_for("/v1?a=b"), body=b"{}")
                assert (seen.status, seen.body, stream.reusable) == (200, "ok", True)
            recorder.answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
            seen = await wire.send_on(stream, "POST", target.url_for("/v1?a=b"), headers=[("X-Mine", "1")])
            assert (seen.status, stream.reusable) == (200, False)
            await stream.close()
            assert (wire.counts.requests, wire.counts.connections) == (3, 1)
            assert "POST /v1?a=b HTTP/1.1" in recorder.text
            assert "X-Mine: 1" in recorder.text

    asyncio.run(run())


def test_early_refusal_of_a_large_body_is_seen() -> None:
    async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.2)

    async def run() -> Exchange:
        async with serving(refusing) as port:
            target = http_target(port)
            wire = Wire(target, user_agent="x")
            return await wire.exchange(route_to(port), "POST", target.url_for("/"), body=b"x" * 2**24)

    assert asyncio.run(run()).status == 413


EXPECTING = (("Expect", "100-continue"),)


def _announced(interim: bytes, status: bytes = b"200 OK", reads: bool = True) -> tuple[Exchange, bytes]:
    """What comes of a body that is announced, and the bytes that the server had before its first word."""
    before: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.05)
        before.append(bytes(reader._buffer))  # type: ignore[attr-defined]
        writer.write(interim)
        if reads:
            await reader.readexactly(2)
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()

    async def run() -> Exchange:
        async with serving(handler) as port:
            target = http_target(port)
            wire = Wire(target, user_agent="btdiag/test")
            return await wire.exchange(route_to(port), "POST", target.url_for("/"), headers=EXPECTING, body=b"{}")

    return asyncio.run(run()), before[0]


def test_an_announced_body_waits_for_the_servers_word() -> None:
    seen, before = _announced(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert (seen.status, seen.interim, before) == (200, (100,), b"")


def test_an_announced_body_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("btdiag.net.http1.CONTINUE_S", 0.1)
    seen, before = _announced(b"")
    assert (seen.status, seen.interim, before) == (200, (), b"")


def test_an_announced_body_that_is_refused_is_not_sent() -> None:
    seen, _ = _announced(b"", b"417 Expectation Failed", reads=False)
    assert (seen.status, seen.interim) == (417, ())


def test_refused_port() -> None:
    async def run() -> Exchange:
        async with serving(silent) as port:
            pass
        target = http_target(port)
        return await Wire(target, user_agent="x").exchange(route_to(port), "GET", target.url_for("/"))

    failure = asyncio.run(run()).failure
    assert failure is not None
    assert (failure.phase, failure.trouble, failure.detail) == (Phase.TCP, Trouble.REFUSED, "Connection refused")
    assert failure.errno is not None


async def hanging_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take what comes first, then close."""
    await reader.read(65536)


@pytest.mark.parametrize(
    ("handler", "trouble"),
    [
        pytest.param(silent, Trouble.TIMEOUT, id="silent"),
        pytest.param(hanging_up, Trouble.CLOSED, id="FIN"),
        pytest.param(saying(b"HTTP/1.1 400 Bad\r\n\r\n", head=False), Trouble.PROTOCOL, id="plain HTTP"),
    ],
)
def test_handshake_that_fails(handler: Handler, trouble: Trouble) -> None:
    async def run() -> DialError:
        async with serving(handler) as port:
            target = https_target(port, None)
            with pytest.raises(DialError) as caught:
                await Wire(target, user_agent="x").dial(route_to(port), tls=True, timeout=0.3)
            return caught.value

    error = asyncio.run(run())
    assert (error.failure.phase, error.failure.trouble) == (Phase.TLS, trouble)
    assert error.timing.tcp_s is not None
    assert error.timing.tls_s is None


@pytest.mark.parametrize("name", ["x" * 64 + ".example", ".example"])
def test_name_that_sni_cannot_carry_is_a_dial_error(name: str) -> None:
    async def run() -> None:
        async with serving(silent) as port:
            wire = Wire(https_target(port, None), user_agent="x")
            with pytest.raises(DialError):
                await wire.dial(route_to(port), tls=True, server_name=name, timeout=0.3)

    asyncio.run(run())


def test_route_without_address_or_proxy_is_a_dial_error() -> None:
    async def run() -> None:
        wire = Wire(http_target(1), user_agent="x")
        with pytest.raises(DialError, match="neither"):
            await wire.dial(Route(label="x", address=None, port=1), tls=False)

    asyncio.run(run())


async def tunnelling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A CONNECT proxy that goes to loopback whatever the name."""
    head = await reader.readuntil(b"\r\n\r\n")
    port = int(head.split()[1].rpartition(b":")[2])
    up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 lab-proxy\r\n\r\n")

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.write_eof() if sink.can_write_eof() else sink.close()

    try:
        await asyncio.gather(copy(reader, up_writer), copy(up_reader, writer))
    finally:
        up_writer.transport.abort()


def test_a_handshake_that_fails_inside_the_tls_to_a_proxy_is_a_fact(pki: Pki) -> None:
    """asyncio of Python 3.11 and 3.12 raises a TypeError there, if it is left to itself."""

    async def run() -> Exchange:
        async with serving(Recorder(), context=pki.context) as port, serving(tunnelling, context=pki.context) as door:
            target = replace(https_target(port, pki), host="wrong.example", url="https://wrong.example")
            proxy = Proxy(url=f"https://localhost:{door}", source="--proxy")
            route = Route(label="proxy", address=None, port=port, proxy=proxy)
            return await Wire(target, user_agent="x").exchange(route, "GET", f"https://wrong.example:{port}/")

    failure = asyncio.run(run()).failure
    assert failure is not None
    assert (failure.phase, failure.trouble) == (Phase.TLS, Trouble.UNTRUSTED)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_tunnel_through_a_proxy(pki: Pki, scheme: str) -> None:
    async def run() -> None:
        recorder = Recorder()
        proxy_context = pki.context if scheme == "https" else None
        async with serving(recorder, context=pki.context) as port, serving(tunnelling, context=proxy_context) as door:
            target = https_target(port, pki)
            proxy = Proxy(url=f"{scheme}://localhost:{door}", source="--proxy", credentials=Secret("me:canary-pw"))
            wire = Wire(target, user_agent="x")
            route = Route(label="proxy", address=None, port=port, proxy=proxy)
            seen = await wire.exchange(route, "GET", target.url_for("/"), with_key=True)
            assert (seen.status, seen.failure, seen.tls_verified, seen.key_withheld) == (200, None, True, None)
            assert None not in (seen.timing.tcp_s, seen.timing.proxy_s, seen.timing.tls_s, seen.timing.first_byte_s)
            assert "canary-pw" not in recorder.text

    asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "trouble", "detail"),
    [
        (
            b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 3\r\n\r\nno!",
            Trouble.PROXY_REFUSED,
            "the proxy answered CONNECT with 407 No; Proxy-Authenticate: Basic realm=x",
        ),
        (b"HTTP/1.1 503 No\r\nX-Squid-Error: ERR_CONNECT_FAIL 111\r\n\r\n", Trouble.PROXY_REFUSED, "ERR_CONNECT_FAIL"),
        (b"HTTP/1.1 200 OK\r\n\r\nspam", Trouble.PROTOCOL, "bytes of its own"),
        (b"", Trouble.CLOSED, "instead of answering CONNECT"),
        (b"SSH-2.0-x\r\n\r\n", Trouble.PROTOCOL, ""),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20000, Trouble.TOO_LARGE, ""),
    ],
)
def test_proxy_that_refuses(answer: bytes, trouble: Trouble, detail: str) -> None:
    async def run() -> DialError:
        async with serving(saying(answer)) as door:
            target = https_target(443, None)
            proxy = Proxy(url=f"http://127.0.0.1:{door}", source="--proxy")
            route = Route(label="proxy", address=None, port=443, proxy=proxy)
            with pytest.raises(DialError) as caught:
                await Wire(target, user_agent="x").dial(route, tls=True, timeout=1)
            return caught.value

    error = asyncio.run(run())
    assert (error.failure.phase, error.failure.trouble) == (Phase.PROXY, trouble)
    assert detail in error.failure.detail
    assert (error.proxy_answer is None) is (trouble in {Trouble.CLOSED, Trouble.TOO_LARGE} or b"SSH" in answer)


def test_http_target_through_a_proxy_names_the_whole_url() -> None:
    async def run() -> None:
        recorder = Recorder()
        async with serving(recorder) as door:
            target = Target(url="http://api.lab.example", scheme="http", host="api.lab.example", port=80)
            proxy = Proxy(url=f"http://127.0.0.1:{door}", source="--proxy", credentials=Secret("me:canary-pw"))
            route = Route(label="proxy", address=None, port=80, proxy=proxy)
            seen = await Wire(target, user_agent="x").exchange(route, "GET", target.url_for("/version"))
            assert recorder.text.startswith("GET http://api.lab.example/version HTTP/1.1\r\nHost: api.lab.example\r\n")
            assert "Proxy-Authorization: Basic bWU6Y2FuYXJ5LXB3" in recorder.text
            assert dict(seen.request_headers)["Proxy-Authorization"] == "[withheld]"

    asyncio.run(run())


@pytest.mark.parametrize("url", ["http://nowhere.invalid:3128", "http://127.0.0.1:9"])
def test_proxy_that_is_not_there_is_the_proxys_fault(url: str) -> None:
    async def run() -> Exchange:
        target = https_target(443, None)
        route = Route(label="proxy", address=None, port=443, proxy=Proxy(url=url, source="--proxy"))
        wire = Wire(target, user_agent="x")
        return await wire.exchange(route, "GET", target.url_for("/"), limits=Limits(total=3), with_key=True)

    seen = asyncio.run(run())
    assert seen.failure is not None
    assert seen.failure.phase is Phase.PROXY
    assert seen.failure.trouble in {Trouble.UNREACHABLE, Trouble.REFUSED, Trouble.TIMEOUT}
    assert seen.key_withheld == "no connection"


def test_client_certificate_demanded_after_the_handshake_is_an_alert(pki: Pki) -> None:
    demanding = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(HOST).configure_cert(demanding)
    demanding.verify_mode = ssl.CERT_REQUIRED
    demanding.load_verify_locations(cafile=pki.ca_file)

    def handshake(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection.dup() as raw:
            with pytest.raises(ssl.SSLError), connection:
                demanding.wrap_socket(connection, server_side=True)
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(65536):  # a close with unread data would reset, and the reset could overtake the alert
                pass

    async def run() -> Exchange:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            target = https_target(port, pki)
            way = Way(route=route_to(port), verify=False)
            exchange = Wire(target, user_agent="x").exchange(way, "GET", target.url_for("/"))
            seen, _ = await asyncio.gather(exchange, asyncio.to_thread(handshake, listener))
            return seen

    failure = asyncio.run(run()).failure
    assert failure is not None
    assert (failure.phase, failure.trouble) == (Phase.HEADERS, Trouble.ALERT)
