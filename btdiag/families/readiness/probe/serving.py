"""Where to look further into the API: an address on which GET / is known to work."""

from __future__ import annotations

from collections.abc import Mapping

from btdiag.core.answers import ROOT_ANSWERS, RootReading, Roots, root_readings, unanswered
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Verdict
from btdiag.core.measurement import Blocked, NotMeasured, PerAddress, Scope, Unknown, measurement
from btdiag.core.target import Way
from btdiag.families.readiness.facts import Repeats
from btdiag.families.readiness.judge.alike import ONE_SERVER, blocked_by_mixture


@measurement(budget=1, why="no I/O")
async def serving_way(
    way: PerAddress[Way],
    roots: PerAddress[Roots],
    version: PerAddress[Exchange] | NotMeasured,
    repeats: PerAddress[Repeats] | NotMeasured,
) -> Way:
    """The way to the first address on which GET / is answered well: one is enough to see what the hops let through."""
    _stop_at_a_mixture(roots, version, repeats)
    return _first(root_readings(roots, version), way.facts)


@measurement(budget=1, why="no I/O", scope=Scope.ADDRESS)
async def answering_way(way: Way, roots: Roots, version: Exchange | NotMeasured, repeats: Repeats | NotMeasured) -> Way:
    """The way to an address on which GET / is answered well: what else it shows is not the trace of another fault."""
    label = way.route.label
    _stop_at_a_mixture(PerAddress({label: roots}), PerAddress({label: version}), PerAddress({label: repeats}))
    return _first(root_readings(PerAddress({label: roots}), PerAddress({label: version})), {label: way})


def _stop_at_a_mixture(
    roots: PerAddress[Roots],
    version: PerAddress[Exchange] | NotMeasured,
    repeats: PerAddress[Repeats] | NotMeasured,
) -> None:
    """Blocked where what comes next would depend on which of several servers, or how many at once, were asked."""
    found = blocked_by_mixture(roots, version, repeats)
    if found is not None:
        raise Blocked(ONE_SERVER, found.summary)


def _first(found: Mapping[str, RootReading], ways: Mapping[str, Way]) -> Way:
    for label, reading in found.items():
        if reading.answers and label in ways:
            return ways[label]
    gate = unanswered(found)
    if gate is not None and gate.verdict is Verdict.INCONCLUSIVE:
        raise Unknown(gate.summary)
    raise Blocked(ROOT_ANSWERS, "no address answers GET /")
