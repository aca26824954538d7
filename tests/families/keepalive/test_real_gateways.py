"""Real nginx and HAProxy before real Node, uvicorn and gunicorn: a race is proved where there is one, and only there.

Each server is started for one test on free loopback ports; nothing lies between them, the hardest case: four idle
periods may be needed, and one in a hundred runs may find nothing. Hence `found` tries a second time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from btdiag.core.finding import Finding, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.target import Mode, Route, Target, Way
from btdiag.families.keepalive.aim import PERIODS
from btdiag.families.keepalive.facts import Answerer, Race
from btdiag.families.keepalive.judge.contained import race_is_contained
from btdiag.families.keepalive.judge.outlives import backend_outlives
from btdiag.families.keepalive.probe.race import race
from btdiag.net.wire import Wire
from tests.support.tools import lacking

pytestmark = [pytest.mark.real, pytest.mark.alone]

NOTHING = NotMeasured(reason="not asked", skipped=True)
NGINX, HAPROXY, NODE = (shutil.which(name) for name in ("nginx", "haproxy", "node"))
NODE_APP = """
const body = JSON.stringify({ error: 'not found' })
const server = require('http').createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    response.writeHead(request.url === '/' ? 200 : 404, { 'content-type': 'application/json' })
    response.end(body)
  })
})
server.keepAliveTimeout = 1000
server.listen(PORT, '127.0.0.1', 2048)
"""
ASGI_APP = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    head = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 404 if scope["path"] != "/" else 200, "headers": head})
    await send({"type": "http.response.body", "body": b"{}"})
"""
WSGI_APP = """
def app(environ, start_response):
    environ["wsgi.input"].read()
    status = "200 OK" if environ["PATH_INFO"] == "/" else "404 Not Found"
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", "2")])
    return [b"{}"]
"""
NGINX_CONFIG = """
daemon off; worker_processes 1; pid DIR/nginx.pid; error_log DIR/error.log crit;
events { worker_connections 2048; }
http {
  access_log off;
  client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
  upstream api { SERVERS keepalive 512; keepalive_timeout IDLEs; }
  server {
    listen 127.0.0.1:PORT backlog=2048;
    EXTRA
    location / { proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
"""
HAPROXY_CONFIG = """
global
  maxconn 2000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:PORT
  default_backend api
backend api
  http-reuse REUSE
  EXTRA
  server api 127.0.0.1:BACKEND pool-max-conn -1
"""


class RealWaits:
    """Waits that really pass, on a target nobody else looks at."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    async def idle(self, seconds: float, what: str) -> None:
        await asyncio.sleep(seconds)

    @contextlib.asynccontextmanager
    async def alone(self, within: float | None = None) -> AsyncIterator[None]:
        yield

    def remaining(self) -> float:
        return self._end - time.monotonic()


@dataclass
class Rig:
    """Starts servers, and stops them at the end."""

    directory: Path
    processes: list[subprocess.Popen[bytes]]

    def start(self, *command: str) -> None:
        quiet = subprocess.DEVNULL
        self.processes.append(subprocess.Popen(command, cwd=self.directory, stdout=quiet, stderr=quiet))

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(10)
        self.processes.clear()

    def listening(self, start: Callable[[int], None]) -> int:
        """Start on a free port, and wait until it takes connections."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        start(port)
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                return port
            time.sleep(0.05)
        raise AssertionError(f"nothing listens on {port}")

    def written(self, name: str, text: str) -> str:
        path = self.directory / name
        path.write_text(text)
        return str(path)

    def node(self) -> int:
        assert NODE is not None
        return self.listening(
            lambda port: self.start(NODE or "", self.written(f"{port}.js", NODE_APP.replace("PORT", str(port))))
        )

    def uvicorn(self) -> int:
        self.written("asgi.py", ASGI_APP)
        options = ("--timeout-keep-alive", "2", "--log-level", "critical")
        return self.listening(
            lambda port: self.start(sys.executable, "-m", "uvicorn", "asgi:app", "--port", str(port), *options)
        )

    def gunicorn(self) -> int:
        self.written("wsgi.py", WSGI_APP)
        options = ("-k", "gthread", "--threads", "8", "--keep-alive", "2", "--log-level", "critical")
        return self.listening(
            lambda port: self.start(sys.executable, "-m", "gunicorn", "wsgi:app", "-b", f"127.0.0.1:{port}", *options)
        )

    def nginx(self, *backends: int, idle: int = 60, extra: str = "") -> int:
        servers = " ".join(f"server 127.0.0.1:{port};" for port in backends)
        text = NGINX_CONFIG.replace("SERVERS", servers).replace("IDLE", str(idle)).replace("EXTRA", extra)
        text = text.replace("DIR", str(self.directory))
        return self.listening(
            lambda port: self.start(NGINX or "", "-c", self.written("nginx.conf", text.replace("PORT", str(port))))
        )

    def haproxy(self, backend: int, *, reuse: str = "always", extra: str = "") -> int:
        text = HAPROXY_CONFIG.replace("BACKEND", str(backend)).replace("REUSE", reuse).replace("EXTRA", extra)
        return self.listening(
            lambda port: self.start(HAPROXY or "", "-f", self.written("haproxy.cfg", text.replace("PORT", str(port))))
        )


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    for name, found in (("nginx", NGINX), ("haproxy", HAPROXY), ("node", NODE)):
        if found is None:
            lacking(f"{name} is not installed")
    rig = Rig(tmp_path, [])
    yield rig
    rig.stop()


