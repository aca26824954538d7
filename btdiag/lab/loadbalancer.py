"""The load balancer: a reverse proxy that reuses connections to the backend, and so races against its keep-alive.

What it reuses may be closing at that moment; whether it then tries again is its retry policy, as with real ones.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import partial

from btdiag.lab.http import (
    HOP_BY_HOP,
    Headers,
    Malformed,
    Request,
    Response,
    ResponseHead,
    read_response,
    request_bytes,
    response_head,
    without,
    write_pieces,
)
from btdiag.lab.net import splice
from btdiag.lab.plan import Balancer
from btdiag.lab.pool import Pool, Upstream
from btdiag.lab.rules import Answer, Raw, Visit
from btdiag.lab.styles import signature, vendor_page

BODY_LIMIT = 64 * 1024 * 1024
SMALL = 64 * 1024

# RFC 9110 section 9.2.2: only these may be sent again without being asked to.
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})

_DEAD = (EOFError, ConnectionError, Malformed)


class BrokenUpstream(Exception):
    """The backend closed the connection instead of answering."""


@dataclass(slots=True)
class Downtime:
    """Until when (monotonic time) every request is refused, because a backend connection broke."""

    until: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancer:
    """Passes requests to the backend's pool. `https_port` is where its http:// port redirects to."""

    plan: Balancer
    pool: Pool
    https_port: int
    outage: Downtime = field(default_factory=Downtime)

    async def answer(self, request: Request, visit: Visit) -> Answer:
        """The backend's response, or what the load balancer says in its place."""
        if visit.plain_port and self.plan.plain == "redirects":
            return self._to_https(request)
        payload = await request.body.read(BODY_LIMIT) if self.plan.buffers else None
        if time.monotonic() < self.outage.until:
            return self._broken()
        try:
            response = await self._forward(request, _passed_on(request, visit), payload)
        except BrokenUpstream:
            self.outage.until = time.monotonic() + self.plan.takes_out_for
            return self._broken()
        except TimeoutError:
            return vendor_page(self.plan.style, 504)
        except OSError:
            return vendor_page(self.plan.style, 503 if self.plan.style in ("envoy", "haproxy", "awselb") else 502)
        if isinstance(response, Raw):
            return response
        return replace(response, headers=_signed(response.headers, signature(self.plan.style)))

    def _to_https(self, request: Request) -> Response:
        host = (request.header("host") or "").rpartition(":")[0] or request.header("host") or ""
        location = f"https://{host}:{self.https_port}{request.target}"
        return vendor_page(self.plan.style, 301).adding(("Location", location))

    def _broken(self) -> Answer:
        if self.plan.on_broken == "close":
            return Raw(_say_nothing)
        return vendor_page(self.plan.style, self.plan.on_broken)

    async def _forward(self, request: Request, headers: Headers, payload: bytes | None) -> Answer:
        upstream = await self.pool.take()
        try:
            return await self._exchange(upstream, request, headers, payload)
        except _DEAD as error:
            upstream.writer.close()
            if not (upstream.reused and self._may_repeat(request, payload)):
                raise BrokenUpstream from error
        upstream = await self.pool.connect()
        try:
            return await self._exchange(upstream, request, headers, payload)
        except _DEAD as error:
            upstream.writer.close()
            raise BrokenUpstream from error

    def _may_repeat(self, request: Request, payload: bytes | None) -> bool:
        whole = payload is not None or request.body.length == 0
        return whole and (
            self.plan.retry == "all" or (self.plan.retry == "idempotent" and request.method in IDEMPOTENT)
        )

    async def _exchange(self, upstream: Upstream, request: Request, headers: Headers, payload: bytes | None) -> Answer:
        try:
            await _send(upstream.writer, request, headers, payload)
            async with asyncio.timeout(self.plan.upstream_timeout):
                head = await read_response(upstream.reader, request.method)
                if head.status == 101:
                    return Raw(partial(_switch, upstream, head))
                return await self._received(upstream, head)
        except TimeoutError:
            upstream.writer.close()
            raise

    async def _received(self, upstream: Upstream, head: ResponseHead) -> Response:
        response = Response(status=head.status, reason=head.reason, headers=without(head.headers, HOP_BY_HOP))
        length = head.body.length
        if length is None or length > SMALL:
            return replace(response, body=self._stream(upstream, head))
        body = await head.body.read(SMALL)
        self._release(upstream, head)
        return replace(response, body=body)

    async def _stream(self, upstream: Upstream, head: ResponseHead) -> AsyncIterator[bytes]:
        pieces = aiter(head.body)
        while True:
            async with asyncio.timeout(self.plan.silence_timeout):
                piece = await anext(pieces, b"")
            if not piece:
                break
            yield piece
        self._release(upstream, head)

    def _release(self, upstream: Upstream, head: ResponseHead) -> None:
        if head.keeps_alive:
            self.pool.give(upstream)
        else:
            upstream.writer.close()


async def _send(writer: asyncio.StreamWriter, request: Request, headers: Headers, payload: bytes | None) -> None:
    """Send the request on: at once when its body was read before, else piece by piece as it comes."""
    body = request.body
    if payload is not None:
        framed = (*headers, ("Content-Length", str(len(payload)))) if body.chunked else headers
        writer.write(request_bytes(request.method, request.target, framed) + payload)
        await writer.drain()
        return
    framed = (*headers, ("Transfer-Encoding", "chunked")) if body.chunked else headers
    writer.write(request_bytes(request.method, request.target, framed))
    await write_pieces(writer, aiter(body), chunked=body.chunked)


def _passed_on(request: Request, visit: Visit) -> Headers:
    """The headers for the backend: the client's, without those for this connection (but for a request to leave HTTP),
    and where the request came from."""
    upgrade = request.header("upgrade")
    return (
        *without(request.headers, HOP_BY_HOP | {"expect"}),
        ("X-Forwarded-For", visit.client),
        ("X-Forwarded-Proto", "https" if visit.tls else "http"),
        *((("Upgrade", upgrade), ("Connection", "upgrade")) if upgrade else (("Connection", "keep-alive"),)),
    )


def _signed(headers: Headers, own: Headers) -> Headers:
    return (*without(headers, (name.lower() for name, _ in own)), *own)


async def _switch(
    upstream: Upstream, head: ResponseHead, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Both sides have left HTTP (101): what they say is passed on as it comes."""
    writer.write(response_head(head))
    try:
        await splice((reader, writer), (upstream.reader, upstream.writer))
    finally:
        upstream.writer.close()


async def _say_nothing(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """An empty reply: the connection is closed without a status line."""
