"""What was sent to one target in a run, and which answers were lost, whatever a measurement made of them later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from btdiag.core.account import Account, Dials, Lost, Uncounted, with_short_body
from btdiag.core.answers import in_words
from btdiag.core.exchange import Exchange, Failure, Phase, Trouble

KEPT = 100  # lost answers, each with at most 1 KiB of its body; those after them are counted by kind
KINDS = 200  # of those that are counted; any after them are one kind
OTHER = "something else"
SILENCE_S = 3.0  # Linux has sent the first packet three times by then
_BROKEN = frozenset({Trouble.RESET, Trouble.CLOSED})
_UNCONNECTED = frozenset({Phase.TCP, Phase.PROXY, Phase.TLS})


@dataclass(slots=True)
class Counts:
    """What was sent, requests and connections opened for them, and the answers that were lost."""

    requests: int = 0
    connections: int = 0
    more: Counter[tuple[str, str]] = field(default_factory=Counter)
    lost: list[Lost] = field(default_factory=list)
    dials: Dials = field(default_factory=Dials)
    standing: int = 0  # connections to the target that are open now

    def made(self, resent: int) -> Callable[[], None]:
        """A connection to the target came about; its first packet was sent again so often. To be called at its end."""
        self.standing += 1
        self.dials = self.dials.answered_one(resent, self.standing)
        return self.ended

    def ended(self) -> None:
        """One of them is closed."""
        self.standing -= 1

    def not_made(self, error: Failure, waited_s: float) -> None:
        """A connection was not made; a silence that is too short for the first packet to be sent again says nothing."""
        if error.phase is Phase.TCP and error.trouble is Trouble.TIMEOUT and waited_s >= SILENCE_S:
            self.dials = self.dials.unanswered_one(self.standing)

    def note(self, by: str, seen: Exchange, size: int, *, reused: bool) -> None:
        """Keep an answer that was lost; an idle connection that ends as one asks on it has lost nothing yet."""
        if not _is_lost(seen, reused=reused):
            return
        if len(self.lost) >= KEPT:
            kind = (by, in_words(seen))
            self.more[kind if kind in self.more or len(self.more) < KINDS else (by, OTHER)] += 1
            return
        route = (urlsplit(seen.url).path or "/")[:60]
        self.lost.append(Lost(by=by, exchange=with_short_body(seen), size=size, route=route, what=in_words(seen)))

    @property
    def account(self) -> Account:
        """All of it, frozen."""
        kinds = tuple(Uncounted(by=by, what=what, count=count) for (by, what), count in self.more.items())
        return Account(asked=self.requests, lost=tuple(self.lost), more=kinds, dials=self.dials)


def _is_lost(seen: Exchange, *, reused: bool) -> bool:
    if seen.failure is None:
        return (seen.status or 0) >= 500
    if seen.failure.trouble not in _BROKEN or seen.failure.phase in _UNCONNECTED:
        return False
    return seen.status is not None or not reused
