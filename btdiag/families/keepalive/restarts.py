"""Tells a server that restarts from one that closes idle connections at an age. Pure.

A keep-alive timer closes each connection at its own age, the same age every time, and takes new ones meanwhile. A
process that ends closes all connections at one moment, whatever their age, refuses new ones until it is back, and does
so at another age the next time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from btdiag.families.keepalive.facts import BackendIdle, Look, Watch

SAME_AGE_S = 1.2  # a timer that is looked at once a second, and a busy machine, repeat an age as well as this
AGAIN_AND_AGAIN = 2  # once may be a deployment that was going on


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Looks in a row that nobody answered; `whole`: it began and ended while the API was looked at."""

    looks: tuple[Look, ...]
    whole: bool

    @property
    def lasting(self) -> bool:
        """More than one look in a row: no single server of several, and no single lost request."""
        return len(self.looks) > 1


def restarts(seen: BackendIdle) -> int:
    """How often the API server was seen to go away while connections to it were held; 0 when each closing may be a
    timer's."""
    rounds = [one for one in (seen, *seen.earlier) if one.together]
    sure = sum(one.refused for one in rounds)
    ages = [min(one.closings_s) for one in rounds]
    if len(ages) > 1 and max(ages) - min(ages) > SAME_AGE_S:
        return len(rounds)
    return sure


def could_be_a_restart(seen: BackendIdle) -> bool:
    """All connections ended at one moment, once, and new ones were taken: a restart, or a timer that is looked at now
    and then."""
    return seen.together and seen.rounds == 1 and not seen.refused


def outages(watch: Watch) -> list[Outage]:
    """The times in which nobody answered, in order."""
    found: list[Outage] = []
    run: list[Look] = []
    for look in watch.looks:
        if not look.answered and not look.mixed:
            run.append(look)
        elif run:
            found.append(Outage(looks=tuple(run), whole=run[0] is not watch.looks[0]))
            run = []
    if run:
        found.append(Outage(looks=tuple(run), whole=False))
    return found


def moments(looks: Sequence[Look]) -> str:
    """When they were sent, for a sentence."""
    shown = ", ".join(f"{look.at_s:.0f}" for look in looks[:6])
    return f"{shown} s" + (" ..." if len(looks) > 6 else "")
