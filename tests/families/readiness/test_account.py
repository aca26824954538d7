"""Every lost answer of a run: kept in one place within bounds, explained by a finding or a finding itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from btdiag.core.account import Account, Closing, Explainer, Lost, Uncounted
from btdiag.core.answers import in_words
from btdiag.core.exchange import Exchange, Phase, Trouble
from btdiag.core.finding import Verdict
from btdiag.families.readiness.judge import account
from btdiag.net.ledger import KEPT, KINDS, Counts
from btdiag.net.wire import Wire
from tests.families.readiness.test_judge import BAD, GOOD, seen
from tests.support.serving import http_target, route_to, serving

OWN = seen(500, '{"error":"x"}', path="/v1/proxy", x_bt_internal_trace_id="1")
CUT = seen(trouble=Trouble.CLOSED, phase=Phase.BODY)
RESET = seen(trouble=Trouble.RESET)


def lost(*exchanges: Exchange, by: str = "status") -> tuple[Lost, ...]:
    return tuple(Lost(by=by, exchange=one, size=0, route="/", what=in_words(one)) for one in exchanges)


def closing(*kept: Lost, asked: int = 100, findings: tuple[Explainer, ...] = ()) -> Closing:
    return Closing(account=Account(asked=asked, lost=kept), findings=findings)


def finding(check: str, *measurements: str, says: str = "", shows: str = "", follows: bool = False) -> Explainer:
    return Explainer(check=check, measurements=frozenset(measurements), words=says, shown=shows, follows=follows)


def test_nothing_lost_passes_and_nothing_asked_is_no_pass() -> None:
    assert account.no_unexplained_errors(closing()).verdict is Verdict.PASS
    assert account.no_unexplained_errors(closing(asked=0)).verdict is Verdict.SKIP


def test_one_lost_is_a_warning_and_several_are_a_failure() -> None:
    assert account.no_unexplained_errors(closing(*lost(BAD))).verdict is Verdict.WARN
    found = account.no_unexplained_errors(closing(*lost(BAD, RESET)))
    assert found.verdict is Verdict.FAIL
    assert "2 of 100 requests" in found.summary
    assert found.remedy is not None
    assert "nginx" in found.remedy.action
    assert len(found.remedy.action) <= 140
    assert len(found.answer) <= 90


def test_what_the_api_itself_says_of_one_route_is_a_warning() -> None:
    assert account.no_unexplained_errors(closing(*lost(OWN, OWN, OWN))).verdict is Verdict.WARN


@pytest.mark.parametrize(
    ("by", "explanation", "explained"),
    [
        ("status", finding("gateway.x", "status", shows="[502 from nginx]"), True),  # it judges it and shows it
        ("status", finding("gateway.x", "status", shows="[404 from nginx]"), False),  # it is about something else
        ("status", finding("gateway.x", "status", follows=True), True),
        ("status", finding("gateway.x", "upgrade"), False),
        ("roots", finding("gateway.x", "roots"), False),  # many ask for it that are not about it
        ("status", finding("gateway.x", says="1 of 8: 502 from nginx"), True),
        ("status", finding("readiness.answers-steadily"), True),
        ("status", finding("keepalive.race-is-contained"), True),
    ],
)
def test_what_explains_a_lost_answer(by: str, explanation: Explainer, explained: bool) -> None:
    found = account.no_unexplained_errors(closing(*lost(BAD, BAD, by=by), findings=(explanation,)))
    assert found.verdict is (Verdict.PASS if explained else Verdict.FAIL)


def test_what_is_left_is_told_beside_what_is_explained() -> None:
    kept = (*lost(BAD, by="upgrade"), *lost(RESET, RESET))
    found = account.no_unexplained_errors(
        closing(*kept, findings=(finding("gateway.x", "upgrade", shows="502 from nginx"),))
    )
    assert found.verdict is Verdict.FAIL
    assert "2 of 100" in found.summary
    assert "1 more are explained" in found.summary


@pytest.mark.parametrize(
    ("exchange", "reused", "counted"),
    [
        (GOOD, False, False),
        (seen(404), False, False),
        (BAD, False, True),
        (BAD, True, True),
        (RESET, False, True),
        (RESET, True, False),  # an idle connection that ended as it was used again
        (CUT, True, True),
        (seen(trouble=Trouble.TIMEOUT), False, False),
        (seen(trouble=Trouble.RESET, phase=Phase.TLS), False, False),
        (seen(trouble=Trouble.REFUSED, phase=Phase.TCP), False, False),
    ],
)
def test_what_counts_as_lost(exchange: Exchange, reused: bool, counted: bool) -> None:
    counts = Counts()
    counts.note("status", exchange, 0, reused=reused)
    assert len(counts.lost) == counted


def test_memory_is_bounded() -> None:
    counts = Counts()
    for _ in range(KEPT + 50):
        counts.note("status", replace(BAD, body="x" * 60_000), 0, reused=False)
    assert (len(counts.lost), counts.account.total) == (KEPT, KEPT + 50)
    assert [one.count for one in counts.account.more] == [50]
    assert max(len(one.exchange.body) for one in counts.lost) <= 1024


def test_kinds_are_bounded_too() -> None:
    counts = Counts()
    for number in range(KEPT + KINDS + 20):
        counts.note(f"measurement {number}", BAD, 0, reused=False)
    assert len(counts.account.more) <= KINDS + 20
    assert counts.account.total == KEPT + KINDS + 20


def test_what_was_too_much_to_keep_is_explained_by_kind_or_left_open() -> None:
    more = (Uncounted(by="status", what=in_words(RESET), count=7),)
    kept = Account(asked=300, lost=lost(BAD), more=more)
    one, both = (
        finding("gateway.x", says=in_words(BAD)),
        finding("gateway.y", says=f"{in_words(BAD)}, {in_words(RESET)}"),
    )
    assert account.no_unexplained_errors(Closing(account=kept, findings=(both,))).verdict is Verdict.PASS
    found = account.no_unexplained_errors(Closing(account=kept, findings=(one,)))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "of 8 lost answers only 1" in found.summary
    left = account.no_unexplained_errors(Closing(account=kept))
    assert left.verdict is Verdict.FAIL
    assert "8 of 300" in left.summary


def test_the_wire_counts_for_whoever_asks_unless_errors_are_meant() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async def run() -> list[tuple[str, str, int]]:
        async with serving(answer) as port:
            wire = Wire(http_target(port), user_agent="x")
            named = wire.until(wire.deadline, "status")
            url = f"http://127.0.0.1:{port}/version?secret=1"
            await named.exchange(route_to(port), "POST", url, body=b"{}")
            await named.provoking().exchange(route_to(port), "GET", url)
            await wire.exchange(route_to(port), "GET", url)
            return [(one.by, one.route, one.size) for one in wire.counts.lost]

    assert asyncio.run(run()) == [("status", "/version", 2)]
