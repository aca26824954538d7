"""A forward proxy that notes every request it gets, and opens tunnels to the hosts it knows."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping


@contextlib.contextmanager
def recording_proxy(hosts: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Serve on loopback; gives its URL and the list that fills with "METHOD TARGET". `hosts` are name to address."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, hosts, asked))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _accept(listener: socket.socket, hosts: Mapping[str, str], asked: list[str]) -> None:
    tunnels: list[threading.Thread] = []
    with contextlib.suppress(OSError):
        while True:
            near = listener.accept()[0]
            tunnels.append(threading.Thread(target=_serve, args=(near, hosts, asked)))
            tunnels[-1].start()
    for tunnel in tunnels:
        tunnel.join(5)


def _serve(near: socket.socket, hosts: Mapping[str, str], asked: list[str]) -> None:
    with near, contextlib.suppress(OSError, ValueError):
        near.settimeout(10)
        head = b""
        while b"\r\n\r\n" not in head:
            piece = near.recv(4096)
            if not piece:
                return
            head += piece
        method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        asked.append(f"{method} {target}")
        host, _, port = target.rpartition(":")
        if method != "CONNECT" or host not in hosts:
            near.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        with socket.create_connection((hosts[host], int(port)), 5) as far:
            near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=_copy, args=(far, near))
            back.start()
            _copy(near, far)
            back.join(10)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
