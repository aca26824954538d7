"""How long the backend itself keeps idle connections, asked past the load balancer (--backend).

Sent: one GET on each of four connections, then nothing. Where their ages are not those that are expected, or all ended
at one moment, one more on each of connections that are opened one after the other until the first ends. Recorded: when
each was answered and ended, and whether new ones are refused then."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from btdiag.core.exchange import Exchange, Trouble
from btdiag.core.measurement import Blocked, NotAsked, Unknown, Waits, measurement
from btdiag.core.target import Mode, Target, Way
from btdiag.families.keepalive.facts import DEFAULT_KEEPALIVE_S, BackendIdle, Life
from btdiag.families.keepalive.order import contradiction_s
from btdiag.families.keepalive.plan import BEYOND_S, early_look, expected_keepalive
from btdiag.families.keepalive.probe.idle import hint_of, open_and_ask, wait_for_ends
from btdiag.families.keepalive.restarts import MOMENT_S, another_round, at_one_moment, next_opening_s
from btdiag.net.endpoint import BACKEND_AGREES, backend_way
from btdiag.net.streams import DialError
from btdiag.net.timed import TimedConnection, answers, close_all
from btdiag.net.wire import Wire

WATCHED = 4  # connections: enough to tell a backend with exact timers from one that looks at them now and then
STAGGER_S = 0.1  # seconds between them, so that a coarse timer shows as different ages
BACKEND = "backend keep-alive"  # what is waited for
AGAIN_S = 80.0  # for all further rounds
KEPT_BACK_S = 5.0  # of the run, for what comes after
ANSWER_S = 2.0  # for one answer in a further round; the first round knows that the API answers
SETTLED_S = 2 * MOMENT_S  # after the first end: those that end with it have ended then
REFUSED_S = 0.1  # until new connections are tried once more: no process is started again sooner
BACK_S = 1.0  # before the next round, where new connections were refused: a process takes a moment to start
BEAT_S = 0.05  # how closely this machine's own lateness is watched


def backend_wait(target: Target, mode: Mode) -> float:
    """The wait of `backend_idle`: until the backend is expected to have closed, and a little longer."""
    return expected_keepalive(target) + BEYOND_S if target.backend else 0.0


def _asked_past(target: Target, mode: Mode) -> list[str]:
    if not target.backend:
        return []
    return [
        f"GET {target.backend}/ on {WATCHED} connections, held until they end; if that is not as expected, again on "
        "connections opened one after the other"
    ]


@measurement(
    budget=20 + AGAIN_S,
    why="four connections, one request each; and again, one after the other, when what was seen is not as expected",
    idle=backend_wait,
    sends=_asked_past,
)
async def backend_idle(target: Target, mode: Mode, wire: Wire, waits: Waits, backend_root: Exchange) -> BackendIdle:
    """How long the backend itself keeps an idle connection open, asked past the load balancer (--backend)."""
    api = _Api(way=await _way_past(target, wire, backend_root), url=str(target.backend), wire=wire, waits=waits)
    ends = asyncio.get_running_loop().time() + backend_wait(target, mode) + AGAIN_S
    seen = await _first_round(api, target, mode)
    while another_round(seen, _unexpected(target, seen)):
        left = min(waits.remaining() - KEPT_BACK_S, ends - asyncio.get_running_loop().time())
        if left < min(seen.closings_s, default=backend_wait(target, mode)) + BEYOND_S:
            break
        if seen.refused:
            await waits.idle(BACK_S, "the API server to be back")
        more = await api.one_after_the_other(min(left, backend_wait(target, mode)))
        if more is None:  # it is away for longer: what was seen before is told
            break
        seen = _together(target, [*seen.earlier, seen, more])
    return seen


async def _way_past(target: Target, wire: Wire, backend_root: Exchange) -> Way:
    if backend_root.status is None:
        reason = backend_root.failure.detail if backend_root.failure else "no answer"
        raise Blocked(BACKEND_AGREES, f"the backend {target.backend} does not answer GET /: {reason}")
    return await backend_way(target, wire)


@measurement(
    budget=20,
    why="four connections, one request each",
    idle=early_look,
    sends=lambda target, mode: (
        [f"GET {target.backend}/ on {WATCHED} connections, held past the server's default"]
        if early_look(target, mode)
        else []
    ),
)
async def early_backend_idle(
    target: Target, mode: Mode, wire: Wire, waits: Waits, backend_root: Exchange
) -> BackendIdle:
    """Whether the backend closes by its own default, where the budget does not hold the declared time."""
    wait = early_look(target, mode)
    if not wait:
        raise NotAsked("the budget holds the declared keep-alive")
    way = await _way_past(target, wire, backend_root)
    connections = await open_and_ask(wire, way, str(target.backend), "/", WATCHED, STAGGER_S)
    try:
        await wait_for_ends(connections, waits, wait, BACKEND)
        return backend_fact(way.route.label, connections)
    finally:
        await close_all(connections)


async def _first_round(api: _Api, target: Target, mode: Mode) -> BackendIdle:
    """Once more where nothing could be asked: a process that just ends takes nobody's request."""
    try:
        return await api.side_by_side(backend_wait(target, mode), expected_keepalive(target))
    except Unknown:
        await api.waits.idle(BACK_S, "the API server to be back")
        return await api.side_by_side(backend_wait(target, mode), expected_keepalive(target))


