"""Connections of clients, none of which may hold one for nothing: who says no whole request, or reads no answer.

uvicorn bounds how many requests are on at a time, and how long a connection may be idle after an answer; before the
first request, within one, and under an answer that nobody fetches it waits for ever.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_OPEN = 768  # a process may have 1,024 files; the runs need the others
HEAD_S = 10.0  # for the head of a request, from its first byte or the connection's begin
UNREAD_S = 30.0  # for the rest of an answer, after the connection was to be closed


class Connection(H11Protocol):
    """One connection."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody is there."""
        super().connection_made(transport)
        if len(self.connections) > MOST_OPEN:
            transport.abort()
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Somebody said something."""
        super().data_received(data)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        """Nobody asked anything more."""
        super().timeout_keep_alive_handler()
        self._stop_waiting()
        self._patience = self.loop.call_later(UNREAD_S, self.transport.abort)

    def _wait(self) -> None:
        """For the rest of a request, unless one is being answered."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._patience is None:
            self._patience = self.loop.call_later(HEAD_S, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
