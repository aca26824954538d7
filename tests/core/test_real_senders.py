"""The pages and silences of real nginx and HAProxy are told from each other and explained."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from btdiag.core.answers import in_words
from btdiag.core.exchange import Exchange
from btdiag.core.finding import HopName
from btdiag.core.sender import sender
from btdiag.core.statuses import explain_answer
from btdiag.net.limits import Limits
from btdiag.net.wire import Wire
from tests.support.serving import http_target, route_to

pytestmark = pytest.mark.real

NGINX = """
daemon off; pid {directory}/pid; error_log {directory}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};
  uwsgi_temp_path {directory}; scgi_temp_path {directory};
  server {{
    listen 127.0.0.1:{port};
    location = /502 {{ proxy_pass http://127.0.0.1:{dead}; }}
    location = /504 {{ proxy_pass http://127.0.0.1:{silent}; proxy_read_timeout 1s; }}
    location = /403 {{ return 403; }}
    location = /429 {{ return 429; }}
    location = /444 {{ return 444; }}
    location = /301 {{ return 301 https://other.example/; }}
    location / {{ return 404; }}
  }}
}}
"""

HAPROXY = """
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 1s
frontend front
  bind 127.0.0.1:{port}
  http-request deny if {{ path /403 }}
  http-request deny deny_status 429 if {{ path /429 }}
  use_backend dead if {{ path /503 }}
  use_backend silent if {{ path /504 }}
  default_backend dead
backend dead
  server one 127.0.0.1:{dead}
backend silent
  server one 127.0.0.1:{silent}
"""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError(f"the server on port {port} did not start")


@contextlib.contextmanager
def _running(command: list[str], config: str, directory: Path) -> Iterator[int]:
    port, dead = _free_port(), _free_port()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        path = directory / "config"
        filled = config.format(directory=directory, port=port, dead=dead, silent=silent.getsockname()[1])
        path.write_text(filled)
        log = (directory / "log").open("wb")
        with log, subprocess.Popen([*command, str(path)], stdout=log, stderr=log) as process:
            try:
                _wait_for(port, process)
                yield port
            finally:
                process.terminate()
                process.wait(5)


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    directory = tmp_path_factory.mktemp("nginx")
    with _running([binary, "-p", str(directory), "-c"], NGINX, directory) as port:
        yield port


@pytest.fixture(scope="module")
def haproxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    binary = shutil.which("haproxy") or "/usr/sbin/haproxy"
    with _running([binary, "-db", "-f"], HAPROXY, tmp_path_factory.mktemp("haproxy")) as port:
        yield port


def _get(port: int, path: str) -> Exchange:
    target = http_target(port)
    wire = Wire(target, user_agent="btdiag/test")
    return asyncio.run(wire.exchange(route_to(port), "GET", target.url_for(path), limits=Limits(total=5)))


@pytest.mark.parametrize("status", [403, 404, 429, 502, 504])
def test_nginx_page(nginx: int, status: int) -> None:
    seen = _get(nginx, f"/{status}")
    assert in_words(seen) == f"{status} from nginx"
    assert explain_answer(seen).hop is HopName.LOAD_BALANCER


def test_nginx_that_hangs_up(nginx: int) -> None:
    seen = _get(nginx, "/444")
    assert in_words(seen) == "a closed connection"


def test_nginx_redirect(nginx: int) -> None:
    seen = _get(nginx, "/301")
    assert in_words(seen) == "301 to https://other.example/"
    assert "another host" in explain_answer(seen).cause


@pytest.mark.parametrize("status", [403, 429, 503, 504])
def test_haproxy_page(haproxy: int, status: int) -> None:
    seen = _get(haproxy, f"/{status}")
    assert (seen.status, sender(seen).name) == (status, "HAProxy")
    assert explain_answer(seen).hop is HopName.LOAD_BALANCER
