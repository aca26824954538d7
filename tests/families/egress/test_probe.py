"""Reaching out asks for the listed names and no other, and ten dead hosts take as long as one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import cast

import dns.message
import dns.rcode
import pytest

from btdiag.config.proxies import environment_proxy
from btdiag.core.measurement import spec_of
from btdiag.core.target import Mode, Proxy, Resolver, Target
from btdiag.families.egress.facts import Egress
from btdiag.families.egress.judge.reading import host_reading
from btdiag.families.egress.probe.reach import egress
from btdiag.families.egress.remedy import Block
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
