"""One HTTP/1.1 request on an open stream: written in one piece, the answer read event by event. No pool, no retry."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import h11

from btdiag.core.exchange import Header, Trouble
from btdiag.net.answer import Answer
from btdiag.net.failures import EXPECTED, Broken, legible, received_headers
from btdiag.net.streams import READ_SIZE, Stream

INTERIM_LIMIT = 20  # 1xx answers before the real one; servers send none or one, early-hints servers a few
SHOWN = 40  # bytes that are quoted of what is not HTTP
PIECES = 50  # of a body that is sent slowly: no hop that waits a second or two between them sees a silence
CONTINUE_S = 1.0  # seconds that an announced body waits for 100 Continue, as long as curl's
_PROTOCOL = b"HTTP/"
_TLS_RECORD = b"\x15\x03"  # a TLS alert where a status line was due


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request as it will be written. `target` is the request target (RFC 9112 section 3.2), `old_http` HTTP/1.0,
    `over_s` the seconds that its body is spread over."""

    method: str
    target: str
    authority: str
    headers: tuple[Header, ...]
    body: bytes
    old_http: bool = False
    over_s: float = 0.0


async def converse(stream: Stream, outgoing: Outgoing, answer: Answer) -> None:
    """Send the request and read its answer into `answer`. Raises what breaks; the caller sets the deadline.

    Reading starts at once, beside the writing: a server may refuse a large body before it has taken all of it. A body
    that is announced (Expect: 100-continue) waits for the server's word, but not for ever (RFC 9110 section 10.1.1).
    """
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=answer.limits.header)
    head, body = _parts(connection, outgoing)
    slow, announced = outgoing.over_s > 0, any(name.lower() == "expect" for name, _ in outgoing.headers)
    held = body if announced or slow else b""
    go_on = asyncio.Event()
    stream.writer.write(head if held else head + body)
    unsent = False
    if held or stream.writer.transport.get_write_buffer_size():
        rest = _drip(stream, answer, body, outgoing.over_s) if slow else _flush(stream, answer, held, go_on)
        unsent = await _receive_beside(rest, connection, stream, answer, go_on) and bool(held)
    else:  # nearly always: the system has taken all of it
        answer.sent()
        await _receive(connection, stream, answer, go_on)
    surplus = connection.trailing_data[0]
    answer.reusable = connection.our_state is connection.their_state is h11.DONE and not surplus and not unsent
    if outgoing.method != "HEAD":
        answer.end(surplus)


async def _receive_beside(
    rest: Coroutine[Any, Any, None],
    connection: h11.Connection,
    stream: Stream,
    answer: Answer,
    go_on: asyncio.Event,
) -> bool:
    """Read while the rest of the request is written; gives whether some of it was left."""
    writing = asyncio.create_task(rest)
    try:
        await _receive(connection, stream, answer, go_on)
        return not writing.done()
    except EXPECTED as error:
        if answer.first_byte_s is None and writing.done() and (cause := writing.exception()):
            raise cause from error
        raise
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)


def encoded(connection: h11.Connection, outgoing: Outgoing) -> bytes:
    """The bytes of the whole request, head and body."""
    return b"".join(_parts(connection, outgoing))


def _parts(connection: h11.Connection, outgoing: Outgoing) -> tuple[bytes, bytes]:
    headers = [("Host", outgoing.authority), *outgoing.headers]
    chunked = any(name.lower() == "transfer-encoding" for name, _ in outgoing.headers)
    if not chunked and (outgoing.body or outgoing.method in {"POST", "PUT", "PATCH"}):
        headers.append(("Content-Length", str(len(outgoing.body))))
    head = connection.send(h11.Request(method=outgoing.method, target=outgoing.target, headers=headers)) or b""
    if outgoing.old_http:
        head = head.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)
    events: list[h11.Event] = [h11.Data(data=outgoing.body)] if outgoing.body else []
    return head, b"".join(connection.send(event) or b"" for event in [*events, h11.EndOfMessage()])


async def _flush(stream: Stream, answer: Answer, held: bytes, go_on: asyncio.Event) -> None:
    """Wait until the operating system has taken the request, but for the last few kilobytes of a large one."""
    if held:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(go_on.wait(), CONTINUE_S)
        stream.writer.write(held)
    if stream.writer.transport.get_write_buffer_size():
        await stream.writer.drain()
    answer.sent()


async def _drip(stream: Stream, answer: Answer, body: bytes, over_s: float) -> None:
    """Send the body in PIECES pieces, spread over so many seconds."""
    size = max(1, -(-len(body) // PIECES))
    for begin in range(0, len(body), size):
        await asyncio.sleep(over_s / PIECES)
        stream.writer.write(body[begin : begin + size])
        await stream.writer.drain()
    answer.sent()


async def _receive(connection: h11.Connection, stream: Stream, answer: Answer, go_on: asyncio.Event) -> None:
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            await _read_more(connection, stream, answer)
        elif isinstance(event, h11.InformationalResponse):
            answer.interim.append(event.status_code)
            go_on.set()
            if event.status_code == 101:
                return _take_head(event, answer)
            if len(answer.interim) > INTERIM_LIMIT:
                raise Broken(Trouble.TOO_LARGE, f"more than {INTERIM_LIMIT} interim (1xx) answers")
        elif isinstance(event, h11.Response):
            _take_head(event, answer)
        elif isinstance(event, h11.Data):
            answer.feed(event.data)
        else:
            return None


async def _read_more(connection: h11.Connection, stream: Stream, answer: Answer) -> None:
    data = await stream.reader.read(READ_SIZE)
    if data:
        if answer.first_byte_s is None and data.startswith(_TLS_RECORD):
            raise Broken(Trouble.PROTOCOL, "the server speaks TLS where plain HTTP was asked for")
        answer.arrived()
        if answer.status is None and not answer.interim:
            _must_be_http(connection.trailing_data[0] + data)
    elif answer.status is None:
        raise _closed_early(connection.trailing_data[0])
    connection.receive_data(data)


def _must_be_http(begun: bytes) -> None:
    """What greets in another protocol (SMTP, SSH) is told at once: its status line would be waited for in vain."""
    begun = begun.lstrip(b"\r\n")
    if begun[: len(_PROTOCOL)] != _PROTOCOL[: len(begun)]:
        raise Broken(Trouble.PROTOCOL, f"what came is not HTTP: {legible(begun[:SHOWN])!r}")


def _closed_early(begun: bytes) -> Broken:
    if begun[: len(_PROTOCOL)] != _PROTOCOL[: len(begun)]:
        return Broken(Trouble.PROTOCOL, f"{len(begun)} bytes that are not HTTP, then closed")
    return Broken(
        Trouble.CLOSED, f"closed after {len(begun)} bytes of an answer" if begun else "closed without an answer"
    )


def _take_head(event: h11.Response | h11.InformationalResponse, answer: Answer) -> None:
    version = f"HTTP/{event.http_version.decode('ascii')}"
    if not version.startswith("HTTP/1."):  # RFC 9112 section 2.3
        raise Broken(Trouble.PROTOCOL, f"the status line says {version}, which this connection does not speak")
    answer.head(version, f"{event.status_code:03d}", legible(event.reason), received_headers(event))
