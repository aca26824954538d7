"""The API server's stand-in: the product's harmless routes with their CORS; bodies are read and forgotten."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from http import HTTPMethod, HTTPStatus
from typing import TypeAlias
from urllib.parse import parse_qs, urlsplit

from btdiag.lab import cors
from btdiag.lab.http import Malformed, Request, Response
from btdiag.lab.plan import API_KEY, Backend
from btdiag.lab.rules import Answer, Raw, Visit

TEXT = ("Content-Type", "text/plain; charset=utf-8")
JSON = ("Content-Type", "application/json; charset=utf-8")
EVENTS, EVENT_PAUSE, SILENCE = 40, 0.025, 3.2  # seconds between two events, and before the last

REALTIME = "/v1/proxy/realtime"
_WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_ACCEPT = "Sec-WebSocket-Accept"
_CLOSE_FRAME = b"\x88\x00"

Relay: TypeAlias = Callable[[Request, bytes], Awaitable[Response]]


def json_response(status: int, value: object, *headers: tuple[str, str]) -> Response:
    """A JSON response."""
    return Response(status=status, headers=(JSON, *headers), body=json.dumps(value).encode())


def api_error(status: int) -> Response:
    """What the API server says when it cannot serve a request at all."""
    return json_response(status, {"error": HTTPStatus(status).phrase})


def not_found(request: Request) -> Response:
    """What the API server says to a path it does not know."""
    return json_response(404, {"error": "Not Found", "path": request.path})


def is_authorized(request: Request) -> bool:
    """Whether the request carries the lab's API key."""
    return request.header("authorization") == f"Bearer {API_KEY}" or request.header("x-bt-auth-token") == API_KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServer:
    """The routes. `relay` passes a request on to the control plane, as the data plane does with /api/..."""

    plan: Backend
    relay: Relay

    async def answer(self, request: Request, _visit: Visit) -> Answer:
        """The response to one request, with CORS headers; at REALTIME a WebSocket that is closed at once."""
        if self.plan.grace and request.method not in HTTPMethod.__members__:
            return Response(status=400, closes=True)  # as Node's parser does
        if request.path == REALTIME and (request.header("upgrade") or "").lower() == "websocket":
            return _websocket(request.header("sec-websocket-key") or "")
        if request.path.startswith("/v1/proxy"):
            response = await self._proxy(request)
        else:
            response = await self._api(request)
        return response.adding(("x-bt-internal-trace-id", secrets.token_hex(16)))

    async def _api(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            preflight = cors.api_preflight(request, self.plan.origins)
            if preflight is not None:
                return preflight
        try:
            response = await self._route(request)
        except Malformed as error:
            response = replace(api_error(error.status), closes=True)
        return response.adding(*cors.api_headers(request, self.plan.origins))

    async def _proxy(self, request: Request) -> Response:
        headers = cors.proxy_headers(request, self.plan.origins)
        if headers is None:
            return Response(status=403, headers=(TEXT,), body=b"Forbidden")
        if request.method == "OPTIONS":
            return cors.proxy_preflight(request, headers)
        await request.body.read(self.plan.payload_limit)
        return _unauthorized(request).adding(*headers)

    async def _route(self, request: Request) -> Response:
        body = await request.body.read(self.plan.payload_limit)
        words = request.path.strip("/").split("/")
        if words[0] == "api" and len(words) in (2, 3):
            return await self.relay(request, body)
        if request.method not in ("GET", "HEAD"):
            known = request.path in _KEYED and request.method != "OPTIONS"
            return _unauthorized(request) if known else not_found(request)
        return self._read(request)

    def _read(self, request: Request) -> Response:
        match request.path:
            case "/" | "/v1":
                return Response(status=200, headers=(TEXT,), body=b"Hello, World!")
            case "/version":
                return json_response(200, self._version())
            case "/status":
                return json_response(200, {"status": "ok"})
            case "/ping":
                return _keyed(request, {"id": "lab-user", "email": "lab@lab.example", "auth_id": "lab"})
            case "/v1/project" | "/v1/experiment":
                return _audited(request, _keyed(request, {"objects": []}))
            case "/sse":
                return Response(status=200, headers=(("Content-Type", "text/event-stream"),), body=_events())
            case _:
                return not_found(request)

    def _version(self) -> dict[str, object]:
        return {"version": self.plan.version, "commit": "1ab0000", "logs3_payload_max_bytes": self.plan.payload_limit}


# Routes that write, or start something: the lab knows them, and never does more than ask for the key.
_KEYED = frozenset(
    {
        "/btql",
        "/logs3",
        "/logs3/overflow",
        "/otel/v1/traces",
        "/otel/v1/logs",
        "/attachment",
        "/v1/dataset",
        "/v1/eval",
        "/v1/experiment",
        "/v1/project",
        "/function/invoke",
    }
)


def _keyed(request: Request, value: object) -> Response:
    return json_response(200, value) if is_authorized(request) else _unauthorized(request)


def _audited(request: Request, response: Response) -> Response:
    """The response with audit headers, where the request asks for them and has the key."""
    if request.header("x-bt-enable-audit") != "true" or response.status != 200:
        return response
    touched = [{"type": "project", "id": _id(number), "name": "lab"} for number in range(_limit(request))]
    resources = gzip.compress(json.dumps(touched).encode(), mtime=0)
    return response.adding(
        ("x-bt-audit-user-id", "lab-user"),
        ("x-bt-audit-user-email", "lab@lab.example"),
        ("x-bt-audit-normalized-url", "/v1/project"),
        ("x-bt-audit-resources", json.dumps({"v": 1, "p": base64.b64encode(resources).decode()})),
    )


def _limit(request: Request) -> int:
    """How many projects are read: as many as the query says, at most 120."""
    given = parse_qs(urlsplit(request.target).query).get("limit", ["120"])[0]
    return min(int(given), 120) if given.isdecimal() else 120


def _id(number: int) -> str:
    """An id that packs as badly as a real one."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:32]


def _websocket(key: str) -> Raw:
    """The handshake of RFC 6455, and the frame that closes the WebSocket: the lab has no model to talk to."""
    accept = base64.b64encode(hashlib.sha1((key + _WEBSOCKET).encode(), usedforsecurity=False).digest()).decode()
    head = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{_ACCEPT}: {accept}"

    async def send(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{head}\r\n\r\n".encode() + _CLOSE_FRAME)

    return Raw(send)


async def _events() -> AsyncIterator[bytes]:
    """A stream of events, one at once and the others a little later each, then silence, and a last one."""
    for number in range(EVENTS):
        yield f"event: tick\ndata: {number}\n\n".encode()
        await asyncio.sleep(EVENT_PAUSE)
    await asyncio.sleep(SILENCE)
    yield b"event: end\ndata: end\n\n"


def _unauthorized(request: Request) -> Response:
    if is_authorized(request):
        return not_found(request)
    return json_response(401, {"error": "Unauthorized", "path": request.path}, ("WWW-Authenticate", "Bearer"))
