"""What the facts mean for each client, on plain data: who counts, and what a pass claims."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from btdiag.core.client_kinds import ClientKind
from btdiag.core.exchange import Failure, Phase, Timing, Trouble
from btdiag.core.finding import Verdict
from btdiag.core.handshake import Connection, Distrust
from btdiag.core.proxy_rules import ProxyReading, ValueFault
from btdiag.core.resolution import AddressSource, DnsAnswer, LookupOutcome, Resolution, ServerLookup, View
from btdiag.core.stores import StoreTrial
from btdiag.core.target import Proxy, Target
from btdiag.families.clients.facts import (
    ChainTrials,
    ClientReading,
    ClientWays,
    FileState,
    HelloTry,
    LargeHello,
    NamedFile,
    Surroundings,
    WayTrial,
)
from btdiag.families.clients.judge.counting import severity
from btdiag.families.clients.judge.hello import handshake_is_not_too_large
from btdiag.families.clients.judge.names import attempts, resolve_the_name
from btdiag.families.clients.judge.trust import trust_the_certificate
from btdiag.families.clients.judge.variables import variables_are_sound
from btdiag.families.clients.judge.ways import take_the_same_way

TARGET = Target(url="https://api.corp.test", scheme="https", host="api.corp.test", port=443)
NODE_SDK = replace(TARGET, sdks=(("js", "3.35.0"),))
PYTHON_SDK = replace(TARGET, sdks=(("python", "0.48.1"),))
PYTHON, NODE, CURL = ClientKind.PYTHON, ClientKind.NODE, ClientKind.CURL
PROXY = "http://proxy.test:3128"


def one(label: str = "192.0.2.1", tcp_s: float | None = 0.01, tls_s: float | None = None) -> Connection:
    failure = None if tcp_s is not None else Failure(phase=Phase.TCP, trouble=Trouble.UNREACHABLE, detail="no route")
    timing = Timing(tcp_s=tcp_s, tls_s=tls_s)
    now = datetime(2030, 1, 1, tzinfo=UTC)
    return Connection(label=label, port=443, tls=True, started_at=now, timing=timing, failure=failure)


WELL = {"192.0.2.1": one()}


@pytest.mark.parametrize(
    ("stuck", "changes", "verdict"),
    [
        ([PYTHON], {}, Verdict.WARN),
        ([PYTHON], {"sdks": (("Python", "0.48.1"),)}, Verdict.FAIL),
        ([PYTHON], {"sdks": (("js", "3.35.0"),)}, Verdict.WARN),
        ([NODE], {"sdks": (("typescript", "3.35.0"),)}, Verdict.FAIL),
        ([ClientKind.GO], {"sdks": (("go", "0.1"),)}, Verdict.FAIL),
        ([CURL], {"role": "sdk"}, Verdict.WARN),
        ([PYTHON], {"role": "sdk"}, Verdict.WARN),
        ([PYTHON, NODE], {"role": "sdk"}, Verdict.FAIL),
        ([PYTHON, NODE], {"role": "data-plane"}, Verdict.WARN),
        ([ClientKind.BROWSER], {}, Verdict.FAIL),
        ([ClientKind.BROWSER], {"role": "browser"}, Verdict.FAIL),
        ([ClientKind.BROWSER], {"role": "sdk"}, Verdict.WARN),
    ],
)
def test_who_counts(stuck: list[ClientKind], changes: dict[str, Any], verdict: Verdict) -> None:
    assert severity(stuck, replace(TARGET, **changes)) is verdict


def test_where_one_sdk_alone_is_known_it_speaks_for_the_role() -> None:
    assert severity([PYTHON], replace(TARGET, role="sdk"), judged=[PYTHON, CURL]) is Verdict.FAIL


def store(accepts: bool | None, *users: ClientKind, strict: str = "") -> StoreTrial:
    detail = "unable to get local issuer certificate" if accepts is False else ""
    return StoreTrial(
        store=f"list of {users[0]}", source="x", accepts=accepts, detail=detail, users=users, strict=strict
    )


def trials(*stores: StoreTrial, **more: Any) -> ChainTrials:
    return ChainTrials(label="192.0.2.1", stores=stores, **more)


def test_every_store_accepts() -> None:
    found = trust_the_certificate(trials(store(True, PYTHON, NODE), store(True, CURL)), WELL, TARGET)
    assert found.verdict is Verdict.PASS
    assert "the Python SDK (requests), the JavaScript SDK (Node.js) and curl trust" in found.summary
    given = trust_the_certificate(trials(store(True, PYTHON, NODE), assumed="/ca.pem"), WELL, TARGET)
    assert "given the CAs in /ca.pem" in given.summary


def test_a_pass_names_whom_it_says_nothing_of() -> None:
    found = trust_the_certificate(trials(store(True, CURL), store(None, PYTHON)), WELL, TARGET)
    assert found.verdict is Verdict.PASS
    assert "of the Python SDK (requests) and the JavaScript SDK (Node.js) nothing is known here" in found.summary
    assert trust_the_certificate(trials(), WELL, TARGET).verdict is Verdict.SKIP


def test_a_private_ca_in_the_system_store_alone() -> None:
    seen = trials(store(True, CURL), store(False, PYTHON), store(False, NODE))
    found = trust_the_certificate(seen, WELL, TARGET)
    assert found.verdict is Verdict.WARN
    assert "curl does" in found.summary
    assert found.remedy is not None
    code = "".join(snippet.code for snippet in found.remedy.snippets)
    assert "REQUESTS_CA_BUNDLE" in code
    assert "NODE_EXTRA_CA_CERTS" in code
    assert trust_the_certificate(seen, WELL, PYTHON_SDK).verdict is Verdict.FAIL
    nobody = trust_the_certificate(trials(store(False, PYTHON)), WELL, TARGET)
    assert " do)" not in nobody.summary


def test_strict_rules_count_where_such_a_python_runs() -> None:
    seen = trials(store(True, PYTHON, strict="Missing Authority Key Identifier"))
    assert trust_the_certificate(seen, WELL, PYTHON_SDK).verdict is Verdict.WARN
    newer = replace(seen, python=(3, 13))
    found = trust_the_certificate(newer, WELL, PYTHON_SDK)
    assert found.verdict is Verdict.FAIL
    assert "Missing Authority Key Identifier" in found.summary
    assert trust_the_certificate(newer, WELL, TARGET).verdict is Verdict.WARN


def read(kind: ClientKind, proxy: str = "", **more: Any) -> ClientReading:
    reading = ProxyReading(variable="HTTPS_PROXY" if proxy or more.get("exempted_by") else "", **more)
    return ClientReading(kind=kind, reading=reading, proxy=proxy)


def through(proxy: str, *readings: ClientReading) -> Surroundings:
    return Surroundings(readings=readings, variables=("HTTPS_PROXY",))


PROXIED = replace(NODE_SDK, proxy=Proxy(url=PROXY, source="HTTPS_PROXY"))
DROPPED = one("192.0.2.1", None)


def test_without_a_proxy_all_go_alike() -> None:
    assert take_the_same_way(Surroundings(), ClientWays(own=""), WELL, TARGET).verdict is Verdict.PASS
    given = replace(TARGET, proxy=Proxy(url=PROXY, source="--proxy"))
    assert take_the_same_way(Surroundings(), ClientWays(own=PROXY), WELL, given).verdict is Verdict.SKIP


def test_node_goes_past_the_proxy() -> None:
    here = through(PROXY, read(PYTHON, PROXY), read(NODE))
    dropped = ClientWays(own=PROXY, trials=(WayTrial(proxy="", connection=DROPPED),))
    found = take_the_same_way(here, dropped, WELL, PROXIED)
    assert found.verdict is Verdict.FAIL
    assert "the JavaScript SDK (Node.js) goes directly (Node.js reads no proxy variable by itself)" in found.summary
    assert found.remedy is not None
    assert "NODE_USE_ENV_PROXY=1" in found.remedy.snippets[0].code
    assert take_the_same_way(here, dropped, WELL, replace(PROXIED, sdks=())).verdict is Verdict.WARN
    unnamed = ClientWays(own=PROXY, trials=(WayTrial(proxy="", connection=None),))
    assert "does not resolve" in take_the_same_way(here, unnamed, WELL, PROXIED).summary
    open_way = ClientWays(own=PROXY, trials=(WayTrial(proxy="", connection=one()),))
    assert take_the_same_way(here, open_way, WELL, PROXIED).verdict is Verdict.PASS
    alike = take_the_same_way(through(PROXY, read(PYTHON, PROXY)), ClientWays(own=PROXY), WELL, PROXIED)
    assert "read the proxy variables alike" in alike.summary


def test_a_certificate_that_no_way_shows_trusted_is_no_matter_of_the_way() -> None:
    here = through(PROXY, read(PYTHON, PROXY), read(NODE))
    untrusted = Failure(phase=Phase.TLS, trouble=Trouble.UNTRUSTED, detail="certificate has expired")
    ways = ClientWays(own=PROXY, trials=(WayTrial(proxy="", connection=replace(one(), failure=untrusted)),))
    expired = {"192.0.2.1": replace(one(), distrust=Distrust(code=10, message="certificate has expired"))}
    assert take_the_same_way(here, ways, expired, PROXIED).verdict is Verdict.PASS
    assert take_the_same_way(here, ways, WELL, PROXIED).verdict is Verdict.FAIL  # another server is behind that way


def test_of_a_way_through_a_socks_proxy_nothing_is_said() -> None:
    here = through("", replace(read(PYTHON, "x"), proxy="", fault=ValueFault.SOCKS), read(NODE))
    found = take_the_same_way(here, ClientWays(own=""), WELL, TARGET)
    assert found.verdict is Verdict.SKIP
    assert "SOCKS" in found.summary


def test_an_entry_that_one_client_reads_is_named() -> None:
    here = through(PROXY, read(PYTHON, PROXY), read(ClientKind.GO, exempted_by="*.corp.test"))
    dropped = ClientWays(own=PROXY, trials=(WayTrial(proxy="", connection=DROPPED),))
    found = take_the_same_way(here, dropped, WELL, PROXIED)
    assert found.verdict is Verdict.WARN
    assert "directly, by *.corp.test in NO_PROXY" in found.summary
    assert found.remedy is not None
    assert "*.corp.test" in found.remedy.text


def test_a_client_that_asks_a_proxy_where_this_run_does_not() -> None:
    here = through(PROXY, read(PYTHON, PROXY), read(CURL, exempted_by="corp.test"))
    ways = ClientWays(own="", trials=(WayTrial(proxy=PROXY, connection=DROPPED),))
    found = take_the_same_way(here, ways, WELL, PYTHON_SDK)
    assert found.verdict is Verdict.FAIL
    assert f"through {PROXY} (HTTPS_PROXY)" in found.summary


def test_where_this_run_does_not_get_through_either_that_is_the_finding() -> None:
    here = through(PROXY, read(NODE))
    dropped = ClientWays(own=PROXY, trials=(WayTrial(proxy="", connection=DROPPED),))
    found = take_the_same_way(here, dropped, {"192.0.2.1": DROPPED}, PROXIED)
    assert (found.verdict, found.because) == (Verdict.SKIP, "connection.tcp-connects")


def named(variable: str, state: FileState = FileState.MISSING) -> Surroundings:
    return Surroundings(files=(NamedFile(variable=variable, path="/gone.pem", state=state),))


@pytest.mark.parametrize(
    ("variable", "verdict"),
    [
        ("REQUESTS_CA_BUNDLE", Verdict.FAIL),
        ("CURL_CA_BUNDLE", Verdict.FAIL),
        ("SSL_CERT_FILE", Verdict.WARN),
        ("SSL_CERT_DIR", Verdict.WARN),
        ("NODE_EXTRA_CA_CERTS", Verdict.WARN),
    ],
)
def test_a_file_that_is_missing(variable: str, verdict: Verdict) -> None:
    found = variables_are_sound(named(variable), PYTHON_SDK)
    assert found.verdict is verdict
    assert f"{variable}: names /gone.pem, which is missing" in found.summary
    assert variables_are_sound(named(variable), TARGET).verdict is Verdict.WARN
    assert variables_are_sound(named(variable, FileState.SOUND), TARGET).verdict is Verdict.PASS
    http = replace(TARGET, url="http://api.corp.test", scheme="http")
    assert variables_are_sound(named(variable), http).verdict is Verdict.PASS


def test_requests_reads_curls_variable_where_its_own_is_not_set() -> None:
    both = Surroundings(files=(*named("REQUESTS_CA_BUNDLE", FileState.SOUND).files, *named("CURL_CA_BUNDLE").files))
    assert variables_are_sound(both, PYTHON_SDK).verdict is Verdict.WARN


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (ValueFault.QUOTED, "its value has quotes around it: the Python SDK (requests) does not get through"),
        (ValueFault.RETURN, "its value has a carriage return at its end"),
        (ValueFault.SOCKS, "it is a SOCKS proxy: requests and httpx use one only with PySocks"),
    ],
)
def test_a_value_that_programs_cannot_use(fault: ValueFault, words: str) -> None:
    here = Surroundings(readings=(replace(read(PYTHON, PROXY), fault=fault),), variables=("HTTPS_PROXY",))
    found = variables_are_sound(here, TARGET)
    assert found.verdict is Verdict.WARN
    assert words in found.summary


def test_a_value_that_harms_nobody_who_reads_it_is_no_finding() -> None:
    here = Surroundings(
        readings=(replace(read(PYTHON, PROXY), fault=ValueFault.SCHEMELESS),), variables=("HTTPS_PROXY",)
    )
    found = variables_are_sound(here, TARGET)
    assert found.verdict is Verdict.PASS
    assert "HTTPS_PROXY can be read by every program" in found.summary


def test_other_logins_and_no_verification() -> None:
    login = Surroundings(netrc="/home/a/.netrc")
    assert variables_are_sound(login, PYTHON_SDK).verdict is Verdict.FAIL
    found = variables_are_sound(replace(login, unverified=True), TARGET)
    assert found.verdict is Verdict.WARN
    assert "requests sends that login in place of the API key" in found.summary
    assert "NODE_TLS_REJECT_UNAUTHORIZED" in found.summary
    assert len(found.answer) <= 90


def resolved(*addresses: str, aaaa: LookupOutcome = LookupOutcome.NO_DATA) -> Resolution:
    answers = (
        DnsAnswer(qtype="A", outcome=LookupOutcome.ADDRESSES, addresses=addresses),
        DnsAnswer(qtype="AAAA", outcome=aaaa),
    )
    server = ServerLookup(server="192.0.2.53:53", name="api.corp.test", answers=answers)
    view = View(label="system", servers=(server,))
    return Resolution(name="api.corp.test", source=AddressSource.RESOLVER, addresses=addresses, views=(view,))


def test_the_order_of_attempts_takes_the_families_by_turns() -> None:
    assert attempts(("192.0.2.1", "192.0.2.2", "2001:db8::1")) == ("192.0.2.1", "2001:db8::1", "192.0.2.2")
    assert attempts(("2001:db8::1", "2001:db8::2")) == ("2001:db8::1", "2001:db8::2")


FAR, HERE, NONE = (0.32, 0.33), (0.02, 0.03), (None, None)


@pytest.mark.parametrize(
    ("times", "stuck"),
    [
        ((FAR, NONE), True),  # the last one has no limit, and no route
        ((FAR, FAR), False),  # the last one has no limit
        ((FAR,), False),
        ((HERE, NONE), False),
        ((NONE, FAR), False),
        (((0.32, 0.05), NONE), False),  # the handshake was fast: the one packet was late
        (((3.1, 0.4), NONE), False),  # lost once and sent again
        ((NONE, NONE), False),
    ],
)
def test_nodes_250_ms(times: tuple[tuple[float | None, float | None], ...], stuck: bool) -> None:
    addresses = [f"192.0.2.{number}" for number in range(1, len(times) + 1)]
    connections = {
        address: one(address, tcp_s, tls_s) for address, (tcp_s, tls_s) in zip(addresses, times, strict=True)
    }
    found = resolve_the_name(resolved(*addresses), connections, NODE_SDK)
    assert (found.verdict is Verdict.FAIL) is stuck, found.summary
    if stuck:
        assert "192.0.2.1 in 320 ms; 192.0.2.2 not at all" in found.summary
        assert resolve_the_name(resolved(*addresses), connections, TARGET).verdict is Verdict.WARN


def test_an_address_that_was_not_measured_leaves_it_open() -> None:
    connections = {"192.0.2.1": one("192.0.2.1", 0.32, 0.33)}
    found = resolve_the_name(resolved("192.0.2.1", "192.0.2.2", "192.0.2.3"), connections, NODE_SDK)
    assert found.verdict is Verdict.PASS


def test_a_family_that_dns_denies_is_one_warning() -> None:
    found = resolve_the_name(resolved("192.0.2.1", aaaa=LookupOutcome.NXDOMAIN), WELL, TARGET)
    assert found.verdict is Verdict.WARN
    assert "musl (Alpine images)" in found.summary
    failing = resolve_the_name(resolved("192.0.2.1", aaaa=LookupOutcome.SERVFAIL), WELL, TARGET)
    assert failing.verdict is Verdict.SKIP
    assert "dns.resolves" in failing.summary
    assert resolve_the_name(resolved("192.0.2.1"), WELL, TARGET).verdict is Verdict.PASS
    proxied = replace(resolved(), proxy=PROXY)
    assert resolve_the_name(proxied, WELL, TARGET).verdict is Verdict.SKIP


def hello(large: tuple[bool, ...], small: tuple[bool, ...] = ()) -> LargeHello:
    return LargeHello(
        label="192.0.2.1",
        large=tuple(HelloTry(size=1800, answered=answered, detail="" if answered else "reset") for answered in large),
        small=tuple(HelloTry(size=306, answered=answered, detail="" if answered else "reset") for answered in small),
    )


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (hello((True,)), Verdict.PASS),
        (hello((False, False), (True, True)), Verdict.FAIL),
        (hello((False, True), (True, True)), Verdict.INCONCLUSIVE),
        (hello((False, False), (True, False)), Verdict.INCONCLUSIVE),
        (hello((False, False), (False, False)), Verdict.INCONCLUSIVE),
    ],
)
def test_a_size_is_blamed_by_contrast_alone(seen: LargeHello, verdict: Verdict) -> None:
    assert handshake_is_not_too_large(seen, TARGET).verdict is verdict
    if verdict is Verdict.FAIL:
        assert handshake_is_not_too_large(seen, replace(TARGET, role="sdk")).verdict is Verdict.WARN
