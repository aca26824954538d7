"""Which product is the load balancer? Told from what answers came through, or from what it says itself."""

from __future__ import annotations

from collections.abc import Iterable

from btdiag.core.exchange import Exchange
from btdiag.core.finding import HopName
from btdiag.core.measurement import NotMeasured
from btdiag.core.sender import Confidence, sender


def products_in_front(answers: Iterable[Exchange], to_nobody: Exchange | NotMeasured) -> set[str]:
    """The products that answers came through; where none left a mark, the one that answered for a host that nobody
    has."""
    passed = {product for answer in answers for product in sender(answer).passed}
    if passed or isinstance(to_nobody, NotMeasured):
        return passed
    who = sender(to_nobody)
    known = who.hop is HopName.LOAD_BALANCER and who.confidence is not Confidence.UNKNOWN
    return {*who.passed, *((who.name,) if known else ())}
