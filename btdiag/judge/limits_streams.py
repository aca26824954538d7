"""Does a stream of events arrive as it is sent, or does a hop hold it back until it ends?"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from btdiag.core import evidence
from btdiag.core.answers import Roots, facts_of, rate_limited, words
from btdiag.core.exchange import Exchange, Trouble
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.measurement import NotMeasured, PerAddress

STREAM_PATH = "/sse"
LATE = 1.0  # seconds that a first event may take longer through the load balancer than any other answer does
FLOWING = 0.02  # seconds between first and last piece: what was held back comes in one burst
AGREES_S = 1.5  # seconds by which the ages of two streams that the same timer ended may differ
FLOWING_S = 1.0  # a stream that was silent for less was not ended for its silence
GIVEN_UP = frozenset({408, 502, 503, 504, 520, 522, 524})
_CUT = frozenset({Trouble.CLOSED, Trouble.RESET})
SOURCES = (
    "https://html.spec.whatwg.org/multipage/server-sent-events.html",
    "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSeen:
    """A stream watched for some seconds. `exchange` is its head (a failure by TIMEOUT only says that we hung up);
    `pieces` are the seconds since the request at which parts of the body came; `watched` how long was waited."""

    exchange: Exchange
    pieces: tuple[float, ...]
    watched: float

    @property
    def is_stream(self) -> bool:
        """The answer is a successful stream of server-sent events."""
        seen = self.exchange
        return seen.status == 200 and (seen.header("content-type") or "").lower().startswith("text/event-stream")

    @property
    def silent(self) -> bool:
        """Not even a status line came while it was watched."""
        return self.exchange.status is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One GET of the stream, held until somebody ended it or the time was over. Seconds since the request: `last_s` its
    last bytes (0: none), `over_s` the end; `longest_s` the longest silence that more bytes followed, `gap_s` the last
    one."""

    exchange: Exchange
    last_s: float
    longest_s: float
    gap_s: float
    over_s: float

    @property
    def open(self) -> bool:
        """Nobody had ended it when the time was over."""
        failure = self.exchange.failure
        return failure is not None and failure.trouble is Trouble.TIMEOUT

    @property
    def given_up(self) -> bool:
        """It ended without its end: broken off, or after a while answered with a gateway's error in its place."""
        failure = self.exchange.failure
        cut = failure is not None and failure.trouble in _CUT
        return cut or (self.exchange.status in GIVEN_UP and self.over_s >= FLOWING_S)

    @property
    def refused(self) -> bool:
        """It never was a stream: another answer came at once."""
        return self.exchange.status not in {None, 200} and not self.given_up

    @property
    def silent_s(self) -> float:
        """Its silence when it was ended. A hop that buffers lets go of what it has with the last breath: then it is the
        silence before that."""
        if self.exchange.status in GIVEN_UP:
            return self.over_s
        silent = self.over_s - self.last_s
        return silent if silent >= FLOWING_S or self.gap_s < FLOWING_S else self.gap_s + silent

    @property
    def for_silence(self) -> bool:
        """What ended it counted its silence: it was silent at the end, and never for longer before."""
        return self.silent_s >= FLOWING_S and self.silent_s >= self.longest_s - AGREES_S

    @property
    def limit_s(self) -> float:
        """What a timer that ended it counted: its silence, or all of its time."""
        return self.silent_s if self.for_silence else self.over_s

    @property
    def survived_s(self) -> float:
        """The longest silence after which it was still there."""
        return max(self.longest_s, self.over_s - self.last_s) if self.open else self.longest_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """The streams held through the load balancer, and one at the API server itself (None without --backend)."""

    front: tuple[Held, ...]
    direct: Held | None
    watched_s: float


def streams_unbuffered(
    front: StreamSeen,
    direct: StreamSeen | NotMeasured,
    roots: PerAddress[Roots] | NotMeasured,
    silence: Silence | NotMeasured,
) -> Finding:
    """The claim of gateway.streams-unbuffered."""
    beside = direct if isinstance(direct, StreamSeen) and direct.is_stream and direct.pieces else None
    if front.exchange.status == 429:
        return rate_limited(front.exchange)
    if beside is not None and (front.silent or front.is_stream):
        return _compared(front, beside, _usual(roots, front.exchange.label))
    if not front.pieces and isinstance(silence, Silence) and _let_go_at_the_end(silence):
        return _buffered(
            f"GET {STREAM_PATH} gives no byte for {silence.front[0].over_s:.0f} s, and its status line only when it is "
            "broken off: a hop had it all along and held it back",
            front,
            None,
        )
    if front.is_stream:
        return _alone(front)
    if front.silent:
        return _unanswered(front)
    return Finding(
        verdict=Verdict.SKIP,
        summary=f"there is no stream to watch: GET {STREAM_PATH} is answered {words(front.exchange)}",
    )


