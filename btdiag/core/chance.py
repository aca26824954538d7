"""How likely a difference between two counts is by chance alone: Fisher's exact test. Pure."""

from __future__ import annotations

from math import comb, exp, lgamma

_EXACT = 5_000
"""Above so many trials the numbers have thousands of digits; logarithms do, to ten decimals."""


def fisher_exact(hits: int, sent: int, control_hits: int, control_sent: int) -> float:
    """One-sided p that a sample has this many hits, or more, if it fails no more often than the controls do (Fisher's
    exact test: the hypergeometric tail)."""
    total, lost = sent + control_sent, hits + control_hits
    if total > _EXACT:
        return _by_logarithms(hits, sent, lost, total)
    ways = sum(comb(sent, k) * comb(control_sent, lost - k) for k in range(hits, min(sent, lost) + 1))
    return ways / comb(total, lost)


def _by_logarithms(hits: int, sent: int, lost: int, total: int) -> float:
    whole = _log_comb(total, lost)
    first = max(hits, lost - (total - sent))
    p = 0.0
    for k in range(first, min(sent, lost) + 1):
        term = exp(_log_comb(sent, k) + _log_comb(total - sent, lost - k) - whole)
        p += term
        if term < p * 1e-12:
            break
    return min(p, 1.0)


def _log_comb(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
