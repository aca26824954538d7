"""What the targets of one run have in common while they are measured, each by a Schedule of its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from btdiag.engine.tasks import Key, TaskOutcome
from btdiag.engine.waits import Quiet
from btdiag.net.trust import Kept


@dataclass(slots=True)
class Common:
    """`tasks` are the measurements of the run itself, `quiet` who is active on a host (a volley at one target would
    disturb another of the same host), `contexts` the TLS contexts."""

    tasks: dict[Key, asyncio.Task[TaskOutcome]] = field(default_factory=dict)
    quiet: dict[str, Quiet] = field(default_factory=dict)
    contexts: Kept = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop | None = None

    def belong_to(self, loop: asyncio.AbstractEventLoop) -> None:
        """Be of this event loop from now on: what belongs to another one is of no use in it."""
        if self._loop is not loop:
            self._loop = loop
            self.tasks, self.quiet, self.contexts = {}, {}, {}
