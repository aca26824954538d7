"""For tests: stages a lab scenario in this process or as one of its own, and asks it with the standard library."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from btdiag.lab.plan import HOST, LabPlan
from btdiag.lab.scenario import find
from btdiag.lab.world import World

Target = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as http.client saw it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        return next(iter(self.values(name)), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@contextlib.asynccontextmanager
async def staged(what: str | LabPlan) -> AsyncIterator[Target]:
    """The target of a scenario, by name, or of a plan, served in the running event loop."""
    scenario = find(what) if isinstance(what, str) else None
    plan = scenario.plan if scenario else what
    assert isinstance(plan, LabPlan), what
    with tempfile.TemporaryDirectory() as folder:
        async with World(plan, Path(folder)) as told:
            target = told["target"]
            assert isinstance(target, dict)
            yield target


@contextlib.contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The lab as a process; killed at the end if it still lives."""
    command = [sys.executable, "-W", "error", "-m", "btdiag.lab", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as started:
        try:
            yield started
        finally:
            started.kill()


def port_of(target: Target) -> int:
    return int(target["url"].rpartition(":")[2])


def trusting(target: Target) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=target["ca"])
    if "client_cert" in target:
        context.load_cert_chain(target["client_cert"], target["client_key"])
    return context


def careless() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def connect(
    target: Target, address: str = "127.0.0.2", context: ssl.SSLContext | None = None, timeout: float = 5.0
) -> ssl.SSLSocket:
    """A TLS connection to one address of the load balancer."""
    raw = socket.create_connection((address, port_of(target)), timeout)
    try:
        return (context or trusting(target)).wrap_socket(raw, server_hostname=HOST)
    except BaseException:
        raw.close()
        raise


def ask(
    target: Target,
    path: str = "/",
    *,
    method: str = "GET",
    address: str = "127.0.0.2",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    context: ssl.SSLContext | None = None,
) -> Answer:
    """One request over TLS to one address of the load balancer."""
    with connect(target, address, context) as sock:
        return exchange(sock, port_of(target), path, method=method, headers=headers, body=body)


def ask_plain(
    port: int,
    path: str = "/",
    *,
    method: str = "GET",
    address: str = "127.0.0.1",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """One request over plain HTTP."""
    with socket.create_connection((address, port), 5.0) as sock:
        return exchange(sock, port, path, method=method, headers=headers, body=body)


def exchange(
    sock: socket.socket,
    port: int,
    path: str = "/",
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """One request on a connection, which stays open."""
    connection = http.client.HTTPConnection(HOST, port)
    connection.sock = sock
    connection.request(method, path, body=body, headers=dict(headers or {}))
    with connection.getresponse() as response:
        return Answer(response.status, tuple(response.getheaders()), response.read())


def url_port(url: str) -> int:
    return int(url.rpartition(":")[2])
