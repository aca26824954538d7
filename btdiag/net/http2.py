"""One HTTP/2 request on an open stream (RFC 9113), for what only shows there: ALPN, h2 front ends, their errors."""

from __future__ import annotations

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from btdiag.core.exchange import Header, Trouble
from btdiag.net.answer import Answer
from btdiag.net.failures import Broken, legible
from btdiag.net.http1 import INTERIM_LIMIT, Outgoing
from btdiag.net.streams import READ_SIZE, Stream

_STREAM_ID = 1
_WINDOW = 2**20
_HOP_BY_HOP = frozenset({"connection", "host", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"})


async def converse(stream: Stream, outgoing: Outgoing, answer: Answer) -> None:
    """Send the request as the only one of its connection and read its answer. Raises what breaks; the caller sets the
    deadline."""
    try:
        await _converse(stream, outgoing, answer)
    except h2.exceptions.ProtocolError as error:
        raise Broken(Trouble.PROTOCOL, f"HTTP/2: {error}") from error


async def _converse(stream: Stream, outgoing: Outgoing, answer: Answer) -> None:
    connection = _opened(answer.limits.header)
    await _request(connection, stream, outgoing, answer)
    interim = 0
    while True:
        data = await stream.reader.read(READ_SIZE)
        if not data:
            raise Broken(Trouble.CLOSED, "closed before the answer was complete")
        if answer.first_byte_s is None and data.startswith(b"HTTP/1"):
            raise Broken(Trouble.PROTOCOL, "the server agreed on HTTP/2 and speaks HTTP/1")
        answer.arrived()
        for event in connection.receive_data(data):
            interim += isinstance(event, h2.events.InformationalResponseReceived)
            if interim > INTERIM_LIMIT:
                raise Broken(Trouble.TOO_LARGE, f"more than {INTERIM_LIMIT} interim (1xx) answers")
            if _take(connection, event, answer):
                return
        await _send(connection, stream)


def _opened(header_limit: int) -> h2.connection.H2Connection:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
    connection.local_settings.update(
        {
            h2.settings.SettingCodes.ENABLE_PUSH: 0,
            h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: header_limit,
            h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW,
        }
    )
    connection.initiate_connection()
    return connection


async def _request(connection: h2.connection.H2Connection, stream: Stream, outgoing: Outgoing, answer: Answer) -> None:
    headers = [
        (":method", outgoing.method),
        (":scheme", "https" if stream.ssl_object else "http"),
        (":authority", outgoing.authority),
        (":path", outgoing.target),
        *((name.lower(), value) for name, value in outgoing.headers if name.lower() not in _HOP_BY_HOP),
    ]
    connection.send_headers(_STREAM_ID, headers, end_stream=not outgoing.body)
    await _send(connection, stream)
    await _send_body(connection, stream, outgoing.body, answer)
    answer.sent()


async def _send_body(connection: h2.connection.H2Connection, stream: Stream, body: bytes, answer: Answer) -> None:
    while body:
        room = min(connection.local_flow_control_window(_STREAM_ID), connection.max_outbound_frame_size)
        if room == 0:
            data = await stream.reader.read(READ_SIZE)
            if not data:
                raise Broken(Trouble.CLOSED, "closed while the request's body was sent")
            for event in connection.receive_data(data):
                _take(connection, event, answer)
            if answer.status is not None:
                return
        connection.send_data(_STREAM_ID, body[:room], end_stream=len(body) <= room)
        body = body[room:]
        await _send(connection, stream)


async def _send(connection: h2.connection.H2Connection, stream: Stream) -> None:
    stream.writer.write(connection.data_to_send())
    await stream.writer.drain()


def _take(connection: h2.connection.H2Connection, event: h2.events.Event, answer: Answer) -> bool:
    """Put one event into the answer; True when the answer is complete."""
    match event:
        case h2.events.ResponseReceived(headers=headers):
            _take_head(headers or [], answer)
        case h2.events.DataReceived():
            answer.feed(event.data or b"")
            connection.acknowledge_received_data(event.flow_controlled_length or 0, _STREAM_ID)
        case h2.events.StreamReset():
            raise Broken(Trouble.RESET, f"stream reset: {_code(event.error_code)}")
        case h2.events.ConnectionTerminated():
            raise Broken(Trouble.CLOSED, f"GOAWAY: {_code(event.error_code)}")
    return isinstance(event, h2.events.StreamEnded)


def _take_head(received: list[tuple[bytes, bytes]], answer: Answer) -> None:
    fields: list[Header] = [(legible(bytes(name)), legible(bytes(value))) for name, value in received]
    status = next((value for name, value in fields if name == ":status"), "")
    answer.head("HTTP/2", status, "", tuple(field for field in fields if not field[0].startswith(":")))


def _code(code: h2.errors.ErrorCodes | int | None) -> str:
    return code.name if isinstance(code, h2.errors.ErrorCodes) else str(code)
