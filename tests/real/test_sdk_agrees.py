"""The verdict on constrained SDKs is what real SDKs do on the same data plane.

Runs the Python SDK in the versions that tests/sdks.sh fetches; without them the tests are skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.cli import CLEAN, btdiag

pytestmark = pytest.mark.real

SDKS = Path(os.environ.get("BTDIAG_SDKS", Path.home() / ".cache" / "btdiag-sdks"))
VERSIONS = ("0.34.0", "0.36.0", "0.48.1")
KEY = "sk-none-such"
ID = "00000000-0000-4000-8000-000000000001"
PROJECT = {"id": ID, "name": "p", "org_id": ID}
EXPERIMENT = {"id": ID, "name": "e", "project_id": ID}

PROGRAM = """
import os, sys, braintrust
url, flow = sys.argv[1:]
if flow == "experiment":
    one = braintrust.init(project="p", experiment="e", app_url=url, api_key=os.environ["KEY"])
    one.log(input="row-of-test", output="x", scores={})
else:
    one = braintrust.init_logger(project="p", app_url=url, api_key=os.environ["KEY"])
    one.log(input="row-of-test", output="x")
one.flush()
"""


@dataclass
class DataPlane:
    """A data plane that answers every SDK call, but for what is taken out or replaced (path to status and body)."""

    replaced: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    received: list[bytes] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        for prefix, answer in self.replaced.items():
            if path.startswith(prefix):
                return answer
        if path.startswith("/logs3"):
            self.received.append(body)
        known: dict[str, object] = {
            "/": "hello",
            "/version": {"version": "1", "logs3_payload_max_bytes": None},
            "/api/apikey/login": {"org_info": [{"id": ID, "name": "o", "api_url": self.url, "proxy_url": self.url}]},
            "/api/project/register": {"project": PROJECT},
            "/api/project": [PROJECT],
            "/api/experiment/register": {"project": PROJECT, "experiment": EXPERIMENT},
            "/api/dataset/register": {"project": PROJECT, "dataset": EXPERIMENT},
            "/v1/project": PROJECT,
            "/v1/experiment": EXPERIMENT,
            "/logs3": {"ids": ["1"]},
        }
        found = known.get(path.partition("?")[0])
        return (404, b'{"error":"Not Found"}') if found is None else (200, json.dumps(found).encode())


@contextmanager
def serving(plane: DataPlane) -> Iterator[DataPlane]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content = plane.answer(self.path, body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if content[:1] != b"<" else "text/html")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        plane.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield plane
        finally:
            server.shutdown()


def sdk_works(version: str, plane: DataPlane, flow: str) -> bool:
    """Whether the row that a program logs with the real SDK arrives."""
    plane.received.clear()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, plane.url, flow],
        env={**CLEAN, "PYTHONPATH": str(SDKS / f"python-{version}"), "KEY": KEY, "BRAINTRUST_HTTP_TIMEOUT": "5"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    return done.returncode == 0 and any(b"row-of-test" in body for body in plane.received)


def verdict(version: str, plane: DataPlane) -> str:
    """What btdiag says of the same SDK."""
    done = btdiag(
        *("run", "--target", plane.url, "--app-url", plane.url, "--sdk", f"python={version}"),
        *("--only", "sdk", "--quick", "--browser", "none", "--format", "json", "--no-files"),
    )
    sdk = {name: found for name, found in done.verdicts.items() if name.startswith("sdk.") and "app-url" not in name}
    return "fail" if "fail" in sdk.values() else "pass" if "pass" in sdk.values() else str(sdk)


NOT_FOUND = (404, b'{"error":"Not Found"}')
PLANES = {
    "everything": {},
    "nothing proxied": {"/api/": NOT_FOUND},
    "only login": {"/api/project": NOT_FOUND, "/api/experiment": NOT_FOUND, "/api/dataset": NOT_FOUND},
    "no project register": {"/api/project/register": NOT_FOUND},
    "no version": {"/version": NOT_FOUND},
    "login null": {"/api/apikey/login": (200, b"null")},
    "login page": {"/api/apikey/login": (200, b"<html><body>Sign in</body></html>")},
}


@pytest.mark.parametrize("name", PLANES)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_verdict_is_what_the_sdk_does(version: str, name: str) -> None:
    if not (SDKS / f"python-{version}").is_dir():
        pytest.skip(f"tests/sdks.sh has not fetched braintrust {version}")
    with serving(DataPlane(replaced=PLANES[name])) as plane:
        works = all(sdk_works(version, plane, flow) for flow in ("experiment", "logger"))
        assert verdict(version, plane) == ("pass" if works else "fail")
