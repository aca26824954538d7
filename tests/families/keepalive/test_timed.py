"""One connection in our own hands: every way it can end is told apart."""

from __future__ import annotations

import asyncio
import struct
from socket import SO_LINGER, SOL_SOCKET

import pytest

from btdiag.core.shot import Ending
from btdiag.core.target import Route, Target, Way
from btdiag.families.keepalive.probe.volleys import Battery
from btdiag.net.timed import TimedConnection
from btdiag.net.wire import Wire
from tests.support.serving import Handler, serving

ANSWER = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nKeep-Alive: timeout=5\r\n\r\n{}"


def asked(handler: Handler, *, seconds: float = 1.0, times: int = 1) -> tuple[TimedConnection, list[Ending]]:
    return asyncio.run(_asked(handler, seconds, times))


async def _asked(handler: Handler, seconds: float, times: int) -> tuple[TimedConnection, list[Ending]]:
    async with serving(handler) as port:
        target = Target(url=f"http://127.0.0.1:{port}", scheme="http", host="127.0.0.1", port=port)
        wire = Wire(target, user_agent="btdiag/test")
        stream = await wire.dial(Route(label="a", address="127.0.0.1", port=port), tls=False)
        connection = TimedConnection(stream)
        endings = []
        for _ in range(times):
            connection.send("POST", wire.prepared(stream, "POST", target.url_for("/x"), body=b"{}"))
            await connection.answer(seconds)
            endings.append(connection.shot(None).ending)
        await connection.close()
        return connection, endings


def answering(*pieces: bytes, reset: bool = False, stay: bool = False) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"{}")
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)
            if reset:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, linger)
                writer.transport.abort()
            if not stay:
                return

    return handler


@pytest.mark.parametrize(
    ("handler", "ending"),
    [
        (answering(ANSWER, stay=True), Ending.ANSWERED),
        (answering(ANSWER), Ending.ANSWERED),
        (answering(b"HTTP/1.1 100 Continue\r\n\r\n", ANSWER), Ending.ANSWERED),
        (answering(b"HTTP/1.1 404 Not Found\r\n\r\nuntil the end"), Ending.ANSWERED),
        (answering(), Ending.EMPTY),
        (answering(reset=True), Ending.RESET),
        (answering(b"HTTP/1.1 404 Not"), Ending.CUT),
        (answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nhalf"), Ending.CUT),
        (answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200000), Ending.ANSWERED),
    ],
)
def test_each_ending(handler: Handler, ending: Ending) -> None:
    assert asked(handler)[1] == [ending]


def test_what_is_held_back_is_sent_later() -> None:
    received: list[bytes] = []

    async def echoing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{")
        received.append(bytes(reader._buffer))  # type: ignore[attr-defined]
        await reader.readuntil(b"}")
        writer.write(ANSWER)
        await reader.read()

    async def run() -> Ending:
        async with serving(echoing) as port:
            target = Target(url=f"http://127.0.0.1:{port}", scheme="http", host="127.0.0.1", port=port)
            wire = Wire(target, user_agent="btdiag/test")
            way = Way(route=Route(label="a", address="127.0.0.1", port=port))
            battery = Battery(target=target, way=way, wire=wire, path="/x", began=asyncio.get_running_loop().time())
            await battery.fill(2, 0)
            volley = await battery.comb("H", 0.05)
            assert [shot.status for shot in volley.shots] == [404, 404]
            assert battery.pool_used_at is not None
            await battery.close()
            return volley.shots[1].ending

    assert asyncio.run(run()) is Ending.ANSWERED
    assert received == [b"", b""]


def test_silence_is_not_a_close() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    connection, endings = asked(silent, seconds=0.1)
    assert endings == [Ending.SILENT]
    assert not connection.usable


def test_a_kept_connection_answers_again_and_a_closed_one_is_not_written_to() -> None:
    connection, endings = asked(answering(ANSWER, stay=True), times=3)
    assert endings == [Ending.ANSWERED] * 3
    assert connection.status == 404
    assert ("keep-alive", "timeout=5") in [(name.lower(), value) for name, value in connection.headers]
    _, endings = asked(answering(ANSWER + b"HTTP/1.1 200 OK\r\n\r\n", stay=True), times=2)
    assert endings == [Ending.ANSWERED, Ending.UNSENT]
