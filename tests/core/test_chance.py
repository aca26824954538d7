"""Fisher's exact test, by whole numbers and by logarithms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag.core import chance
from btdiag.core.chance import fisher_exact


@given(st.integers(0, 30), st.integers(0, 200), st.integers(0, 30), st.integers(0, 200))
def test_logarithms_agree_with_whole_numbers(hits: int, good: int, others: int, fine: int) -> None:
    exact = fisher_exact(hits, hits + good, others, others + fine)
    total = hits + good + others + fine
    assert chance._by_logarithms(hits, hits + good, hits + others, total) == pytest.approx(exact, rel=1e-6, abs=1e-9)


def test_millions_of_requests_take_no_time() -> None:
    assert fisher_exact(134, 140, 2, 10_000_000) < 1e-100
    assert fisher_exact(0, 100, 5_000, 10_000_000) == pytest.approx(1.0)
