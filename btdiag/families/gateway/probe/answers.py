"""Answers that fill packets: many short requests on one connection, whose answers queue up at the server until there is
room for them here, and so come in packets as large as the path is said to carry."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from btdiag.core.exchange import Exchange
from btdiag.core.packets import SMALL
from btdiag.core.product import UNKNOWN_PATH
from btdiag.core.target import Target, Way
from btdiag.families.gateway.facts.requests import ManyAnswers
from btdiag.net.sockets import Packing
from btdiag.net.streams import DialError, Stream
from btdiag.net.wire import Wire

LEAST, MOST_ASKED = 8, 40
ENOUGH = 7 * 1024  # bytes of answers: more than the buffers here take, so that the rest queues up at the server
BUFFER = 4096  # bytes under way at once: a sender fills packets to half of that at most (Linux: tcp_bound_to_half_wnd)
QUEUING = 0.3  # seconds in which answers gather at the server
STALLED = 2.5  # seconds without another byte; a lost packet is sent again within one
MOST = 256 * 1024  # bytes
_BEGINS = b"HTTP/1.1 "


async def many_answers(way: Way, wire: Wire, target: Target, alone: Exchange) -> tuple[ManyAnswers, ...]:
    """What became of the answers, as many as fill some packets by the length of one that came `alone`; where they
    stalled, of the same in small packets, too. None through a proxy: the packets are those of its own connection."""
    if way.route.proxy is not None:
        return ()
    count = max(LEAST, min(MOST_ASKED, ENOUGH // _length(alone)))
    first = await _asked(way, wire, target, count, Packing(buffer=BUFFER))
    if first is None or not first.stalled:
        return (first,) if first is not None else ()
    second = await _asked(way, wire, target, count, Packing(buffer=BUFFER, segment=SMALL))
    return (first, second) if second is not None else (first,)


def _length(seen: Exchange) -> int:
    """About how many bytes the answer has, headers and body."""
    return 20 + sum(len(name) + len(value) + 4 for name, value in seen.headers) + seen.body_bytes


async def _asked(way: Way, wire: Wire, target: Target, count: int, packing: Packing) -> ManyAnswers | None:
    tls = target.scheme == "https"
    try:
        stream = await wire.dial(way.route, tls=tls, verify=way.verify, packing=packing)
    except DialError:
        return None
    try:
        return await _answers(stream, wire, target, count)
    finally:
        stream.abort()


async def _answers(stream: Stream, wire: Wire, target: Target, count: int) -> ManyAnswers:
    seen, received = ManyAnswers(label=stream.label, asked=count, begun=0, received=0, stalled=False), b""
    requests = [wire.prepared(stream, "GET", target.url_for(UNKNOWN_PATH)) for _ in range(count)]
    try:
        stream.writer.write(b"".join(requests))
        with stream.unread():
            await asyncio.sleep(QUEUING)
        while received.count(_BEGINS) < count and len(received) < MOST:
            data = await asyncio.wait_for(stream.reader.read(BUFFER), STALLED)
            if not data:
                break
            received += data
    except TimeoutError:
        seen = replace(seen, stalled=True, counters=stream.counters)
    except OSError:
        pass
    return replace(seen, begun=received.count(_BEGINS), received=len(received))
