"""One request on one connection whose moments are known: how it ended, and when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Ending(StrEnum):
    """What became of one request on its connection."""

    ANSWERED = "answered"
    EMPTY = "empty close"  # FIN before the first byte of an answer
    RESET = "reset"  # RST before the first byte
    CUT = "cut off"  # FIN or RST in the middle of an answer
    SILENT = "no answer"  # nothing within the limit
    UNSENT = "not sent"  # no connection to send it on


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One request of a volley. `age_s`: since the last answer on its front connection, None on a new one; `took_s`:
    from sending to the first byte of the answer, or to the end of the connection."""

    method: str
    ending: Ending
    status: int | None = None
    age_s: float | None = None
    took_s: float | None = None

    @property
    def lost(self) -> bool:
        """The mark of a dead upstream connection: a 5xx made by the load balancer, or no answer at all. 504 is not: it
        means silence; 501 and 505 judge the request itself."""
        if self.ending is Ending.ANSWERED:
            return self.status is not None and self.status >= 500 and self.status not in {501, 504, 505}
        return self.ending in {Ending.EMPTY, Ending.RESET, Ending.CUT}

    @property
    def hung(self) -> bool:
        """The mark of a connection dropped silently: nobody answers in time."""
        return self.ending is Ending.SILENT or self.status == 504

    @property
    def signature(self) -> str:
        """How the client sees it: "502", "empty close"."""
        return str(self.status) if self.ending is Ending.ANSWERED else self.ending.value
