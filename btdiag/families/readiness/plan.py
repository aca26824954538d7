"""When several requests at once tell of a limit, and when of a broken server. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.core.answers import AnswerState, state_of
from btdiag.core.exchange import Exchange, Phase, Trouble

ALONE = 20  # requests one at a time
SLOWLY = 10  # of them where some failed, with longer pauses
STRAY = 1  # of those may fail: other measurements have requests under way meanwhile
SHARE = 1 / 3  # of those at once must fail; of servers with every third or fifth one broken, 1 run in 100 shows both


def good(seen: Exchange) -> bool:
    """Whether GET / was answered well."""
    return state_of(seen, page_allowed=True) is AnswerState.GOOD


def bad_answers(seen: Sequence[Exchange]) -> list[Exchange]:
    """The answers to GET / that are bad, rate limits and this machine's own trouble not counted."""
    return [one for one in seen if state_of(one, page_allowed=True) is AnswerState.BAD]


def fine_alone(alone: Sequence[Exchange]) -> bool:
    """Whether requests that go alone are answered well, all but a stray one."""
    return len(alone) > ALONE / 2 and len(bad_answers(alone)) <= STRAY


def fine_slowly(slowly: Sequence[Exchange]) -> bool:
    """Whether requests are all answered well that go alone, three a second at most, while nothing else is sent: of
    servers with every third one broken 1 run in 60 shows that."""
    return len(slowly) >= SLOWLY and not bad_answers(slowly)


def fails_at_once(at_once: Sequence[Exchange]) -> bool:
    """Whether enough of those that were under way together failed."""
    return len(bad_answers(at_once)) >= SHARE * len(at_once) > 0


def may_miss_a_proxy_line(seen: Sequence[Exchange]) -> bool:
    """Whether all that was sent met a closed or reset connection without a byte: so do servers that expect a line of
    the PROXY protocol first (seen with nginx, HAProxy and Envoy)."""
    return all(
        one.failure is not None
        and one.status is None
        and one.failure.trouble in {Trouble.CLOSED, Trouble.RESET}
        and one.failure.phase in {Phase.SEND, Phase.HEADERS}
        for one in seen
    )


def may_want_another_host(seen: Sequence[Exchange]) -> bool:
    """Whether all answers say that nothing is known under this host."""
    return all(one.status in {400, 403, 404, 421} for one in seen)
