"""Reaching out asks for the listed names and no other, and ten dead hosts take as long as one."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import cast

import dns.message
import dns.rcode
import pytest
import trustme

from btdiag.config.proxies import environment_proxy
from btdiag.core.exchange import Failure, Phase, Trouble
from btdiag.core.handshake import Connection
from btdiag.core.measurement import spec_of
from btdiag.core.target import Mode, Proxy, Resolver, Route, Secret, Target
from btdiag.families.connection.probe import connect
from btdiag.families.egress.facts import LARGER, Egress, HostTrial
from btdiag.families.egress.judge.reading import host_reading
from btdiag.families.egress.probe import reach
from btdiag.families.egress.probe.reach import egress
from btdiag.families.egress.probe.stores import judged_by
from btdiag.families.egress.remedy import Block
from btdiag.net.limits import Limits
from btdiag.net.stores import Stores
from btdiag.net.trust import Contexts
from btdiag.net.wire import Wire
from tests.support.serving import saying, serving


class _Recorder(asyncio.DatagramProtocol):
    """A name server that knows nothing and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        self.asked.add(query.question[0].name.to_text(omit_final_dot=True))
        reply = dns.message.make_response(query)
        reply.set_rcode(dns.rcode.NXDOMAIN)
        assert self._transport is not None
        self._transport.sendto(reply.to_wire(), addr)


def target(**more: object) -> Target:
    values: dict[str, object] = {"url": "https://api.example", "scheme": "https", "host": "api.example", "port": 443}
    return Target(**{**values, "proxy_note": "--no-proxy", **more})  # type: ignore[arg-type]


async def _recorded(role: str | None, allow: Sequence[str]) -> tuple[set[str], Egress]:
    loop = asyncio.get_running_loop()
    transport, recorder = await loop.create_datagram_endpoint(_Recorder, local_addr=("127.0.0.1", 0))
    try:
        port = transport.get_extra_info("sockname")[1]
        resolver = Resolver(label="recorder", address=f"127.0.0.1:{port}")
        there = target(resolvers=(resolver,), role=role, allow=tuple(allow))
        return recorder.asked, await egress(there, Wire(there, user_agent="btdiag/test"))
    finally:
        transport.close()


@pytest.mark.parametrize(
    ("role", "allow", "names"),
    [
        (None, (), {"www.braintrust.dev", "braintrust.dev"}),
        ("sdk", ("https://bucket.example",), {"www.braintrust.dev", "braintrust.dev", "bucket.example"}),
        ("build", (), {"public.ecr.aws", "braintrust-cf.s3.amazonaws.com"}),
    ],
)
def test_only_the_listed_names_are_asked_for(role: str | None, allow: tuple[str, ...], names: set[str]) -> None:
    asked, found = asyncio.run(_recorded(role, allow))
    assert asked == names
    assert {host_reading(trial).block for trial in found.trials} == {Block.NAME}
    assert all("NXDOMAIN" in host_reading(trial).detail for trial in found.trials)


def test_the_dry_run_prints_every_request() -> None:
    spec = spec_of(egress)
    assert spec is not None
    assert spec.sends is not None
    lines = spec.sends(target(allow=("https://bucket.example/some",), role="browser"), Mode())
    assert lines[:6] == [
        "A and AAAA queries for www.braintrust.dev, braintrust.dev, realtime.braintrustapi.com, bucket.example "
        "(through a proxy only where that opens no way)",
        "HEAD https://www.braintrust.dev/ and GET https://www.braintrust.dev/ (for the web app)",
        "POST https://www.braintrust.dev/api/apikey/login (no key), again with 64 KiB; GET where POST is stopped",
        "HEAD https://braintrust.dev/ and GET https://braintrust.dev/ (for the web app)",
        "HEAD https://realtime.braintrustapi.com/ and GET https://realtime.braintrustapi.com/ (for live updates of the "
        "web app)",
        "GET https://realtime.braintrustapi.com/ with Upgrade: websocket",
    ]
    assert lines[6] == "HEAD https://bucket.example/some/ and GET https://bucket.example/some (for what --allow names)"
    assert "with 15 s to answer" in lines[7]
    assert "without server name" in lines[8]
    assert "trust store" in lines[9]
    assert len(lines) == 10


def test_the_dry_run_prints_the_way_that_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of(egress)
    assert spec is not None
    assert spec.sends is not None
    proxied = target(
        allow=("http://127.0.0.1:81",), role="build", proxy=Proxy(url="http://proxy.example:3128", source="--proxy")
    )
    (line,) = (line for line in spec.sends(proxied, Mode()) if "past" in line and "127.0.0.1" in line)
    assert line == (
        "where the proxy http://proxy.example:3128 blocks the way to 127.0.0.1 or takes long: A and AAAA queries for "
        "127.0.0.1 and, past the proxy, a TCP connection to port 81 of the first address found, be it public, private "
        "or loopback"
    )
    monkeypatch.setenv("http_proxy", "http://user:canary@proxy.example:3128")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    passed = target(allow=("http://127.0.0.1:81",), role="build", proxy_note="")
    (line,) = (line for line in spec.sends(passed, Mode()) if "NO_PROXY" in line)
    assert "CONNECT 127.0.0.1:81 at the proxy http://proxy.example:3128 (http_proxy)" in line
    assert "canary" not in line


