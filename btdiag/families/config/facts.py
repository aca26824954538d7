"""What the target answers to the origins that files allow, whether a declared CA verifies it, which replicas answer."""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.core.exchange import Exchange
from btdiag.core.handshake import Certificate, Distrust


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


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredTrust:
    """A handshake in which the certificates of a file, and nothing else, were trusted: `distrust` is why it failed,
    None where it did not. `chain` is what the server sent, `declared` what the file holds; names are not compared."""

    label: str
    declared: tuple[Certificate, ...]
    chain: tuple[Certificate, ...]
    distrust: Distrust | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenReplicas:
    """How many of `asked` requests, each on a connection of its own, were answered by which replica. `told_by` is the
    header that told it, "" where the first answer told nothing."""

    asked: int
    answers: tuple[tuple[str, int], ...] = ()
    told_by: str = ""