def _usual(roots: PerAddress[Roots] | NotMeasured, label: str) -> float:
    """How long the first byte of any answer takes on that way (median, seconds)."""
    times = [seen.timing.first_byte_s for seen in facts_of(roots)[label].exchanges] if label in facts_of(roots) else []
    return median([moment for moment in times if moment is not None] or [0.0])


def _compared(front: StreamSeen, beside: StreamSeen, usual: float) -> Finding:
    late = (front.pieces[0] if front.pieces else front.watched) - beside.pieces[0] - usual
    if front.pieces and (late <= LATE or front.pieces[-1] - front.pieces[0] >= FLOWING):
        return Finding(
            verdict=Verdict.PASS,
            summary=f"the first event of GET {STREAM_PATH} comes after {_ms(front.pieces[0])}, and "
            f"{_ms(beside.pieces[0])} from the API server directly: no hop holds it back",
            evidence=(_table(front, beside),),
        )
    came = f"only after {front.pieces[0]:.1f} s" if front.pieces else f"not within {front.watched:.0f} s"
    return _buffered(
        f"the first event of GET {STREAM_PATH} comes {came} through the load balancer, and after "
        f"{_ms(beside.pieces[0])} from the API server directly: a hop holds streams back",
        front,
        beside,
    )


def _alone(front: StreamSeen) -> Finding:
    flows = len(front.pieces) > 1 and front.pieces[-1] - front.pieces[0] > FLOWING
    if front.pieces and (flows or front.pieces[0] < front.watched / 2):
        spread = f", {len(front.pieces)} pieces in {front.pieces[-1]:.1f} s" if len(front.pieces) > 1 else ""
        return Finding(
            verdict=Verdict.PASS,
            summary=f"the first event of GET {STREAM_PATH} comes after {_ms(front.pieces[0])}{spread}",
            evidence=(_table(front, None),),
        )
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"GET {STREAM_PATH} opens a stream but sends no event early: whether a hop holds events back shows "
        "only beside the API server itself (--backend URL)",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="an event to compare",
        seen=f"pieces after {', '.join(f'{moment:.1f} s' for moment in front.pieces)}" if front.pieces else "no event",
        evidence=(_table(front, None),),
    )


def _let_go_at_the_end(silence: Silence) -> bool:
    """The held streams came with their end alone, and that was no end of the API: who breaks off what it has not begun
    to pass on would have answered with an error, had it had nothing."""
    return bool(silence.front) and all(
        held.given_up and held.exchange.status == 200 and held.gap_s > LATE and held.over_s - held.last_s < LATE
        for held in silence.front
    )


def _unanswered(front: StreamSeen) -> Finding:
    broke = front.exchange.failure
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"GET {STREAM_PATH} got no answer ({broke.detail if broke else 'nothing came'}): a hop may hold the "
        "stream back; --backend URL tells it from an API server that is silent itself",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="a first event, or a refusal",
        seen=words(front.exchange),
        evidence=(evidence.exchange(front.exchange),),
    )


def _buffered(summary: str, front: StreamSeen, beside: StreamSeen | None) -> Finding:
    return Finding(
        verdict=Verdict.FAIL,
        summary=summary,
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="the first event as soon as any other answer",
        seen=f"{front.pieces[0]:.1f} s" if front.pieces else f"nothing within {front.watched:.0f} s",
        evidence=(_table(front, beside), evidence.exchange(front.exchange)),
        remedy=Remedy(
            text="Turn response buffering off for the API: streamed answers of the AI proxy, functions and evals else "
            "come all at once, or run into a timeout.",
            snippets=(
                Snippet(product="nginx", code="proxy_buffering off;\nproxy_http_version 1.1;"),
                Snippet(product="nginx ingress", code='nginx.ingress.kubernetes.io/proxy-buffering: "off"'),
                Snippet(product="Caddy", code="reverse_proxy {\n  flush_interval -1\n}"),
            ),
        ),
        sources=SOURCES,
    )


def _table(front: StreamSeen, beside: StreamSeen | None) -> Evidence:
    rows = [(front.exchange.label, words(front.exchange), _moments(front))]
    if beside is not None:
        rows.append((beside.exchange.label, words(beside.exchange), _moments(beside)))
    return evidence.table(f"GET {STREAM_PATH}", ("way", "answer", "pieces after (s)"), rows)


def _moments(seen: StreamSeen) -> str:
    return ", ".join(f"{moment:.3f}" for moment in seen.pieces) or "none"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
