"""Tells a server that restarts from one that closes idle connections at an age. Pure.

A keep-alive timer closes each connection at its own age, the same age every time, and takes new ones meanwhile. A
process that ends closes all connections at one moment, whatever their age, refuses new ones until it is back, and does
so at another age the next time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf

from btdiag.families.keepalive.facts import BackendIdle, Life
from btdiag.families.keepalive.watched import Held, Look, Watch

SAME_AGE_S = 1.2  # a timer that is looked at once a second, and a busy machine, repeat an age as well as this
MOMENT_S = 0.25  # the kernel ends all connections of a process at once; so far apart they may be seen to
FEWEST = 3  # connections that ended together
STAGGERED_S = 0.18  # by so much differ the ages of three that were asked a tenth of a second apart, and rounding
YOUNG = 0.5  # part of the oldest one's age: no timer closes one that is half as old, however seldom it looks
APART_S = 2.5  # moments that are nearer to each other are one restart, which took that long
EDGE = 4  # requests one after the other that fail before all are answered: by chance, of two servers, 1 time in 16
AGAIN_AND_AGAIN = 2  # once may be a deployment that was going on
ROUNDS, MORE_ROUNDS = 2, 4  # where an age contradicts what is expected; where connections ended at one moment
SOONEST_S, SHARE = 0.5, 1 / 3  # between two connections of a round: that, or the part of the time since the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Looks in a row that nobody answered; `whole`: it began and ended while the API was looked at."""

    looks: tuple[Look, ...]
    whole: bool

    @property
    def lasting(self) -> bool:
        """More than one look, or many requests, in a row: no single server of several, and no single lost request."""
        return len(self.looks) > 1 or self.looks[0].in_a_row >= EDGE


def at_one_moment(seen: BackendIdle) -> tuple[Life, ...]:
    """The connections of a round that ended at one moment, if those were all that were open then; else ()."""
    return next((group for group in _groups(seen.lives)), ())


def _groups(lives: Sequence[Life]) -> Iterator[tuple[Life, ...]]:
    """For each moment at which connections ended, in order: those that did, if they were all that were open then, and
    not too few; else ()."""
    ends = sorted(one.ended_at_s for one in lives if one.ended_at_s is not None)
    while ends:
        first = last = ends[0]
        for moment in ends:  # seen one after the other on a busy machine
            last = moment if moment - last <= MOMENT_S else last
        were_open = [one for one in lives if one.answered_at_s < first - MOMENT_S and _over(one) >= first]
        together = tuple(one for one in were_open if one.ended_at_s is not None and one.ended_at_s <= last)
        yield together if len(together) == len(were_open) >= FEWEST else ()
        ends = [moment for moment in ends if moment > last]


def _over(life: Life) -> float:
    ends = (life.ended_at_s, life.let_go_at_s)
    return min((end for end in ends if end is not None), default=inf)


def whatever_their_age(lives: Sequence[Life], late_s: float = 0.0) -> bool:
    """Were these connections, which ended at one moment, of very different ages? No timer does that: one that is looked
    at now and then closes what is older than its setting, and leaves what is not."""
    ages = [one.age_s or 0.0 for one in lives]
    return bool(ages) and max(ages) - min(ages) > SAME_AGE_S + late_s and min(ages) < YOUNG * max(ages)


def restart_moments(held: Held) -> list[float]:
    """When the API server went away while connections to it were held: all ended, whatever their age, or new ones were
    refused."""
    ended = [group for group in _groups(held.lives) if whatever_their_age(group, held.late_s)]
    moments = sorted([*(min(_over(one) for one in group) for group in ended), *held.refused_at_s])
    return [at for number, at in enumerate(moments) if not number or at - moments[number - 1] > APART_S]


def perhaps_a_restart(seen: BackendIdle) -> bool:
    """Did connections end at one moment, though they were asked one after the other? A process that ends does that,
    and so does a timer that is looked at now and then."""
    ages = [one.age_s or 0.0 for one in at_one_moment(seen)]
    return bool(ages) and max(ages) - min(ages) > STAGGERED_S


def _surely(seen: BackendIdle) -> bool:
    return whatever_their_age(at_one_moment(seen), seen.late_s) or (seen.refused and bool(seen.closings_s))


def restart_rounds(seen: BackendIdle) -> tuple[BackendIdle, ...]:
    """The rounds that a restart of the API server ended; none where each end may be a timer's. Sure is one in which
    connections ended whatever their age, or new ones were refused; then, or where the ages do not repeat, all are in
    which connections ended at one moment."""
    rounds = (*seen.earlier, seen)
    perhaps = [one for one in rounds if perhaps_a_restart(one)]
    ages = [min(one.closings_s) for one in perhaps if one.closings_s]
    repeat = not ages or max(ages) - min(ages) <= SAME_AGE_S
    if repeat and not any(_surely(one) for one in rounds):
        return ()
    return tuple(one for one in rounds if perhaps_a_restart(one) or _surely(one))


def restarts(seen: BackendIdle) -> int:
    """How often the API server was seen to go away while connections to it were held."""
    return len(restart_rounds(seen))


def could_be_a_restart(seen: BackendIdle) -> bool:
    """A single round, in which all connections ended at one moment: it takes a further one to tell."""
    return seen.rounds == 1 and perhaps_a_restart(seen) and not _surely(seen)


def another_round(seen: BackendIdle, unexpected: bool) -> bool:
    """Is it worth while to hold connections once more: the age is `unexpected`, or they ended at one moment, and that
    has not been told from a restart yet?"""
    rounds = (*seen.earlier, seen)
    if any(perhaps_a_restart(one) or _surely(one) for one in rounds):
        plain = any(len(one.lives) > FEWEST and not perhaps_a_restart(one) for one in rounds[1:])
        return restarts(seen) < AGAIN_AND_AGAIN and len(rounds) < MORE_ROUNDS and not plain
    return unexpected and len(rounds) < ROUNDS


def next_opening_s(since_first_s: float) -> float:
    """Seconds until a further connection is opened, so many after the first: the youngest is then always less than half
    as old as the oldest."""
    return max(SOONEST_S, since_first_s * SHARE)


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
