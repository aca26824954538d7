"""The load balancer's pool, and its race against the backend's keep-alive, on plain HTTP for exact control."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from btdiag.lab.faults.http import Delays
from btdiag.lab.plan import Backend, Balancer, Broken, LabHop, LabPlan, PoolOrder
from btdiag.lab.pool import Pool, Upstream
from btdiag.lab.scenario import Scenario
from tests.support.labclient import Target, staged, url_port

# The race: for `delay` either side of `keepalive` the backend's FIN and the request pass each other.
KEEPALIVE = 0.4
DELAY = 0.1
PERIODS = 4  # on a busy machine a period may miss the window; that all of them do is no accident


class Client:
    """One connection to the load balancer's plain port."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, method: str = "GET", body: bytes = b"", path: str = "/") -> int | None:
        """The status of the response; None when the connection is closed without one."""
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)
        return await self.status()

    async def status(self) -> int | None:
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        await self.reader.readexactly(int(lines[b"content-length"]))
        return int(head.split()[1])


@contextlib.asynccontextmanager
async def client(port: int, address: str = "127.0.0.2") -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def run(plan: LabPlan, test: Callable[[Target], Awaitable[Any]]) -> Any:
    async def staged_run() -> Any:
        async with staged(plan) as target:
            return await test(target)

    return asyncio.run(staged_run())


def stage(balancer: Balancer, *faults: Any) -> LabPlan:
    return Scenario(name="x", summary="", faults=(balancer, Backend(keepalive=KEEPALIVE, grace=0.0), *faults)).plan


def racing(**settings: Any) -> LabPlan:
    return stage(Balancer(plain="serves", upstream_idle=5.0, link_delay=DELAY, **settings))


async def after_idle(target: Target, method: str) -> int | None:
    """A request meant to reach a reused backend connection while the backend closes it."""
    async with client(target["plain_port"]) as connection:
        assert await connection.ask("POST", b"warm", "/x") == 404
        # The backend's timer began one link delay before the answer was here.
        await asyncio.sleep(KEEPALIVE - DELAY)
        return await connection.ask(method, b"", "/")


def in_some_period(plan: LabPlan, method: str, status: int | None) -> bool:
    return any(run(plan, lambda target: after_idle(target, method)) == status for _ in range(PERIODS))


@pytest.mark.parametrize(("answer", "status"), [(502, 502), (503, 503), ("close", None)])
def test_post_loses_the_race(answer: Broken, status: int | None) -> None:
    assert in_some_period(racing(on_broken=answer), "POST", status)


def test_idempotent_requests_are_tried_again() -> None:
    assert run(racing(), lambda target: after_idle(target, "GET")) == 200
    assert in_some_period(racing(retry="none"), "GET", 502)


def test_all_requests_may_be_tried_again() -> None:
    assert run(racing(retry="all"), lambda target: after_idle(target, "POST")) == 404


def test_load_balancer_that_closes_first_never_races() -> None:
    sound = stage(Balancer(plain="serves", upstream_idle=KEEPALIVE / 2, link_delay=DELAY))
    assert run(sound, lambda target: after_idle(target, "POST")) == 404


def test_backend_announces_its_setting_and_closes_later() -> None:
    async def test(target: Target) -> tuple[bytes, float]:
        async with client(url_port(target["backend"]), "127.0.0.1") as connection:
            connection.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await connection.reader.readuntil(b"\r\n\r\n")
            start = time.monotonic()
            await connection.reader.read()
            return head, time.monotonic() - start

    head, lasted = run(Scenario(name="x", summary="", faults=(Backend(keepalive=1.0, grace=-0.7),)).plan, test)
    assert b"Keep-Alive: timeout=1\r\n" in head
    assert 0.25 <= lasted < 1.0


def test_front_closes_idle_connections() -> None:
    async def test(target: Target) -> float:
        async with client(target["plain_port"]) as connection:
            await connection.ask()
            start = time.monotonic()
            assert await connection.reader.read() == b""
            return time.monotonic() - start

    assert 0.25 <= run(stage(Balancer(plain="serves", front_idle=0.3)), test) < 2.0


