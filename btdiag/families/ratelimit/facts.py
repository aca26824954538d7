"""The answers of a run that may have been limited, and the limits that are set."""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.core.exchange import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class GatheredAnswers:
    """All answers of a run that a rate limit may have touched, `outbound` those that pass on to the control plane."""

    direct: tuple[Exchange, ...]
    outbound: tuple[Exchange, ...]

    @property
    def all(self) -> tuple[Exchange, ...]:
        """Both."""
        return (*self.direct, *self.outbound)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A setting of the limiter as text, and where it is set: "where btdiag runs", "in values.yaml line 7"."""

    value: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundLimit:
    """OUTBOUND_RATE_LIMIT_MAX_REQUESTS and _WINDOW_MINUTES as far as they are declared; None where unset."""

    max_requests: Limit | None = None
    window_minutes: Limit | None = None