def _together(target: Target, rounds: Sequence[BackendIdle]) -> BackendIdle:
    """The round that contradicts the declared timeout least, and the others in it."""
    plain = [replace(one, rounds=1, earlier=()) for one in rounds]
    best = min(plain, key=lambda one: abs(_contradiction(target, one)))
    return replace(best, rounds=len(plain), earlier=tuple(one for one in plain if one is not best))


def _contradiction(target: Target, seen: BackendIdle) -> float:
    """Seconds by which a round contradicts the declared timeout, 0 without one."""
    ages = seen.closings_s or (seen.open_until_s or 0.0,)
    return 0.0 if target.backend_keepalive is None else contradiction_s(target.backend_keepalive, ages)


def _unexpected(target: Target, seen: BackendIdle) -> bool:
    """Is the age not the declared one, or earlier than the product's default where none is declared?"""
    if target.backend_keepalive is not None:
        return _contradiction(target, seen) != 0
    return bool(seen.closings_s) and contradiction_s(DEFAULT_KEEPALIVE_S, seen.closings_s) < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Api:
    """The API server asked directly."""

    way: Way
    url: str
    wire: Wire
    waits: Waits

    async def side_by_side(self, seconds: float, expected_s: float) -> BackendIdle:
        """Four connections at nearly the same time, held until they end."""
        connections = await open_and_ask(self.wire, self.way, self.url, "/", WATCHED, STAGGER_S)
        try:
            async with Lateness() as late:
                await wait_for_ends(connections, self.waits, seconds, BACKEND, expected_s=expected_s)
            return await self._fact(connections, late)
        finally:
            await close_all(connections)

    async def one_after_the_other(self, seconds: float) -> BackendIdle | None:
        """Connections of every age, until the first of them ends; None where not one could be opened."""
        loop, connections, turned_away = asyncio.get_running_loop(), list[TimedConnection](), False
        began = loop.time()
        try:
            async with Lateness() as late:
                while (left := began + seconds - loop.time()) > 0 and not any(one.gone.done() for one in connections):
                    try:
                        connections.append(await asked_once(self.wire, self.way, self.url))
                    except DialError as error:
                        turned_away = error.failure.trouble is Trouble.REFUSED
                        break
                    pause = min(next_opening_s(loop.time() - began), left)
                    await wait_for_ends(connections, self.waits, pause, f"{BACKEND}, once more", first=True)
                await asyncio.sleep(SETTLED_S)
            if not any(one.answered_at for one in connections):
                return None
            seen = await self._fact(connections, late)
            return replace(seen, refused=seen.refused or turned_away)
        finally:
            await close_all(connections)

    async def _fact(self, connections: Sequence[TimedConnection], late: Lateness) -> BackendIdle:
        seen = replace(backend_fact(self.way.route.label, connections), late_s=round(late.most_s, 3))
        return replace(seen, refused=await self._refused()) if at_one_moment(seen) else seen

    async def _refused(self) -> bool:
        """Is a new connection refused at this moment, or a moment later? A process that ends closes its connections
        first, and then the socket that takes new ones."""
        for pause in (0.0, REFUSED_S):
            await asyncio.sleep(pause)
            try:
                stream = await self.wire.dial_url(self.way, self.url)
            except DialError as error:
                if error.failure.trouble is Trouble.REFUSED:
                    return True
                continue
            await stream.close()
        return False


class Lateness:
    """By how much this loop was late at most: what ended meanwhile was seen to end at one moment."""

    def __init__(self) -> None:
        self.most_s = 0.0

    async def __aenter__(self) -> Lateness:
        self._task = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + BEAT_S
            await asyncio.sleep(BEAT_S)
            self.most_s = max(self.most_s, loop.time() - due)


async def asked_once(wire: Wire, way: Way, url: str) -> TimedConnection:
    """A new connection on which GET / was asked; DialError where there is none."""
    connection = TimedConnection(await wire.dial_url(way, url))
    connection.send("GET", wire.prepared(connection.stream, "GET", f"{url}/"))
    await answers([connection], ANSWER_S)
    return connection


def backend_fact(label: str, connections: Sequence[TimedConnection]) -> BackendIdle:
    """What the connections show so far."""
    asked = [(one, one.sent_at, one.answered_at) for one in connections if one.sent_at and one.answered_at]
    if not asked:
        raise Unknown(f"{label} answered none of {len(connections)} requests")
    now = asyncio.get_running_loop().time()
    quickest = min(answered - sent for _, sent, answered in asked)  # a slower answer was there before it was looked at
    first = asked[0][1]
    lives = tuple(
        Life(
            answered_at_s=round(sent + quickest - first, 4),
            ended_at_s=None if one.closed_at is None else round(one.closed_at - first, 4),
        )
        for one, sent, _ in asked
    )
    closings = tuple(sorted(round(age, 4) for one in lives if (age := one.age_s) is not None))
    return BackendIdle(
        label=label,
        closings_s=closings,
        open_until_s=None if closings else round(now - max(answered for _, _, answered in asked), 3),
        hint_s=hint_of(connections[0]),
        by_reset=any(connection.rst for connection in connections),
        lives=lives,
    )
