"""One server or several, a limit or a broken server: what the same question asked again tells."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag.core.answers import Roots
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Finding, Verdict
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.target import Mode, Target, Way
from btdiag.families.readiness.facts import Repeats
from btdiag.families.readiness.judge import alike
from btdiag.families.readiness.plan import ALONE, SLOWLY, fails_at_once, fine_alone
from btdiag.families.readiness.probe import repeats as probe
from btdiag.net.wire import Wire
from tests.families.readiness.test_judge import BAD, GOOD, VERSION, seen
from tests.support.serving import http_target, route_to, serving

OLD = seen(body='{"version": "1.1.28", "commit": "old"}', path="/version")
OTHER = seen(404, "404 page not found", path="/version")
LABEL = "192.0.2.1"


def judged(
    again: Repeats | None = None, roots: tuple[Exchange, ...] = (GOOD,) * 6, version: Exchange = VERSION
) -> Finding:
    front, told = PerAddress({LABEL: Roots(exchanges=roots)}), PerAddress({LABEL: version})
    repeats = PerAddress({LABEL: again or Repeats(versions=(VERSION,) * 3)})
    found = alike.answers_are_one_servers(front, told, repeats)
    blocked = alike.blocked_by_mixture(front, told, repeats)
    assert (blocked is not None) == (found.verdict is Verdict.FAIL)
    return found


class AtOnce:
    """Waits that do not pass."""

    async def idle(self, seconds: float, what: str) -> None:
        pass

    @contextlib.asynccontextmanager
    async def alone(self, within: float | None = None) -> AsyncIterator[None]:
        yield

    def remaining(self) -> float:
        return 60.0


def test_a_rate_that_our_own_requests_use_up_is_a_limit() -> None:
    slowly = Repeats(alone=(GOOD, BAD) * 10, slowly=(GOOD,) * SLOWLY)
    found = judged(slowly, roots=(GOOD, *(BAD,) * 5))
    assert (found.verdict, "limits the rate" in found.summary) == (Verdict.FAIL, True)
    assert "requests a second" in (found.remedy.action if found.remedy else "")


@pytest.mark.parametrize(
    ("again", "roots"),
    [
        (Repeats(alone=(GOOD, BAD) * 10, slowly=(*(GOOD,) * 9, BAD)), (GOOD, *(BAD,) * 5)),
        (Repeats(alone=(GOOD, BAD) * 10, slowly=(GOOD,) * 4), (GOOD, *(BAD,) * 5)),
        (Repeats(alone=(GOOD, BAD) * 10, slowly=(GOOD,) * SLOWLY), (GOOD, GOOD, GOOD, GOOD, GOOD, BAD)),
    ],
)
def test_a_server_of_several_that_is_broken_is_no_limit(again: Repeats, roots: tuple[Exchange, ...]) -> None:
    assert "limits the rate" not in judged(again, roots=roots).summary


def test_one_server_passes_and_says_what_was_asked() -> None:
    found = judged()
    assert found.verdict is Verdict.PASS
    assert "6 answers to GET / and 4 to GET /version on one address" in found.summary


def test_two_applications_fail_with_k_of_n() -> None:
    found = judged(Repeats(versions=(OTHER, VERSION, OTHER)))
    assert found.verdict is Verdict.FAIL
    assert "2 of 4: 404" in found.summary
    assert "Service's selector" in (found.remedy.action if found.remedy else "")


def test_another_application_at_the_root_fails() -> None:
    assert judged(roots=(GOOD, seen(404, "not here"), GOOD)).verdict is Verdict.FAIL


def test_two_versions_warn_and_block_nothing() -> None:
    found = judged(Repeats(versions=(OLD, VERSION, OLD)))
    assert found.verdict is Verdict.WARN
    assert "1.1.28" in found.summary


@pytest.mark.parametrize("hiccup", [BAD, seen(503, ""), seen(504, ""), seen(500, "oops"), seen(429, "slow down")])
def test_a_dead_server_among_several_is_another_claim(hiccup: Exchange) -> None:
    assert judged(roots=(GOOD, hiccup, GOOD), again=Repeats(versions=(VERSION, hiccup))).verdict is Verdict.PASS


def test_what_fails_at_once_and_never_alone_is_a_limit() -> None:
    again = Repeats(alone=(GOOD,) * ALONE, at_once=(GOOD, BAD, BAD) * 4, in_a_row=(GOOD,) * ALONE)
    found = judged(again, roots=(GOOD, GOOD, BAD, BAD, BAD, GOOD))
    assert found.verdict is Verdict.FAIL
    assert "limits the number of requests at once" in found.summary
    assert found.remedy is not None
    assert found.remedy.snippets[0].product == "nginx"


def test_what_fails_in_quick_succession_too_is_a_limit_of_the_rate() -> None:
    again = Repeats(alone=(GOOD,) * ALONE, at_once=(GOOD, BAD, BAD) * 4, in_a_row=(GOOD, BAD) * 10)
    assert "limits the rate" in judged(again, roots=(GOOD, BAD, BAD)).summary


def test_what_fails_alone_as_well_is_no_limit() -> None:
    again = Repeats(alone=(GOOD, BAD) * 10, at_once=(GOOD, BAD) * 6)
    assert judged(again, roots=(GOOD, BAD, BAD)).verdict is Verdict.PASS


def test_nothing_asked_again_is_undecided() -> None:
    front, told = PerAddress({LABEL: Roots(exchanges=(GOOD,))}), PerAddress({LABEL: VERSION})
    found = alike.answers_are_one_servers(front, told, NotMeasured(reason="the budget ended first"))
    assert found.verdict is Verdict.INCONCLUSIVE


@given(seed=st.integers(0, 2**32), servers=st.integers(2, 6))
def test_round_robin_over_a_broken_server_is_never_a_limit(seed: int, servers: int) -> None:
    start = random.Random(seed).randrange(servers)
    alone = [BAD if (start + number) % servers == 0 else GOOD for number in range(ALONE)]
    assert not fine_alone(alone)


def test_a_limit_needs_a_third_of_those_at_once() -> None:
    assert fails_at_once((BAD, GOOD, GOOD))
    assert not fails_at_once((BAD, GOOD, GOOD, GOOD))
    assert not fails_at_once(())


def measured(answers: Iterator[bytes], roots: tuple[Exchange, ...], version: Exchange | NotMeasured) -> Repeats:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(next(answers))
        await writer.drain()

    async def run() -> Repeats:
        async with serving(answer) as port:
            target: Target = http_target(port)
            way, wire = Way(route=route_to(port)), Wire(target, user_agent="x")
            return await probe.repeats(way, wire, target, Mode(), AtOnce(), Roots(exchanges=roots), version)

    return asyncio.run(run())


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
NO = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


def test_a_healthy_server_is_asked_three_times_more() -> None:
    fact = measured(itertools.repeat(OK), (GOOD,) * 6, VERSION)
    assert (len(fact.versions), fact.alone, fact.at_once) == (probe.AGAIN, (), ())


def test_a_dead_server_is_not_asked_again() -> None:
    assert measured(itertools.repeat(OK), (BAD,) * 6, VERSION) == Repeats()


def test_requests_alone_settle_that_a_server_is_broken() -> None:
    fact = measured(itertools.cycle((OK, NO)), (GOOD, BAD, GOOD), NotMeasured(reason="x"))
    assert len(fact.alone) == ALONE
    assert fact.at_once == ()
