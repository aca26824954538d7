"""How long a client that says or reads nothing keeps its connection, against the real server."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import uvicorn

from btdiag.serve import connections
from btdiag.serve.connections import Connection

LARGE = b"x" * 30_000_000
WHOLE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def slowly(scope: Any, receive: Any, send: Any) -> None:
    """An answer that takes longer than a head may."""
    await asyncio.sleep(0.3)
    headers = [(b"content-length", str(len(LARGE)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": LARGE})


@contextmanager
def server() -> Iterator[int]:
    config = uvicorn.Config(slowly, http=Connection, ws="none", lifespan="off", log_config=None, timeout_keep_alive=0)
    running = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=lambda: running.run(sockets=[listening]))
        thread.start()
        yield listening.getsockname()[1]
        running.should_exit = True
        thread.join()


async def ended(reader: asyncio.StreamReader) -> bool:
    """Is the connection closed within a few seconds?"""
    with suppress(ConnectionError):
        async with asyncio.timeout(20):
            while await reader.read(1_000_000):
                pass
    return True


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.1)
    monkeypatch.setattr(connections, "UNREAD_S", 0.1)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", WHOLE + b"GET / HTTP/1.1\r\nX"])
def test_whoever_does_not_finish_a_request_is_left(sent: bytes) -> None:
    async def ask() -> None:
        with server() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            assert await ended(reader)
            writer.close()

    asyncio.run(ask())


def test_an_answer_may_take_longer_than_a_question() -> None:
    async def ask() -> bytes:
        with server() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(WHOLE)
            answer = await reader.readexactly(len(LARGE))
            writer.close()
            return answer[:15]

    assert asyncio.run(ask()) == b"HTTP/1.1 200 OK"


def test_whoever_fetches_no_answer_is_left() -> None:
    async def ask() -> int:
        with server() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_000)
            writer.write(WHOLE)
            await asyncio.sleep(1)
            fetched = 0
            with suppress(ConnectionError):
                while more := await reader.read(1_000_000):
                    fetched += len(more)
            writer.close()
            return fetched

    assert asyncio.run(ask()) < len(LARGE)


def test_more_than_may_be_open_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_OPEN", 2)
    monkeypatch.setattr(connections, "HEAD_S", 60)

    async def ask() -> None:
        with server() as port:
            several = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
            assert await ended(several[2][0])
            several[0][1].write(WHOLE)
            assert (await several[0][0].read(15)) == b"HTTP/1.1 200 OK"
            for _, writer in several:
                writer.transport.abort()

    asyncio.run(ask())
