"""Programs that are led elsewhere than DNS leads, and names that resolve for some programs only: hand-made facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from btdiag.core.exchange import Failure, Phase, Timing, Trouble
from btdiag.core.finding import Owner, Verdict
from btdiag.core.handshake import Astray, Connection, Distrust
from btdiag.core.resolution import (
    AddressSource,
    Detour,
    DetourKind,
    DnsAnswer,
    LookupOutcome,
    QueryLoss,
    Resolution,
    ServerLookup,
    SystemLookup,
    View,
)
from btdiag.core.target import Target
from btdiag.families.dns.judge.resolves import resolvers_agree, resolves
from tests.factories import exchange

HOST, HERE, THERE = "api.example.com", "10.0.0.1", "10.0.0.9"
TARGET = Target(url=f"https://{HOST}", scheme="https", host=HOST, port=443)
HOSTS = Detour(kind=DetourKind.HOSTS_FILE, where="/etc/hosts line 3", straight=(THERE,))


def server(*answers: DnsAnswer, loss: QueryLoss | None = None) -> ServerLookup:
    return ServerLookup(server="10.0.0.53:53", name=HOST, answers=answers, loss=loss)


def answer(
    *addresses: str, qtype: str = "A", outcome: LookupOutcome = LookupOutcome.NO_DATA, seconds: float = 0.01
) -> DnsAnswer:
    result = LookupOutcome.ADDRESSES if addresses else outcome
    return DnsAnswer(qtype=qtype, outcome=result, addresses=addresses, duration_s=seconds)


def resolution(view: View, *others: View) -> Resolution:
    return Resolution(name=HOST, source=AddressSource.RESOLVER, addresses=view.addresses, views=(view, *others))


def system(*addresses: str, seconds: float = 0.01, again: float | None = None) -> SystemLookup:
    return SystemLookup(
        addresses=addresses, duration_s=seconds, error=None if addresses else "EAI_AGAIN", again_s=again
    )


def led(detour: Detour) -> Resolution:
    return resolution(View(label="system", servers=(server(answer(THERE)),), system=system(HERE), detour=detour))


def connection(label: str, *, refused: bool = False, distrust: str = "", status: int | None = 200) -> Connection:
    return Connection(
        label=label,
        port=443,
        tls=True,
        started_at=datetime(2030, 1, 1, tzinfo=UTC),
        timing=Timing(tcp_s=0.01),
        failure=Failure(phase=Phase.TCP, trouble=Trouble.REFUSED, detail="Connection refused") if refused else None,
        distrust=Distrust(code=62, message=distrust) if distrust else None,
        greeting=None if refused else exchange(status=status),
    )


@pytest.mark.parametrize(
    ("detour", "words", "advice"),
    [
        (HOSTS, "by the hosts file (/etc/hosts line 3)", "Remove api.example.com from /etc/hosts"),
        (
            Detour(kind=DetourKind.SEARCH_LIST, where=f"{HOST}.corp.test", straight=(THERE,), wildcard=True),
            "by the search list, as api.example.com.corp.test, where any name is answered",
            "wildcard record *.corp.test",
        ),
        (Detour(kind=DetourKind.OTHER, where="", straight=(THERE,)), "something other than its name", "nsswitch.conf"),
        (Detour(kind=DetourKind.RESOLVER, where="9.9.9.9", straight=(THERE,)), "its own resolver", "resolver 9.9.9.9"),
    ],
)
@pytest.mark.parametrize("there", [connection(HERE, refused=True), connection(HERE, distrust="Hostname mismatch")])
def test_a_place_that_is_not_the_target_is_the_fault_of_what_leads_there(
    detour: Detour, words: str, advice: str, there: Connection
) -> None:
    found = resolvers_agree(led(detour), TARGET, Astray(detour=detour, there=there, straight=connection(THERE)))
    assert (found.verdict, found.hop) == (Verdict.FAIL, "dns")
    assert words in found.summary
    assert found.remedy is not None
    assert advice in found.remedy.text
    assert len(found.answer) <= 90
    assert found.evidence


def test_a_place_that_says_no_where_the_other_one_does_not_is_none() -> None:
    stale = Astray(detour=HOSTS, there=connection(HERE, status=404), straight=connection(THERE))
    assert resolvers_agree(led(HOSTS), TARGET, stale).verdict is Verdict.FAIL
    alike = Astray(detour=HOSTS, there=connection(HERE, status=404), straight=connection(THERE, status=405))
    assert not alike.is_proved


def test_an_entry_that_leads_to_a_place_that_works_is_no_fault() -> None:
    found = resolvers_agree(
        led(HOSTS), TARGET, Astray(detour=HOSTS, there=connection(HERE), straight=connection(THERE))
    )
    assert found.verdict is Verdict.PASS
    assert "by the hosts file (/etc/hosts line 3)" in found.summary


def test_where_neither_place_works_both_may_be_at_fault() -> None:
    both = Astray(detour=HOSTS, there=connection(HERE, refused=True), straight=connection(THERE, refused=True))
    found = resolvers_agree(led(HOSTS), TARGET, both)
    assert (found.verdict, both.is_proved) == (Verdict.WARN, False)
    assert "neither" in found.summary


def test_a_name_that_only_a_wildcard_answers_does_not_exist() -> None:
    nobody = Detour(kind=DetourKind.SEARCH_LIST, where=f"{HOST}.corp.test", straight=(), wildcard=True)
    astray = Astray(detour=nobody, there=connection(HERE, distrust="Hostname mismatch"))
    found = resolvers_agree(led(nobody), TARGET, astray)
    assert found.verdict is Verdict.FAIL
    assert found.remedy is not None
    assert "does not exist in DNS" in found.remedy.text
    assert not Astray(detour=nobody, there=connection(HERE)).is_proved


def test_another_resolver_with_other_addresses_is_a_detour_and_a_common_address_none() -> None:
    first = View(label="system", servers=(server(answer(HERE)),), system=system(HERE))
    apart = View(label="9.9.9.9", servers=(server(answer(THERE)),))
    found = resolution(first, apart).detour
    assert found is not None
    assert (found.kind, found.straight) == (DetourKind.RESOLVER, (THERE,))
    assert resolution(first, View(label="9.9.9.9", servers=(server(answer(THERE, HERE)),))).detour is None
    assert replace(resolution(first, apart), proxy="proxy:3128").detour is None


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (LookupOutcome.TIMEOUT, "does not answer the AAAA question: programs that ask for both wait"),
        (LookupOutcome.REFUSED, "answers REFUSED to the AAAA question"),
    ],
)
def test_one_family_without_an_answer_is_a_warning(outcome: LookupOutcome, words: str) -> None:
    half = server(answer(HERE), answer(qtype="AAAA", outcome=outcome))
    found = resolves(resolution(View(label="system", servers=(half,), system=system(HERE, seconds=15.0))))
    assert found.verdict is Verdict.WARN
    assert words in found.summary


def test_programs_that_fail_for_a_family_that_is_silent_are_told_so() -> None:
    half = server(answer(HERE), answer(qtype="AAAA", outcome=LookupOutcome.TIMEOUT))
    found = resolves(resolution(View(label="system", servers=(half,), system=system())))
    assert (found.verdict, found.owner) == (Verdict.FAIL, Owner.DNS)
    assert "does not answer the AAAA question" in found.summary


@pytest.mark.parametrize(
    ("first", "again", "verdict"),
    [
        (0.3, None, Verdict.PASS),
        (1.5, 0.01, Verdict.PASS),  # it had to be looked up first
        (1.5, 1.4, Verdict.WARN),
        (5.01, None, Verdict.WARN),  # a query was lost, and sent again
    ],
)
def test_a_lookup_of_seconds_is_a_warning_with_the_number(first: float, again: float | None, verdict: Verdict) -> None:
    view = View(label="system", servers=(server(answer(HERE)),), system=system(HERE, seconds=first, again=again))
    found = resolves(resolution(view))
    assert found.verdict is verdict
    if verdict is Verdict.WARN:
        assert f"{first:.1f} s" in found.summary
        assert found.hop == "dns"


def test_a_slow_name_server_that_was_asked_directly_is_judged_by_its_quicker_answer() -> None:
    def asked(*seconds: float) -> Verdict:
        lookup = server(answer(HERE, seconds=seconds[0]), answer(qtype="AAAA", seconds=seconds[1]))
        return resolves(resolution(View(label="9.9.9.9", servers=(lookup,)))).verdict

    assert (asked(1.5, 1.6), asked(0.01, 1.6)) == (Verdict.WARN, Verdict.PASS)


@pytest.mark.parametrize(
    ("edns_lost", "plain_lost", "verdict", "words"),
    [
        (0, 1, Verdict.PASS, "1 of 10 queries"),
        (1, 2, Verdict.WARN, "3 of 10 queries"),
        (5, 0, Verdict.PASS, "queries with EDNS to 10.0.0.53:53 are lost"),
        (5, 5, Verdict.WARN, "10 of 10 queries"),
    ],
)
def test_loss_is_counted(edns_lost: int, plain_lost: int, verdict: Verdict, words: str) -> None:
    loss = QueryLoss(edns_asked=5, edns_lost=edns_lost, plain_asked=5, plain_lost=plain_lost)
    view = View(label="system", servers=(server(answer(HERE), loss=loss),), system=system(HERE))
    found = resolves(resolution(view))
    assert found.verdict is verdict
    assert words in found.summary


@pytest.mark.parametrize("outcome", [LookupOutcome.NO_DATA, LookupOutcome.NXDOMAIN])
def test_an_empty_answer_for_a_reason_of_policy_is_a_filter(outcome: LookupOutcome) -> None:
    blocked = server(replace(answer(outcome=outcome), extended_error="17 filtered"))
    found = resolves(resolution(View(label="system", servers=(blocked,), system=system())))
    assert found.verdict is Verdict.FAIL
    assert "by policy" in found.summary
    assert found.remedy is not None
    assert "rebind" in found.remedy.text


def test_an_empty_answer_beside_private_ones_elsewhere_speaks_for_rebind_protection() -> None:
    empty = View(label="system", servers=(server(answer()),), system=system())
    knowing = View(label="9.9.9.9", servers=(server(answer(THERE)),))
    found = resolves(resolution(empty, knowing))
    assert found.remedy is not None
    assert "rebind-domain-ok" in found.remedy.text
    public = View(label="9.9.9.9", servers=(server(answer("8.8.8.8")),))
    other = resolves(resolution(empty, public)).remedy
    assert other is not None
    assert "rebind" not in other.text


def test_a_name_server_that_answers_over_tcp_alone_needs_udp_opened() -> None:
    detail = "no answer to 2 UDP queries, while TCP answers; programs ask over UDP"
    mute = server(replace(answer(outcome=LookupOutcome.TIMEOUT), detail=detail))
    found = resolves(resolution(View(label="9.9.9.9", servers=(mute,))))
    assert found.remedy is not None
    assert "Open UDP" in found.remedy.text


def test_programs_that_fail_for_lost_queries_are_told_so() -> None:
    loss = QueryLoss(edns_asked=5, edns_lost=3, plain_asked=5, plain_lost=2)
    found = resolves(resolution(View(label="system", servers=(server(answer(HERE), loss=loss),), system=system())))
    assert (found.verdict, found.owner) == (Verdict.FAIL, Owner.DNS)
    assert "5 of 10 queries to name server 10.0.0.53:53 stay unanswered" in found.summary
