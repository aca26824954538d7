"""The account of a run: every answer of the target that was lost, by whom and when, whatever became of it later."""

from __future__ import annotations

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
class Account:
    """What one target was asked in a run: `asked` requests, of which `lost` were; `more` of those were too many to
    keep. Requests that were meant to break something are in neither."""

    asked: int = 0
    lost: tuple[Lost, ...] = ()
    more: int = 0

    def plus(self, other: Account) -> Account:
        """Both together."""
        return Account(asked=self.asked + other.asked, lost=self.lost + other.lost, more=self.more + other.more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explainer:
    """A finding that may explain what was lost: its check, the facts that it judged, and its words."""

    check: str
    measurements: frozenset[str]
    words: str

    def explains(self, lost: Lost, gates: frozenset[str]) -> bool:
        """Whether the finding is about this: it judges what the request was sent for, or it names the very answer."""
        return lost.by in self.measurements - gates or lost.what in self.words


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """The account at the end of a run, beside all findings that warn or fail: the built-in `closing` of a check."""

    account: Account
    findings: tuple[Explainer, ...] = ()

    def split(self, everything: frozenset[str], gates: frozenset[str]) -> tuple[tuple[Lost, ...], tuple[Lost, ...]]:
        """What is explained and what is not. The checks in `everything` explain all there is; the measurements in
        `gates` are asked for by many checks that are not about them."""
        lost = self.account.lost
        if any(one.check in everything for one in self.findings):
            return lost, ()
        explained = tuple(one for one in lost if any(found.explains(one, gates) for found in self.findings))
        return explained, tuple(one for one in lost if one not in explained)


def slim(seen: Exchange) -> Exchange:
    """The exchange with no more of its body than a report shows."""
    return replace(seen, body=seen.body[:1024], body_truncated=seen.body_truncated or len(seen.body) > 1024)
