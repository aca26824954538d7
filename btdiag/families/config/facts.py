"""What the target answers to the origins that files allow."""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.core.exchange import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginTrial:
    """One preflight of an origin; `own` marks that of the web app, which is allowed without any setting."""

    origin: str
    own: bool
    exchange: Exchange

    @property
    def allowed(self) -> bool:
        """Whether the answer names the origin (Fetch standard, CORS check)."""
        return self.exchange.header("access-control-allow-origin") in (self.origin, "*")


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginTrials:
    """The web app's own origin first, then those of the files."""

    trials: tuple[OriginTrial, ...]
    left_out: int = 0
