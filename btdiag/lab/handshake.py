"""The server side of TLS as real servers have it: asyncio's own closes without sending the alert that says why."""

from __future__ import annotations

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable

HANDSHAKE_TIMEOUT = 10
# A peer that does not answer our close_notify keeps asyncio waiting; real load balancers close at once.
SHUTDOWN_TIMEOUT = 0.05


class TlsServer(SSLProtocol):
    """TLS between a TCP connection and `protocol`; `open_handshakes` holds the connection until the handshake ends."""

    _process_outgoing: Callable[[], None]

    def __init__(
        self, protocol: asyncio.Protocol, context: ssl.SSLContext, open_handshakes: set[asyncio.BaseTransport]
    ) -> None:
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[None] = loop.create_future()
        outcome.add_done_callback(asyncio.Future.exception)  # nobody waits for it: a failure is the client's affair
        super().__init__(
            loop,
            protocol,
            context,
            outcome,
            server_side=True,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT,
            ssl_shutdown_timeout=SHUTDOWN_TIMEOUT,
        )
        self._open_handshakes = open_handshakes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self._open_handshakes.add(transport)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget a handshake that was broken off."""
        self._forget()
        super().connection_lost(exc)

    def _on_handshake_complete(self, handshake_exc: BaseException | None) -> None:
        self._forget()
        if handshake_exc is not None:
            self._process_outgoing()  # the alert
        super()._on_handshake_complete(handshake_exc)

    def _forget(self) -> None:
        if self._transport is not None:
            self._open_handshakes.discard(self._transport)
