"""Logs that real nginx, HAProxy and Caddy write before a backend with faults: every lost request is named or narrowed
to what was done to it, no good one is called faulty, and the race is proved where it was staged.

The backend closes connections that idle for `K` seconds; a link of 20 ms lies between, so that the race can be met.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from btdiag.lab.link import Link
from btdiag.lab.net import Listeners, bound
from btdiag.logs import joining
from btdiag.logs.judging import JudgedFile, judge_log
from tests.logs.cases import read
from tests.support.tools import need

pytestmark = [pytest.mark.real]

K, DELAY = 1.0, 0.02
VISITORS, LATE = 4, 3
FAULTS = {
    "cut": "cut_midbody",
    "never": "upstream_timeout",
    "hangs-up": "backend_closed",
    "own-error": "app_5xx",
    "headers": "response_too_large",
    "refused": "refused",
    "preflight": "cors_preflight_refused",
}
"""What the last word of a path does to the request, and the kind that is then true of it."""

NGINX = """
daemon off; worker_processes 1; pid DIR/nginx.pid; error_log DIR/error.log;
events { worker_connections 256; }
http {
  log_format rich '$remote_addr - - [$time_local] "$request" $status $body_bytes_sent "-" "$http_user_agent" msec=$msec'
    ' rt=$request_time uct=$upstream_connect_time uht=$upstream_header_time urt=$upstream_response_time'
    ' ua="$upstream_addr" us="$upstream_status" ubr="$upstream_bytes_received" c=$connection';
  access_log DIR/access.log rich;
  client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f;
  uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
  upstream api { server 127.0.0.1:BACKEND; keepalive 64; keepalive_timeout 20s; }
  upstream dead { server 127.0.0.1:DEAD; }
  server {
    listen 127.0.0.1:PORT;
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_read_timeout 500ms;
    location / { proxy_pass http://api; }
    location /refused { proxy_pass http://dead; }
  }
}
"""
HAPROXY = """
global
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  option abortonclose
  retries 1
  timeout connect 300ms
  timeout client 20s
  timeout server 500ms
frontend front
  bind 127.0.0.1:PORT
  use_backend dead if { path_beg /refused }
  default_backend api
backend api
  http-reuse always
  server s1 127.0.0.1:BACKEND
backend dead
  server s1 127.0.0.1:DEAD
"""
CADDY = """
{
  admin off
  auto_https off
  storage file_system DIR/caddy
}
http://:PORT {
  bind 127.0.0.1
  log {
    output file DIR/access.log
    format json
  }
  handle /refused* {
    reverse_proxy 127.0.0.1:DEAD
  }
  handle {
    reverse_proxy 127.0.0.1:BACKEND {
      transport http {
        keepalive 20s
        response_header_timeout 500ms
        max_response_header 4096
      }
    }
  }
}
"""


@dataclass(frozen=True)
class Written:
    """What one load balancer wrote: its files judged together, and what each request's client got, by path."""

    files: list[JudgedFile]
    answers: dict[str, int]

    def kinds(self) -> dict[str, list[tuple[tuple[str, ...], bool]]]:
        """What was found of each path that failed."""
        found: dict[str, list[tuple[tuple[str, ...], bool]]] = {}
        for one in self.files:
            for event in one.account.failures:
                fits = event.joined if event.joined is not None else event.fits
                found.setdefault(event.path.decode(), []).append((fits, event.sure))
        return found


async def backend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
        while True:
            async with asyncio.timeout(K):
                head = await reader.readuntil(b"\r\n\r\n")
            if b"content-length: 1\r\n" in head.lower():
                await reader.readexactly(1)
            if not await respond(head.split(b" ")[1].rpartition(b"/")[2], writer):
                break
    writer.close()


async def respond(word: bytes, writer: asyncio.StreamWriter) -> bool:
    """Answer as the path's last word says; whether the connection lives on."""
    if word == b"cut":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + b"x" * 400)
        await asyncio.sleep(0.1)
        return False
    if word in (b"never", b"hangs-up"):
        await asyncio.sleep(3.0 if word == b"never" else 0.3)
        return False
    if word == b"headers":
        writer.write(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 60_000 + b"\r\nContent-Length: 0\r\n\r\n")
        return True
    status = {b"own-error": b"503 Unavailable", b"preflight": b"403 Forbidden"}.get(word, b"200 OK")
    writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\n{}")
    return True


