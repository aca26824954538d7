"""Does a stream of events arrive as it is sent, or does a hop hold it back until it ends?"""

from __future__ import annotations

from statistics import median

from btdiag.core import evidence
from btdiag.core.answers import Roots, facts_of, in_words, rate_limited
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.sender import Sender, sender
from btdiag.core.statuses import first_for
from btdiag.families.gateway.facts.streams import FLOWING, LATE, STREAM_PATH, StreamSeen, StreamSilence

SOURCES = (
    "https://html.spec.whatwg.org/multipage/server-sent-events.html",
    "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering",
)


def streams_unbuffered(
    front: StreamSeen,
    direct: StreamSeen | NotMeasured,
    roots: PerAddress[Roots] | NotMeasured,
    silence: StreamSilence | NotMeasured,
) -> Finding:
    """The claim of gateway.streams-unbuffered."""
    beside = direct if isinstance(direct, StreamSeen) and direct.is_stream and direct.pieces else None
    if front.exchange.status == 429:
        return rate_limited(front.exchange)
    if (held := _held_by_encoder(front, silence)) is not None:
        return held
    if beside is not None and (front.silent or front.is_stream):
        return _compared(front, beside, roots)
    if not front.pieces and isinstance(silence, StreamSilence) and _let_go_at_the_end(silence):
        return _buffered(
            f"GET {STREAM_PATH} gives no byte for {silence.front[0].over_s:.0f} s, and its status line only when it is "
            "broken off: a hop had it all along and held it back",
            front,
            None,
            _passed(front, roots),
        )
    if front.is_stream:
        return _alone(front)
    if front.silent:
        return _unanswered(front)
    return Finding(
        verdict=Verdict.SKIP,
        summary=f"there is no stream to watch: GET {STREAM_PATH} is answered {in_words(front.exchange)}",
    )


def _held_by_encoder(front: StreamSeen, silence: StreamSilence | NotMeasured) -> Finding | None:
    """A stream that flows as it is, and not for clients that accept compression, as browsers and SDKs do."""
    plain = front.plain
    if plain is not None and plain.first_s <= LATE and front.first_s - plain.first_s > LATE:
        came = f"only after {front.first_s:.1f} s" if front.pieces else f"not within {front.watched:.0f} s"
        return _packs(f"the first event comes {came}, and after {_ms(plain.first_s)} without", front, plain)
    head_s = plain.exchange.timing.first_byte_s if plain is not None and front.silent and plain.is_stream else None
    if head_s is not None and head_s <= LATE:
        told = f"not even the status line comes within {front.watched:.0f} s, and after {_ms(head_s)} without"
        return _packs(told, front, plain)
    if isinstance(silence, StreamSilence) and len(silence.front) > 1:
        packed, as_it_is = silence.front[0], silence.front[1]
        if packed.events == 0 and as_it_is.events > 1 and not packed.refused:
            told = f"no event comes in {packed.over_s:.0f} s, and {as_it_is.events} without"
            return _packs(told, front, None)
    return None


def _packs(told: str, front: StreamSeen, plain: StreamSeen | None) -> Finding:
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"with Accept-Encoding: gzip, as browsers and SDKs send it, of GET {STREAM_PATH} {told}: what "
        "compresses the answers holds events back until its buffer is full",
        answer="Streamed answers come late or not at all: what compresses them holds events back",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="the first event as soon as without compression",
        seen=told,
        evidence=(_table(front, plain), evidence.exchange(front.exchange)),
        remedy=Remedy(
            text="Leave text/event-stream out of what is compressed, at the gateway and in the API's own middleware.",
            snippets=first_for(
                sender(plain.exchange if plain is not None and front.silent else front.exchange),
                (
                    Snippet(product="nginx", code="gzip_types application/json;  # without text/event-stream"),
                    Snippet(
                        product="Caddy",
                        code="encode {\n  gzip\n  match {\n    header Content-Type application/json*\n  }\n}",
                    ),
                    Snippet(product="HAProxy", code="compression type application/json"),
                    Snippet(product="Traefik", code="compress:\n  excludedContentTypes: [text/event-stream]"),
                ),
            ),
        ),
        sources=SOURCES,
    )


def _usual(roots: PerAddress[Roots] | NotMeasured, label: str) -> float:
    """How long the first byte of any answer takes on that way (median, seconds)."""
    times = [seen.timing.first_byte_s for seen in facts_of(roots)[label].exchanges] if label in facts_of(roots) else []
    return median([moment for moment in times if moment is not None] or [0.0])


def _passed(front: StreamSeen, roots: PerAddress[Roots] | NotMeasured) -> Sender | None:
    """What answers on that way come through: of a stream that never came the other answers tell."""
    root = facts_of(roots).get(front.exchange.label)
    answered = [seen for seen in (front.exchange, *(root.exchanges if root else ())) if seen.status is not None]
    return sender(answered[0]) if answered else None


def _compared(front: StreamSeen, beside: StreamSeen, roots: PerAddress[Roots] | NotMeasured) -> Finding:
    usual = _usual(roots, front.exchange.label)
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
        _passed(front, roots),
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


def _let_go_at_the_end(silence: StreamSilence) -> bool:
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
        seen=in_words(front.exchange),
        evidence=(evidence.exchange(front.exchange),),
    )


def _buffered(summary: str, front: StreamSeen, beside: StreamSeen | None, who: Sender | None) -> Finding:
    return Finding(
        verdict=Verdict.FAIL,
        summary=summary,
        answer="Streamed answers come all at once or not at all: a hop holds them back",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="the first event as soon as any other answer",
        seen=f"{front.pieces[0]:.1f} s" if front.pieces else f"nothing within {front.watched:.0f} s",
        evidence=(_table(front, beside), evidence.exchange(front.exchange)),
        remedy=Remedy(
            text="Turn response buffering off for the API: streamed answers of the AI proxy, functions and evals else "
            "come all at once, or run into a timeout.",
            snippets=first_for(
                who,
                (
                    Snippet(product="nginx", code="proxy_buffering off;\nproxy_http_version 1.1;"),
                    Snippet(product="nginx ingress", code='nginx.ingress.kubernetes.io/proxy-buffering: "off"'),
                    Snippet(product="Caddy", code="reverse_proxy {\n  flush_interval -1\n}"),
                ),
            ),
        ),
        sources=SOURCES,
    )


def _table(front: StreamSeen, beside: StreamSeen | None) -> Evidence:
    rows = [(front.exchange.label, in_words(front.exchange), _moments(front))]
    if beside is not None:
        rows.append((beside.exchange.label, in_words(beside.exchange), _moments(beside)))
    return evidence.table(f"GET {STREAM_PATH}", ("way", "answer", "pieces after (s)"), rows)


def _moments(seen: StreamSeen) -> str:
    return ", ".join(f"{moment:.3f}" for moment in seen.pieces) or "none"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
