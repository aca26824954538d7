"""What a run of volleys against the keep-alive race saw, and what became of idle connections. Times in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from btdiag.core.shot import Ending, Shot

DEFAULT_KEEPALIVE_S = 65.0  # TS_API_KEEP_ALIVE_TIMEOUT_SECONDS unless set (Braintrust, Advanced self-hosting)


class Fate(StrEnum):
    """What became of an idle connection that we held."""

    FIN = "closed"
    RST = "reset"
    ANSWERED = "still usable"
    DEAD = "closed only when used"
    HUNG = "silent when used"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldConnection:
    """One idle connection. `age_s`: since its last answer, at its end or when it was used again. `unacknowledged`: our
    request never reached the peer's TCP (None: the system does not tell). `goodbye`: TLS was ended before the
    connection was, by close_notify (None: no TLS, or used again)."""

    fate: Fate
    age_s: float
    unacknowledged: bool | None = None
    goodbye: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontIdle:
    """Idle connections to the load balancer at one address. `waited_s` is the age up to which they were held;
    `keeps_alive` False: every answer ended its connection, `announced` then tells if it said so; `hint_s` is the
    timeout of its Keep-Alive header; `fresh_answered`: a new connection was answered at the end. `says_goodbye`: the
    load balancer ends TLS by close_notify where it is asked to close (looked at where idle ones ended without, through
    a proxy)."""

    label: str
    waited_s: float
    keeps_alive: bool
    announced: bool
    held: tuple[HeldConnection, ...]
    hint_s: float | None = None
    fresh_answered: bool | None = None
    says_goodbye: bool | None = None

    def ages(self, *fates: Fate) -> tuple[float, ...]:
        """The ages of the connections that had one of these fates, in order."""
        return tuple(sorted(one.age_s for one in self.held if one.fate in fates))


NODE_EXTRA_S = 1.0  # observed with Node 20: keepAliveTimeout 65 closes at 66.000 s, 2 at 3.000 s


THROTTLED = 0.1  # share of a volley answered 429, or newly 403, above which the volley says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Volley:
    """N requests sent at once. `name` is W, C, M, H, A or B; `at_s` counts from the start of the measurement; `age_s`
    is the idle time of the pool: median answer of the volley before to median sending of this one, None for W."""

    name: str
    at_s: float
    age_s: float | None
    shots: tuple[Shot, ...]

    @property
    def sent(self) -> int:
        """Requests that went out."""
        return sum(shot.ending is not Ending.UNSENT for shot in self.shots)

    @property
    def lost(self) -> int:
        """Requests with the mark of a dead upstream connection."""
        return sum(shot.lost for shot in self.shots)

    @property
    def hung(self) -> int:
        """Requests that nobody answered in time."""
        return sum(shot.hung for shot in self.shots)

    @property
    def durations(self) -> tuple[float, ...]:
        """Seconds to the first byte of each answer."""
        return tuple(shot.took_s for shot in self.shots if shot.took_s is not None and not shot.lost)

    def of(self, method: str) -> tuple[int, int]:
        """Lost and sent requests of a method."""
        chosen = [shot for shot in self.shots if shot.method == method and shot.ending is not Ending.UNSENT]
        return sum(shot.lost for shot in chosen), len(chosen)

    def throttled(self, usual: int | None) -> bool:
        """A rate limiter or WAF answered, not the backend: 429, or 403 where `usual` is the ordinary status."""
        refused = sum(shot.status == 429 or (shot.status == 403 != usual) for shot in self.shots)
        return refused > THROTTLED * max(len(self.shots), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Single GETs after a volley with hits, until they pass: `out_s` is how long they failed (0.0: the first ones
    passed), `recovered` False when they still failed at the end."""

    asked: int
    failed: int
    out_s: float
    recovered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """When a volley is due. `keepalive_s` is the K it tests; `age_s` the idle age at which it leaves; `spread_s` by how
    much the ages in the pool differ (the held-body comb; 0 for a plain volley)."""

    keepalive_s: float
    offset_s: float
    spread_s: float = 0.0

    @property
    def age_s(self) -> float:
        """The idle age of the pool when the volley reaches the load balancer."""
        return self.keepalive_s + self.offset_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """One idle period: the aim, the volley, the controls after it. `witness_closed` says that an idle connection of our
    own, to which nothing was sent, was closed by the load balancer within a second of the volley: then an empty close
    may be the load balancer's own idle timeout towards its clients."""

    aim: Aim
    volley: Volley
    controls: tuple[Volley, ...]
    recovery: Recovery | None = None
    witness_closed: bool = False

    @property
    def hits(self) -> int:
        """Lost requests that only the race explains."""
        if not self.witness_closed:
            return self.volley.lost
        return sum(shot.lost and shot.ending is Ending.ANSWERED for shot in self.volley.shots)

    @property
    def front_closed(self) -> bool:
        """The load balancer closes idle connections of clients at about this age too: held ones are of no use."""
        return self.witness_closed or self.volley.sent < 0.9 * len(self.volley.shots)

    @property
    def late_s(self) -> float:
        """By how much the volley missed its aim."""
        return (self.volley.age_s or 0.0) - self.aim.age_s


