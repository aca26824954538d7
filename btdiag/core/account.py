"""The account of a run: every answer of the target that was lost, by whom and when, whatever became of it later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from btdiag.core.exchange import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """One 5xx, reset, empty or cut answer. `by` is the measurement that asked, `size` the bytes of the request's
    body, `route` its path without query, at most 60 characters, `what` the answer in words."""

    by: str
    exchange: Exchange
    size: int
    route: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dials:
    """The connections to one target over a whole run, those of volleys too: how many were asked for, how many got no
    answer for seconds, and how many only after their first packet (SYN) was sent again. `most_open` were open when one
    more was answered, `least_open` (None without) when one was not."""

    asked: int = 0
    unanswered: int = 0
    resent: int = 0
    most_open: int = 0
    least_open: int | None = None

    def answered_one(self, resent: int, standing: int) -> Dials:
        """With one more that came about."""
        return replace(
            self,
            asked=self.asked + 1,
            resent=self.resent + (resent > 0),
            most_open=max(self.most_open, standing),
        )

    def unanswered_one(self, standing: int) -> Dials:
        """With one more that nobody answered."""
        least = standing if self.least_open is None else min(standing, self.least_open)
        return replace(self, asked=self.asked + 1, unanswered=self.unanswered + 1, least_open=least)

    def plus(self, other: Dials) -> Dials:
        """Both together."""
        least = [one for one in (self.least_open, other.least_open) if one is not None]
        return Dials(
            asked=self.asked + other.asked,
            unanswered=self.unanswered + other.unanswered,
            resent=self.resent + other.resent,
            most_open=max(self.most_open, other.most_open),
            least_open=min(least, default=None),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncounted:
    """Lost answers that were too many to keep: how many of one kind a measurement met."""

    by: str
    what: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What one target was asked in a run: `asked` requests, of which those in `lost` and in `more` were. Requests that
    were meant to break something are in neither. `dials` are the connections made for all of them."""

    asked: int = 0
    lost: tuple[Lost, ...] = ()
    more: tuple[Uncounted, ...] = ()
    dials: Dials = Dials()

    @property
    def total(self) -> int:
        """How many answers were lost, kept or not."""
        return len(self.lost) + sum(one.count for one in self.more)

    def plus(self, other: Account) -> Account:
        """Both together."""
        return Account(
            asked=self.asked + other.asked,
            lost=self.lost + other.lost,
            more=self.more + other.more,
            dials=self.dials.plus(other.dials),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Explainer:
    """A finding that may explain what was lost: its check, the facts that it judged, its words, what it shows as
    evidence, and the statuses of the answers among that. One that `follows` from another failure explains all that was
    met on its way there."""

    check: str
    measurements: frozenset[str]
    words: str
    shown: str = ""
    statuses: frozenset[int] = frozenset()
    follows: bool = False

    def explains(self, lost: Lost | Uncounted, gates: frozenset[str]) -> bool:
        """Whether the finding is about this: it names the very answer, or it judges what the request was sent for and
        shows such an answer."""
        if lost.what in self.words:
            return True
        if lost.by not in self.measurements - gates:
            return False
        status = lost.what.partition(" ")[0]
        return self.follows or lost.what in self.shown or (status.isdecimal() and int(status) in self.statuses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """The account at the end of a run, beside all findings that warn or fail: the built-in `closing` of a check."""

    account: Account
    findings: tuple[Explainer, ...] = ()

    def split(self, everything: frozenset[str], gates: frozenset[str]) -> tuple[Account, Account]:
        """What is explained and what is not. The checks in `everything` explain all there is; the measurements in
        `gates` are asked for by many checks that are not about them."""
        if any(one.check in everything for one in self.findings):
            return self.account, Account(asked=self.account.asked)

        def explained(one: Lost | Uncounted) -> bool:
            return any(found.explains(one, gates) for found in self.findings)

        return self._where(explained), self._where(lambda one: not explained(one))

    def _where(self, holds: Callable[[Lost | Uncounted], bool]) -> Account:
        account = self.account
        return Account(
            asked=account.asked,
            lost=tuple(one for one in account.lost if holds(one)),
            more=tuple(one for one in account.more if holds(one)),
        )


def with_short_body(seen: Exchange) -> Exchange:
    """The exchange with no more of its body than a report shows."""
    return replace(seen, body=seen.body[:1024], body_truncated=seen.body_truncated or len(seen.body) > 1024)
