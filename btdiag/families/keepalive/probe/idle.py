"""How long idle connections live: held in our own hands, to the load balancer and to the backend.

Sent: one GET on each connection, then nothing; on some, one more GET at a chosen age. Recorded: when and how each
ended."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from btdiag.core.exchange import Exchange, Trouble
from btdiag.core.measurement import Blocked, Scope, Unknown, Waits, measurement
from btdiag.core.shot import Ending
from btdiag.core.target import Mode, Target, Way
from btdiag.families.keepalive.facts import (
    BackendIdle,
    Fate,
    FrontIdle,
    HeldConnection,
)
from btdiag.families.keepalive.order import contradiction_s
from btdiag.families.keepalive.plan import BEYOND_S, expected_keepalive, front_wait
from btdiag.families.keepalive.probe.leave import idle_time, leave, says_goodbye
from btdiag.families.keepalive.probe.volleys import HUNG_S
from btdiag.net.endpoint import BACKEND_AGREES, backend_way
from btdiag.net.streams import DialError
from btdiag.net.timed import TimedConnection, answers, close_all
from btdiag.net.wire import Wire

WATCHED = 4  # direct connections: enough to tell a backend with exact timers from one that looks at them now and then
STAGGER_S = 0.1  # seconds between them, so that a coarse timer shows as different ages
ANSWER_S = 10.0  # seconds for one answer, as for every other request
AT_ONCE_S = 0.5  # a connection that ends so soon after its answer was never meant to be kept
HELD = 4  # connections that are only held, to see them end
PROBED_AT = (0.25, 0.5, 0.75, 0.95)  # ages, as shares of the wait, at which a connection is used again
FRONT, BACKEND = "front idle timeout", "backend keep-alive"  # what is waited for
AGAIN_S = 80.0  # the longest second round
ROUNDS = 3  # when connections of different ages ended at one moment: a restart does so at another age each time
REFUSED_S = 0.1  # until new connections are tried once more: no process is started again sooner
BACK_S = 1.0  # before the next round, where new connections were refused: a process takes a moment to start
DEEP_PROBED_AT = tuple(step / 16 for step in range(1, 16))


async def open_and_ask(
    wire: Wire, way: Way, url: str, path: str, count: int, stagger_s: float
) -> list[TimedConnection]:
    """Open connections one after the other and ask once on each; only those that were answered and stayed open."""
    opened: list[TimedConnection] = []
    try:
        for number in range(count):
            if number:
                await asyncio.sleep(stagger_s)
            stream = await wire.dial_url(way, url)
            connection = TimedConnection(stream)
            opened.append(connection)
            connection.send("GET", wire.prepared(stream, "GET", url + path))
        await answers(opened, ANSWER_S)
    except DialError as error:
        await close_all(opened)
        raise Unknown(f"no connection to {way.route.label}: {error.failure.detail}") from error
    except BaseException:
        await close_all(opened)
        raise
    return opened


async def wait_for_ends(
    connections: Sequence[TimedConnection],
    waits: Waits,
    seconds: float,
    what: str,
    *,
    first: bool = False,
    expected_s: float | None = None,
) -> None:
    """One idle wait of at most `seconds`, over as soon as all connections (or the first of them) are gone. Where that
    is expected sooner, `expected_s` is announced, and the rest only when it is needed."""
    if expected_s is not None and expected_s < seconds:
        await wait_for_ends(connections, waits, expected_s, what, first=first)
        gone = sum(one.gone.done() for one in connections)
        if gone < (1 if first else len(connections)):
            await wait_for_ends(connections, waits, seconds - expected_s, f"{what}, longer than expected", first=first)
        return
    until = asyncio.FIRST_COMPLETED if first else asyncio.ALL_COMPLETED
    ends = asyncio.ensure_future(asyncio.wait({one.gone for one in connections}, return_when=until))
    waiting = asyncio.ensure_future(waits.idle(seconds, what))
    try:
        await asyncio.wait({ends, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ends.cancel()
        waiting.cancel()
        await asyncio.gather(ends, waiting, return_exceptions=True)


def stayed_open(connection: TimedConnection) -> bool:
    """Did the connection stay open after its answer?"""
    age = idle_time(connection)
    return connection.stream.reusable and (age is None or age > AT_ONCE_S)


def hint_of(connection: TimedConnection) -> float | None:
    """Seconds in the `Keep-Alive: timeout=` of the last answer (RFC 2068 section 19.7.1.1, today's de-facto form)."""
    values = [value for name, value in connection.headers if name.lower() == "keep-alive"]
    found = re.search(r"timeout\s*=\s*(\d{1,6})", ",".join(values))
    return float(found.group(1)) if found else None


def backend_wait(target: Target, mode: Mode) -> float:
    """The wait of `backend_idle`: until the backend is expected to have closed, and a little longer."""
    return expected_keepalive(target) + BEYOND_S if target.backend else 0.0


def _asked_past(target: Target, mode: Mode) -> list[str]:
    if not target.backend:
        return []
    return [f"GET {target.backend}/ on {WATCHED} connections, held until they end; once more if they contradict"]


@measurement(
    budget=20 + AGAIN_S,
    why="four connections, one request each; and the wait again when what was seen contradicts what is declared",
    idle=backend_wait,
    sends=_asked_past,
)
async def backend_idle(target: Target, mode: Mode, wire: Wire, waits: Waits, backend_root: Exchange) -> BackendIdle:
    """How long the backend itself keeps an idle connection open, asked past the load balancer (--backend)."""
    way = await way_past(target, wire, backend_root)
    rounds = [await _round(target, mode, wire, waits, way)]
    while len(rounds) < (ROUNDS if any(one.together for one in rounds) else 2):
        odd = any(one.together for one in rounds) or _contradiction(target, rounds[-1])
        if not odd or backend_wait(target, mode) > min(AGAIN_S, waits.remaining() - 5.0):
            break
        if rounds[-1].refused:
            await waits.idle(BACK_S, "the API server to be back")
        try:
            rounds.append(await _round(target, mode, wire, waits, way))
        except Unknown:  # it is away for longer: what was seen before is told
            break
    best = min(rounds, key=lambda one: abs(_contradiction(target, one)))
    others = tuple(one for one in rounds if one is not best)
    return replace(best, rounds=len(rounds), earlier=others)


async def way_past(target: Target, wire: Wire, backend_root: Exchange) -> Way:
    """The way to --backend, which answers; Blocked where it does not."""
    if backend_root.status is None:
        reason = backend_root.failure.detail if backend_root.failure else "no answer"
        raise Blocked(BACKEND_AGREES, f"the backend {target.backend} does not answer GET /: {reason}")
    return await backend_way(target, wire)


def _contradiction(target: Target, seen: BackendIdle) -> float:
    """Seconds by which a round contradicts the declared timeout, 0 without one."""
    ages = seen.closings_s or (seen.open_until_s or 0.0,)
    return 0.0 if target.backend_keepalive is None else contradiction_s(target.backend_keepalive, ages)


async def _round(target: Target, mode: Mode, wire: Wire, waits: Waits, way: Way) -> BackendIdle:
    connections = await open_and_ask(wire, way, str(target.backend), "/", WATCHED, STAGGER_S)
    try:
        await wait_for_ends(
            connections, waits, backend_wait(target, mode), BACKEND, expected_s=expected_keepalive(target)
        )
        seen = backend_fact(way.route.label, connections)
        return replace(seen, refused=await refused(wire, way, str(target.backend))) if seen.together else seen
    finally:
        await close_all(connections)


async def refused(wire: Wire, way: Way, url: str) -> bool:
    """Is a new connection refused at this moment, or a moment later? A process that ends closes its connections first,
    and then the socket that takes new ones."""
    for pause in (0.0, REFUSED_S):
        await asyncio.sleep(pause)
        try:
            stream = await wire.dial_url(way, url)
        except DialError as error:
            if error.failure.trouble is Trouble.REFUSED:
                return True
            continue
        await stream.close()
    return False


def ended_together(connections: Sequence[TimedConnection]) -> bool:
    """Did connections that were asked one after the other end at one moment, as those of a process that ends do, and
    not each at its own age?"""
    ended = [one for one in connections if one.sent_at is not None and one.closed_at is not None]
    if len(ended) < max(3, len(connections) - 1):
        return False
    asked, closed = [one.sent_at or 0.0 for one in ended], [one.closed_at or 0.0 for one in ended]
    return max(asked) - min(asked) > 2 * STAGGER_S * 0.9 and max(closed) - min(closed) < STAGGER_S / 2


def backend_fact(label: str, connections: Sequence[TimedConnection]) -> BackendIdle:
    """What the connections show so far."""
    asked = [(one, one.sent_at, one.answered_at) for one in connections if one.sent_at and one.answered_at]
    if not asked:
        raise Unknown(f"{label} answered none of {len(connections)} requests")
    now = asyncio.get_running_loop().time()
    quickest = min(answered - sent for _, sent, answered in asked)  # a slower answer was there before it was looked at
    ends = [one.closed_at - sent - quickest for one, sent, _ in asked if one.closed_at is not None]
    closings = tuple(sorted(round(age, 4) for age in ends))
    return BackendIdle(
        label=label,
        closings_s=closings,
        open_until_s=None if closings else round(now - max(answered for _, _, answered in asked), 3),
        hint_s=hint_of(connections[0]),
        by_reset=any(connection.rst for connection in connections),
        together=ended_together(connections),
    )


def _asked_in_front(target: Target, mode: Mode) -> list[str]:
    used = len(DEEP_PROBED_AT if mode.deep else PROBED_AT)
    return [f"GET {target.url_for('/')} on {HELD + used} connections, again on each that stays open, once on a new one"]


@measurement(
    budget=50,
    why="one or two requests a connection, 5 s for those that stay silent, and volleys that others fire meanwhile",
    scope=Scope.ADDRESS,
    idle=front_wait,
    sends=_asked_in_front,
)
async def front_idle(target: Target, mode: Mode, wire: Wire, waits: Waits, answering_way: Way) -> FrontIdle:
    """How long the load balancer keeps a client's idle connection open, and how it ends."""
    wait = front_wait(target, mode)
    ages = [share * wait for share in (DEEP_PROBED_AT if mode.deep else PROBED_AT)]
    connections = await open_and_ask(wire, answering_way, target.origin, target.path + "/", HELD + len(ages), 0.0)
    try:
        front = _Front(target=target, wire=wire, waits=waits, way=answering_way)
        return await _watched(front, connections, ages, wait)
    finally:
        await close_all(connections)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Front:
    target: Target
    wire: Wire
    waits: Waits
    way: Way

    async def use(self, connection: TimedConnection) -> HeldConnection | None:
        """Send once more on an idle connection; None when it had been closed before, as its idle time tells."""
        if not connection.usable or connection.answered_at is None:
            return None
        since = connection.answered_at
        connection.send("GET", self.wire.prepared(connection.stream, "GET", self.target.url_for("/")))
        await answers([connection], HUNG_S)
        shot = connection.shot(since)
        unacknowledged = connection.unacknowledged() if shot.ending is Ending.SILENT else None
        return HeldConnection(
            fate=_FATES.get(shot.ending, Fate.DEAD), age_s=shot.age_s or 0.0, unacknowledged=unacknowledged
        )


_FATES = {Ending.ANSWERED: Fate.ANSWERED, Ending.SILENT: Fate.HUNG}


async def _watched(
    front: _Front, connections: Sequence[TimedConnection], ages: Sequence[float], wait: float
) -> FrontIdle:
    loop = asyncio.get_running_loop()
    started = loop.time()
    announced = any("close" in value.lower() for name, value in connections[0].headers if name.lower() == "connection")
    hint = hint_of(connections[0])
    uses = []
    for connection, age in zip(connections, ages, strict=False):
        await wait_for_ends(connections, front.waits, max(0.0, started + age - loop.time()), FRONT)
        uses.append(asyncio.create_task(front.use(connection)))
    await wait_for_ends(connections, front.waits, max(0.0, started + wait - loop.time()), FRONT)
    passive = connections[len(ages) :]
    keeps_alive = any(stayed_open(connection) for connection in passive)
    uses += [asyncio.create_task(front.use(connection)) for connection in passive]
    used = [held for held in await asyncio.gather(*uses) if held is not None]
    closed = [left for connection in passive if (left := leave(connection)) is not None]
    fresh = await front.wire.exchange(front.way, "GET", front.target.url_for("/"))
    return FrontIdle(
        label=front.way.route.label,
        waited_s=wait,
        keeps_alive=keeps_alive,
        announced=announced,
        held=(*used, *closed),
        hint_s=hint,
        fresh_answered=fresh.status is not None,
        says_goodbye=await says_goodbye(front.wire, front.way, front.target) if _cut(front.way, closed) else None,
    )


def _cut(way: Way, closed: Sequence[HeldConnection]) -> bool:
    return way.route.proxy is not None and any(one.goodbye is False for one in closed)
