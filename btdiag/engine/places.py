"""What a target is measured with: a wire of its own, and the quiet that targets of one host share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from btdiag.core.target import Target
from btdiag.engine.common import Common
from btdiag.engine.waits import Quiet
from btdiag.net.deadline import Deadline
from btdiag.net.trust import Contexts
from btdiag.net.wire import Wire


@dataclass(slots=True)
class Place:
    """One target while it is measured."""

    target: Target
    wire: Wire
    quiet: Quiet


def places_of(targets: Sequence[Target], shared: Common, deadline: Deadline, user_agent: str) -> list[Place]:
    """A place for each target. Targets of the same host share one Quiet: a volley at one would disturb the other."""
    return [
        Place(
            target,
            Wire(target, user_agent=user_agent, deadline=deadline, contexts=Contexts(target, shared.contexts)),
            shared.quiet.setdefault(target.host, Quiet()),
        )
        for target in targets
    ]
