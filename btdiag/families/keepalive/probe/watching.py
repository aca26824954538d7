"""Does the API stay up while the run waits? A GET / now and then, each on a new connection through the load balancer.

Sent: one request every second or so, as often as a health check, and one to the API server itself where it may be asked
(--backend), whose connection is then held; after a failure some more, until it is over; none once the target throttles.
Recorded: when each was sent, and what came; when what was held ended, or new ones were refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from btdiag.core.exchange import Exchange, Trouble
from btdiag.core.measurement import NotAsked, Waits, measurement
from btdiag.core.target import Mode, Target, Way
from btdiag.families.keepalive.facts import Life
from btdiag.families.keepalive.plan import consented, front_wait
from btdiag.families.keepalive.probe.backend import Lateness, asked_once
from btdiag.families.keepalive.watched import Held, Look, Watch
from btdiag.net.endpoint import backend_way_if_any
from btdiag.net.limits import Limits
from btdiag.net.streams import DialError
from btdiag.net.timed import TimedConnection, close_all
from btdiag.net.wire import Wire

SOONEST_S = 0.5  # between two requests: a guest asks no more often than a health check
MOST = 60  # requests
MORE = 20  # requests after one that failed: a process takes a second to start
PAUSE_S = 0.05  # between those
SETTLED = 5  # of them that are answered in a row: it is back
KEPT = 10  # connections to the API itself that are held at once
ANSWER_S = 5.0  # seconds for one answer: what takes longer is as good as away for a health check
AWAY = frozenset({502, 503, 504})  # what a load balancer says when no server takes the request


def pause_s(target: Target, mode: Mode) -> float:
    """Seconds between two requests."""
    return max(SOONEST_S, front_wait(target, mode) / MOST)


def _wait(target: Target, mode: Mode) -> float:
    return 0.0 if consented(target, mode) else front_wait(target, mode)


def _asked(target: Target, mode: Mode) -> list[str]:
    if consented(target, mode):
        return []
    beside = f" and GET {target.backend}/" if target.backend else ""
    return [f"GET {target.url_for('/')}{beside} every {pause_s(target, mode):.1f} s, while idle connections age"]


@measurement(
    budget=20,
    why="one request a second, the last of which may stay unanswered for five",
    idle=_wait,
    sends=_asked,
)
async def api_watch(target: Target, mode: Mode, wire: Wire, waits: Waits, serving_way: Way) -> Watch:
    """Whether the API is there at every moment of the run."""
    if consented(target, mode):
        raise NotAsked("it is not watched while volleys are fired: a load balancer may take servers out for them")
    loop = asyncio.get_running_loop()
    began, looks = loop.time(), list[Look]()
    every = pause_s(target, mode)
    beside = _Beside(way=await backend_way_if_any(target, wire), url=str(target.backend), wire=wire, began=began)

    def ask() -> Awaitable[Exchange]:
        return wire.exchange(serving_way, "GET", target.url_for("/"), limits=Limits(total=ANSWER_S))

    try:
        async with Lateness() as late:
            while loop.time() - began < front_wait(target, mode) and len(looks) < 2 * MOST:
                at = loop.time()
                seen, _ = await asyncio.gather(ask(), beside.one_more())
                out = bool(looks) and not looks[-1].answered
                looks.append(await _look(at - began, seen, ask, 0 if out else MORE))
                if seen.status == 429:
                    break
                await waits.idle(max(0.05, at + every - loop.time()), "the API, looked at now and then")
        held = beside.held(late.most_s)
    finally:
        await beside.close()
    return Watch(label=serving_way.route.label, every_s=every, looks=tuple(looks), direct=held)


async def _look(at_s: float, seen: Exchange, ask: Callable[[], Awaitable[Exchange]], more: int) -> Look:
    """After a failure others are asked, one by one, until some in a row are answered: one broken server of several
    answers and fails by turns, and one that restarts fails until it is back."""
    what = str(seen.status) if seen.status is not None else seen.failure.trouble.value if seen.failure else "no answer"
    at_s = round(at_s, 3)
    if _answered(seen):
        return Look(at_s=at_s, answered=True, what=what)
    good = [False]
    while len(good) <= more and good[-SETTLED:] != [True] * SETTLED:
        await asyncio.sleep(PAUSE_S)
        good.append(_answered(await ask()))
    first = good.index(True) if True in good else len(good)
    return Look(at_s=at_s, answered=False, what=what, in_a_row=first, mixed=not all(good[first:]))


def _answered(seen: Exchange) -> bool:
    return seen.status is not None and seen.status not in AWAY


@dataclass(slots=True, kw_only=True)
class _Beside:
    """Connections to the API server itself (`way` None: there is none), one more now and then."""

    way: Way | None
    url: str
    wire: Wire
    began: float
    connections: list[TimedConnection] = field(default_factory=list)
    let_go: dict[TimedConnection, float] = field(default_factory=dict)
    refused_at: list[float] = field(default_factory=list)

    async def one_more(self) -> None:
        """Ask on a new connection and hold it; the oldest of too many is let go of."""
        if self.way is None:
            return
        now = asyncio.get_running_loop().time()
        try:
            self.connections.append(await asked_once(self.wire, self.way, self.url))
        except DialError as error:
            if error.failure.trouble is Trouble.REFUSED:
                self.refused_at.append(round(now - self.began, 3))
        standing = [one for one in self.connections if one.closed_at is None and one not in self.let_go]
        for one in standing[:-KEPT]:
            self.let_go[one] = now
            await close_all([one])

    def held(self, late_s: float) -> Held | None:
        """What became of all of them."""
        if self.way is None:
            return None
        return Held(
            label=self.way.route.label,
            lives=tuple(life for one in self.connections if (life := self._life(one)) is not None),
            refused_at_s=tuple(self.refused_at),
            late_s=round(late_s, 3),
        )

    def _life(self, one: TimedConnection) -> Life | None:
        if one.answered_at is None:
            return None
        left = self.let_go.get(one)
        ended = one.closed_at if left is None else None
        return Life(
            answered_at_s=round(one.answered_at - self.began, 3),
            ended_at_s=None if ended is None else round(ended - self.began, 3),
            let_go_at_s=None if left is None else round(left - self.began, 3),
        )

    async def close(self) -> None:
        """Let go of all."""
        await close_all([one for one in self.connections if one not in self.let_go])
