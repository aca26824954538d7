"""What the lost requests of volleys prove, as numbers: Fisher's exact test of volleys against their controls. Pure."""

from __future__ import annotations

from btdiag.core.chance import fisher_exact
from btdiag.families.keepalive.facts import TimeoutSource, Volleys

SIGNIFICANT = 0.001  # Fisher's exact p below which the failures of a volley are no chance
WHOLE = 0.95
"""Of a volley; races seldom take so much: of 200 requests 4 to 89 on nginx before Node, up to 175 before gunicorn, and
up to all on Envoy."""
MORE_CONTROLS = 8  # at a fifth of a second each they are cheaper than a further idle period


def controls_clean(seen: Volleys) -> bool:
    """No control lost a request. A volley that fails right after a hit but passes once single GETs pass again is
    collateral of the race; probe/race.py waits for that before it fires the control."""
    return all(volley.lost == 0 for volley in seen.controls)


def chance(seen: Volleys, passed: int = 0) -> float:
    """Fisher's exact p of the hits against all controls, and `passed` further requests; 1.0 without a volley.

    The smaller one of all volleys together and of the one with the most hits, times their number (Bonferroni): volleys
    that missed the moment speak neither for nor against the one that met it.
    """
    if not seen.periods:
        return 1.0
    lost, fine = sum(one.lost for one in seen.controls), sum(one.sent for one in seen.controls) + passed
    hits, sent = sum(period.hits for period in seen.periods), sum(period.volley.sent for period in seen.periods)
    each = (fisher_exact(period.hits, period.volley.sent, lost, fine) for period in seen.periods)
    return min(fisher_exact(hits, sent, lost, fine), len(seen.periods) * min(each))


def hangs_when_idle(seen: Volleys) -> bool:
    """Do requests hang on idle connections of the pool far more often than on ones only just used? Not one in the
    controls would be too much asked: a few old connections stay in the pool, and a control may meet them."""
    volleys, controls = [period.volley for period in seen.periods], seen.controls
    hung, sent = sum(one.hung for one in volleys), sum(one.sent for one in volleys)
    if not hung:
        return False
    return fisher_exact(hung, sent, sum(one.hung for one in controls), sum(one.sent for one in controls)) < SIGNIFICANT


def periods_needed(seen: Volleys, sound_order: bool | None) -> int:
    """In how many idle periods hits must be seen before they prove the race: the requests of one volley share their
    fate, so the period is the unit. One will do where K was measured or declared, for then the hits came when
    foretold; two where K was a guess, where the timeouts as known contradict it (`sound_order` True), or where single
    GETs failed after the hits as well, or nearly the whole volley did: that is what a load balancer does that takes
    servers out, and what a backend looks like that was down, or was restarted, just then."""
    foretold = seen.keepalive is not None and seen.keepalive.source is not TimeoutSource.DEFAULT
    alone = not any(
        (period.recovery and period.recovery.failed) or period.hits >= WHOLE * period.volley.sent
        for period in seen.with_hits
    )
    return 1 if sound_order is False or (foretold and alone and sound_order is None) else 2


def proved(seen: Volleys, sound_order: bool | None) -> bool:
    """Did the volleys prove the race? Hits in enough periods, no chance, and not one in any control."""
    needed = periods_needed(seen, sound_order)
    return len(seen.with_hits) >= needed and controls_clean(seen) and chance(seen) < SIGNIFICANT


def controls_missing(seen: Volleys) -> int:
    """How many further control volleys, if none of them loses a request, would prove hits that were seen in more than
    one idle period and are too few beside the controls so far; 0 where none are missing, or more than MORE_CONTROLS."""
    if len(seen.with_hits) < 2 or not controls_clean(seen) or chance(seen) < SIGNIFICANT:
        return 0
    size = seen.periods[-1].volley.sent
    enough = (number for number in range(1, MORE_CONTROLS + 1) if chance(seen, number * size) < SIGNIFICANT)
    return next(enough, 0)
