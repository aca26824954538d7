"""For tests: many data planes in one process, each on a port of its own, that answer what SDKs ask, but for faults.

An answer depends on who asks (by the API key), so that "the first login is refused" holds for each SDK alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

ID = "00000000-0000-4000-8000-000000000001"
ROW = b"row-of-test"
_PROJECT = {"id": ID, "name": "p", "org_id": ID}
_OBJECT = {"id": ID, "name": "e", "project_id": ID, "public": False, "created": "2030-01-01T00:00:00Z"}
_SUMMARY = {"project_name": "p", "experiment_name": "e", "project_url": "", "experiment_url": "", "scores": {}}
_KNOWN: Mapping[str, object] = {
    "/version": {"version": "1", "logs3_payload_max_bytes": None},
    "/ping": {"id": ID, "email": "someone@example.com"},
    "/logs3": {"ids": [ID]},
    "/api/project": _PROJECT,
    "/api/project/register": {"project": _PROJECT},
    "/api/experiment/get": [_OBJECT],
    "/api/experiment/register": {"project": _PROJECT, "experiment": _OBJECT},
    "/api/dataset/register": {"project": _PROJECT, "dataset": _OBJECT},
    "/api/base_experiment/get_id": {"base_exp_id": ID, "base_exp_name": "base"},
    "/experiment-comparison2": {"scores": {}, "metrics": {}},
    "/v1/project": {**_PROJECT, "objects": [_PROJECT]},
    f"/v1/project/{ID}": _PROJECT,
    "/v1/experiment": {**_OBJECT, "objects": [_OBJECT]},
    f"/v1/experiment/{ID}": _OBJECT,
    f"/v1/experiment/{ID}/summarize": _SUMMARY,
    f"/v1/experiment/{ID}/fetch": {"events": [], "cursor": None},
    "/v1/dataset": {**_OBJECT, "objects": [_OBJECT]},
    f"/v1/dataset/{ID}": _OBJECT,
    "/btql": {"data": [], "cursor": None},
}
ALL_SDKS = ("--sdk", "python=0.34.0", "--sdk", "python=0.36.0", "--sdk", "python=0.48.1", "--sdk", "js=3.35.0")
_OPEN = frozenset({"/", "/version"})  # answered without a key


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is answered in place of the right answer, or how the right one is spoilt (`status` None)."""

    status: int | None = None
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    delay: float = 0.0  # seconds before the answer
    silent: bool = False  # takes the request and never answers
    drops: bool = False  # closes the connection without an answer
    times: int | None = None  # how often, for each client; for ever
    cut: bool = False  # says a longer body than it sends, and closes
    keyless: bool = True  # also where no key came with the request


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An answer for the paths that begin with `path`; with `exactly`, for that path alone."""

    path: str
    answer: Answer
    method: str = ""
    exactly: bool = False

    def covers(self, method: str, path: str) -> bool:
        """Whether it speaks of that request."""
        named = path == self.path if self.exactly else path.startswith(self.path)
        return named and self.method in {"", method}


@dataclass(frozen=True, kw_only=True)
class Plane:
    """A data plane: `rules` replace answers, the first that covers a request wins. `organisations` is what login tells,
    with the URLs of `Stage.places` by their names; `environment` what its SDKs are given beside app URL and key.

    Where SDKs are hurt the checks of SDKs tell `told_as`, with a table of what becomes of each flow; where it is
    another check's finding, `told_by` names that, and `hurts` says whether SDKs are."""

    name: str
    rules: tuple[Rule, ...] = ()
    organisations: tuple[Mapping[str, object], ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    scheme: str = "https"
    trusted: bool = True
    host: str = "127.0.0.1"
    patience: float = 20.0  # seconds that an SDK's request may take: less where something never answers
    options: tuple[str, ...] = ALL_SDKS
    told_as: str = "fail"
    told_by: str = ""
    hurts: bool = True


@dataclass(frozen=True, kw_only=True)
class Contexts:
    """TLS with a certificate that clients trust, and with one that they do not."""

    trusted: ssl.SSLContext
    foreign: ssl.SSLContext


class Stage:
    """Serves planes on loopback. `arrived` has the keys under which a row came to each plane, or to where it leads."""

    def __init__(self, planes: Sequence[Plane], contexts: Contexts) -> None:
        self.planes = planes
        self.arrived: set[str] = set()
        self.asked: list[tuple[str, str, str]] = []  # plane, method, path
        self._contexts = contexts
        self._ports: dict[str, int] = {}
        self._plain: dict[str, int] = {}
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = _closed_port()

    def url(self, plane: Plane) -> str:
        """The address of a plane."""
        return f"{plane.scheme}://{plane.host}:{self._ports[plane.name]}"

    def places(self, plane: Plane) -> dict[str, str]:
        """The addresses that `organisations` and `environment` may name."""
        port = self._ports[plane.name]
        return {
            "url": self.url(plane),
            "port": str(port),
            "closed": f"https://127.0.0.1:{self._closed}",
            "plain": f"http://127.0.0.1:{port}",
            "redirecting": f"http://127.0.0.1:{self._plain[plane.name]}",
            "misdirected": f"https://127.0.0.1:{self._ports['misdirected']}",
            "other": f"https://127.0.0.1:{self._ports['everything']}",
        }

    def environment(self, plane: Plane) -> dict[str, str]:
        """What the SDKs of a plane are given."""
        given = {name: value.format(**self.places(plane)) for name, value in plane.environment.items()}
        return {"BRAINTRUST_APP_URL": self.url(plane), **given}

    @contextlib.contextmanager
    def serving(self) -> Iterator[Stage]:
        """Serve all planes from a thread until the block ends."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        servers = asyncio.run_coroutine_threadsafe(self._start(), loop).result(30)
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(self._stop(servers), loop).result(30)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(30)
            loop.close()

    async def _start(self) -> list[asyncio.Server]:
        servers = []
        for plane in self.planes:
            context = self._contexts.trusted if plane.trusted else self._contexts.foreign
            tls = context if plane.scheme == "https" else None
            servers.append(await self._listen(plane, tls))
            self._ports[plane.name] = servers[-1].sockets[0].getsockname()[1]
            servers.append(await self._listen(plane, None, redirects=True))
            self._plain[plane.name] = servers[-1].sockets[0].getsockname()[1]
        return servers

    async def _listen(self, plane: Plane, tls: ssl.SSLContext | None, *, redirects: bool = False) -> asyncio.Server:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
                    while await self._serve_one(plane, reader, writer, redirects=redirects):
                        pass
            finally:
                self._tasks.discard(task)
                writer.transport.abort()

        return await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls, limit=1 << 20)

    async def _stop(self, servers: Sequence[asyncio.Server]) -> None:
        for server in servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    async def _serve_one(
        self, plane: Plane, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, redirects: bool
    ) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        start, *lines = head.split("\r\n")
        method, target, _ = start.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length") or 0))
        path = target.partition("?")[0]
        key = headers.get("authorization", "").removeprefix("Bearer ")
        if redirects:
            _write(writer, 301, b"", [("Location", self.url(plane) + target)])
            return True
        self.asked.append((plane.name, method, path))
        answer = self._answer(plane, method, path, key)
        return await self._say(plane, writer, answer, (method, path, key, body))

    def _answer(self, plane: Plane, method: str, path: str, key: str) -> Answer:
        """The first rule's that covers the request and is not used up."""
        for rule in plane.rules:
            if not rule.covers(method, path) or not (key or rule.answer.keyless):
                continue
            self._counts[plane.name, rule.path, key] += 1
            if rule.answer.times is None or self._counts[plane.name, rule.path, key] <= rule.answer.times:
                return rule.answer
        return Answer()

    async def _say(
        self, plane: Plane, writer: asyncio.StreamWriter, answer: Answer, asked: tuple[str, str, str, bytes]
    ) -> bool:
        method, path, key, body = asked
        if answer.silent:
            await asyncio.sleep(3600)
        if answer.drops:
            return False
        await asyncio.sleep(answer.delay)
        if answer.status is not None:
            headers = [(n, v.format(**self.places(plane)) if n == "Location" else v) for n, v in answer.headers]
            _write(writer, answer.status, answer.body, headers, method=method)
            return True
        status, content = self._right(plane, method, path, key)
        if status == 200 and path == "/logs3" and ROW in body:
            self.arrived.add(key)
        more = [header for header in answer.headers if header[0] != "Content-Type"]
        content = _encoded(content, dict(more).get("Content-Encoding"))
        _write(writer, status, content, [("Content-Type", "application/json"), *more], method=method, cut=answer.cut)
        return not answer.cut

    def _right(self, plane: Plane, method: str, path: str, key: str) -> tuple[int, bytes]:
        if path == "/":
            return 200, b"Hello, World!"
        if method == "OPTIONS":
            return 204, b""
        known = path in _KNOWN or path == "/api/apikey/login"
        if not known:
            return 404, b'{"error":"Not Found"}'
        if path not in _OPEN and not key:
            return 401, b'{"error":"Unauthorized"}'
        found = {"org_info": self._organisations(plane)} if path == "/api/apikey/login" else _KNOWN[path]
        return 200, json.dumps(found).encode()

    def _organisations(self, plane: Plane) -> list[dict[str, object]]:
        told = plane.organisations if plane.organisations is not None else ({},)
        places = self.places(plane)
        base: dict[str, object] = {"id": ID, "name": "o", "api_url": "{url}", "proxy_url": "{url}"}
        merged = [{**base, **one} for one in told]
        return [{k: v.format(**places) if isinstance(v, str) else v for k, v in one.items()} for one in merged]


def _encoded(content: bytes, coding: str | None) -> bytes:
    """The body, compressed where its Content-Encoding says gzip; what says x-gzip is none."""
    return gzip.compress(content) if coding == "gzip" else content


def _write(
    writer: asyncio.StreamWriter,
    status: int,
    body: bytes,
    headers: Sequence[tuple[str, str]],
    *,
    method: str = "GET",
    cut: bool = False,
) -> None:
    length = len(body) + (100 if cut else 0)
    lines = [f"HTTP/1.1 {status} -", f"Content-Length: {length}", *(f"{name}: {value}" for name, value in headers)]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if method == "HEAD" else body))


def _closed_port() -> int:
    """A port of loopback that nothing listens on: bound for a moment, and given back."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
