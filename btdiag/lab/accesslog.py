"""The load balancer's access log: one line a request, as nginx writes it with the usual upstream variables or as Istio
has Envoy write it. Like them it does not say that a connection was reused."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from btdiag.lab.http import Request, Response
from btdiag.lab.plan import LogStyle
from btdiag.lab.pool import Upstream
from btdiag.lab.rules import Answer, Visit

CLUSTER = "lab_backend"
_REFUSED = "remote_connection_failure|delayed_connect_error:_Connection_refused"


@dataclass(slots=True, eq=False)
class Attempt:
    """One try at the backend. Times are monotonic; `local` is the load balancer's end of the connection, "" where there
    is none."""

    upstream: str
    began: float
    local: str = ""
    connected: float | None = None
    answered: float | None = None
    ended: float | None = None
    status: int | None = None

    def rides(self, upstream: Upstream) -> None:
        """It has a connection: a kept one at once, a new one now."""
        host, port = upstream.writer.get_extra_info("sockname")[:2]
        self.local = f"{host}:{port}"
        self.connected = self.began if upstream.reused else time.monotonic()

    def hears(self, status: int) -> None:
        """The head of the answer is here."""
        self.answered, self.status = time.monotonic(), status

    def ends(self) -> None:
        """It has failed."""
        self.ended = time.monotonic()


@dataclass(slots=True, eq=False)
class Entry:
    """One request on its way; `set_aside` says that none was tried, for the backend is marked down. `why` is a failure
    in Envoy's words: flag and details."""

    request: Request
    client: str
    at: float = field(default_factory=time.time)
    began: float = field(default_factory=time.monotonic)
    attempts: list[Attempt] = field(default_factory=list)
    set_aside: bool = False
    why: tuple[str, str] = ("-", "via_upstream")

    def attempt(self, upstream: str) -> Attempt:
        """Another try at the backend begins."""
        self.attempts.append(Attempt(upstream=upstream, began=time.monotonic()))
        return self.attempts[-1]

    def broke(self) -> None:
        """The backend closed instead of answering, the last time too."""
        self.why = "UC", "upstream_reset_before_response_started{connection_termination}"

    def waited(self) -> None:
        """No answer came in time, or no connection."""
        connected = self.attempts[-1].connected is not None
        late = "UF", "upstream_reset_before_response_started{connection_timeout}"
        self.why = ("UT", "response_timeout") if connected else late

    def refused(self) -> None:
        """No connection could be made."""
        self.why = "UF", f"upstream_reset_before_response_started{{{_REFUSED}}}"


class AccessLog:
    """Appends to a file, a line at a time: whoever reads it finds whole lines."""

    def __init__(self, file: Path, style: LogStyle) -> None:
        self._file = file.open("a", encoding="latin-1", errors="replace", buffering=1)
        self._line = _STYLES[style]

    def close(self) -> None:
        """Nothing is written from now on."""
        self._file.close()

    def note(self, entry: Entry, answer: Answer) -> Answer:
        """The answer as it goes on; its line is written when its last byte has passed."""
        if not isinstance(answer, Response):
            switched = entry.attempts[-1].status if entry.attempts else None
            self._write(entry, switched or 0, 0)
            return answer
        if isinstance(answer.body, bytes):
            self._write(entry, answer.status, len(answer.body))
            return answer
        return replace(answer, body=self._counted(entry, answer.status, answer.body))

    async def _counted(self, entry: Entry, status: int, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        sent = 0
        try:
            async for piece in body:
                sent += len(piece)
                yield piece
        finally:
            self._write(entry, status, sent)

    def _write(self, entry: Entry, status: int, sent: int) -> None:
        if not self._file.closed:
            self._file.write(self._line(entry, status, sent, time.monotonic()) + "\n")


def nginx_line(entry: Entry, status: int, sent: int, now: float) -> str:
    """`combined` and, as name=value, when it ended, how long it took, and each attempt: times to connect, to the header
    and to the end, address and status. The status mirrors what nginx makes of an attempt without answer."""
    end = datetime.fromtimestamp(entry.at + now - entry.began, UTC)
    agent = _quoted(entry.request.header("user-agent"))
    tries = entry.attempts
    # the status of an attempt without answer is that of nginx's own page; before the last one it was a closed one
    told = [str(one.status or (status if one is tries[-1] else 502)) for one in tries]
    names = [CLUSTER] if entry.set_aside else [one.upstream for one in tries]
    fields = {
        "msec": f"{end.timestamp():.3f}",
        "rt": f"{now - entry.began:.3f}",
        "uct": _listed([_since(one, one.connected) for one in tries]),
        "uht": _listed([_since(one, one.answered) for one in tries]),
        "urt": "0.000" if entry.set_aside else _listed([_since(one, one.ended or now) for one in tries]),
        "ua": _listed(names),
        "us": str(status) if entry.set_aside else _listed(told),
    }
    return (
        f'{entry.client} - - [{end:%d/%b/%Y:%H:%M:%S} +0000] "{_request_line(entry.request)}" {status:03} {sent} "-"'
        f' "{agent}" ' + " ".join(f'{name}="{value}"' for name, value in fields.items())
    )


def istio_line(entry: Entry, status: int, sent: int, now: float) -> str:
    """Istio's default format: flag, details, and the very connection to the backend."""
    start = datetime.fromtimestamp(entry.at, UTC)
    flag, details = ("UH", "no_healthy_upstream") if entry.set_aside else entry.why
    request = entry.request
    last = entry.attempts[-1] if entry.attempts else Attempt(upstream="-", began=now)
    service = "-" if last.answered is None else f"{(last.answered - last.began) * 1000:.0f}"
    return (
        f'[{start:%Y-%m-%dT%H:%M:%S}.{start.microsecond // 1000:03}Z] "{_request_line(request)}" {status} {flag}'
        f' {details} - "-" {request.header("content-length") or 0} {sent} {(now - entry.began) * 1000:.0f} {service}'
        f' "{entry.client}" "{_quoted(request.header("user-agent"))}" "-" "{_quoted(request.header("host"))}"'
        f' "{last.upstream}" {CLUSTER} {last.local or "-"} - {entry.client}:0 - default'
    )


_STYLES: MappingProxyType[LogStyle, Callable[[Entry, int, int, float], str]] = MappingProxyType(
    {"nginx": nginx_line, "envoy": istio_line}
)


def begun(request: Request, visit: Visit) -> Entry:
    """The entry of a request that has just come."""
    return Entry(request=request, client=visit.client)


def _request_line(request: Request) -> str:
    return _quoted(f"{request.method} {request.target} {request.version}")


def _quoted(text: str | None) -> str:
    """As it may stand between quotes: nginx writes others as \\xHH, too."""
    plain = "".join(char if " " <= char <= "~" and char not in '"\\' else f"\\x{ord(char):02X}" for char in text or "")
    return plain or "-"


def _since(attempt: Attempt, moment: float | None) -> str:
    return "-" if moment is None else f"{moment - attempt.began:.3f}"


def _listed(values: Sequence[str]) -> str:
    return ", ".join(values) or "-"
