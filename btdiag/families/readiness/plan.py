"""When several requests at once tell of a limit, and when of a broken server; when a key counts as refused. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.core.answers import AnswerState, state_of
from btdiag.core.exchange import Exchange

ALONE = 20  # requests one at a time
STRAY = 1  # of those may fail: other measurements have requests under way meanwhile
SHARE = 1 / 3  # of those at once must fail; of servers with every third or fifth one broken, 1 run in 100 shows both

REFUSED = frozenset({400, 401, 403, 407})  # what says that a credential is missing, wrong, or there twice


def good(seen: Exchange) -> bool:
    """Whether GET / was answered well."""
    return state_of(seen, page_allowed=True) is AnswerState.GOOD


def bad(seen: Sequence[Exchange]) -> list[Exchange]:
    """The answers to GET / that are bad, rate limits and this machine's own trouble not counted."""
    return [one for one in seen if state_of(one, page_allowed=True) is AnswerState.BAD]


def fine_alone(alone: Sequence[Exchange]) -> bool:
    """Whether requests that go alone are answered well, all but a stray one."""
    return len(alone) > ALONE / 2 and len(bad(alone)) <= STRAY


def fails_at_once(at_once: Sequence[Exchange]) -> bool:
    """Whether enough of those that were under way together failed."""
    return len(bad(at_once)) >= SHARE * len(at_once) > 0