def test_every_host_is_tried_at_once() -> None:
    """Ten hosts that answer late take hardly longer than one does."""

    async def lasts(number: int) -> float:
        async with serving(saying(b"", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", pause=0.3)) as port:
            allow = tuple(f"http://127.0.0.1:{port}/{n}" for n in range(number))
            there = target(role="build", allow=allow, resolvers=(Resolver(label="none", address="127.0.0.1:9"),))
            started = time.perf_counter()
            found = await egress(there, Wire(there, user_agent="btdiag/test"))
            assert sum(host_reading(trial).block is None for trial in found.trials) == number
            return time.perf_counter() - started

    assert asyncio.run(lasts(10)) < 3 * asyncio.run(lasts(1))


def test_a_proxy_is_asked_for_the_listed_hosts_alone() -> None:
    lines: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        writer.write(b"HTTP/1.1 403 Forbidden\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async def run() -> Egress:
        async with serving(proxy) as port:
            there = target(proxy=Proxy(url=f"http://127.0.0.1:{port}", source="--proxy"), proxy_note="")
            return await egress(there, Wire(there, user_agent="btdiag/test"))

    found = asyncio.run(run())
    assert sorted(lines) == [b"CONNECT braintrust.dev:443 HTTP/1.1", b"CONNECT www.braintrust.dev:443 HTTP/1.1"]
    assert {host_reading(trial).block for trial in found.trials} == {Block.PROXY}


def test_the_environment_chooses_a_proxy_for_each_url() -> None:
    environment = {"https_proxy": "http://user:pw@proxy.example:3128", "no_proxy": ".internal.example"}
    chosen, _ = environment_proxy(environment, "https://www.braintrust.dev")
    assert chosen is not None
    assert (chosen.url, chosen.source) == ("http://proxy.example:3128", "https_proxy")
    assert environment_proxy(environment, "https://a.internal.example")[0] is None
    assert environment_proxy({}, "https://www.braintrust.dev") == (None, "no proxy is set")


@contextlib.asynccontextmanager
async def silent_resolver() -> AsyncIterator[str]:
    """The address of a name server that never answers."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
    try:
        yield f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()


NOBODY = (Resolver(label="none", address="127.0.0.1:9"),)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
PAGE = b"<html><body>Access to this site is blocked</body></html>"
BLOCKED = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(PAGE), PAGE)
Say = Callable[[str, str], bytes]  # from method and path to an answer


def tried(
    say: Say, *, tls: ssl.SSLContext | None = None, late_s: float = 0.0, **more: object
) -> tuple[HostTrial, list[str]]:
    """The trial of the app URL, or of what `allow` names (PORT is the server's), and the requests that arrived."""
    arrived: list[str] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, path, _ = head.split(" ", 2)
        told = re.search(r"(?i)content-length: (\d+)", head)
        length = int(told[1]) if told else 0
        await reader.readexactly(length)
        arrived.append(f"{method} {path} {length}" + " with the key" * ("sk-canary" in head))
        await asyncio.sleep(0 if method == "HEAD" else late_s)
        writer.write(say(method, path))
        await writer.drain()

    async def run() -> HostTrial:
        async with serving(handler, context=tls) as port:
            app_url = f"http{'s' * (tls is not None)}://127.0.0.1:{port}"
            allow = tuple(url.replace("PORT", str(port)) for url in cast("tuple[str, ...]", more.pop("allow", ())))
            there = target(app_url=app_url, allow=allow, resolvers=NOBODY, api_key=Secret("sk-canary"), **more)
            found = await egress(there, Wire(there, user_agent="btdiag/test"))
            return next(trial for trial in found.trials if trial.host.name == "127.0.0.1")

    return asyncio.run(run()), arrived


def test_what_the_product_asks_there_is_asked_without_the_key() -> None:
    trial, arrived = tried(lambda method, path: OK, role="data-plane")
    assert sorted(arrived) == [
        "GET / 0",
        "GET /api/pulse/otel 0",
        "HEAD / 0",
        "POST /api/apikey/login 2",
        f"POST /api/apikey/login {LARGER}",
    ]
    assert trial.telemetry is not None
    assert (trial.patient, trial.api_get, trial.upgrade) == (None, None, None)
    assert host_reading(trial).block is None


def test_a_login_that_is_stopped_is_followed_by_a_get() -> None:
    trial, arrived = tried(lambda method, path: BLOCKED if method == "POST" else OK)
    assert "GET /api/apikey/login 0" in arrived
    assert trial.api_get is not None
    assert trial.api_get.status == 200
    assert host_reading(trial).block is Block.METHOD


def test_what_meets_silence_is_given_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "EGRESS_ANSWER", Limits(total=0.3))
    trial, _ = tried(lambda method, path: OK, late_s=0.6)
    assert trial.answer is not None
    assert trial.answer.failure is not None
    assert trial.patient is not None
    assert trial.patient.status == 200


def test_a_websocket_is_asked_for_where_one_is_named() -> None:
    switching = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    trial, _ = tried(
        lambda method, path: OK if method == "HEAD" else switching, role="build", allow=("ws://127.0.0.1:PORT",)
    )
    assert trial.upgrade is not None
    assert trial.upgrade.status == 101


def untrusted() -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(made)
    return made


def test_a_server_that_proves_nothing_gets_no_login_and_its_chain_goes_to_every_store() -> None:
    trial, arrived = tried(lambda method, path: OK, tls=untrusted())
    assert not [one for one in arrived if one.startswith("POST")]
    assert trial.answer is not None
    assert {store.accepts for store in trial.stores} == {False}


def test_a_server_that_is_gone_is_judged_by_no_store() -> None:
    there = target()
    gone = Route(label="127.0.0.1", address="127.0.0.1", port=1)
    assert asyncio.run(judged_by(Stores({}), gone, Wire(there, user_agent="btdiag/test"))) == ()


def test_a_handshake_that_met_silence_is_given_more_time() -> None:
    silence = Failure(phase=Phase.TLS, trouble=Trouble.TIMEOUT, detail="not complete within 5 s")

    async def run() -> tuple[Connection, Connection, Connection]:
        there = target(host="127.0.0.1")
        wire = Wire(there, user_agent="btdiag/test")
        async with serving(saying(b""), context=untrusted()) as port:
            route = Route(label="127.0.0.1", address="127.0.0.1", port=port)
            met = replace(await connect.reach(route, wire, replace(there, port=port)), failure=silence)
            lax = Wire(there, user_agent="btdiag/test", contexts=Lax(there))
            slow = await reach._awaited(met, route, lax, there)
        return met, slow, await reach._awaited(met, route, lax, there)

    met, slow, gone = asyncio.run(run())
    assert slow.failure is None
    assert gone is met


class Lax(Contexts):
    """Contexts that trust everybody."""

    def get(self, host: str, *, verify: bool, alpn: tuple[str, ...]) -> ssl.SSLContext:
        return super().get(host, verify=False, alpn=alpn)


def through_a_proxy(answer: bytes, late_s: float, **more: object) -> tuple[HostTrial, list[bytes]]:
    """The trial of a host behind a proxy that says `answer` to everything, after a while; and what it was asked."""
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        await asyncio.sleep(late_s)
        writer.write(answer)
        await writer.drain()

    async def run() -> HostTrial:
        async with serving(proxy) as port:
            url = f"http://127.0.0.1:{port}"
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(reach, "PATIENCE", 0.1)
                patch.setattr(reach, "OTHER_WAY", 0.3)
                if "proxy_note" in more:
                    patch.setenv("http_proxy", url)
                    patch.setenv("no_proxy", "127.0.0.1")
                else:
                    more["proxy"] = Proxy(url=url, source="--proxy")
                there = target(app_url="https://api.example", **more)  # none but the hosts named
                found = await egress(there, Wire(there, user_agent="btdiag/test"))
            return next(trial for trial in found.trials if trial.host.named)

    return asyncio.run(run()), asked


def test_a_proxy_that_takes_long_is_passed_meanwhile_and_counts_where_it_works() -> None:
    trial, _ = through_a_proxy(OK, 0.4, allow=("http://127.0.0.1:81",), resolvers=NOBODY)
    assert (trial.other, trial.other_way) == (None, "")
    assert trial.answer is not None
    assert trial.answer.status == 200


def test_a_name_that_is_not_told_in_time_opens_no_other_way() -> None:
    async def run() -> HostTrial:
        async with silent_resolver() as address:
            more = {"allow": ("https://a.example.test",), "resolvers": (Resolver(label="silent", address=address),)}
            return (await asyncio.to_thread(through_a_proxy, b"HTTP/1.1 403 Forbidden\r\n\r\n", 0.0, **more))[0]

    trial = asyncio.run(run())
    assert (trial.other, trial.other_way) == (None, "")
    assert host_reading(trial).block is Block.PROXY


def test_the_proxy_that_a_host_is_taken_out_of_is_the_other_way() -> None:
    trial, asked = through_a_proxy(
        b"HTTP/1.1 200 OK\r\n\r\n", 0.0, allow=("http://127.0.0.1:1",), proxy_note="no_proxy names it", resolvers=NOBODY
    )
    assert asked == [b"CONNECT 127.0.0.1:1 HTTP/1.1"]
    assert trial.other is not None
    assert trial.other.failure is None
    assert trial.other_way.startswith("through the proxy http://127.0.0.1:")