def test_silent_drop_hangs_until_the_load_balancers_own_timeout() -> None:
    async def test(target: Target) -> list[int | None]:
        async with client(target["plain_port"]) as connection:
            first = await connection.ask()
            await asyncio.sleep(0.25)
            return [first, await connection.ask("POST", b"a", "/x")]

    plan = stage(Balancer(plain="serves", upstream_idle=5.0, upstream_timeout=0.3, link_drops_idle_after=0.1))
    assert run(plan, test) == [200, 504]


def test_backend_that_does_not_answer_is_a_504() -> None:
    async def test(target: Target) -> int | None:
        async with client(target["plain_port"]) as connection:
            return await connection.ask()

    plan = stage(Balancer(plain="serves", upstream_timeout=0.1), Delays(hop=LabHop.BACKEND, seconds=1.0))
    assert run(plan, test) == 504


@pytest.mark.parametrize("buffers", [True, False])
def test_held_body_reaches_the_backend_only_if_it_streams(buffers: bool) -> None:
    """A streaming load balancer takes its backend connection when the head is there, a buffering one at the end."""

    async def test(target: Target) -> tuple[int, int | None]:
        async with client(target["plain_port"]) as connection:
            connection.writer.write(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
            await asyncio.sleep(0.1)
            opened = opened_connections
            connection.writer.write(b"cd")
            return opened, await connection.status()

    opened_connections = 0
    connect = Pool.connect

    async def counting(pool: Pool) -> Upstream:
        nonlocal opened_connections
        opened_connections += 1
        return await connect(pool)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pool, "connect", counting)
        assert run(stage(Balancer(plain="serves", buffers=buffers)), test) == (0 if buffers else 1, 404)


@pytest.mark.parametrize(("order", "expected"), [("lifo", [2, 1, 0]), ("fifo", [0, 1, 2])])
def test_pool_order(order: PoolOrder, expected: list[int]) -> None:
    async def test(target: Target) -> list[int]:
        pool = Pool("127.0.0.1", url_port(target["backend"]), idle=5.0, order=order, size=8)
        opened = [await pool.take() for _ in range(3)]
        for upstream in opened:
            pool.give(upstream)
        taken = [opened.index(await pool.take()) for _ in range(3)]
        for upstream in opened:
            upstream.writer.close()
        pool.close()
        await asyncio.sleep(0.05)
        return taken

    assert run(LabPlan(), test) == expected


def test_pool_takes_no_connection_that_is_known_to_be_closed() -> None:
    async def test(target: Target) -> list[bool]:
        pool = Pool("127.0.0.1", url_port(target["backend"]), idle=5.0, order="random", size=8)
        first = await pool.take()
        first.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await first.reader.readuntil(b"Hello, World!")
        pool.give(first)
        await asyncio.sleep(0.1)
        second = await pool.take()
        reused = [second is first, second.reused]
        second.writer.close()
        await asyncio.sleep(0.05)
        return reused

    assert run(LabPlan(), test) == [False, False]


def test_volley_of_two_hundred_is_served_on_kept_connections() -> None:
    async def test(target: Target) -> tuple[set[int | None], set[int | None]]:
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(client(target["plain_port"])) for _ in range(200)]
            warm = await asyncio.gather(*(connection.ask("POST", b"a", "/x") for connection in clients))
            fired = await asyncio.gather(*(connection.ask("POST", b"a", "/x") for connection in clients))
            return set(warm), set(fired)

    plan = Scenario(name="x", summary="", faults=(Balancer(plain="serves"),)).plan
    assert run(plan, test) == ({404}, {404})


async def _upgraded(target: Target) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.2", int(target["plain_port"]))
    try:
        head = "GET /v1/proxy/realtime HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        writer.write(f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
        return await reader.read()
    finally:
        writer.close()


def test_a_websocket_is_opened_through_the_load_balancer() -> None:
    async def run() -> bytes:
        async with staged(LabPlan(balancer=Balancer(plain="serves"))) as target:
            return await _upgraded(target)

    answer = asyncio.run(run())
    head, _, frames = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=" in head.lower()  # the example of RFC 6455 section 1.3
    assert frames == b"\x88\x00"
