"""Real nginx and HAProxy with the defaults that hurt, and with the settings that the remedies name."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from btdiag.core.exchange import Exchange
from btdiag.core.finding import Finding, Verdict
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.target import Mode, Target, Way
from btdiag.families.gateway.facts.requests import Trait
from btdiag.families.gateway.judge.headers import preserves_headers
from btdiag.families.gateway.judge.requests import accepts_product_requests
from btdiag.families.gateway.judge.routes import routes_reach_their_backend
from btdiag.families.gateway.judge.streams import streams_unbuffered
from btdiag.families.gateway.probe.requests import backend_unknown, product_requests
from btdiag.families.gateway.probe.routes import route_answers
from btdiag.families.gateway.probe.streams import backend_stream, stream_seen
from btdiag.families.ratelimit.facts import OutboundLimit
from btdiag.families.ratelimit.judge import gathered, not_throttled
from btdiag.net.wire import Wire
from tests.support.serving import http_target, route_to, serving

pytestmark = pytest.mark.real
NONE = NotMeasured(reason="not measured")
JSON_404 = b'{"error":"Not Found"}'

NGINX = """
daemon off; user root; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  limit_req_zone $binary_remote_addr zone=z:1m rate=1r/s;
  server {{
    listen 127.0.0.1:{port};
    proxy_http_version 1.1;
    {settings}
    location / {{ {location} proxy_pass http://127.0.0.1:{backend}; }}
  }}
}}
"""

HAPROXY = """
defaults
  mode http
  timeout connect 2s
  timeout client 10s
  timeout server 10s
frontend front
  bind 127.0.0.1:{port}
  {settings}
  default_backend api
backend api
  server one 127.0.0.1:{backend}
