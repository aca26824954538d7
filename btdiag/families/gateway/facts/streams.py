"""When the pieces of an event stream arrived, and how long a silent one was left alone."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

from btdiag.core.exchange import Exchange, Trouble

STREAM_PATH = "/sse"
LATE = 1.0  # seconds that a first event may take longer through the load balancer than any other answer does
FLOWING = 0.02  # seconds between first and last piece: what was held back comes in one burst
AGREES_S = 1.5  # seconds by which the ages of two streams that the same timer ended may differ
TALKS = 4  # events after which a stream is one that talks
CLOSING_S = 1.2  # Envoy 1.39 stops a stream, and closes the connection a second later
FLOWING_S = 1.0  # a stream that was silent for less was not ended for its silence
GIVEN_UP = frozenset({408, 502, 503, 504, 520, 522, 524})
_CUT = frozenset({Trouble.CLOSED, Trouble.RESET})


OPEN_S = 3.0  # seconds; a stream that was watched for less may be a slow answer


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSeen:
    """A stream watched for some seconds. `exchange` is its head (a failure by TIMEOUT only says that we hung up);
    `pieces` are the seconds since the request at which events came, or parts of them; `watched` how long was waited.
    `plain` is the same stream asked for without compression, where the first event was late."""

    exchange: Exchange
    pieces: tuple[float, ...]
    watched: float
    plain: StreamSeen | None = None

    @property
    def first_s(self) -> float:
        """When the first event came; infinite if none did."""
        return self.pieces[0] if self.pieces else math.inf

    @property
    def is_stream(self) -> bool:
        """The answer is a successful stream of server-sent events."""
        seen = self.exchange
        return seen.status == 200 and (seen.header("content-type") or "").lower().startswith("text/event-stream")

    @property
    def stays_open(self) -> bool:
        """It is a stream that nobody had ended when the time of watching was over, OPEN_S seconds or more after its
        head."""
        failure, head_s = self.exchange.failure, self.exchange.timing.first_byte_s
        watched = head_s is not None and self.watched - head_s >= OPEN_S
        return self.is_stream and watched and failure is not None and failure.trouble is Trouble.TIMEOUT

    @property
    def silent(self) -> bool:
        """Not even a status line came while it was watched."""
        return self.exchange.status is None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldStream:
    """One GET of the stream, held until somebody ended it or the time was over. Seconds since the request: `last_s` its
    last bytes (0: none), `over_s` the end; `longest_s` the longest silence that more bytes followed, `gap_s` the last
    one; `events` how often events, or parts of them, came."""

    exchange: Exchange
    last_s: float
    longest_s: float
    gap_s: float
    over_s: float
    events: int = 0

    @property
    def open(self) -> bool:
        """Nobody had ended it when the time was over."""
        failure = self.exchange.failure
        return failure is not None and failure.trouble is Trouble.TIMEOUT

    @property
    def given_up(self) -> bool:
        """It ended without its end: broken off, or after a while answered with a gateway's error in its place."""
        failure = self.exchange.failure
        cut = failure is not None and failure.trouble in _CUT
        return cut or (self.exchange.status in GIVEN_UP and self.over_s >= FLOWING_S)

    @property
    def refused(self) -> bool:
        """It never was a stream: another answer came at once."""
        return self.exchange.status not in {None, 200} and not self.given_up

    @property
    def silent_s(self) -> float:
        """Its silence when it was ended. A hop that buffers lets go of what it has with the last breath: then it is the
        silence before that."""
        if self.exchange.status in GIVEN_UP:
            return self.over_s
        silent = self.over_s - self.last_s
        return silent if silent >= FLOWING_S or self.gap_s < FLOWING_S else self.gap_s + silent

    @property
    def for_silence(self) -> bool:
        """What ended it counted its silence: it was silent at the end, and never for longer before. A stream that talks
        every two seconds, and is ended a second after it did, was ended by a timer of its whole time."""
        talked = self.events >= TALKS and self.silent_s <= self.longest_s + CLOSING_S
        return self.silent_s >= FLOWING_S and self.silent_s >= self.longest_s and not talked

    @property
    def limit_s(self) -> float:
        """What a timer that ended it counted: its silence, or all of its time."""
        return self.silent_s if self.for_silence else self.over_s

    @property
    def survived_s(self) -> float:
        """The longest silence after which it was still there."""
        return max(self.longest_s, self.over_s - self.last_s) if self.open else self.longest_s


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSilence:
    """The streams held through the load balancer, the first asked for with compression and the others without, and one
    at the API server itself (None without --backend)."""

    front: tuple[HeldStream, ...]
    direct: HeldStream | None
    watched_s: float


MOST_UNPACKED = 64 * 1024  # bytes


def readable_bytes(head: bytes, body: bytes) -> int:
    """How many bytes of what was packed can be read from so much of a body, as it stands on the wire (at most
    MOST_UNPACKED): an encoder that holds events back has sent its own header and nothing else."""
    lines = head.lower()
    raw = _without_chunks(body) if b"\r\ntransfer-encoding:" in lines and b"chunked" in lines else body
    try:
        return len(zlib.decompressobj(wbits=47).decompress(raw, MOST_UNPACKED))
    except zlib.error:
        return len(raw)


def says_packed(head: bytes) -> bool:
    """Whether the head of an answer says that its body is compressed."""
    lines = head.lower()
    return any(b"\r\ncontent-encoding: " + coding in lines for coding in (b"gzip", b"x-gzip", b"deflate"))


def _without_chunks(body: bytes) -> bytes:
    """What chunks hold (RFC 9112 section 7.1), as far as they are there."""
    found = b""
    while True:
        line, end, rest = body.partition(b"\r\n")
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            return found
        if not end or size <= 0:
            return found
        found += rest[:size]
        body = rest[size + 2 :]
