"""The latency step: had the pool been closed when a volley came? Told by how long its answers took, never by whom.

A request on a connection of the pool is answered sooner than one for which the load balancer must connect first. Where
the answers at an idle age are slower than those of the controls, nearly all of them, the pool had been closed before:
by the load balancer or by the backend, which only lost requests can tell. Where they are not slower nothing follows: on
one host, and behind HAProxy, connecting takes no longer than a request waits in the queue of its own volley.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from btdiag.families.keepalive.facts import Volley, Volleys

SLOWER = 0.9
"""Share of slower answers from which on a volley met a closed pool. Observed with 200 requests on open pools (nginx,
Caddy, Envoy, Apache, HAProxy; 40 volleys and 130 controls): 0.84 at most. On closed ones, behind a relay that takes a
millisecond: 0.9 and more in 15 of 16 volleys of the first four; on one host in 6 of 16; behind HAProxy never."""

OPEN = 0.65
"""With less the pool was more likely open than not, enough to aim by: on one host 18 of 20 volleys on open pools had
less, and 15 of 16 on closed ones more (behind HAProxy, which tells nothing, 2 of 4)."""

VISIBLE = 0.75  # of the warm-up, whose connections are new: with less, connecting does not show at this target
VOLLEYS = 2  # one volley may have been slow for any reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The pool seems to have been closed at the idle age `age_s`, the smallest at which that showed. `share`: of all
    pairs of an answer at such an age and one of a control, those in which the former took longer (0.5: no difference;
    the median of the volleys)."""

    age_s: float
    share: float

    def __str__(self) -> str:
        return (
            f"answers at such ages were slower than in the controls, in {self.share:.0%} of all pairs, as they were on "
            f"new connections: it seems that the pool had been closed before {self.age_s:.3f} s, by the load balancer "
            "or by the backend, which of them this does not tell"
        )


def step(seen: Volleys) -> Step | None:
    """The latency step in the volleys of a run without hits; None where it does not show, or not often enough."""
    usual = durations(seen)
    if seen.with_hits or not usual or slower(seen.warm_up[0], usual) < VISIBLE:
        return None
    aged = [*(one for one in seen.warm_up if one.name == "M"), *(period.volley for period in seen.periods)]
    shares = [(slower(one, usual), one.age_s) for one in aged if one.age_s is not None]
    middle = median(share for share, _ in shares) if len(shares) >= VOLLEYS else 0.0
    return Step(age_s=min(age for share, age in shares if share >= SLOWER), share=middle) if middle >= SLOWER else None


def durations(seen: Volleys) -> list[float]:
    """What answers took on connections only just used (seconds, sorted)."""
    return sorted(took for volley in seen.controls if volley.name in {"C", "B"} for took in volley.durations)


def slower(volley: Volley, usual: Sequence[float]) -> float:
    """How far the answers of a volley are slower than `usual` durations (sorted, not empty): the share of all pairs in
    which they are, ties counted half (the Mann-Whitney U statistic, scaled; 0.0 for a volley without answers)."""
    below = sum(bisect_left(usual, took) + bisect_right(usual, took) for took in volley.durations)
    return below / (2 * len(usual) * max(1, len(volley.durations)))
