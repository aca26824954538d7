"""Where to look further into the API: one address on which GET / is known to work."""

from __future__ import annotations

from btdiag.judge.answers import ROOT_ANSWERS, Roots, readings, unanswered
from btdiag.judge.exchange import Exchange
from btdiag.measurement import Blocked, NotMeasured, PerAddress, Unknown, measurement
from btdiag.model import Verdict, Way


@measurement(budget=1, why="no I/O")
async def serving_way(
    way: PerAddress[Way], roots: PerAddress[Roots], version: PerAddress[Exchange] | NotMeasured
) -> Way:
    """The way to the first address on which GET / is answered well: one is enough to see what the hops let through."""
    found = readings(roots, version)
    for label, reading in found.items():
        if reading.answers and label in way.facts:
            return way.facts[label]
    gate = unanswered(found)
    if gate is not None and gate.verdict is Verdict.INCONCLUSIVE:
        raise Unknown(gate.summary)
    raise Blocked(ROOT_ANSWERS, "no address answers GET /")
