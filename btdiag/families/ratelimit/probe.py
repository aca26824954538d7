"""The API server's own limits, as the environment or a file has them."""

from __future__ import annotations

from btdiag.config.declared import MAX_REQUESTS, WINDOW_MINUTES
from btdiag.core.measurement import measurement
from btdiag.core.target import Target
from btdiag.families.ratelimit.facts import Limit, OutboundLimit
from btdiag.net.environment import variable


@measurement(budget=1, why="no I/O")
async def outbound_limit(target: Target) -> OutboundLimit:
    """OUTBOUND_RATE_LIMIT_MAX_REQUESTS and _WINDOW_MINUTES: of this process, which are the API server's own when btdiag
    runs in its container (never for a lab), else what a file of --config declares."""
    return OutboundLimit(max_requests=_limit(target, MAX_REQUESTS), window_minutes=_limit(target, WINDOW_MINUTES))


def _limit(target: Target, name: str) -> Limit | None:
    value = None if target.lab_scenario is not None else variable(name)
    if value is not None:
        return Limit(value=value, where="where btdiag runs")
    declared = target.setting(name)
    return Limit(value=declared.value, where=f"in {declared.where}") if declared else None
