"""What has arrived of an answer so far: status, headers, body within the limits, and when its first byte came."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

from btdiag.core.exchange import Failure, Header, Phase, Trouble
from btdiag.net.failures import Broken
from btdiag.net.limits import Limits
from btdiag.net.unpacking import CODINGS, unpacked

_STATUS = re.compile(r"[1-5][0-9]{2}", re.ASCII)
_WITHOUT_BODY = frozenset({101, 204, 304})


@dataclass(slots=True, kw_only=True)
class Answer:
    """The answer to one request while it arrives; whatever breaks, what came before stays known."""

    limits: Limits
    phase: Phase = Phase.SEND
    version: str | None = None
    status: int | None = None
    reason: str = ""
    headers: tuple[Header, ...] = ()
    body_bytes: int = 0
    failure: Failure | None = None
    first_byte_s: float | None = None
    reusable: bool = False
    interim: list[int] = field(default_factory=list)
    _sent_at: float | None = None
    _kept: bytearray = field(default_factory=bytearray)

    def sent(self) -> None:
        """The last byte of the request has been written; only the first call counts."""
        if self._sent_at is None:
            self._sent_at = time.perf_counter()
        if self.phase is Phase.SEND:
            self.phase = Phase.HEADERS

    def arrived(self) -> None:
        """Bytes of the answer came; only the first call counts."""
        if self.first_byte_s is None:
            self.first_byte_s = time.perf_counter() - self._sent_at if self._sent_at is not None else 0.0

    def head(self, version: str, status: str, reason: str, headers: tuple[Header, ...]) -> None:
        """Status line and headers are complete; Broken where the status is none (RFC 9110 section 15: three digits, the
        first of which is 1 to 5), whichever version of HTTP it came by."""
        self.version, self.reason, self.headers = version, reason, headers
        if _STATUS.fullmatch(status) is None:
            raise Broken(Trouble.PROTOCOL, f"a status that is none: {status[:20]!r}")
        self.status = int(status)
        self.phase = Phase.BODY

    def end(self, surplus: bytes = b"") -> None:
        """The body is complete; Broken where more came than Content-Length announced. (Less is found where it is read:
        the connection or stream ends too early.)"""
        announced = any(name.lower() == "content-length" for name, _ in self.headers)
        if surplus and announced and self.status not in _WITHOUT_BODY:
            raise Broken(Trouble.PROTOCOL, f"{len(surplus)} bytes more than Content-Length announces")

    def feed(self, data: bytes) -> None:
        """A piece of the body as it comes on the wire; raises Broken beyond the limit."""
        self.body_bytes += len(data)
        room = (self.limits.body_wire if self.encoding else self.limits.body) - len(self._kept)
        self._kept += data[:room]
        if self.body_bytes > self.limits.body_wire:
            raise Broken(Trouble.TOO_LARGE, f"the body has more than {self.limits.body_wire} bytes")

    @property
    def encoding(self) -> str:
        """The content coding of the body if we can undo it, else ""."""
        codings = [value.strip().lower() for name, value in self.headers if name.lower() == "content-encoding"]
        return codings[0] if len(codings) == 1 and codings[0] in CODINGS else ""

    def content(self) -> tuple[bytes, bool]:
        """The body, unpacked, and if there was more of it; raises Broken for a bomb or a broken coding."""
        if not self.encoding or not self._kept:
            return bytes(self._kept), self.body_bytes > len(self._kept)
        content, size = unpacked(self.encoding, bytes(self._kept), self.limits)
        return content, size > len(content)
