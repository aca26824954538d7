"""The lab's own HTTP client: how the API server passes a request on to the control plane."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from btdiag.lab.http import HEAD_LIMIT, HOP_BY_HOP, Request, Response, read_response, request_bytes, without

TIMEOUT = 5.0
BODY_LIMIT = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """Sends requests to one HTTPS host at 127.0.0.1, a connection each."""

    host: str
    port: int
    tls: ssl.SSLContext

    async def __call__(self, request: Request, body: bytes) -> Response:
        """The host's response to the same request; 502 when there is none."""
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._exchange(request, body)
        except (OSError, EOFError, TimeoutError):
            return Response(
                status=502, headers=(("Content-Type", "application/json"),), body=b'{"error":"Bad Gateway"}'
            )

    async def _exchange(self, request: Request, body: bytes) -> Response:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.tls, server_hostname=self.host, limit=HEAD_LIMIT
        )
        try:
            headers = without(request.headers, HOP_BY_HOP | {"host", "content-length", "expect", "origin"})
            own = (("Host", f"{self.host}:{self.port}"), ("Content-Length", str(len(body))), ("Connection", "close"))
            writer.write(request_bytes(request.method, request.target, (*own, *headers)) + body)
            head = await read_response(reader, request.method)
            content = await head.body.read(BODY_LIMIT)
        finally:
            writer.close()
        return Response(status=head.status, headers=_content_headers(head.headers), body=content)


def _content_headers(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in headers if name.lower() == "content-type")
