"""How late an event loop is: the measure of whether it can take on more without distorting what it measures."""

from __future__ import annotations

import asyncio
from time import monotonic

BEAT_S = 0.01  # between two looks; a lag that is shorter than this does not show in any finding
STUCK_S = 5.0  # a loop that has not looked for so long is held by something that does not give way


class Pulse:
    """Beats in a loop, and says from any thread how that goes."""

    def __init__(self) -> None:
        self._lag_s = 0.0
        self._at = monotonic()

    async def beat(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            begun = monotonic()
            await asyncio.sleep(BEAT_S)
            self._at = monotonic()
            self._lag_s = self._at - begun - BEAT_S

    def calm_since(self, moment: float, lag_s: float) -> bool:
        """Has the loop looked since that moment (of time.monotonic), and been less than `lag_s` late?"""
        return self._at > moment and self._lag_s < lag_s and monotonic() - self._at < BEAT_S + lag_s

    @property
    def stuck(self) -> bool:
        """Has it not looked for a long time?"""
        return monotonic() - self._at > STUCK_S