def asked(front: int, *, backend: int | None = None, keepalive: float | None = None) -> tuple[Target, Race]:
    """One induction, as a run makes it."""
    target = Target(
        url=f"http://127.0.0.1:{front}",
        scheme="http",
        host="127.0.0.1",
        port=front,
        backend=f"http://127.0.0.1:{backend}" if backend else None,
        backend_keepalive=keepalive,
    )
    way = Way(route=Route(label="front", address="127.0.0.1", port=front))

    async def run() -> Race:
        wire = Wire(target, user_agent="btdiag/test")
        return await race(target=target, mode=Mode(induce=True), wire=wire, waits=RealWaits(100), serving_way=way)

    files = os.listdir("/proc/self/fd")
    seen = asyncio.run(run())
    assert len(os.listdir("/proc/self/fd")) == len(files), "every connection is closed at the end"
    return target, seen


def asked_of(backend: int) -> Target:
    """A target of which the backend alone is known."""
    url = f"http://127.0.0.1:{backend}"
    return Target(url=url, scheme="http", host="127.0.0.1", port=backend, backend=url)


def judged(front: int, *, backend: int | None = None, keepalive: float | None = None) -> tuple[Finding, Race]:
    target, seen = asked(front, backend=backend, keepalive=keepalive)
    return backend_outlives(target, NOTHING, seen), seen


def found(front: int, *, backend: int | None = None, keepalive: float | None = None) -> tuple[Finding, Race]:
    """The verdict; of a second induction when the first one saw nothing."""
    first = judged(front, backend=backend, keepalive=keepalive)
    return first if first[0].verdict is Verdict.FAIL else judged(front, backend=backend, keepalive=keepalive)


def test_nginx_before_node_measured_past_it(rig: Rig) -> None:
    backend = rig.node()
    finding, seen = found(rig.nginx(backend), backend=backend)
    assert finding.verdict is Verdict.FAIL, finding.summary
    assert "502" in finding.summary
    assert seen.answerer is Answerer.BACKEND
    assert seen.with_hits
    assert not any(period.volley.of("GET")[0] for period in seen.with_hits), "nginx retries GET"


def test_nginx_before_node_declared_with_the_second_that_node_adds(rig: Rig) -> None:
    finding, seen = found(rig.nginx(rig.node()), keepalive=1.0)
    assert finding.verdict is Verdict.FAIL, finding.summary
    assert seen.with_hits[0].aim.keepalive_s == 2.0


def test_nginx_hides_that_it_is_not_node_and_the_second_is_not_added(rig: Rig) -> None:
    finding, seen = found(rig.nginx(rig.uvicorn()), keepalive=2.0)
    assert finding.verdict is Verdict.FAIL, finding.summary
    assert {period.aim.keepalive_s for period in seen.periods} == {2.0}


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_nginx_before_other_servers(rig: Rig, server: str) -> None:
    backend: int = getattr(rig, server)()
    finding, _ = found(rig.nginx(backend), backend=backend)
    assert finding.verdict is Verdict.FAIL, finding.summary


def test_haproxy_gives_empty_replies(rig: Rig) -> None:
    backend = rig.node()
    finding, _ = found(rig.haproxy(backend), backend=backend)
    assert finding.verdict is Verdict.FAIL, finding.summary
    assert "empty close" in finding.summary


def test_haproxy_that_reuses_safely_may_show_it_and_is_not_called_healthy(rig: Rig) -> None:
    backend = rig.node()
    finding, _ = judged(rig.haproxy(backend, reuse="safe"), backend=backend)
    assert finding.verdict in {Verdict.FAIL, Verdict.INCONCLUSIVE}, finding.summary


@pytest.mark.parametrize("balancer", ["nginx", "haproxy"])
def test_a_sound_order_is_never_called_a_race(rig: Rig, balancer: str) -> None:
    backend = rig.node()
    if balancer == "nginx":
        front = rig.nginx(backend, idle=1)
    else:
        front = rig.haproxy(backend, extra="option http-server-close")
    finding, seen = judged(front, backend=backend)
    assert finding.verdict is Verdict.INCONCLUSIVE, finding.summary
    assert not seen.with_hits
    assert len(seen.periods) == PERIODS


@pytest.mark.parametrize("balancer", ["nginx", "haproxy"])
def test_a_retry_hides_the_race_and_is_not_called_healthy(rig: Rig, balancer: str) -> None:
    backend = rig.node()
    if balancer == "nginx":
        front = rig.nginx(backend, extra="proxy_next_upstream error timeout non_idempotent;")
    else:
        front = rig.haproxy(backend, extra="retry-on all-retryable-errors")
    finding, seen = judged(front, backend=backend)
    assert balancer == "haproxy" or not seen.with_hits  # HAProxy cannot send a body again that it had begun to stream
    assert finding.verdict is Verdict.INCONCLUSIVE or (seen.with_hits and finding.verdict is Verdict.FAIL)
    assert seen.with_hits or "retry" in finding.summary


def test_a_gateway_that_throttles_is_left_alone(rig: Rig) -> None:
    backend = rig.node()
    extra = "return 429;"
    finding, seen = judged(rig.nginx(backend, extra=extra), backend=backend)
    assert finding.verdict is Verdict.INCONCLUSIVE, finding.summary
    assert not seen.periods


def test_two_servers_that_nginx_takes_out_are_an_outage(rig: Rig) -> None:
    one, two = rig.node(), rig.node()
    for _ in range(4):  # both have to be hit in one volley
        _, seen = found(rig.nginx(one, two), backend=one)
        contained = race_is_contained(asked_of(one), seen)
        if contained.verdict is Verdict.FAIL:
            break
    assert contained.verdict is Verdict.FAIL, contained.summary
    assert contained.remedy is not None
    assert "max_fails=0" in contained.remedy.text
