"""The load balancer's log, a line for each request, in nginx's words or in Envoy's.

Like theirs it says who answered: what the backend made has its status, what the load balancer made instead has not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from btdiag.lab.http import Request
from btdiag.lab.rules import Answer, Raw, Visit

CLOSED_BY_CLIENT = 499  # nginx's number for it


@dataclass(slots=True)
class Passage:
    """One request on its way through. `began` is wall-clock time, what follows are seconds: `connect_s` until its
    connection to the backend stood (0 for one that was reused), `header_s` until the head of the answer came, `took_s`
    for the whole attempt; None for what did not happen. `broken` says that the backend closed instead of answering."""

    began: float = field(default_factory=time.time)
    sent_at: float | None = None
    connect_s: float | None = None
    header_s: float | None = None
    took_s: float | None = None
    status: int | None = None
    broken: bool = False

    def passed_on(self, connect_s: float) -> None:
        """A connection stands, and the request goes out on it. Of several attempts the last one is told."""
        self.connect_s, self.sent_at = connect_s, time.monotonic()
        self.header_s = self.took_s = self.status = None
        self.broken = False

    def answered(self, status: int) -> None:
        """The head of an answer came."""
        self.status, self.header_s = status, self._since()
        self.took_s = self.header_s

    def lost(self) -> None:
        """The backend closed the connection."""
        self.broken, self.took_s = True, self._since()

    def _since(self) -> float | None:
        return None if self.sent_at is None else time.monotonic() - self.sent_at


class AccessLog:
    """A file that lines are written to as they come. `style` "envoy" has Envoy's, any other nginx's."""

    def __init__(self, path: Path, style: str, upstream: str) -> None:
        self._file = path.open("a", encoding="ascii", errors="backslashreplace", buffering=1)
        self._line: Callable[[Request, Visit, int, Passage, str], str] = _envoy if style == "envoy" else _nginx
        self._upstream = upstream

    def write(self, request: Request, visit: Visit, answer: Answer | None, passage: Passage) -> None:
        """A line for a request that has ended; without an answer its client has gone."""
        status = CLOSED_BY_CLIENT if answer is None else 0 if isinstance(answer, Raw) else answer.status
        with suppress(OSError, ValueError):  # a full disk breaks no scenario; a file may be closed already
            self._file.write(self._line(request, visit, status, passage, self._upstream) + "\n")

    def close(self) -> None:
        """No more lines will come."""
        self._file.close()


def _nginx(request: Request, visit: Visit, status: int, passage: Passage, upstream: str) -> str:
    now = datetime.now(UTC)
    tried = passage.connect_s is not None
    its_status = "-" if not tried else passage.status or 502
    asked = f"{request.method} {request.target} HTTP/1.1"
    return (
        f'{visit.client} - - [{now:%d/%b/%Y:%H:%M:%S +0000}] "{asked}" {status or 101} 0 "-"'
        f' "{_quoted(request.header("user-agent"))}" msec={now.timestamp():.3f}'
        f" rt={now.timestamp() - passage.began:.3f} uct={_s(passage.connect_s)} uht={_s(passage.header_s)}"
        f' urt={_s(passage.took_s)} ua="{upstream if tried else "-"}" us="{its_status}" ubr="0" c=1 compl=OK'
    )


def _envoy(request: Request, visit: Visit, status: int, passage: Passage, upstream: str) -> str:
    began = datetime.fromtimestamp(passage.began, UTC)
    flag = "UC" if passage.broken else "DC" if status == CLOSED_BY_CLIENT else "-"
    service = "-" if passage.header_s is None else f"{passage.header_s * 1000:.0f}"
    shown = 0 if status == CLOSED_BY_CLIENT else status
    asked = f"{request.method} {request.target} HTTP/1.1"
    return (
        f'[{began:%Y-%m-%dT%H:%M:%S}.{began.microsecond // 1000:03}Z] "{asked}" {shown} {flag}'
        f" 0 0 {(time.time() - passage.began) * 1000:.0f} {service}"
        f' "{visit.client}" "{_quoted(request.header("user-agent"))}" "-" "{_quoted(request.header("host"))}"'
        f' "{upstream if passage.connect_s is not None else "-"}"'
    )


def _s(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.3f}"


def _quoted(value: str | None) -> str:
    return (value or "-").replace("\\", "\\x5C").replace('"', "\\x22")
