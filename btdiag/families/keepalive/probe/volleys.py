"""N connections held to one address of the load balancer, and the volleys that are fired on them."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from btdiag.core.target import Target, Way
from btdiag.families.keepalive.facts import Volley
from btdiag.net.streams import DialError
from btdiag.net.timed import TimedConnection, answers, close_all
from btdiag.net.wire import Wire

GET_EVERY = 8  # one request of so many is a GET: proxies retry those
AT_ONCE = 50  # connections that are opened side by side
SPIN_S = 0.003  # the last milliseconds before a volley are waited for actively: timers are too coarse
VOLLEY_S = 10.0  # seconds for the answers of one volley, as for every other request
HUNG_S = 5.0  # silence on an old connection, as long as a connect may take, while others answer at once: dropped
HOLD_S = 0.1  # until the load balancer has passed on the headers of requests whose bodies are held back
SPARE_FILES = 64  # open files that the rest of the run may need
BODY = b"{}"
HEADERS = (("Content-Type", "application/json"),)


def connection_limit(wanted: int) -> int:
    """How many connections may be open: the user's cap, or what the limit of open files leaves."""
    if sys.platform == "win32":
        return wanted
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if soft == resource.RLIM_INFINITY else max(0, min(wanted, soft // 2 - SPARE_FILES))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shell:
    connection: TimedConnection
    method: str
    request: bytes


@dataclass(slots=True, kw_only=True)
class Battery:
    """Connections to `way`, each asking for `path`. `pool_used_at` (loop time) is the median answer of the last
    volley; `took_s` its time from the first request to the last answer; `rtt_s` the round trip to the load balancer;
    `dial_s` how long it took to open all; `witness_ends` when connections
    ended that stayed out of a volley."""

    target: Target
    way: Way
    wire: Wire
    path: str
    began: float
    connections: list[TimedConnection] = field(default_factory=list)
    witnesses: int = 0
    pool_used_at: float | None = None
    took_s: float = 0.0
    rtt_s: float = 0.0
    dial_s: float = 0.0
    witness_ends: list[float] = field(default_factory=list)
    _sending_s: float = 0.02  # the shortest time so far that writing all requests took

    async def fill(self, shots: int, witnesses: int) -> None:
        """Open connections for volleys of so many shots, and witnesses; fewer where the target refuses them."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        self.witnesses = witnesses
        self.connections = await self._dialled(shots + witnesses)
        self.dial_s = loop.time() - started
        if self.connections:
            self.rtt_s = min(_round_trip(one) for one in self.connections)

    async def _dialled(self, count: int) -> list[TimedConnection]:
        made: list[TimedConnection] = []
        while len(made) < count:
            dials = (self._dial() for _ in range(min(AT_ONCE, count - len(made))))
            batch = [one for one in await asyncio.gather(*dials) if one is not None]
            made += batch
            if not batch:
                break
        return made

    async def _dial(self) -> TimedConnection | None:
        try:
            stream = await self.wire.dial(self.way.route, tls=self.target.scheme == "https", verify=self.way.verify)
        except DialError:
            return None
        return TimedConnection(stream)

    async def renew(self) -> None:
        """Replace all connections: for a load balancer whose own idle timeout towards clients is about as long as K."""
        for connection in self.connections:
            connection.stream.reusable = False
        await self._refill()

    async def _refill(self) -> None:
        """Replace the connections that the load balancer has closed, or will not use again."""
        dead = [number for number, one in enumerate(self.connections) if not one.usable]
        fresh = await self._dialled(len(dead)) if dead else []
        ended = [self.connections[number] for number in dead]
        first_witness = len(self.connections) - self.witnesses
        for number, connection in zip(dead, fresh, strict=False):
            if number >= first_witness and (end := self.connections[number].closed_at) is not None:
                self.witness_ends.append(end)
            self.connections[number] = connection
        await close_all(ended)

    async def fire(self, name: str, *, due: float | None = None) -> Volley:
        """One request on every connection at once; without the witnesses at loop time `due`, if that is given. Never
        raises for what the target does."""
        await self._refill()
        chosen = self.connections if due is None else self.connections[: len(self.connections) - self.witnesses]
        shells = [self._shell(number, one) for number, one in enumerate(chosen)]
        since = [one.answered_at for one in chosen]
        started, sent_at = await self._send(shells, due)
        await answers(chosen, VOLLEY_S if self.pool_used_at is None else min(VOLLEY_S, max(HUNG_S, 3 * self.took_s)))
        age = None if self.pool_used_at is None else round(sent_at - self.pool_used_at + self.rtt_s, 6)
        answered = [one.answered_at for one in chosen if one.answered_at is not None]
        if answered:
            self.pool_used_at = median(answered)
            self.took_s = max(answered) - started
        return self._volley(name, started, age, since)

    def _volley(self, name: str, started: float, age_s: float | None, since: Sequence[float | None]) -> Volley:
        """What became of the requests. Those of the witnesses do not count: they may be older than the others, and meet
        the load balancer's own timeout towards clients."""
        counted = self.connections[: len(self.connections) - self.witnesses]
        shots = tuple(one.shot(last) for one, last in zip(counted, since, strict=False))
        return Volley(name=name, at_s=round(started - self.began, 6), age_s=age_s, shots=shots)

    async def comb(self, name: str, seconds: float) -> Volley:
        """One POST on every connection, the last byte of each held back until all are under way, and then sent one
        after the other over so many seconds. A load balancer that streams bodies has then as many connections in its
        pool, whose ages differ by up to that; `pool_used_at` is their middle."""
        await self._refill()
        loop = asyncio.get_running_loop()
        since, started = [one.answered_at for one in self.connections], loop.time()
        for one in self.connections:
            one.send("POST", self._request(one, "POST"), hold=1)
        await asyncio.sleep(HOLD_S + self.took_s)
        first, step = loop.time(), seconds / max(1, len(self.connections) - 1)
        for number, one in enumerate(self.connections):
            await asyncio.sleep(max(0.0, first + number * step - loop.time()))
            one.release()
        await answers(self.connections, VOLLEY_S)
        age = None if self.pool_used_at is None else round(started - self.pool_used_at, 6)
        ends = [one.answered_at for one in self.connections if one.answered_at is not None]
        self.pool_used_at = (min(ends) + max(ends)) / 2 if ends else self.pool_used_at
        return self._volley(name, started, age, since)

    async def _send(self, shells: Sequence[_Shell], due: float | None) -> tuple[float, float]:
        """Write all requests in one go; the times of the first one and of the median one."""
        loop = asyncio.get_running_loop()
        collects = gc.isenabled()
        gc.disable()  # a collection in the middle would cost more milliseconds than the aim allows
        try:
            if due is not None:
                await _until(due - self._sending_s / 2)
            started = loop.time()
            for shell in shells:
                shell.connection.send(shell.method, shell.request)
            sending_s = loop.time() - started
        finally:
            if collects:
                gc.enable()
        self._sending_s = min(self._sending_s, sending_s)
        return started, started + sending_s / 2

    def _shell(self, number: int, connection: TimedConnection) -> _Shell:
        method = "GET" if number % GET_EVERY == GET_EVERY - 1 else "POST"
        return _Shell(connection=connection, method=method, request=self._request(connection, method))

    def _request(self, connection: TimedConnection, method: str) -> bytes:
        url = self.target.origin + self.path
        if method == "GET":
            return self.wire.prepared(connection.stream, method, url)
        return self.wire.prepared(connection.stream, method, url, headers=HEADERS, body=BODY)

    def witness_closed(self, at_s: float) -> bool:
        """Did the load balancer close one of the witnesses within a second of this moment?"""
        now = [one.closed_at for one in self.connections[len(self.connections) - self.witnesses :]]
        ends = [*self.witness_ends, *(end for end in now if end is not None)]
        return any(abs(end - self.began - at_s) < 1.0 for end in ends)

    async def close(self) -> None:
        """Close all connections; the battery can be filled again."""
        closing, self.connections, self.pool_used_at = self.connections, [], None
        await close_all(closing)


def _round_trip(connection: TimedConnection) -> float:
    """Seconds to the load balancer and back: the TCP handshake, or the CONNECT through a proxy."""
    timing = connection.stream.timing
    return (timing.proxy_s if timing.proxy_s is not None else timing.tcp_s) or 0.0


async def _until(moment: float) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(max(0.0, moment - loop.time() - SPIN_S))
    while loop.time() < moment:
        pass
