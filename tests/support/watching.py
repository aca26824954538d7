"""For tests: `btdiag serve` as a process, and a data plane that comes and goes."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

from tests.support.cli import CLEAN

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Watcher:
    """A serving process: where it is reached, and what it said until then."""

    process: subprocess.Popen[str]
    port: int
    said: str

    @property
    def url(self) -> str:
        """The page of all targets."""
        return f"http://127.0.0.1:{self.port}/"

    def text(self, path: str) -> str:
        """What is answered to a GET."""
        with urlopen(self.url + path.removeprefix("/"), timeout=PATIENCE_S) as answer:
            return str(answer.read().decode())


@contextmanager
def watcher(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Watcher]:
    """`btdiag serve` with these arguments, with its files in the folder; killed at the end."""
    command = [sys.executable, "-m", "btdiag", "serve", "--listen", "127.0.0.1:0", *arguments]
    environment = CLEAN | {"PYTHONPATH": str(ROOT), "BTDIAG_STORE": str(folder / "s.sqlite"), **(env or {})}
    process = subprocess.Popen(command, cwd=folder, env=environment, text=True, stderr=subprocess.PIPE)
    try:
        yield _announced(process)
    finally:
        process.kill()
        process.communicate()


def _announced(process: subprocess.Popen[str]) -> Watcher:
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if found := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
            return Watcher(process, int(found[1]), said)
    raise AssertionError(said)


class Healthy(BaseHTTPRequestHandler):
    """Answers what readiness asks for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """/version as JSON, all else as the API server's greeting."""
        body = b'{"version": "1"}' if self.path == "/version" else b"Hello World!"
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if self.path == "/version" else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


class Daemonic(ThreadingHTTPServer):
    """Waits for no client at its end."""

    block_on_close = False
    allow_reuse_address = True


@contextmanager
def healthy(port: int = 0) -> Iterator[int]:
    """A data plane over plain http on loopback; gives its port."""
    server = Daemonic(("127.0.0.1", port), Healthy)
    thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def until(true: Callable[[], object]) -> None:
    """Wait for it; AssertionError where it never comes."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)
