"""One run of idle periods: carries out the steps of plan.py on a battery of connections, and keeps what was seen.

W and C fill and use the load balancer's pool, A is due at the age K, B follows at once; once in four periods bodies are
held back for 0.3 s at most (H). Where the backend cannot be asked directly, one request with a method that nobody knows
tells Node.js from other servers, and so which K is meant.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from contextlib import suppress
from dataclasses import dataclass, field, replace

from btdiag.core.measurement import Blocked, Unknown, Waits
from btdiag.core.target import Mode, Target, Way
from btdiag.families.keepalive.aim import (
    PERIODS,
    answered_by,
    is_node,
    keepalive_measured,
    may_stream,
)
from btdiag.families.keepalive.facts import (
    Aim,
    Answerer,
    Keepalive,
    Period,
    Recovery,
    Stop,
    Volley,
    Volleys,
)
from btdiag.families.keepalive.order import order_of
from btdiag.families.keepalive.plan import (
    RESERVE_S,
    Controls,
    Fire,
    HalfWay,
    Means,
    Next,
    expected_keepalive,
    keepalive_assumed,
    next_step,
    trouble,
    with_half_way,
)
from btdiag.families.keepalive.probe.backend import BACKEND, STAGGER_S, WATCHED, backend_fact
from btdiag.families.keepalive.probe.idle import open_and_ask, wait_for_ends
from btdiag.families.keepalive.probe.volleys import BODY, HEADERS, VOLLEY_S, Battery, connection_limit
from btdiag.net.endpoint import backend_way
from btdiag.net.limits import Limits
from btdiag.net.timed import TimedConnection, close_all
from btdiag.net.wire import Wire

ODD_METHOD = "BTDIAG"  # a token that no server knows (RFC 9110 section 9.1), to a path that nobody has
FEWEST = 10  # a volley of fewer is no better than single requests
WITNESSES = 4  # connections that stay out of A: when they end with it, it is the load balancer's own front timeout
PAUSE_S = 0.2  # between W and C, A and B: the pool has its connections back, and none has been idle for long
STEADY, REPEATS = 1.3, 3  # times the quickest control that one may take to give a common age; repeats of a slower one
LEAD_S = 0.25  # before A: connections that the load balancer closed meanwhile are replaced
FIRST_WITHIN_S = 2.0  # the longest that the first volley waits for other measurements to end
RECOVERY_S = 40.0  # nginx takes a server out for 10 s, Envoy's outlier detection for 30 s


@dataclass(slots=True, kw_only=True)
class Induction:
    """One run of idle periods: carries out what the plan says, and keeps what was seen."""

    target: Target
    mode: Mode
    wire: Wire
    waits: Waits
    battery: Battery
    backend: Way | None = None
    usual: int | None = None
    answerer: Answerer = Answerer.UNCLEAR
    combs: bool = False
    node: bool | None = None
    keepalive: Keepalive | None = None
    direct: list[TimedConnection] = field(default_factory=list)
    warm_up: tuple[Volley, ...] = ()
    periods: list[Period] = field(default_factory=list)
    quickest_s: float = math.inf

    async def run(self) -> Stop:
        """All steps in order; why it ended."""
        if self.target.backend:
            with suppress(Blocked, Unknown):  # then K is what is declared
                self.backend = await backend_way(self.target, self.wire)
        if stop := await self._choose_path() or await self._warm_up():
            return stop
        await self._know_keepalive()
        while not isinstance(step := next_step(self.seen(), self._means()), Stop):
            await self._carry_out(step)
        return step

    async def _carry_out(self, step: Next) -> None:
        match step:
            case HalfWay(aim):
                await self._half_way(aim)
            case Fire(aim):
                await self._period(aim)
            case Controls(count):
                await self._more_controls(count)

    def seen(self) -> Volleys:
        """All that was seen so far."""
        return Volleys(
            label=self.battery.way.route.label,
            path=self.battery.path,
            usual=self.usual,
            answerer=self.answerer,
            keepalive=self.keepalive,
            warm_up=self.warm_up,
            periods=tuple(self.periods),
            front_rtt_s=round(self.battery.rtt_s, 6),
            direct=backend_fact("backend", self.direct) if self.direct else None,
        )

    def _means(self) -> Means:
        used_at = self.battery.pool_used_at
        return Means(
            periods=self.mode.periods or PERIODS,
            half_way=with_half_way(self.target, self.mode),
            thorough=self.mode.deep or self.mode.periods is not None,
            combs=self.combs,
            volley_s=self.quickest_s - self.battery.rtt_s,
            pool_age_s=0.0 if used_at is None else self._now() - used_at,
            left_s=self.waits.remaining(),
            sound_order=order_of(self.target, self.seen().direct).sound,
        )

    async def _choose_path(self) -> Stop | None:
        """One POST, to know the ordinary answer and who gives it; below /v1 when the load balancer answers the
        first."""
        name = f"btdiag-{secrets.token_hex(4)}"
        for path in [self.mode.probe_path] if self.mode.probe_path else [f"/{name}", f"/v1/{name}"]:
            self.battery.path = self.target.path + path
            if stop := await self._try_path(path):
                return stop
            if self.answerer is not Answerer.BALANCER:
                return None
        return Stop.NOT_BACKEND

    async def _try_path(self, path: str) -> Stop | None:
        limits = Limits(total=VOLLEY_S)
        front = await self.wire.exchange(
            self.battery.way, "POST", self.target.url_for(path), headers=HEADERS, body=BODY, limits=limits
        )
        direct = None
        if self.target.backend and self.backend:
            url = self.target.backend.rstrip("/") + path
            direct = await self.wire.exchange(self.backend, "POST", url, headers=HEADERS, body=BODY, limits=limits)
        self.usual, self.answerer, self.combs = front.status, answered_by(front, direct), may_stream(front)
        if not self.backend:
            odd = await self.wire.exchange(self.battery.way, ODD_METHOD, self.target.url_for(path), limits=limits)
            self.node = is_node(front, odd)
        if front.status == 429:
            return Stop.THROTTLED
        return Stop.UNHEALTHY if front.status is None or front.status >= 500 else None

    async def _warm_up(self) -> Stop | None:
        """W and C; with a quarter of the connections when so many at once are too much for the target."""
        wanted = connection_limit(self.mode.connections)
        stop: Stop | None = None
        for count in (wanted, wanted // 4):
            async with self.waits.alone(within=FIRST_WITHIN_S):
                stop = await self._fill_and_fire(count)
            if stop is not Stop.OVERLOADED:
                return stop
            await self.battery.close()
            await self.waits.idle(FIRST_WITHIN_S, "the target to recover from the warm-up")
        return stop

    async def _fill_and_fire(self, count: int) -> Stop | None:
        async with asyncio.TaskGroup() as both:
            both.create_task(self.battery.fill(count, WITNESSES))
            both.create_task(self._ask_directly())
        direct_until = self._now() + self._lead_s + WATCHED * STAGGER_S
        if len(self.battery.connections) < FEWEST + WITNESSES:
            return Stop.NO_CONNECTIONS
        filling = await self.battery.fire("W")
        if self.direct:  # its age begins a little before the pool's, so that K is known in time
            await asyncio.sleep(max(0.0, direct_until - self._now() - 2 * PAUSE_S))
        self.warm_up = (filling, *await self._controls("C", 2), *await self._steady("C"))
        return trouble(self.seen())

    async def _ask_directly(self) -> None:
        """Connections past the load balancer, to see K on; without them it is what is declared."""
        await close_all(self.direct)
        self.direct = []
        if self.target.backend and self.backend:
            with suppress(Unknown):
                self.direct = await open_and_ask(self.wire, self.backend, self.target.backend, "/", WATCHED, STAGGER_S)

    async def _controls(self, name: str, count: int) -> list[Volley]:
        """Volleys on connections only just used; the last one sets the age of the pool."""
        volleys: list[Volley] = []
        while len(volleys) < count:
            await asyncio.sleep(PAUSE_S)
            volleys.append(await self.battery.fire(name))
            self.quickest_s = min(self.quickest_s, self.battery.took_s)
        return volleys

    async def _steady(self, name: str) -> list[Volley]:
        """More controls when the last one took longer than others did: then this machine, or the target, was busy with
        something else, and the ages in the pool are blurred."""
        volleys: list[Volley] = []
        while self.battery.took_s > STEADY * self.quickest_s and len(volleys) < REPEATS:
            volleys += await self._controls(name, 1)
        return volleys

    @property
    def _lead_s(self) -> float:
        """Time to get ready for a volley: the load balancer may have closed all connections meanwhile."""
        return LEAD_S + 1.5 * self.battery.dial_s

    async def _know_keepalive(self) -> None:
        """K: from the direct connections, which were asked a little before the pool was; else as declared. None where
        they had not been closed when the time was over."""
        if not self.direct:
            self.keepalive = keepalive_assumed(self.target, self.mode, self.node)
            return
        limit = max(0.0, self.waits.remaining() - RESERVE_S)
        expected = expected_keepalive(self.target)
        await wait_for_ends(self.direct, self.waits, limit, BACKEND, first=True, expected_s=expected)
        await wait_for_ends(self.direct, self.waits, WATCHED * STAGGER_S, BACKEND)
        if closings := backend_fact("backend", self.direct).closings_s:
            still_open = [self._now() - one.answered_at for one in self.direct if one.usable and one.answered_at]
            self.keepalive = keepalive_measured(closings, still_open)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _due(self, aim: Aim) -> float:
        """When A must leave, so that it reaches the load balancer as the pool reaches the age."""
        assert self.battery.pool_used_at is not None
        return self.battery.pool_used_at + aim.age_s - self.battery.rtt_s

    async def _half_way(self, aim: Aim) -> None:
        """M: a control at half the age, at which no timer is about to run out."""
        async with self.waits.alone(within=FIRST_WITHIN_S):
            self.warm_up = (*self.warm_up, *await self._controls("C", 1))
        await self.waits.idle(
            max(0.0, self._due(aim) - self._lead_s - self._now()), "half the backend's keep-alive (control)"
        )
        async with self.waits.alone(within=FIRST_WITHIN_S):
            volley = await self.battery.fire("M")
            self.warm_up = (*self.warm_up, volley, *await self._controls("C", 1), *await self._steady("C"))

    async def _ready(self, aim: Aim) -> list[Volley]:
        """The pool in the state that a further period begins with: of one age, or of many (H). An H that loses requests
        is no control: not every load balancer takes well to held bodies."""
        if not self.periods:
            return []
        async with self.waits.alone(within=FIRST_WITHIN_S):
            volleys = await self._steady("B")
            if aim.spread_s:
                volleys.append(await self.battery.comb("H", aim.spread_s))
        return [one for one in volleys if one.name != "H" or not one.lost]

    async def _period(self, aim: Aim) -> None:
        before = await self._ready(aim)
        due = self._due(aim)
        await self.waits.idle(max(0.0, due - self._lead_s - self._now()), "idle period of the backend's keep-alive")
        async with self.waits.alone(within=max(0.0, due - self._lead_s / 2 - self._now())):  # the moment counts most
            if self.periods and self.periods[-1].front_closed:
                await self.battery.renew()
            volley = await self.battery.fire("A", due=due)
            recovery = await self._recovery() if volley.lost else None
            if volley.hung:  # the witnesses and the rest are as old, and would hang too
                await self.battery.renew()
            controls = await self._controls("B", 2 if volley.lost else 1)
        period = Period(
            aim=aim,
            volley=volley,
            controls=(*before, *controls),
            recovery=recovery,
            witness_closed=self.battery.witness_closed(volley.at_s),
        )
        self.periods.append(period)

    async def _more_controls(self, count: int) -> None:
        async with self.waits.alone(within=FIRST_WITHIN_S):
            more = await self._controls("B", count)
        self.periods[-1] = replace(self.periods[-1], controls=(*self.periods[-1].controls, *more))

    async def _recovery(self) -> Recovery:
        """Single GETs, each on a connection of its own, until three in a row pass."""
        began, out_s, asked, failed, passed = self._now(), 0.0, 0, 0, 0
        url = self.target.origin + self.battery.path
        while passed < 3 and self._now() - began < RECOVERY_S:
            answer = await self.wire.exchange(self.battery.way, "GET", url, limits=Limits(total=5.0))
            bad = answer.status is None or answer.status >= 500
            asked, failed, passed = asked + 1, failed + bad, 0 if bad else passed + 1
            out_s = self._now() - began if bad else out_s
            await self.waits.idle(0.5 if failed else 0.05, "the target to recover from the volley")
        return Recovery(asked=asked, failed=failed, out_s=round(out_s, 2), recovered=passed >= 3)
