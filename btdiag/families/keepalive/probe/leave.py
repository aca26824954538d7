"""How idle connections end: of themselves, and how the load balancer ends one that it is asked to close."""

from __future__ import annotations

import asyncio

from btdiag.core.target import Target, Way
from btdiag.families.keepalive.facts import Fate, HeldConnection
from btdiag.families.keepalive.probe.volleys import HUNG_S
from btdiag.net.streams import DialError
from btdiag.net.timed import TimedConnection, answers
from btdiag.net.wire import Wire

LEAVE_S = 2.0  # seconds for the end of a connection after its last answer


def idle_time(connection: TimedConnection) -> float | None:
    """Seconds from the answer to the end of the connection; None while it is open, or when it was never answered."""
    if connection.closed_at is None or connection.answered_at is None:
        return None
    return round(connection.closed_at - connection.answered_at, 4)


def leave(connection: TimedConnection) -> HeldConnection | None:
    """How an idle connection ended to which nothing more was sent; None where it did not."""
    age = idle_time(connection)
    if age is None or age < 0:
        return None
    return HeldConnection(fate=Fate.RST if connection.rst else Fate.FIN, age_s=age, goodbye=connection.goodbye)


async def says_goodbye(wire: Wire, way: Way, target: Target) -> bool | None:
    """Whether the load balancer ends TLS by its close_notify (RFC 8446 section 6.1) where a request asks it to close;
    None where no such end was seen."""
    try:
        stream = await wire.dial_url(way, target.origin)
    except DialError:
        return None
    connection = TimedConnection(stream)
    try:
        closing = (("Connection", "close"),)
        connection.send("GET", wire.prepared(stream, "GET", target.url_for("/"), headers=closing))
        await answers([connection], HUNG_S)
        await asyncio.wait({connection.gone}, timeout=LEAVE_S)
        return connection.goodbye
    finally:
        await connection.close()
