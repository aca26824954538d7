"""Whether the idle ages of lost requests gather at one value, as they do in a race and in nothing else. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from btdiag.core.chance import fisher_exact
from btdiag.logs.ages import BINS_PER_S

SHORTEST_S = 0.5  # no server closes idle connections sooner
TOLERANCE_S = 0.030  # ages of races lay -27 to +30 ms around K (measured by replay and by connection)
RELATIVE = 0.02
MOST_P = 0.001
FEWEST = 3
MOST_P_COARSE = 1e-5
FEWEST_COARSE = 5
"""Where time stamps are coarser than 2 % of K: a proof takes more."""

KNOWN_S: Mapping[float, str] = {
    2.0: "gunicorn",
    5.0: "uvicorn or Apache httpd",
    6.0: "Node.js",
    20.0: "Puma",
    66.0: "Node.js with 65 s, as the API has",
    75.0: "nginx",
}
"""After how many idle seconds servers close by default (Node closes a second after its setting)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Ages that gather: `hits` of `candidates` lost requests between `low` and `high` seconds, beside `good` requests
    there and `good_elsewhere`; `k` is their median and `p` Fisher's exact test."""

    k_s: float
    low_s: float
    high_s: float
    hits: int
    candidates: int
    good: int
    good_elsewhere: int
    p: float

    @property
    def proves(self) -> bool:
        """Enough of them, not by chance, and at least half of all candidates."""
        return self.hits >= FEWEST and self.p < MOST_P and self.hits * 2 >= self.candidates

    @property
    def strongly(self) -> bool:
        """So many, and so unlikely by chance, that time stamps in whole seconds do not matter."""
        return self.hits >= FEWEST_COARSE and self.p < MOST_P_COARSE and self.hits * 5 >= self.candidates * 4

    @property
    def known(self) -> str:
        """The server that closes then by default; "" for none."""
        near = [(abs(self.k_s - k), name) for k, name in KNOWN_S.items() if abs(self.k_s - k) <= max(0.06, 0.005 * k)]
        return min(near)[1] if near else ""


def narrowest(ages: Sequence[float], good: Mapping[int, int], resolution_s: float, others: int = 0) -> Cluster | None:
    """The narrowest gathering with the most ages; None without any age. `good` counts good requests by age in
    milliseconds, `others` those that rode a new connection; `resolution_s` is that of the time stamps."""
    usable = sorted(age for age in ages if age >= SHORTEST_S)
    if not usable:
        return None
    best: tuple[int, float, int] = 0, 0.0, 0
    for index, age in enumerate(usable):
        width = _width(age, resolution_s)
        count = bisect_right(usable, age + width) - index
        if count > best[0]:
            best = count, age, index
    hits, _, index = best
    inside = usable[index : index + hits]
    return _tested(inside, len(ages), good, others, resolution_s)


def _width(age: float, resolution_s: float) -> float:
    return max(2 * max(TOLERANCE_S, resolution_s), RELATIVE * age)


def _tested(inside: Sequence[float], candidates: int, good: Mapping[int, int], others: int,
            resolution_s: float) -> Cluster:  # fmt: skip
    k = inside[len(inside) // 2]
    margin = 0.002 if resolution_s < 0.1 else 0.0  # whole seconds: all ages are as coarse
    low, high = inside[0] - margin, inside[-1] + margin
    near = sum(count for bin_, count in good.items() if low <= bin_ / BINS_PER_S <= high)
    elsewhere = sum(good.values()) - near + others
    lost = len(inside)
    return Cluster(
        k_s=k,
        low_s=inside[0],
        high_s=inside[-1],
        hits=lost,
        candidates=candidates,
        good=near,
        good_elsewhere=elsewhere,
        p=fisher_exact(lost, lost + near, candidates - lost, candidates - lost + elsewhere),
    )


def within(age: float | None, cluster: Cluster, resolution_s: float) -> bool:
    """Whether an age belongs to the gathering."""
    margin = max(resolution_s, TOLERANCE_S) / 2
    return age is not None and cluster.low_s - margin <= age <= cluster.high_s + margin


def nearest(values: Sequence[float], value: float, reach: float) -> bool:
    """Whether one of the sorted values lies within `reach` of a value."""
    index = bisect_left(values, value - reach)
    return index < len(values) and values[index] <= value + reach
