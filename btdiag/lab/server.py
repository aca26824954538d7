"""The HTTP server that every hop of the lab is built on: keep-alive with an idle timeout, rules before and after."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import TypeAlias

from btdiag.lab.http import CHUNK, Malformed, Request, Response, read_request, write_response
from btdiag.lab.net import Serve
from btdiag.lab.rules import Answer, Memory, Raw, Rule, Visit

FIRST_REQUEST_TIMEOUT = 60.0
DRAIN_LIMIT = 8 * 1024 * 1024
LINGER = 1.0

Handler: TypeAlias = Callable[[Request, Visit], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpServer:
    """One hop. `handler` makes the answers, `error_page` what the server itself says to a malformed request; `idle` is
    how long it keeps a connection between requests, `hint` what it says about that in Keep-Alive. After `forgets`
    seconds of idling it takes no notice of what comes; `hangs_up` ends connections after an answer without warning."""

    handler: Handler
    error_page: Callable[[int], Response]
    memory: Memory
    rules: tuple[Rule, ...] = ()
    idle: float = 5.0
    hint: str | None = None
    forgets: float | None = None
    hangs_up: bool = False

    def serve(self, *, plain_port: bool = False) -> Serve:
        """What to give to Listeners.listen."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            visit = _visit(writer, self.memory, plain_port)
            timeout = FIRST_REQUEST_TIMEOUT
            while await self._one(reader, writer, visit, timeout):
                timeout = self.idle

        return serve

    async def _one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, visit: Visit, timeout: float
    ) -> bool:
        """Serve one request; whether the connection lives on."""
        since = time.monotonic()
        try:
            async with asyncio.timeout(timeout):
                request = await read_request(reader)
        except TimeoutError:
            return False
        except Malformed as error:
            await write_response(writer, self._dated(self.error_page(error.status), lasting=False), "GET")
            return False
        if request is None:
            return False
        if self.forgets is not None and time.monotonic() - since > self.forgets:
            await _swallow(reader)
            return False
        if (request.header("expect") or "").lower() == "100-continue":
            request.body.on_first_read = writer
        answer = await self._answer(request, visit)
        if isinstance(answer, Raw):
            await answer.send(reader, writer)
            return False
        lasting = request.keeps_alive and not answer.closes
        await write_response(writer, self._framed(answer, lasting=lasting), request.method)
        if lasting:
            return await _drained(request) and not self.hangs_up
        await _linger(reader, request)
        return False

    async def _answer(self, request: Request, visit: Visit) -> Answer:
        rules = [rule for rule in self.rules if rule.concerns(request, visit)]
        answer = await self._made(request, visit, rules)
        if isinstance(answer, Raw):
            return answer
        answer = _with_date(answer)
        for rule in rules:
            answer = await rule.after(request, answer, visit)
        return answer

    async def _made(self, request: Request, visit: Visit, rules: list[Rule]) -> Answer:
        try:
            for rule in rules:
                passed = await rule.before(request, visit)
                if not isinstance(passed, Request):
                    return passed
                request = passed
            return await self.handler(request, visit)
        except Malformed as error:
            return replace(self.error_page(error.status), closes=True)

    def _dated(self, response: Response, *, lasting: bool) -> Response:
        return self._framed(_with_date(response), lasting=lasting)

    def _framed(self, response: Response, *, lasting: bool) -> Response:
        if not lasting:
            return response.adding(("Connection", "close"))
        if self.hint is None:
            return response.adding(("Connection", "keep-alive"))
        return response.adding(("Connection", "keep-alive"), ("Keep-Alive", self.hint))


def _visit(writer: asyncio.StreamWriter, memory: Memory, plain_port: bool) -> Visit:
    local = writer.get_extra_info("sockname")
    peer = writer.get_extra_info("peername")
    return Visit(
        address=local[0],
        port=local[1],
        client=peer[0],
        tls=writer.get_extra_info("ssl_object") is not None,
        plain_port=plain_port,
        memory=memory,
    )


def _with_date(response: Response) -> Response:
    if response.header("date") is not None:
        return response
    return response.adding(("Date", formatdate(time.time(), usegmt=True)))


async def _swallow(reader: asyncio.StreamReader) -> None:
    """Take what comes, and answer nothing, until the client gives up."""
    while await reader.read(CHUNK):
        pass


async def _linger(reader: asyncio.StreamReader, request: Request) -> None:
    """Discard what still comes of a refused body: closing on unread bytes is a reset, which may destroy the answer."""
    if request.body.done:
        return
    left = DRAIN_LIMIT
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            while left > 0 and (piece := await reader.read(CHUNK)):
                left -= len(piece)


async def _drained(request: Request) -> bool:
    """Read what the handler left of the body, so that the next request can follow; False when that is too much."""
    body = request.body
    if body.done:
        return True
    if body.on_first_read is not None:
        return False  # the client still waits to be told whether to send it
    try:
        await body.read(DRAIN_LIMIT)
    except Malformed:
        return False
    return True
