"""A data plane that answers everything alike, and remembers what it was sent and who showed a certificate."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Recorder:
    """What arrived: the head of each request as text, and the names in client certificates."""

    port: int = 0
    heads: list[str] = field(default_factory=list)
    certificates: list[object] = field(default_factory=list)

    @property
    def said(self) -> str:
        """All heads in one text."""
        return "\n".join(self.heads)


class _Handler(BaseHTTPRequestHandler):
    seen: Recorder
    context: ssl.SSLContext | None
    protocol_version = "HTTP/1.1"
    timeout = 10

    def handle(self) -> None:
        with suppress(OSError, ValueError):
            if self.context is None:
                super().handle()
                return
            with self.context.wrap_socket(self.request, server_side=True) as secure:
                if certificate := secure.getpeercert():
                    self.seen.certificates.append(certificate)
                with secure.makefile("rb") as reading, secure.makefile("wb") as writing:
                    self.rfile, self.wfile = reading, writing
                    super().handle()
                    writing.flush()

    def answer(self) -> None:
        self.seen.heads.append(f"{self.requestline}\n{self.headers}")
        self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 8_000_000))
        body = b"" if self.command == "HEAD" else b'{"version":"1.1.30"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "20")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextmanager
def recording(context: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> Iterator[Recorder]:
    """Serve on loopback, with TLS if there is a context, until the block ends."""
    seen = Recorder()

    handler = type("Handler", (_Handler,), {"seen": seen, "context": context})
    server = _Server((address, 0), handler)
    seen.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
