"""What volleys without a lost request leave open, and how lost ones looked to clients. Pure."""

from __future__ import annotations

from collections import Counter
from math import prod

from btdiag.families.keepalive.facts import Answerer, Period, Race, TimeoutSource

MISS_AT_ONCE = 0.5  # a period without a hit in spite of a race: 0.10 to 0.50 on loopback when aimed to the millisecond


def miss_probability(race: Race) -> float:
    """How likely a race stayed unseen in volleys that were aimed at a K known from measurement or declaration: the
    product over the periods. Small volleys, missed aims and guessed K count as not tried. A retry in the load
    balancer hides every hit: this number cannot exclude one."""
    if (
        race.keepalive is None
        or race.keepalive.source is TimeoutSource.DEFAULT
        or race.answerer is not Answerer.BACKEND
    ):
        return 1.0
    return prod(_miss(period, len(race.keepalive.candidates)) for period in race.periods)


def _miss(period: Period, candidates: int) -> float:
    on_time = abs(period.late_s) <= 0.01 and not period.aim.spread_s
    likely = min(period.volley.sent / 200, 1.0) / candidates if on_time else 0.0
    return 1 - (1 - MISS_AT_ONCE) * likely


def signatures(race: Race) -> dict[str, int]:
    """How the lost requests looked to the client, with their numbers."""
    return dict(Counter(shot.signature for period in race.with_hits for shot in period.volley.shots if shot.lost))
