"""Sockets connected to one address, or to the first of a proxy's; where a dial stands, and what the system counts."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from btdiag.core.exchange import Icmp, Phase, TcpCounters, Timing, Trouble
from btdiag.net import counters, icmp
from btdiag.net.failures import Broken
from btdiag.net.tunnel import ProxyAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """How a connection is to carry data, in bytes; 0 leaves it to the system. `segment` is the most of a packet, either
    way (tcp(7), TCP_MAXSEG), `buffer` what is received before it is read (socket(7), SO_RCVBUF); `before` goes out
    ahead of all else, TLS too, where there is no proxy."""

    segment: int = 0
    buffer: int = 0
    before: bytes = b""

    def give_to(self, sock: socket.socket) -> None:
        """Set it before connecting, as far as the system can."""
        if self.segment and hasattr(socket, "TCP_MAXSEG"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, self.segment)
        if self.buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.buffer)


AS_IT_IS = Packing()


class Progress:
    """Where a dial stands, so that a deadline or an error in the middle is reported with its phase and times."""

    def __init__(self, phase: Phase) -> None:
        self.phase = phase
        self.proxy_answer: ProxyAnswer | None = None
        self.icmp: Icmp | None = None
        self.counters: TcpCounters | None = None
        self.resent = 0
        self._started = self._last = time.perf_counter()
        self._seconds: dict[str, float] = {}

    def reached(self, name: str, following: Phase) -> None:
        now = time.perf_counter()
        self._seconds[name] = now - self._last
        self._last, self.phase = now, following

    def timing(self) -> Timing:
        return Timing(**self._seconds, tcp_resent=self.resent, total_s=time.perf_counter() - self._started)


@contextlib.contextmanager
def counted(sock: socket.socket, progress: Progress) -> Iterator[None]:
    """Note what the system counts on the connection if the block fails; asyncio may have closed the socket then."""
    seen = counters.of(sock)
    progress.resent = seen.resent if seen is not None else 0
    with sock.dup() if seen is not None else contextlib.nullcontext() as twin:
        try:
            yield
        except BaseException:
            progress.counters = counters.of(twin)
            raise


async def connected(address: str, port: int, progress: Progress, packing: Packing) -> socket.socket:
    """A socket connected to one numeric address. An ICMP error that ends the attempt is noted."""
    family, place = _numeric(address, port)
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        packing.give_to(sock)
        icmp.listen(sock, family)
        await asyncio.get_running_loop().sock_connect(sock, place)
        icmp.ignore(sock, family)
        progress.icmp = None
    except BaseException:
        progress.icmp = icmp.heard(sock)
        sock.close()
        raise
    return sock


def _numeric(address: str, port: int) -> tuple[int, Any]:
    """The family of an address, and what `connect` wants; the system's own reading of it where it may have a zone."""
    try:
        socket.inet_pton(socket.AF_INET, address)
    except OSError:
        flags = socket.AI_NUMERICHOST
        family, _, _, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=flags)[0]
        return family, place
    return socket.AF_INET, (address, port)


async def connected_by_name(host: str, port: int, progress: Progress, packing: Packing) -> socket.socket:
    """A socket connected to the first address of a proxy that takes it; its name is resolved as programs do."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise Broken(Trouble.UNREACHABLE, f"the proxy's name {host} does not resolve: {error.strerror}") from error
    addresses = list(dict.fromkeys(str(place[4][0]) for place in found))
    for address in addresses[:-1]:
        with contextlib.suppress(OSError):
            return await connected(address, port, progress, packing)
    return await connected(addresses[-1], port, progress, packing)
