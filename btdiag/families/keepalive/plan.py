"""How long to wait for idle connections to end."""

from __future__ import annotations

from btdiag.core.target import Mode, Target
from btdiag.families.keepalive.facts import (
    DEFAULT_KEEPALIVE_S,
    NODE_EXTRA_S,
)

BEYOND_S = 2.0  # seconds that are waited past the expected end of a connection


def expected_keepalive(target: Target) -> float:
    """Seconds after which the backend is expected to close: declared or the default, and Node's second."""
    setting = DEFAULT_KEEPALIVE_S if target.backend_keepalive is None else target.backend_keepalive
    return setting + NODE_EXTRA_S


def front_wait(target: Target, mode: Mode) -> float:
    """The wait of `front_idle`: no longer than that for the backend's timer, and what the budget holds."""
    return max(1.0, min(expected_keepalive(target) + BEYOND_S, mode.budget - 15))
