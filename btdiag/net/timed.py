"""A connection of our own whose moments are exact: when a request left, when its answer came, how the connection ended.

Built on an open Stream: what arrives is taken in the transport's own callbacks, not by a task that wakes up later. No
pool, no retry, HTTP/1.1 alone. Times are those of the event loop's clock, in seconds.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

import h11

from btdiag.core.shot import Ending, Shot
from btdiag.net import counters
from btdiag.net.streams import Stream, cut

BUFFER_LIMIT = 64 * 1024  # bytes of one answer that are looked at; at a longer one we hang up
REST_S = 2.0  # seconds for the body of an answer whose header is there
_FINAL = 200  # 1xx answers announce the real one


class TimedConnection(asyncio.Protocol):
    """One HTTP/1.1 connection. `closed_at` is when the peer ended it, None while it is open; `fin` and `rst` say how,
    and `goodbye` whether TLS was ended first, by close_notify (RFC 8446 section 6.1): None without TLS, or while it is
    open. The future `answered` is done when the header of an answer is there, `gone` when the connection is over."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.loop = asyncio.get_running_loop()
        self.sent_at: float | None = None
        self.answered_at: float | None = None
        self.closed_at: float | None = None
        self.fin = False
        self.rst = False
        self.goodbye: bool | None = None
        self.status: int | None = None
        self.headers: tuple[tuple[str, str], ...] = ()
        self.gone = self.loop.create_future()
        self.answered: asyncio.Future[None] = self.loop.create_future()
        self._received = bytearray()
        self._held = b""
        self._method = ""
        self._parsed = True
        self._hung_up = False
        self._transport = stream.writer.transport
        self._before = self._transport.get_protocol()
        self._transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        """Keep the bytes; the first complete header of a final answer is its moment."""
        if self.sent_at is None or len(self._received) > BUFFER_LIMIT:
            self._hung_up = True
            cut(self._transport)
            return
        self._received += data
        if not self.answered.done() and self._head_is_there():
            self.answered_at = self.loop.time()
            self.answered.set_result(None)

    def eof_received(self) -> None:
        """The peer sent FIN."""
        self.fin = True
        self._ended()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over: by FIN, by RST, or closed by ourselves."""
        self.rst = isinstance(exc, ConnectionError) and not self.fin
        self._ended()
        self._before.connection_lost(exc)

    def _ended(self) -> None:
        if self.closed_at is None:
            self.closed_at = self.loop.time()
            self.goodbye = _said_goodbye(self.stream.ssl_object) if self.stream.ssl_object else None
        for future in (self.gone, self.answered):
            if not future.done():
                future.set_result(None)

    def _head_is_there(self) -> bool:
        """Is the header of the final answer complete? Interim ones are dropped."""
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            status = self._received[9:12]
            if not status.isdigit() or int(status) >= _FINAL:
                return True
            del self._received[: end + 4]
        return False

    @property
    def usable(self) -> bool:
        """May another request follow?"""
        return self.closed_at is None and self.stream.reusable and not self._transport.is_closing()

    def send(self, method: str, request: bytes, *, hold: int = 0) -> None:
        """Write a prepared request, but for its last `hold` bytes; returns at once. On a connection that the peer has
        closed nothing is sent."""
        if not self.usable:
            self.sent_at, self._method = None, method
            return
        self._received.clear()
        self.answered = self.loop.create_future()
        self._method, self._parsed = method, False
        self.status, self.headers, self.answered_at = None, (), None
        self.sent_at = self.loop.time()
        self._held = request[len(request) - hold :]
        self._transport.write(request[: len(request) - hold])

    def release(self) -> None:
        """Write what was held back."""
        if self._held and not self._transport.is_closing():
            self._transport.write(self._held)
        self._held = b""

    async def answer(self, seconds: float) -> None:
        """Wait until the answer is there or the connection is over, at most so long for its header and two seconds more
        for the rest. A connection whose answer does not end, or that may not be used again, counts as unusable."""
        if self.sent_at is None:
            return
        await asyncio.wait({self.answered}, timeout=seconds)
        deadline = self.loop.time() + REST_S
        while not self._parse() and self.closed_at is None and self.answered_at and self.loop.time() < deadline:
            await asyncio.wait({self.gone}, timeout=0.005)
        self._parse()
        self.stream.reusable = self.stream.reusable and self._parsed

    def _parse(self) -> bool:
        """Read what has come with h11; True when the message is complete, or can never be."""
        if self._parsed:
            return True
        reader = h11.Connection(h11.CLIENT, max_incomplete_event_size=BUFFER_LIMIT)
        reader.send(h11.Request(method=self._method, target="/", headers=[("Host", "x")]))
        reader.send(h11.EndOfMessage())
        try:
            reader.receive_data(bytes(self._received))
            if self.fin:
                reader.receive_data(b"")
            return self._take(reader)
        except h11.RemoteProtocolError:
            self.stream.reusable = False
            return True

    def _take(self, reader: h11.Connection) -> bool:
        while (event := reader.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.Response):
                self.status = event.status_code
                self.headers = tuple(
                    (name.decode("ascii"), value.decode("utf-8", "backslashreplace")) for name, value in event.headers
                )
            elif isinstance(event, h11.EndOfMessage):
                self._parsed = True
                self.stream.reusable &= reader.their_state is h11.DONE and not reader.trailing_data[0]
                return True
            elif isinstance(event, h11.ConnectionClosed):
                return True
        return False

    def shot(self, since: float | None) -> Shot:
        """What became of the last request. `since`: when its predecessor on this connection was answered."""
        ended = self.answered_at if self.status is not None else self.closed_at
        return Shot(
            method=self._method,
            ending=self._ending(),
            status=self.status,
            age_s=_rounded(self.sent_at, since),
            took_s=_rounded(ended, self.sent_at),
        )

    def _ending(self) -> Ending:
        if self.sent_at is None:
            return Ending.UNSENT
        if self.status is not None:
            return Ending.ANSWERED if self._parsed or self._hung_up or self.closed_at is None else Ending.CUT
        if self.closed_at is None:
            return Ending.SILENT
        if self._received:
            return Ending.CUT
        return Ending.RESET if self.rst else Ending.EMPTY

    def unacknowledged(self) -> bool | None:
        """Is there data that the peer's TCP has not acknowledged? None where the system does not tell (not Linux)."""
        seen = counters.of(self._transport.get_extra_info("socket"))
        return None if seen is None else seen.unacknowledged > 0

    async def close(self) -> None:
        """Close, politely first."""
        await self.stream.close()


def _said_goodbye(tls: ssl.SSLObject) -> bool:
    """Whether OpenSSL has got a close_notify, which asyncio does not tell from a bare FIN."""
    try:
        return not tls.read(1)
    except ssl.SSLZeroReturnError:
        return True
    except (OSError, ValueError):
        return False


def _rounded(later: float | None, earlier: float | None) -> float | None:
    return None if later is None or earlier is None else round(later - earlier, 6)


async def answers(connections: Sequence[TimedConnection], seconds: float) -> None:
    """Wait, at most so long, until every connection has its answer or is over."""
    await asyncio.gather(*(connection.answer(seconds) for connection in connections))


async def close_all(connections: Sequence[TimedConnection]) -> None:
    """Close all of them at the same time."""
    await asyncio.gather(*(connection.close() for connection in connections))
