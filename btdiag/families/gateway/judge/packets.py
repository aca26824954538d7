"""Requests of more than one packet that get lost on the way, whatever is long in them: told from limits of sizes.

A limit answers, or hangs up; a path that loses large packets (a tunnel with a smaller MTU behind a filter of ICMP) is
silent, for a long URL, long headers and a body alike. Linux counts whether what was sent was ever acknowledged.
"""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.core import evidence
from btdiag.core.answers import in_words
from btdiag.core.exchange import TcpCounters
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Verdict
from btdiag.core.packets import SOURCES, mtu_remedy
from btdiag.families.gateway.facts.requests import ManyAnswers, ProductRequests, RequestTrial, silent_for_length


def lost_packets(found: ProductRequests) -> Finding | None:
    """The finding where requests hang for their length alone; None where length is not what they have in common, or
    where the system counted that all of it arrived."""
    silent = silent_for_length((found.plain_get, found.plain_post), found.trials)
    if not silent:
        return _lost_answers(found)
    seen = [one for trial in silent if (one := counters(trial)) is not None]
    again = found.in_small_packets
    small = again is not None and again.status is not None
    if any(one.lost_up for one in seen) or (small and not any(one.lost_down for one in seen)):
        return _finding(silent, "sent", _counted(seen, small=small))
    if any(one.lost_down for one in seen):
        return _finding(silent, "received", "later packets of their answers came, earlier ones never did")
    return None if seen else _finding(silent, "sent", "")


def _lost_answers(found: ProductRequests) -> Finding | None:
    """The finding where answers that fill packets stall, while in small packets all of them come."""
    if len(found.answers) < 2 or found.plain_get.status is None:
        return None
    stalled, small = found.answers
    if not stalled.stalled or stalled.complete or not small.complete:
        return None
    told = f"{stalled.begun} of {stalled.asked} answers came, in small packets all of them"
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"large packets are lost on the way from {stalled.label}: answers that fill a packet never come, while "
        f"short ones do ({told})",
        answer="Large answers hang: packets above a size are lost on the way back",
        hop=HopName.NETWORK,
        owner=Owner.NETWORK,
        expected=f"all {stalled.asked} answers",
        seen=told,
        evidence=(_volumes((stalled, small)), evidence.exchange(found.plain_get)),
        remedy=mtu_remedy(),
        sources=SOURCES,
    )


def _volumes(tried: Sequence[ManyAnswers]) -> Evidence:
    rows = [
        (name, one.asked, one.begun, one.received, "stalled" if one.stalled else "ended", *_shown(one.counters))
        for name, one in zip(("as the path says", "in small packets"), tried, strict=True)
    ]
    heads = ("packets", "asked", "answered", "bytes", "outcome", "not acknowledged", "sent again", "out of order")
    return evidence.table("Answers that fill packets", heads, rows)


def counters(trial: RequestTrial) -> TcpCounters | None:
    """What the system counted on the connection of a trial that went silent."""
    failure = trial.exchange.failure
    return failure.counters if failure is not None else None


def _counted(seen: Sequence[TcpCounters], *, small: bool) -> str:
    resent = max((one.resent for one in seen if one.lost_up), default=0)
    told = [f"what was sent was never acknowledged, though sent again up to {resent} times"] if resent else []
    told += ["in small packets the same request is answered"] if small else []
    return ", and ".join(told)


def _finding(silent: Sequence[RequestTrial], direction: str, counted: str) -> Finding:
    told = ", ".join(dict.fromkeys(trial.what for trial in silent))
    proof = f": {counted}" if counted else "; a limit of sizes would answer or hang up, and differ between them"
    up = direction == "sent"
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"large packets are lost on the way {'to' if up else 'from'} {silent[0].exchange.label}: requests that "
        f"need more than one packet hang, be they long in URL, headers or body ({told}), while short ones are "
        f"answered{proof}",
        answer=f"Large requests hang: packets above a size are lost on the way {'there' if up else 'back'}",
        hop=HopName.NETWORK,
        owner=Owner.NETWORK,
        expected="an answer to long requests as to short ones",
        seen="; ".join(f"{trial.what}: {in_words(trial.exchange)}" for trial in silent),
        evidence=(_table(silent), evidence.exchange(silent[0].exchange)),
        remedy=mtu_remedy(),
        sources=SOURCES,
    )


def _table(silent: Sequence[RequestTrial]) -> Evidence:
    rows = [(trial.what, in_words(trial.exchange), *(_shown(counters(trial)))) for trial in silent]
    heads = ("request", "outcome", "not acknowledged", "sent again", "out of order")
    return evidence.table("Long requests that hang, and what the system counted", heads, rows)


def _shown(one: TcpCounters | None) -> tuple[object, object, object]:
    return ("", "", "") if one is None else (one.unacknowledged, one.resent, one.out_of_order)
