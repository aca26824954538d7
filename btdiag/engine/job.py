"""What one run is asked to do, and since when: every step of it gets this."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

from btdiag.config import Settings
from btdiag.core.target import Target
from btdiag.engine.interrupt import Interrupt
from btdiag.engine.tasks import Events


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run is asked to do, and since when."""

    settings: Settings
    targets: Sequence[Target]
    events: Events
    interrupt: Interrupt
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=monotonic)
    id: str = field(default_factory=lambda: secrets.token_hex(4))

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return monotonic() - self.started