class TimeoutSource(StrEnum):
    """Where a timeout is known from, best first."""

    MEASURED = "measured"
    DECLARED = "declared"
    DEFAULT = "the product's default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keepalive:
    """What is known of K, the backend's idle timeout. `candidates` are the ages (seconds) at which it may close, the
    most likely first; `coarse` marks a backend that closes up to half a second or more after the first of them, None
    one that may. `early_s` is an age far below them that costs little to try first: the server's own default."""

    candidates: tuple[float, ...]
    source: TimeoutSource
    coarse: bool | None = False
    early_s: float | None = None


class Answerer(StrEnum):
    """Who answers the probe path."""

    BACKEND = "backend"
    BALANCER = "load balancer"
    UNCLEAR = "unclear"


class Stop(StrEnum):
    """Why no further volley was fired, in the words of a report."""

    ENOUGH = "further volleys would add nothing"
    ALL_PERIODS = "all planned periods were used"
    NO_TIME = "the remaining time does not hold another idle period"
    NOT_BACKEND = "the load balancer itself answers the probe path, so no request reaches the pool"
    UNHEALTHY = "the probe path did not answer properly before any volley"
    OVERLOADED = "requests failed in a control volley too, on connections that were not idle"
    THROTTLED = "the target throttles: 429 or 403 in a volley"
    HUNG = "requests on idle connections got no answer, while those on fresh ones did"
    TOO_LONG = "the backend had not closed an idle connection when the time was over"
    NO_CONNECTIONS = "fewer than ten connections to the target could be opened"


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """An idle connection over time: when it was answered, and when it ended (None: not while it was watched), or when
    it was let go of. Seconds since the watching began."""

    answered_at_s: float
    ended_at_s: float | None = None
    let_go_at_s: float | None = None

    @property
    def age_s(self) -> float | None:
        """How long it was idle when it ended."""
        return None if self.ended_at_s is None else self.ended_at_s - self.answered_at_s


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendIdle:
    """Idle connections to the backend itself (--backend), each after one answered request. `closings_s`: ages at which
    it closed them; `open_until_s`: the age up to which they were held, when it closed none; `hint_s`: its Keep-Alive
    header; `by_reset`: it ended them with RST. `lives` is each of them over time, `late_s` by how much btdiag itself
    was late at most while it watched; `refused`: a new connection was refused right after an end. `rounds` were
    measured, one after the other, and `earlier` are the others; the facts are of the one that contradicts the declared
    timeout least, for a busy machine delays once."""

    label: str
    closings_s: tuple[float, ...]
    open_until_s: float | None = None
    hint_s: float | None = None
    by_reset: bool = False
    lives: tuple[Life, ...] = ()
    late_s: float = 0.0
    refused: bool = False
    rounds: int = 1
    earlier: tuple[BackendIdle, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Volleys:
    """All volleys so far. `path` is what was asked; `usual` the status it normally has; `front_rtt_s` the round trip to
    the load balancer; `direct` what connections past it showed in the same wait (--backend)."""

    label: str
    path: str
    usual: int | None
    answerer: Answerer
    keepalive: Keepalive | None
    warm_up: tuple[Volley, ...]
    periods: tuple[Period, ...]
    front_rtt_s: float = 0.0
    direct: BackendIdle | None = None

    @property
    def controls(self) -> tuple[Volley, ...]:
        """Every volley on connections that were new or only just used."""
        return (*self.warm_up, *(volley for period in self.periods for volley in period.controls))

    @property
    def with_hits(self) -> tuple[Period, ...]:
        """The periods whose volley lost requests."""
        return tuple(period for period in self.periods if period.hits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Race(Volleys):
    """All volleys of a run, and why there were no more."""

    stop: Stop


def strip(volley: Volley, width: int = 60) -> str:
    """The volley as one line: one sign for each request, or for each group of them in sending order: `.` all answered,
    `X` one lost, `?` one unanswered."""
    shots = volley.shots
    size = max(1, -(-len(shots) // width))
    groups = [shots[start : start + size] for start in range(0, len(shots), size)]
    return "".join(_sign(group) for group in groups)


def _sign(group: Sequence[Shot]) -> str:
    if any(shot.lost for shot in group):
        return "X"
    return "?" if any(shot.ending is not Ending.ANSWERED or shot.hung for shot in group) else "."
