"""A ClientHello of a chosen size, and whether a server answers it: the first message of TLS alone (RFC 8446 section 4).

OpenSSL writes it, and it is then made larger by the padding extension (RFC 7685), so that two of different size are
otherwise the same. The handshake cannot go on from there, for the server has seen what OpenSSL has not; nor need it.
"""

from __future__ import annotations

import contextlib
import ssl

from btdiag.net.streams import Stream

_RECORD, _MESSAGE = 5, 4  # bytes before a record's and a message's content
_HANDSHAKE, _ALERT, _SERVER_HELLO = 22, 21, 2
_PADDING = 21  # the extension's number
_OWN_PADDING = 0x10  # SSL_OP_TLSEXT_PADDING, which Python sets: OpenSSL would pad to 512 bytes by itself
_GOODBYE = bytes((_ALERT, 3, 1, 0, 2, 1, 90))  # a warning, user_canceled: the server need not look for a fault


def client_hello(server_name: str, size: int) -> bytes:
    """The record of a ClientHello, padded to `size` bytes; as OpenSSL has it where that is more already."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.options &= ~_OWN_PADDING
    context.set_alpn_protocols(["http/1.1"])
    outgoing = ssl.MemoryBIO()
    connection = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=server_name)
    with contextlib.suppress(ssl.SSLWantReadError):
        connection.do_handshake()
    return _padded(outgoing.read(), size)


def _padded(record: bytes, size: int) -> bytes:
    """Lengths are counted anew in the record, the message and its list of extensions, which ends both."""
    missing = size - len(record) - 4
    if missing < 0:
        return record
    body = record[_RECORD + _MESSAGE :]
    at = _extensions_at(body)
    extensions = body[at + 2 :] + _PADDING.to_bytes(2, "big") + missing.to_bytes(2, "big") + bytes(missing)
    body = body[:at] + len(extensions).to_bytes(2, "big") + extensions
    message = record[_RECORD : _RECORD + 1] + len(body).to_bytes(3, "big") + body
    return record[:3] + len(message).to_bytes(2, "big") + message


def _extensions_at(body: bytes) -> int:
    """Where the length of the extensions stands: after version, random, session id, suites and compression."""
    at = 2 + 32
    at += 1 + body[at]
    at += 2 + int.from_bytes(body[at : at + 2], "big")
    return at + 1 + body[at]


async def answers_hello(stream: Stream, hello: bytes) -> tuple[bool, str]:
    """Whether a ServerHello comes back on an open connection without TLS, and what comes instead. Raises OSError or
    EOFError where the connection breaks; the caller sets the limit of time."""
    stream.writer.write(hello)
    await stream.writer.drain()
    head = await stream.reader.readexactly(_RECORD + 1)
    if head[0] == _HANDSHAKE and head[_RECORD] == _SERVER_HELLO:
        with contextlib.suppress(OSError):
            stream.writer.write(_GOODBYE)
            await stream.writer.drain()
        return True, ""
    if head[0] == _ALERT:
        level = head[_RECORD]
        number = (await stream.reader.readexactly(1))[0]
        return False, f"TLS alert {number} ({'fatal' if level == 2 else 'warning'})"
    return False, "what comes back is no TLS"