async def ask(port: int, path: str, method: str = "POST") -> int:
    """The status on a connection of its own, 0 for none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b"x" if method == "POST" else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    with contextlib.suppress(OSError):
        answer = await reader.read()
        writer.close()
        return int(answer.split(b" ")[1]) if answer.startswith(b"HTTP/1.") else 0
    return 0


async def visit(port: int, name: str, answers: dict[str, int]) -> None:
    """Good requests at several ages, and each time one when the backend is just closing."""
    for turn in range(LATE):
        for step, pause in enumerate((0.05, 0.15, 0.05)):
            await asyncio.sleep(pause)
            answers[f"/{name}/{turn}/{step}"] = await ask(port, f"/{name}/{turn}/{step}")
        await asyncio.sleep(K - DELAY)
        answers[f"/late/{name}/{turn}"] = await ask(port, f"/late/{name}/{turn}")


async def traffic(port: int) -> dict[str, int]:
    """All visitors at once, then the faults one by one, each with good requests around it."""
    answers: dict[str, int] = {}
    await asyncio.gather(*(visit(port, f"v{number}", answers) for number in range(VISITORS)))
    for word in FAULTS:
        path = f"/refused/{word}" if word == "refused" else f"/fault/{word}"
        answers[path] = await ask(port, path, "OPTIONS" if word == "preflight" else "POST")
        answers[f"/after/of-{word}"] = await ask(port, f"/after/of-{word}")
    return answers


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@contextlib.contextmanager
def running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    """A server that takes connections by now; what it says goes to a file."""
    with (folder / "said.log").open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        try:
            for _ in range(200):
                if process.poll() is not None:
                    break
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 0.2).close()
                    break
                time.sleep(0.05)
            yield
        finally:
            process.terminate()


@contextlib.asynccontextmanager
async def linked_backend() -> AsyncIterator[int]:
    """The backend's port, behind the link."""
    listeners, near, far = Listeners(), bound("127.0.0.1"), bound("127.0.0.1")
    link = Link("127.0.0.1", near.getsockname()[1], delay=DELAY, drops_idle_after=None)
    listeners.keep(near, far)
    try:
        await listeners.listen(near, backend)
        await listeners.listen(far, link.serve)
        yield far.getsockname()[1]
    finally:
        await listeners.close()


def written_by(folder: Path, config: str, name: str, command: Callable[[str], list[str]], *files: str) -> Written:
    """Start one load balancer, send the traffic through it, and judge what it wrote."""

    async def run() -> dict[str, int]:
        async with linked_backend() as port:
            front = free_port()
            text = config.replace("BACKEND", str(port)).replace("DEAD", str(free_port())).replace("PORT", str(front))
            (folder / name).write_text(text.replace("DIR", str(folder)))
            with running(command(str(folder / name)), folder, front):
                answers = await traffic(front)
                await asyncio.sleep(0.1)
            return answers

    answers = asyncio.run(run())
    judged = [judge_log(read(folder / file)) for file in files]
    joining.join(judged)
    return Written(files=judged, answers=answers)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Written]:
    """By all of them at once: most of it is waiting."""
    programs = {name: need(name) for name in ("nginx", "haproxy", "caddy")}
    at = {name: tmp_path_factory.mktemp(name) for name in programs}
    with ThreadPoolExecutor(3) as pool:
        nginx = pool.submit(
            written_by, at["nginx"], NGINX, "nginx.conf",
            lambda file: [programs["nginx"], "-c", file, "-e", f"{at['nginx']}/error.log"], "access.log", "error.log",
        )  # fmt: skip
        haproxy = pool.submit(
            written_by, at["haproxy"], HAPROXY, "haproxy.cfg", lambda file: [programs["haproxy"], "-f", file],
            "said.log",
        )  # fmt: skip
        caddy = pool.submit(
            written_by, at["caddy"], CADDY, "Caddyfile", lambda file: [programs["caddy"], "run", "--config", file],
            "access.log", "said.log",
        )  # fmt: skip
        return {"nginx": nginx.result(), "haproxy": haproxy.result(), "caddy": caddy.result()}


EACH = pytest.mark.parametrize("name", ["nginx", "haproxy", "caddy"])


def truth(path: str) -> str:
    """The kind that is true of a request that was lost."""
    return "race" if path.startswith("/late/") else FAULTS.get(path.rpartition("/")[2], "")


@EACH
def test_every_lost_request_is_named_or_narrowed_to_what_happened(name: str, written: dict[str, Written]) -> None:
    told = written[name]
    found = told.kinds()
    lost = {path for path, status in told.answers.items() if status != 200}
    assert {f"/fault/{word}" for word in FAULTS if word not in ("cut", "refused")} | {"/refused/refused"} <= lost
    assert lost <= set(found)
    for path in lost:
        for fits, sure in found[path]:
            assert truth(path) in fits, (path, fits)
            assert fits == (truth(path),) or not sure


@EACH
def test_good_requests_are_called_good_and_all_lines_are_read(name: str, written: dict[str, Written]) -> None:
    told = written[name]
    good = {path for path, status in told.answers.items() if status == 200 and truth(path) != "cut_midbody"}
    assert not good & set(told.kinds())
    assert told.files[0].account.requests == len(told.answers)
    assert all(one.account.malformed == 0 for one in told.files)


@EACH
def test_an_answer_that_was_cut_is_seen_where_the_logs_show_it(name: str, written: dict[str, Written]) -> None:
    told = written[name]
    kinds = told.kinds()
    assert (kinds.get("/fault/cut") or kinds[""]) == [(("cut_midbody",), True)]  # Caddy's error names no request


@pytest.mark.parametrize("name", ["nginx", "haproxy"])
def test_the_race_is_proved_where_it_was_met_often_enough(name: str, written: dict[str, Written]) -> None:
    """A busy machine misses the moment; what was lost is then named all the same, as the test above has it."""
    told = written[name]
    raced = sum(status != 200 for path, status in told.answers.items() if path.startswith("/late/"))
    access = told.files[0]
    assert access.proved or raced < LATE
    if access.proved:
        assert access.cluster is not None
        assert access.cluster.k_s == pytest.approx(K, abs=2.5 * DELAY)


def test_caddy_proves_no_more_than_it_saw(written: dict[str, Written]) -> None:
    """Go repeats most of what is lost so: what is left may be too little for a proof, and never another K."""
    for one in written["caddy"].files:
        assert not one.proved or (one.cluster is not None and abs(one.cluster.k_s - K) < 0.15)
