"""The latency step, from hand-made volleys: an open pool, a closed one, and cases in which nothing follows."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag.core.shot import Ending, Shot
from btdiag.families.keepalive.facts import Aim, Period, Race, Volley
from btdiag.families.keepalive.latency import slower, step
from tests.families.keepalive.test_judge import race as run_of

REUSED = tuple(0.010 + number / 10_000 for number in range(50))  # seconds to the first byte: the queue of a volley
ANEW = tuple(took + 0.004 for took in REUSED)


def volley(name: str, age_s: float | None, *took: float, lost: int = 0) -> Volley:
    answered = tuple(Shot(method="POST", ending=Ending.ANSWERED, status=404, took_s=one) for one in took)
    return Volley(name=name, at_s=1.0, age_s=age_s, shots=(Shot(method="POST", ending=Ending.EMPTY),) * lost + answered)


def period(age_s: float, *took: float, lost: int = 0) -> Period:
    aim, control = Aim(keepalive_s=age_s, offset_s=0.0), volley("B", 0.2, *REUSED)
    return Period(aim=aim, volley=volley("A", age_s, *took, lost=lost), controls=(control,))


def race(*periods: Period, first: tuple[float, ...] = ANEW, half: tuple[float, ...] | None = None) -> Race:
    middle = () if half is None else (volley("M", 1.5, *half),)
    warm_up = (volley("W", None, *first), volley("C", 0.2, *REUSED), *middle)
    return replace(run_of(*periods), warm_up=warm_up)


CLOSED = period(2.99, *ANEW)
OPEN = period(2.98, *REUSED)


@pytest.mark.parametrize(
    ("seen", "age_s"),
    [
        pytest.param(race(CLOSED, period(2.995, *ANEW)), 2.99, id="closed at both ages"),
        pytest.param(race(CLOSED, half=ANEW), 1.5, id="closed at half the age already"),
        pytest.param(race(CLOSED, CLOSED, OPEN), 2.99, id="one that was quick is outvoted"),
        pytest.param(race(OPEN, OPEN), None, id="open"),
        pytest.param(race(CLOSED, half=REUSED), None, id="one slow volley may be slow for any reason"),
        pytest.param(race(CLOSED), None, id="a single volley"),
        pytest.param(race(CLOSED, CLOSED, first=REUSED), None, id="connecting does not show at this target"),
        pytest.param(race(CLOSED, period(2.99, *ANEW, lost=9)), None, id="lost requests tell more"),
        pytest.param(race(CLOSED, period(2.99)), None, id="no answers"),
        pytest.param(race(), None, id="no periods"),
    ],
)
def test_a_closed_pool_is_told_by_slower_answers(seen: Race, age_s: float | None) -> None:
    found = step(seen)
    assert (found.age_s if found else None) == age_s


def test_it_says_how_sure_it_is_and_blames_nobody() -> None:
    told = str(step(race(CLOSED, CLOSED)))
    assert "in 98% of all pairs" in told
    assert "by the load balancer or by the backend" in told


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=9).map(lambda took: [float(one) for one in took]),
    st.lists(st.integers(0, 9), min_size=1, max_size=9).map(lambda took: sorted(float(one) for one in took)),
)
def test_the_share_counts_pairs(took: list[float], usual: list[float]) -> None:
    pairs = [(one > other) + (one == other) / 2 for one, other in product(took, usual)]
    assert slower(volley("A", 1.0, *took), usual) == pytest.approx(sum(pairs) / len(pairs))
