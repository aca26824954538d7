"""What the answers of resolvers are judged to mean, from hand-made facts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from btdiag.core.finding import Finding, Owner, Verdict
from btdiag.core.resolution import AddressSource, DnsAnswer, LookupOutcome, Resolution, ServerLookup, SystemLookup, View
from btdiag.core.target import Target
from btdiag.families.dns.judge.addresses import addresses_are_usable, addresses_share_a_space, misleading, unusable
from btdiag.families.dns.judge.resolves import resolvers_agree, resolves

HOST = "api.example.com"
TARGET = Target(url=f"https://{HOST}", scheme="https", host=HOST, port=443)


def server(
    *addresses: str,
    outcome: LookupOutcome = LookupOutcome.NXDOMAIN,
    chain: tuple[str, ...] = (),
    extended: str = "",
    detail: str = "",
    at: str = "10.0.0.53:53",
    name: str = HOST,
) -> ServerLookup:
    """A name server that answers A with the addresses, or both questions with the outcome."""
    result = LookupOutcome.ADDRESSES if addresses else outcome
    first = DnsAnswer(
        qtype="A", outcome=result, addresses=addresses, chain=chain, ttl=60, extended_error=extended, detail=detail
    )
    second = replace(first, qtype="AAAA", addresses=(), outcome=LookupOutcome.NO_DATA if addresses else outcome)
    return ServerLookup(server=at, name=name, answers=(first, second))


def by_system(*addresses: str, error: str = "EAI_NONAME", seconds: float = 0.004) -> SystemLookup:
    return SystemLookup(addresses=addresses, duration_s=seconds, error=None if addresses else error)


def resolved(*views: View, proxy: str = "") -> Resolution:
    return Resolution(name=HOST, source=AddressSource.RESOLVER, addresses=views[0].addresses, views=views, proxy=proxy)


def one(lookup: ServerLookup, **given: str) -> Resolution:
    return resolved(View(label="system", servers=(lookup,)), **given)


def assert_actionable(finding: Finding) -> None:
    """Whoever is woken up by it finds what, where, who and what to do."""
    assert finding.summary.count("\n") == 0
    assert HOST in finding.summary
    assert finding.hop
    assert finding.owner
    assert finding.expected
    assert finding.seen
    assert finding.evidence
    assert finding.remedy is not None
    assert finding.remedy.text
    assert finding.sources


@pytest.mark.parametrize(
    ("lookup", "summary", "advice"),
    [
        pytest.param(
            server(), "does not exist: name server 10.0.0.53:53 answers NXDOMAIN", "create the record", id="nx"
        ),
        pytest.param(
            server(chain=("lb.old.example",)),
            "is an alias (CNAME) of lb.old.example, which does not exist",
            "taken over",
            id="dangling",
        ),
        pytest.param(
            server(outcome=LookupOutcome.NO_DATA, chain=("lb.old.example",)),
            "lb.old.example, which has neither an A nor an AAAA record",
            "taken over",
            id="alias without address",
        ),
        pytest.param(
            server(outcome=LookupOutcome.NO_DATA), "neither an A nor an AAAA record", "Add an A", id="no data"
        ),
        pytest.param(server(outcome=LookupOutcome.SERVFAIL), "(SERVFAIL)", "authoritative servers", id="servfail"),
        pytest.param(
            server(outcome=LookupOutcome.SERVFAIL, extended="9 dnskey missing: no key"),
            "extended error 9 dnskey missing: no key",
            "DNSSEC validation",
            id="dnssec",
        ),
        pytest.param(
            server(outcome=LookupOutcome.SERVFAIL, extended="15 blocked"), "15 blocked", "by policy", id="policy"
        ),
        pytest.param(server(outcome=LookupOutcome.REFUSED, detail="REFUSED"), "(REFUSED)", "access list", id="refused"),
        pytest.param(
            server(outcome=LookupOutcome.TIMEOUT, detail="no answer to 2 UDP queries and one over TCP"),
            "does not answer: no answer to 2 UDP queries",
            "pass the firewalls",
            id="silence",
        ),
        pytest.param(
            server(outcome=LookupOutcome.UNREACHABLE, detail="Connection refused"),
            "Connection refused",
            "VPN",
            id="icmp",
        ),
        pytest.param(
            server(outcome=LookupOutcome.ERROR, detail="BadLabelType"), "no usable answer", "--nameserver", id="junk"
        ),
    ],
)
def test_each_way_not_to_resolve_fails_with_its_own_words(lookup: ServerLookup, summary: str, advice: str) -> None:
    finding = resolves(one(lookup))
    assert finding.verdict is Verdict.FAIL
    assert summary in finding.summary
    assert finding.remedy is not None
    assert advice in finding.remedy.text
    if lookup.outcome not in {LookupOutcome.TIMEOUT, LookupOutcome.UNREACHABLE}:
        assert_actionable(finding)


def test_a_query_that_this_machine_does_not_let_out_says_nothing_of_the_name() -> None:
    finding = resolves(one(server(outcome=LookupOutcome.LOCAL, detail="EPERM")))
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert finding.owner == Owner.CLIENT


def test_the_first_server_that_answers_speaks_for_all() -> None:
    silent = server(outcome=LookupOutcome.TIMEOUT, detail="no answer", at="10.0.0.1:53")
    view = View(label="system", servers=(silent, server(at="10.0.0.2:53")), system=by_system())
    assert "10.0.0.2:53 answers NXDOMAIN" in resolves(resolved(view)).summary


def test_programs_that_cannot_resolve_what_dns_knows_are_this_machines_fault() -> None:
    finding = resolves(resolved(View(label="system", servers=(server("192.0.2.1"),), system=by_system())))
    assert finding.verdict is Verdict.FAIL
    assert "EAI_NONAME" in finding.summary
    assert "10.0.0.53:53 answers 192.0.2.1" in finding.summary
    assert finding.owner == Owner.CLIENT
    assert_actionable(finding)


def test_getaddrinfo_alone_still_gives_a_finding() -> None:
    finding = resolves(resolved(View(label="system", servers=(), system=by_system(error="EAI_AGAIN"))))
    assert finding.verdict is Verdict.FAIL
    assert "EAI_AGAIN" in finding.summary


def test_another_resolver_that_knows_the_name_is_named() -> None:
    vpn = View(label="vpn", servers=(server("10.1.1.1"),))
    finding = resolves(resolved(View(label="system", servers=(server(),)), vpn))
    assert finding.verdict is Verdict.FAIL
    assert "vpn answers 10.1.1.1" in finding.summary
    agreement = resolvers_agree(resolved(View(label="system", servers=(server(),)), vpn), TARGET)
    assert (agreement.verdict, agreement.because) == (Verdict.SKIP, "dns.resolves")


def test_behind_a_proxy_that_resolves_a_dead_name_is_no_fault() -> None:
    dead = one(server(), proxy="proxy.example:3128")
    for finding in (
        resolves(dead),
        resolvers_agree(dead, TARGET),
        addresses_share_a_space(dead, TARGET),
        addresses_are_usable(dead, TARGET),
    ):
        assert finding.verdict is Verdict.SKIP
        assert finding.because is None
    assert "proxy.example:3128 resolves the name itself" in resolves(dead).summary


@pytest.mark.parametrize("source", [AddressSource.LITERAL, AddressSource.OVERRIDE])
def test_what_the_user_wrote_needs_no_dns(source: AddressSource) -> None:
    given = Resolution(name="0.0.0.0", source=source, addresses=("0.0.0.0",))
    assert resolves(given).verdict is Verdict.PASS
    assert resolvers_agree(given, TARGET).verdict is Verdict.SKIP
    assert addresses_are_usable(given, TARGET).verdict is Verdict.PASS
    assert unusable(given) == ()


def test_a_pass_tells_the_way_to_the_address() -> None:
    finding = resolves(one(server("192.0.2.1", "192.0.2.2", chain=("lb.example",))))
    assert finding.verdict is Verdict.PASS
    assert "192.0.2.1, 192.0.2.2 (in 0 ms, by alias lb.example, TTL 60 s)" in finding.summary


def test_a_large_pool_is_told_to_be_tested_in_part() -> None:
    pool = one(server(*(f"8.8.8.{number}" for number in range(20))))
    assert "and 16 more" in resolves(pool).summary
    assert "only the first 16 of the 20 addresses are tested" in resolves(pool).summary


def test_a_name_completed_by_the_search_list_is_told() -> None:
    lookup = server("10.0.0.1", name=f"{HOST}.corp")
    finding = resolves(resolved(View(label="system", servers=(lookup,), system=by_system("10.0.0.1"))))
    assert f"as {HOST}.corp by the search list" in finding.summary


def test_a_hosts_file_is_named_as_the_source_and_is_no_disagreement() -> None:
    local = resolved(View(label="system", servers=(server(),), system=by_system("127.0.0.1")))
    assert "hosts file or mDNS" in resolves(local).summary
    assert resolvers_agree(local, TARGET).verdict is Verdict.PASS
    assert misleading(local, TARGET) == ()
    assert addresses_are_usable(local, TARGET).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("first", "second", "verdict", "words"),
    [
        pytest.param(("8.8.8.8",), ("8.8.8.8",), Verdict.PASS, "the same addresses", id="same"),
        pytest.param(("8.8.8.8",), ("8.8.4.4",), Verdict.PASS, "as a rotating pool does", id="rotating pool"),
        pytest.param(("10.0.0.1",), ("8.8.8.8",), Verdict.WARN, "split horizon", id="split horizon"),
        pytest.param(("8.8.8.8",), (), Verdict.WARN, "1 of 2 resolvers give no address", id="one knows nothing"),
    ],
)
def test_agreement_is_of_kind_and_not_of_address(
    first: tuple[str, ...], second: tuple[str, ...], verdict: Verdict, words: str
) -> None:
    views = (View(label="a", servers=(server(*first),)), View(label="b", servers=(server(*second, at="9.9.9.9:53"),)))
    finding = resolvers_agree(resolved(*views), TARGET)
    assert finding.verdict is verdict
    assert words in finding.summary
    if verdict is Verdict.WARN:
        assert_actionable(finding)


def test_a_silent_name_server_among_good_ones_is_a_warning_that_tells_what_it_costs() -> None:
    dead = server(outcome=LookupOutcome.TIMEOUT, at="10.0.0.1:53")
    view = View(label="system", servers=(dead, server("8.8.8.8")), system=by_system("8.8.8.8", seconds=5.01))
    finding = resolvers_agree(resolved(view), TARGET)
    assert finding.verdict is Verdict.WARN
    assert finding.remedy is not None
    assert "10.0.0.1:53" in finding.remedy.text
    assert "5.0 s" in finding.remedy.text
    assert resolves(resolved(view)).verdict is Verdict.PASS


def test_a_single_resolver_agrees_with_nobody() -> None:
    finding = resolvers_agree(one(server("8.8.8.8")), TARGET)
    assert (finding.verdict, finding.because) == (Verdict.SKIP, None)
    assert "--nameserver" in finding.summary


def test_mixed_address_spaces_are_a_warning_and_declared_ones_count() -> None:
    mixed = one(server("10.0.0.1", "8.8.8.8"))
    finding = addresses_share_a_space(mixed, TARGET)
    assert finding.verdict is Verdict.WARN
    assert "local: 10.0.0.1; public: 8.8.8.8" in finding.summary
    assert_actionable(finding)
    declared = replace(TARGET, address_spaces=(("10.0.0.0/8", "public"),))
    assert addresses_share_a_space(mixed, declared).verdict is Verdict.PASS
    assert addresses_share_a_space(one(server("8.8.8.8", "0.0.0.0")), TARGET).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("addresses", "verdict", "words"),
    [
        pytest.param(("0.0.0.0", "::"), Verdict.FAIL, "only 0.0.0.0, ::", id="sinkhole"),
        pytest.param(("8.8.8.8", "0.0.0.0"), Verdict.FAIL, "1 of 2 addresses: 0.0.0.0", id="half a sinkhole"),
        pytest.param(("127.0.0.1",), Verdict.FAIL, "127.0.0.1", id="loopback"),
        pytest.param(("239.1.1.1",), Verdict.FAIL, "239.1.1.1", id="multicast"),
        pytest.param(("169.254.7.7",), Verdict.WARN, "link-local", id="link-local"),
        pytest.param(("192.0.2.1",), Verdict.WARN, "documentation", id="documentation"),
        pytest.param(("10.0.0.1",), Verdict.PASS, "private", id="private"),
        pytest.param(("8.8.8.8",), Verdict.PASS, "8.8.8.8, public", id="public"),
    ],
)
def test_addresses_that_lead_nowhere(addresses: tuple[str, ...], verdict: Verdict, words: str) -> None:
    finding = addresses_are_usable(one(server(*addresses)), TARGET)
    assert finding.verdict is verdict
    assert words in finding.summary
    if verdict is not Verdict.PASS:
        assert_actionable(finding)


def test_loopback_is_fine_in_a_lab_for_localhost_and_a_warning_where_the_target_itself_answers() -> None:
    loopback = one(server("127.0.0.1"))
    assert addresses_are_usable(loopback, TARGET, working=["127.0.0.1"]).verdict is Verdict.WARN
    assert addresses_are_usable(loopback, replace(TARGET, lab_scenario="healthy")).verdict is Verdict.PASS
    assert misleading(replace(loopback, name="api.localhost"), TARGET) == ()


def test_a_hosts_entry_over_a_public_record_is_a_disagreement_and_no_filter() -> None:
    view = View(label="system", servers=(server("8.8.8.8"),), system=by_system("127.0.0.1"))
    assert misleading(resolved(view), TARGET) == ()
    assert resolvers_agree(resolved(view), TARGET).verdict is Verdict.WARN


def test_without_an_address_the_other_checks_name_the_cause() -> None:
    for finding in (addresses_share_a_space(one(server()), TARGET), addresses_are_usable(one(server()), TARGET)):
        assert (finding.verdict, finding.because) == (Verdict.SKIP, "dns.resolves")


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (LookupOutcome.NO_DATA, Verdict.PASS),
        (LookupOutcome.NXDOMAIN, Verdict.PASS),
        (LookupOutcome.SERVFAIL, Verdict.WARN),
    ],
)
def test_each_family_is_judged_by_its_own_answer(outcome: LookupOutcome, verdict: Verdict) -> None:
    plain = server("192.0.2.1")
    first, second = plain.answers
    finding = resolves(one(replace(plain, answers=(first, replace(second, outcome=outcome)))))
    assert finding.verdict is verdict
    if verdict is Verdict.WARN:
        assert_actionable(finding)
        assert outcome in finding.summary
        assert "AAAA" in finding.summary
        assert len(finding.answer) <= 90