"""

RECOMMENDED = "client_max_body_size 16m; proxy_buffering off; proxy_request_buffering off;"


async def api(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An API server that knows no route but a stream of events."""
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = next((int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0)
        if length:
            await reader.readexactly(length)
        if head.startswith("GET /sse"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
            for number in range(60):
                writer.write(b"data: %d\n\n" % number)
                await writer.drain()
                await asyncio.sleep(0.03)
            return
        kind = b"Content-Type: application/json\r\nx-bt-internal-trace-id: 1\r\n"
        writer.write(b"HTTP/1.1 404 Not Found\r\n%sContent-Length: %d\r\n\r\n%s" % (kind, len(JSON_404), JSON_404))
        await writer.drain()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def _running(command: list[str], config: str, folder: Path, port: int) -> Iterator[None]:
    path = folder / "gateway.conf"
    path.write_text(config)
    with (folder / "log").open("wb") as log, subprocess.Popen([*command, str(path)], stdout=log, stderr=log) as process:
        try:
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline and process.poll() is None:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                time.sleep(0.02)
            yield
        finally:
            process.terminate()
            process.wait(5)


def judged(
    product: str, folder: Path, settings: str = "", location: str = "", mode: Mode | None = None
) -> dict[str, Finding]:
    """The verdicts on the API behind a gateway with these settings."""
    template, binary = {"nginx": (NGINX, "/usr/sbin/nginx"), "haproxy": (HAPROXY, "/usr/sbin/haproxy")}[product]
    command = [shutil.which(product) or binary, "-c" if product == "nginx" else "-f"]

    async def run() -> dict[str, Finding]:
        async with serving(api) as backend:
            port = _free_port()
            config = template.format(folder=folder, port=port, backend=backend, settings=settings, location=location)
            with _running(command, config, folder, port):
                return await _judged(port, backend, mode or Mode())

    return asyncio.run(run())


async def _judged(port: int, backend: int, mode: Mode) -> dict[str, Finding]:
    target: Target = replace(http_target(port), backend=f"http://127.0.0.1:{backend}")
    wire, way = Wire(target, user_agent="btdiag/test"), Way(route=route_to(port))
    product = await product_requests(way, wire, target, mode, NONE)
    routes = await route_answers(way, wire, target)
    direct: Exchange = await backend_unknown(wire, target)
    front, beside = await asyncio.gather(stream_seen(way, wire, target), backend_stream(wire, target))
    versions: PerAddress[Exchange] = PerAddress({"127.0.0.1": product.plain_get})
    return {
        "accepts": accepts_product_requests(product, NONE),
        "routes": routes_reach_their_backend(routes, NONE, NONE),
        "headers": preserves_headers(product, direct, NONE, NONE, (), NONE, target),
        "streams": streams_unbuffered(front, beside, NONE, NONE),
        "limits": not_throttled(gathered(NONE, (versions,), product, routes, NONE), NONE, NONE, OutboundLimit()),
    }


def verdicts(found: dict[str, Finding]) -> dict[str, Verdict]:
    return {name: finding.verdict for name, finding in found.items() if finding.verdict is not Verdict.PASS}


def test_nginx_with_the_recommended_settings_is_sound(tmp_path: Path) -> None:
    assert verdicts(judged("nginx", tmp_path, RECOMMENDED)) == {}


def test_haproxy_is_sound(tmp_path: Path) -> None:
    assert verdicts(judged("haproxy", tmp_path)) == {}


def test_nginx_by_default_cuts_bodies_at_one_mib(tmp_path: Path) -> None:
    found = judged("nginx", tmp_path, mode=Mode(deep=True))
    assert found["accepts"].verdict is Verdict.FAIL
    assert "413 from nginx" in found["accepts"].summary
    assert "the limit is 1.0 MiB, nginx's default" in found["accepts"].summary
    assert "what passes at most: a URL of 8 KiB" in found["accepts"].summary


def test_nginx_by_default_holds_streams_back(tmp_path: Path) -> None:
    found = judged("nginx", tmp_path, "client_max_body_size 16m;")
    assert verdicts(found) == {"streams": Verdict.FAIL}


def test_nginx_that_hides_a_header(tmp_path: Path) -> None:
    found = judged("nginx", tmp_path, RECOMMENDED, "proxy_hide_header x-bt-internal-trace-id;")
    assert verdicts(found) == {"headers": Verdict.FAIL}


def test_nginx_that_limits_the_rate(tmp_path: Path) -> None:
    found = judged("nginx", tmp_path, RECOMMENDED, "limit_req zone=z burst=6 nodelay; limit_req_status 429;")
    assert found["limits"].verdict is Verdict.WARN
    assert "429 by nginx" in found["limits"].summary


def test_nginx_without_a_route(tmp_path: Path) -> None:
    settings = RECOMMENDED + "location /v1/proxy { proxy_pass http://127.0.0.1:1; } location /otel { return 404; }"
    found = judged("nginx", tmp_path, settings)
    assert found["routes"].verdict is Verdict.FAIL
    assert "2 of 8 classes" in found["routes"].summary


@pytest.mark.parametrize(
    ("product", "settings", "trait"),
    [
        ("haproxy", "http-request deny if { method PATCH }", Trait.METHOD),
        ("haproxy", "http-request deny deny_status 413 if { req.body_size gt 1000000 }", None),
        ("nginx", RECOMMENDED + "if ($request_method = DELETE) { return 405; }", Trait.METHOD),
        ("nginx", RECOMMENDED + "large_client_header_buffers 4 2k;", Trait.URL),
        ("haproxy", "http-request deny if { req.hdr(expect) -m found }", Trait.EXPECT),
        ("haproxy", "http-request deny if { req.hdr(content-encoding) -m found }", Trait.CODING),
    ],
)
def test_gateways_that_refuse_a_kind_of_request(
    product: str, settings: str, trait: Trait | None, tmp_path: Path
) -> None:
    found = judged(product, tmp_path, settings)["accepts"]
    assert found.verdict is (Verdict.FAIL if trait in {Trait.METHOD, None} else Verdict.WARN)
    assert {"haproxy": "HAProxy", "nginx": "nginx"}[product] in found.summary
