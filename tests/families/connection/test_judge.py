"""TCP, proxy and TLS handshakes judged from hand-made connections."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from btdiag.core.exchange import Exchange, Failure, Icmp, Phase, Timing, Trouble
from btdiag.core.finding import Finding, Owner, Verdict
from btdiag.core.handshake import Connection, Handshake, ProxyReply, TlsVersions, VersionTrial, got_furthest
from btdiag.core.target import Proxy, Secret, Target
from btdiag.families.connection.judge.handshake import tls_handshake_completes, tls_versions_suffice
from btdiag.families.connection.judge.proxy import proxy_lets_through
from btdiag.families.connection.judge.reach import excused_by_family, tcp_connects
from btdiag.families.connection.judge.trust import tls_is_trusted
from tests import factories

HOST = "api.example.com"
TARGET = Target(url=f"https://{HOST}", scheme="https", host=HOST, port=443)
PROXY = Proxy(url="http://proxy.example:3128", source="HTTPS_PROXY", credentials=Secret("user:hidden"))
PROXIED = replace(TARGET, proxy=PROXY)
WORKING = Connection(
    label="192.0.2.1",
    port=443,
    tls=True,
    started_at=datetime(2026, 6, 15, tzinfo=UTC),
    timing=Timing(tcp_s=0.01, tls_s=0.02),
    handshake=Handshake(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", alpn=None, chain=()),
)


def broken(
    trouble: Trouble,
    phase: Phase = Phase.TCP,
    label: str = "192.0.2.2",
    detail: str = "as seen",
    errno: int | None = None,
) -> Connection:
    failure = Failure(phase=phase, trouble=trouble, detail=detail, errno=errno)
    return replace(WORKING, label=label, handshake=None, failure=failure)


def table(*connections: Connection) -> dict[str, Connection]:
    return {one.label: one for one in connections}


def answer(status: int | None = None, failure: Failure | None = None, **headers: str) -> Exchange:
    return factories.exchange(
        method="HEAD",
        url=TARGET.url,
        status=status,
        headers=tuple(headers.items()),
        failure=failure,
    )


def assert_actionable(finding: Finding) -> None:
    assert finding.hop
    assert finding.owner
    assert finding.expected
    assert finding.seen
    assert finding.evidence
    assert finding.remedy is not None
    assert finding.remedy.text
    assert finding.sources


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (Trouble.REFUSED, "refused: 192.0.2.2"),
        (Trouble.TIMEOUT, "no answer: 192.0.2.2"),
        (Trouble.UNREACHABLE, "unreachable: 192.0.2.2"),
        (Trouble.RESET, "reset while connecting: 192.0.2.2"),
    ],
)
def test_one_address_of_several_fails(trouble: Trouble, words: str) -> None:
    finding = tcp_connects(table(WORKING, broken(trouble)), TARGET)
    assert finding.verdict is Verdict.FAIL
    assert finding.summary == f"1 of 2 addresses takes no TCP connection on port 443 ({words})"
    assert_actionable(finding)


def test_all_addresses_fail_in_their_own_ways() -> None:
    finding = tcp_connects(table(broken(Trouble.REFUSED), broken(Trouble.TIMEOUT, label="192.0.2.3")), TARGET)
    assert "all 2 addresses take no TCP connection" in finding.summary
    assert "refused: 192.0.2.2; no answer: 192.0.2.3" in finding.summary
    assert finding.answer.startswith("Nobody connects from here")
    assert finding.remedy is not None
    assert 0 < len(finding.remedy.action) <= 140
    alone = tcp_connects(table(broken(Trouble.REFUSED)), TARGET)
    assert alone.summary.startswith("192.0.2.2 takes no TCP connection")


def test_every_address_works() -> None:
    finding = tcp_connects(table(WORKING, replace(WORKING, label="2001:db8::1")), TARGET)
    assert finding.verdict is Verdict.PASS
    assert finding.summary == "each of 2 addresses takes TCP connections on port 443, the slowest in 10 ms"


def test_broken_ipv6_beside_ipv4_is_a_warning_alone_a_failure() -> None:
    v6 = broken(Trouble.REFUSED, label="2001:db8::1")
    beside = tcp_connects(table(WORKING, v6), TARGET)
    assert beside.verdict is Verdict.WARN
    assert "IPv6 does not work where IPv4 does" in beside.summary
    assert_actionable(beside)
    assert tcp_connects(table(v6), TARGET).verdict is Verdict.FAIL
    assert tcp_connects(table(v6, broken(Trouble.REFUSED)), TARGET).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    "failure", [broken(Trouble.UNREACHABLE, label="2001:db8::1", errno=101), broken(Trouble.LOCAL, label="2001:db8::1")]
)
def test_a_machine_without_ipv6_blames_nobody(failure: Connection) -> None:
    finding = tcp_connects(table(WORKING, failure), TARGET)
    assert finding.verdict is Verdict.PASS
    assert "no IPv6 route to 2001:db8::1" in finding.summary
    only = tcp_connects(table(failure), TARGET)
    assert only.verdict is Verdict.INCONCLUSIVE
    assert only.owner == Owner.CLIENT


def test_an_ipv6_only_machine_blames_nobody_for_ipv4() -> None:
    v6 = replace(WORKING, label="2001:db8::1")
    unrouted = broken(Trouble.UNREACHABLE, errno=101)
    finding = tcp_connects(table(unrouted, v6), TARGET)
    assert finding.verdict is Verdict.PASS
    assert "no IPv4 route to 192.0.2.2" in finding.summary
    assert tcp_connects(table(unrouted, v6, WORKING), TARGET).verdict is Verdict.FAIL, "another IPv4 address is routed"
    assert tcp_connects(table(unrouted), TARGET).verdict is Verdict.FAIL, "nothing works: that is no excuse"
    told = Icmp(sender="192.0.2.254", version=4, code=0)
    assert unrouted.failure is not None
    by_router = replace(unrouted, failure=replace(unrouted.failure, icmp=told))
    assert tcp_connects(table(by_router, v6), TARGET).verdict is Verdict.FAIL, "a router said so, not this machine"


@pytest.mark.parametrize(
    ("label", "others", "excused"),
    [
        ("2001:db8::1", ("192.0.2.1",), True),
        ("192.0.2.2", ("2001:db8::1",), True),
        ("2001:db8::1", (), False),
        ("192.0.2.2", ("192.0.2.1",), False),
    ],
)
def test_only_the_other_family_excuses_an_address(label: str, others: tuple[str, ...], excused: bool) -> None:
    failure = broken(Trouble.UNREACHABLE, label=label, errno=101).failure
    assert failure is not None
    assert excused_by_family(label, failure, (label, *others)) is excused
    assert not excused_by_family(label, replace(failure, errno=113), (label, *others)), "a host that is not there"


def test_ipv6_that_the_network_rejects_is_blamed() -> None:
    rejected = broken(Trouble.UNREACHABLE, label="2001:db8::1", errno=113)
    assert tcp_connects(table(WORKING, rejected), TARGET).verdict is Verdict.WARN


def test_this_machines_own_trouble_decides_nothing() -> None:
    finding = tcp_connects(table(WORKING, broken(Trouble.LOCAL, detail="Operation not permitted")), TARGET)
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "Operation not permitted" in finding.summary
    mixed = tcp_connects(table(broken(Trouble.LOCAL), broken(Trouble.REFUSED, label="192.0.2.9")), TARGET)
    assert mixed.verdict is Verdict.FAIL


def test_a_filters_address_is_explained_by_dns() -> None:
    refused = broken(Trouble.REFUSED, label="127.0.0.1")
    finding = tcp_connects(table(refused), TARGET, misled=["127.0.0.1"])
    assert (finding.verdict, finding.because) == (Verdict.SKIP, "dns.addresses-are-usable")
    also = tcp_connects(table(refused, broken(Trouble.TIMEOUT)), TARGET, misled=["127.0.0.1"])
    assert also.verdict is Verdict.FAIL


def test_without_a_proxy_its_check_does_not_apply() -> None:
    finding = proxy_lets_through(table(WORKING), replace(TARGET, proxy_note="NO_PROXY matches"))
    assert (finding.verdict, finding.because) == (Verdict.SKIP, None)
    assert "NO_PROXY matches" in finding.summary


def test_a_direct_way_that_is_closed_beside_a_socks_proxy_is_no_fault() -> None:
    note = "ALL_PROXY names a SOCKS proxy, which btdiag cannot ask: it goes directly"
    finding = tcp_connects(table(broken(Trouble.TIMEOUT)), replace(TARGET, proxy_note=note))
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert note in finding.summary
    assert_actionable(finding)
    assert (
        tcp_connects(table(WORKING, broken(Trouble.TIMEOUT)), replace(TARGET, proxy_note=note)).verdict is Verdict.FAIL
    )


def test_a_login_that_was_not_sent_is_asked_for() -> None:
    finding = proxy_lets_through(table(refused_by_proxy(407)), replace(PROXIED, proxy=replace(PROXY, credentials=None)))
    assert finding.remedy is not None
    assert "into the proxy URL (HTTPS_PROXY)" in finding.remedy.text


def test_an_entry_that_others_read_is_named() -> None:
    note = "*.example.com in NO_PROXY exempts it for Go programs alone"
    finding = proxy_lets_through(table(refused_by_proxy(403)), replace(PROXIED, proxy_note=note))
    assert note in finding.summary
    assert finding.remedy is not None
    assert "write api.example.com there" in finding.remedy.text


def refused_by_proxy(status: int, reason: str = "", **headers: str) -> Connection:
    reply = ProxyReply(
        status=status, reason=reason, headers=tuple((name.replace("_", "-"), value) for name, value in headers.items())
    )
    return replace(broken(Trouble.PROXY_REFUSED, Phase.PROXY, "proxy"), proxied=True, proxy_reply=reply)


@pytest.mark.parametrize(
    ("one", "words", "advice"),
    [
        (
            refused_by_proxy(403, "Forbidden", X_Squid_Error="ERR_ACCESS_DENIED 0"),
            "403 Forbidden [ERR_ACCESS_DENIED 0]",
            "allowed",
        ),
        (refused_by_proxy(403), "answers 403", "NO_PROXY"),
        (refused_by_proxy(407, "Login", Via="1.1 p"), "407 Login [1.1 p]", "The login in HTTPS_PROXY was sent"),
        (refused_by_proxy(407, Proxy_Authenticate="Negotiate, NTLM"), "answers 407", "no Basic login"),
        (refused_by_proxy(407, Proxy_Authenticate='Negotiate, Basic realm="p"'), "answers 407", "refuses it"),
        (
            replace(broken(Trouble.PROTOCOL, Phase.PROXY, "proxy", detail="WRONG_VERSION_NUMBER"), proxied=True),
            "is asked over TLS, as its URL says, and speaks none",
            "Write http:// before the proxy's host in HTTPS_PROXY",
        ),
        (
            replace(broken(Trouble.UNTRUSTED, Phase.PROXY, "proxy"), proxied=True),
            "a certificate of its own that is not trusted here",
            "trust the CA of the proxy's certificate",
        ),
        (refused_by_proxy(503, Server="squid"), "503 [squid]", "cannot reach api.example.com:443"),
        (refused_by_proxy(500, X_Squid_Error="ERR_CANNOT_FORWARD 0"), "500", "cannot reach"),
        (refused_by_proxy(302), "302", "page of its own"),
        (refused_by_proxy(400, Server="nginx"), "400 [nginx]", "no forward proxy"),
        (
            replace(broken(Trouble.REFUSED, Phase.PROXY, "proxy"), proxied=True),
            "does not answer: as seen",
            "Start the proxy",
        ),
    ],
)
def test_what_a_proxy_does_instead_of_a_tunnel(one: Connection, words: str, advice: str) -> None:
    finding = proxy_lets_through(table(one), PROXIED)
    assert finding.verdict is Verdict.FAIL
    assert words in finding.summary
    assert "http://proxy.example:3128 (from HTTPS_PROXY)" in finding.summary
    assert finding.remedy is not None
    assert advice in finding.remedy.text
    assert "hidden" not in repr(finding)
    assert_actionable(finding)
    behind = tcp_connects(table(one), PROXIED)
    assert (behind.verdict, behind.because) == (Verdict.SKIP, "connection.proxy-lets-through")
    tls = tls_handshake_completes(table(one), PROXIED)
    assert (tls.verdict, tls.because) == (Verdict.SKIP, "connection.proxy-lets-through")


def test_a_proxy_that_tunnels() -> None:
    one = replace(WORKING, label="proxy", proxied=True)
    assert proxy_lets_through(table(one), PROXIED).verdict is Verdict.PASS
    assert tcp_connects(table(one), PROXIED).verdict is Verdict.PASS


def test_a_login_that_a_proxy_demands_for_http() -> None:
    one = replace(WORKING, proxied=True, tls=False, greeting=answer(407, Via="1.1 proxy"))
    finding = proxy_lets_through(table(one), replace(PROXIED, scheme="http"))
    assert finding.verdict is Verdict.FAIL
    assert "answers 407 [1.1 proxy]" in finding.summary
    assert one.blocked_by == "connection.proxy-lets-through"
    assert "demands a login" in one.why_blocked
    assert replace(one, tls=True).blocked_by is None


def handshake(trouble: Trouble, detail: str = "as seen", **given: Any) -> Connection:
    return replace(broken(trouble, Phase.TLS, detail=detail), **given)


@pytest.mark.parametrize(
    ("one", "words", "owner"),
    [
        (handshake(Trouble.RESET), "ends the connection after the ClientHello", Owner.LOAD_BALANCER),
        (handshake(Trouble.CLOSED), "ends the connection after the ClientHello", Owner.LOAD_BALANCER),
        (handshake(Trouble.TIMEOUT), "nothing comes after the ClientHello", Owner.NETWORK),
        (handshake(Trouble.ALERT, "TLSV1_UNRECOGNIZED_NAME"), "alert TLSV1_UNRECOGNIZED_NAME", Owner.LOAD_BALANCER),
        (
            handshake(Trouble.ALERT, "TLSV13_ALERT_CERTIFICATE_REQUIRED"),
            "demands a client certificate",
            Owner.LOAD_BALANCER,
        ),
        (
            handshake(Trouble.ALERT, "HANDSHAKE_FAILURE", asks_certificate=True),
            "demands a client certificate",
            Owner.LOAD_BALANCER,
        ),
        (
            handshake(Trouble.PROTOCOL, "WRONG_VERSION_NUMBER", plain_status=400),
            "speaks plain HTTP",
            Owner.LOAD_BALANCER,
        ),
        (handshake(Trouble.TIMEOUT, plain_status=200), "speaks plain HTTP", Owner.LOAD_BALANCER),
        (handshake(Trouble.RESET, plain_status=400), "ends the connection", Owner.LOAD_BALANCER),
        (handshake(Trouble.PROTOCOL), "no TLS", Owner.LOAD_BALANCER),
        (handshake(Trouble.PROTOCOL, "TLSV1_UNRECOGNIZED_NAME", plain_status=400), "TLS alert", Owner.LOAD_BALANCER),
        (handshake(Trouble.RESET, after_proxy_line=True), "after a line of the PROXY protocol", Owner.LOAD_BALANCER),
        (handshake(Trouble.RESET, without_sni="succeeded"), "succeeds without a server name", Owner.NETWORK),
        (handshake(Trouble.RESET, without_sni="Connection reset by peer"), "ends the connection", Owner.LOAD_BALANCER),
    ],
)
def test_a_broken_handshake_is_told_as_it_was_seen(one: Connection, words: str, owner: Owner) -> None:
    finding = tls_handshake_completes(table(one), TARGET)
    assert finding.verdict is Verdict.FAIL
    assert words in finding.summary
    assert finding.owner == owner
    assert_actionable(finding)


def test_our_own_trouble_in_a_handshake_decides_nothing() -> None:
    finding = tls_handshake_completes(table(handshake(Trouble.LOCAL, "no such file")), TARGET)
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert finding.owner == Owner.CLIENT


ALERT = Failure(phase=Phase.HEADERS, trouble=Trouble.ALERT, detail="TLSV13_ALERT_CERTIFICATE_REQUIRED")
CLOSED = Failure(phase=Phase.HEADERS, trouble=Trouble.CLOSED, detail="closed without an answer")


@pytest.mark.parametrize(
    ("greeting", "asks", "refused"),
    [
        (answer(failure=ALERT), False, True),
        (answer(failure=CLOSED), True, True),
        (answer(failure=CLOSED), False, False),
        (answer(200, failure=CLOSED), True, False),
        (answer(400), True, False),
    ],
)
def test_a_client_certificate_is_demanded_late(greeting: Exchange, asks: bool, refused: bool) -> None:
    one = replace(WORKING, greeting=greeting, asks_certificate=asks)
    finding = tls_handshake_completes(table(one), TARGET)
    assert finding.verdict is (Verdict.FAIL if refused else Verdict.PASS)
    assert ("demands a client certificate" in finding.summary) is refused
    assert (one.blocked_by == "connection.tls-handshake-completes") is refused


def test_a_client_certificate_that_is_refused() -> None:
    one = replace(WORKING, greeting=answer(failure=ALERT))
    finding = tls_handshake_completes(table(one), replace(TARGET, client_cert=Path("client.pem")))
    assert "refuses the client certificate client.pem" in finding.summary
    assert finding.owner == Owner.CLIENT


def test_http_to_a_tls_port() -> None:
    plain = replace(TARGET, scheme="http", url=f"http://{HOST}:443")
    one = replace(WORKING, tls=False, speaks_tls=True)
    finding = tls_handshake_completes(table(one), plain)
    assert finding.verdict is Verdict.FAIL
    assert finding.remedy is not None
    assert f"https://{HOST}:443" in finding.remedy.text
    assert tls_handshake_completes(table(replace(one, speaks_tls=False)), plain).verdict is Verdict.SKIP


def test_a_share_of_handshakes_is_counted() -> None:
    finding = tls_handshake_completes(table(WORKING, handshake(Trouble.RESET)), TARGET)
    assert "1 of 2 addresses" in finding.summary
    assert "(192.0.2.2)" in finding.summary


def versions(**accepted: bool | None) -> TlsVersions:
    names = {"a": "TLS 1.0", "b": "TLS 1.1", "c": "TLS 1.2", "d": "TLS 1.3"}
    return TlsVersions(
        label="192.0.2.1",
        trials=tuple(VersionTrial(version=names[key], accepted=value) for key, value in accepted.items()),
    )


@pytest.mark.parametrize(
    ("seen", "verdict", "words"),
    [
        (versions(a=False, b=False, c=True, d=True), Verdict.PASS, "takes TLS 1.2, TLS 1.3"),
        (versions(a=False, b=False, c=True, d=False), Verdict.PASS, "takes TLS 1.2"),
        (versions(a=False, b=False, c=False, d=True), Verdict.PASS, "no more than TLS 1.2 cannot connect"),
        (versions(a=None, b=None, c=True, d=True), Verdict.PASS, "could not be tried from here: TLS 1.0, TLS 1.1"),
        (versions(a=True, b=True, c=True, d=True), Verdict.WARN, "TLS 1.0 and TLS 1.1 are deprecated"),
        (versions(a=False, b=True, c=False, d=False), Verdict.FAIL, "nothing newer"),
        (versions(a=False, b=False, c=False, d=False), Verdict.SKIP, "no version is taken"),
    ],
)
def test_versions(seen: TlsVersions, verdict: Verdict, words: str) -> None:
    finding = tls_versions_suffice(seen)
    assert finding.verdict is verdict
    assert words in finding.summary
    if verdict in {Verdict.WARN, Verdict.FAIL}:
        assert_actionable(finding)


def test_old_versions_are_one_failure() -> None:
    old = handshake(Trouble.ALERT, "PROTOCOL_VERSION", outdated="TLS 1.1")
    assert old.blocked_by == "connection.tls-versions-suffice"
    finding = tls_handshake_completes(table(old), TARGET)
    assert (finding.verdict, finding.because) == (Verdict.SKIP, "connection.tls-versions-suffice")
    both = tls_handshake_completes(table(old, replace(handshake(Trouble.RESET), label="192.0.2.3")), TARGET)
    assert both.verdict is Verdict.FAIL
    assert "ends the connection" in both.summary


def test_what_follows_is_blamed_on_the_connection_that_got_furthest() -> None:
    v6 = broken(Trouble.REFUSED, label="2001:db8::1")
    reset = handshake(Trouble.RESET)
    finding = tls_is_trusted(table(v6, reset), TARGET)
    assert (finding.verdict, finding.because) == (Verdict.SKIP, "connection.tls-handshake-completes")
    assert got_furthest(table(WORKING)) is None
    assert tls_is_trusted({}, TARGET).verdict is Verdict.SKIP
