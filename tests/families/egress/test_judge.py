"""Each way of blocking is told from its look-alikes, and what only looks blocked raises no alarm."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from btdiag.core.exchange import Exchange, Failure, Icmp, Phase, Timing, Trouble
from btdiag.core.finding import Finding, Owner, Verdict
from btdiag.core.handshake import Certificate, Connection, Distrust, Handshake, ProxyReply
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.resolution import AddressSource, DnsAnswer, LookupOutcome, Resolution, ServerLookup, View
from btdiag.core.target import Target
from btdiag.families.egress.facts import Egress, Host, HostTrial, hosts
from btdiag.families.egress.judge.isolation import blocked_hosts_stay_blocked
from btdiag.families.egress.judge.reach import required_hosts_reachable, tls_not_intercepted
from btdiag.families.egress.judge.reading import host_reading, host_readings
from btdiag.families.egress.remedy import Block
from tests import factories

NOW = datetime(2026, 6, 15, tzinfo=UTC)
TARGET = Target(url="https://api.example.com", scheme="https", host="api.example.com", port=443)
SDK = replace(TARGET, role="sdk")
NAME = "www.braintrust.dev"
APP = Host(url=f"https://{NAME}", why="the web app", calls_api=True)
OWN = Host(url="https://a.example", why="what --allow names", named=True)
NONE = NotMeasured(reason="not measured")
ZSCALER = "CN=Zscaler Intermediate Root CA,O=Zscaler Inc."
BLOCKED = "<!DOCTYPE html><html><title>Blocked</title><body>Access denied</body></html>"
SPA = "<!DOCTYPE html><html><body><div id=root></div></body></html>"


def certificate(issuer: str = "CN=R3,O=Let's Encrypt", *names: str) -> Certificate:
    return Certificate(
        subject=f"CN={NAME}",
        issuer=issuer,
        names=names or (NAME,),
        not_before=datetime(2026, 6, 1, tzinfo=UTC),
        not_after=datetime(2026, 9, 1, tzinfo=UTC),
        serial="1",
        sha256="0" * 64,
    )


def connected(
    label: str = "192.0.2.1", issuer: str = "CN=R3,O=Let's Encrypt", code: int = 0, names: tuple[str, ...] = ()
) -> Connection:
    return Connection(
        label=label,
        port=443,
        tls=True,
        started_at=NOW,
        timing=Timing(tcp_s=0.01, tls_s=0.01),
        handshake=Handshake(version="TLSv1.3", cipher="x", alpn=None, chain=(certificate(issuer, *names),)),
        distrust=Distrust(code=code, message="as OpenSSL says") if code else None,
    )


def broken(
    trouble: Trouble,
    phase: Phase = Phase.TCP,
    label: str = "192.0.2.1",
    errno: int | None = None,
    icmp: Icmp | None = None,
) -> Connection:
    failure = Failure(phase=phase, trouble=trouble, detail="as seen", errno=errno, icmp=icmp)
    return replace(connected(label), handshake=None, failure=failure)


def icmp(code: int, version: int = 4) -> Icmp:
    return Icmp(sender="192.0.2.254", version=version, code=code)


def view(label: str, addresses: tuple[str, ...]) -> View:
    answer = DnsAnswer(
        qtype="A", outcome=LookupOutcome.ADDRESSES if addresses else LookupOutcome.NXDOMAIN, addresses=addresses
    )
    return View(label=label, servers=(ServerLookup(server="192.0.2.53:53", name=NAME, answers=(answer,)),))


def resolved(*addresses: str, elsewhere: tuple[str, ...] | None = None) -> Resolution:
    views = (view("here", addresses), *(() if elsewhere is None else (view("there", elsewhere),)))
    return Resolution(name=NAME, source=AddressSource.RESOLVER, addresses=addresses, views=views)


def answered(status: int | None = 200, body: str = SPA, *, method: str = "GET", **headers: str) -> Exchange:
    return factories.exchange(
        method=method,
        url=f"https://{NAME}/api/apikey/login" if method == "POST" else f"https://{NAME}/",
        status=status,
        body=body,
        headers=factories.named(headers),
        failure=None if status else Failure(phase=Phase.HEADERS, trouble=Trouble.RESET, detail="reset"),
        tls_verified=True,
    )


def tried(
    *connections: Connection, answer: Exchange | None = None, api: Exchange | None = None, host: Host = APP
) -> HostTrial:
    return HostTrial(
        host=host,
        resolution=resolved(*[one.label for one in connections]),
        connections=connections,
        answer=answer,
        api=api,
    )


REFUSED_LOGIN = answered(401, '{"error":"Unauthorized"}', method="POST")
REACHED = tried(connected(), answer=answered(), api=REFUSED_LOGIN)


def by_proxy(status: int, error: str = "") -> HostTrial:
    reply = ProxyReply(status=status, reason="", headers=(("X-Squid-Error", error),) if error else ())
    one = broken(Trouble.PROXY_REFUSED, Phase.PROXY, "proxy http://proxy.example:3128")
    trial = tried(replace(one, proxied=True, proxy_reply=reply))
    return replace(trial, proxy="http://proxy.example:3128", proxy_note="HTTPS_PROXY")


def stopped(**more: Any) -> HostTrial:
    return replace(REACHED, api=answered(403, BLOCKED, method="POST"), **more)


def astray(one: Connection) -> HostTrial:
    return replace(tried(one), resolution=resolved(one.label, elsewhere=("192.0.2.1",)))


NGINX_403 = "<html><head><title>403</title></head><body><hr><center>nginx</center></body></html>"
BY_PROXY = by_proxy(403, "ERR_ACCESS_DENIED 0")
SNI = replace(broken(Trouble.RESET, Phase.TLS), without_sni="succeeded")
ALERT = replace(SNI, failure=Failure(phase=Phase.TLS, trouble=Trouble.ALERT, detail="the server's own word"))


@pytest.mark.parametrize(
    ("trial", "block", "owner"),
    [
        (HostTrial(host=APP, resolution=resolved()), Block.NAME, Owner.DNS),
        (HostTrial(host=APP, resolution=resolved("0.0.0.0"), misled=("0.0.0.0",)), Block.SINKHOLE, Owner.DNS),
        (tried(broken(Trouble.REFUSED)), Block.REFUSED, Owner.NETWORK),
        (tried(broken(Trouble.TIMEOUT)), Block.SILENCE, Owner.NETWORK),
        (tried(broken(Trouble.UNREACHABLE, errno=113)), Block.NO_WAY, Owner.NETWORK),
        (tried(broken(Trouble.UNREACHABLE, errno=113, icmp=icmp(1))), Block.NO_WAY, Owner.NETWORK),
        (tried(broken(Trouble.UNREACHABLE, errno=113, icmp=icmp(13))), Block.REJECTED, Owner.NETWORK),
        (tried(broken(Trouble.REFUSED, errno=111, icmp=icmp(3))), Block.REJECTED, Owner.NETWORK),
        (tried(broken(Trouble.UNREACHABLE, errno=13, icmp=icmp(1, 6))), Block.REJECTED, Owner.NETWORK),
        (tried(broken(Trouble.UNREACHABLE, errno=101, icmp=icmp(0))), Block.NO_WAY, Owner.NETWORK),
        (tried(broken(Trouble.UNREACHABLE, errno=101)), Block.NO_WAY, Owner.CLIENT),
        (tried(broken(Trouble.RESET)), Block.RESET, Owner.NETWORK),
        (tried(broken(Trouble.RESET, Phase.TLS)), Block.HANDSHAKE, Owner.NETWORK),
        (tried(replace(broken(Trouble.RESET, Phase.TLS), hangs_up=True)), Block.RESET, Owner.NETWORK),
        (tried(SNI), Block.SNI, Owner.NETWORK),
        (tried(ALERT), Block.ALERT, Owner.NETWORK),
        (tried(replace(ALERT, plain_status=400)), Block.ALERT, Owner.NETWORK),
        (tried(replace(broken(Trouble.PROTOCOL, Phase.TLS), plain_status=200)), Block.NO_TLS, Owner.NETWORK),
        (tried(broken(Trouble.REFUSED, errno=111, icmp=replace(icmp(3), own=True))), Block.REJECTED, Owner.CLIENT),
        (BY_PROXY, Block.PROXY, Owner.PROXY),
        (by_proxy(407), Block.PROXY_LOGIN, Owner.PROXY),
        (by_proxy(503), Block.BEYOND_PROXY, Owner.PROXY),
        (tried(connected(code=20, names=("block.example",))), Block.STRANGER, Owner.NETWORK),
        (tried(connected(code=10)), Block.UNTRUSTED, Owner.CLIENT),
        (replace(tried(connected()), answer=answered(403, NGINX_403)), Block.PAGE, Owner.NETWORK),
        (stopped(api_get=answered(405, "{}")), Block.METHOD, Owner.NETWORK),
        (stopped(api_get=answered(403, BLOCKED)), Block.PATH, Owner.NETWORK),
        (replace(REACHED, api_large=answered(413, NGINX_403, method="POST")), Block.BODY, Owner.NETWORK),
        (replace(REACHED, api_large=answered(None, method="POST")), Block.BODY, Owner.NETWORK),
        (replace(REACHED, upgrade=answered(403, BLOCKED)), Block.UPGRADE, Owner.NETWORK),
        (HostTrial(host=APP, resolution=resolved(elsewhere=("192.0.2.1",))), Block.FILTERED, Owner.DNS),
        (astray(connected("192.0.2.66", code=62, names=("block.example",))), Block.STRANGER, Owner.DNS),
        (tried(connected(issuer=ZSCALER, code=20)), Block.INSPECTED, Owner.NETWORK),
        (tried(connected(code=62, names=("block.example",))), Block.STRANGER, Owner.NETWORK),
        (tried(connected(code=18), answer=answered(200, BLOCKED)), Block.PAGE, Owner.NETWORK),
        (tried(connected(issuer="CN=Corp", code=20)), Block.INSPECTED, Owner.NETWORK),
        (tried(connected(issuer="CN=Corp", code=20, names=("a.example",)), host=OWN), Block.UNTRUSTED, Owner.NETWORK),
        (tried(connected(), answer=answered(200, BLOCKED)), Block.PAGE, Owner.NETWORK),
        (tried(connected(), answer=answered(403, "", Server="Zscaler/6.2")), Block.PAGE, Owner.PROXY),
        (tried(connected(), answer=answered(302, "", Location="http://portal.example/")), Block.PAGE, Owner.NETWORK),
        (tried(connected(), answer=answered(), api=answered(403, BLOCKED, method="POST")), Block.PATH, Owner.NETWORK),
        (tried(connected(), answer=answered(), api=answered(None, method="POST")), Block.PATH, Owner.NETWORK),
        (tried(connected(), answer=answered(None)), Block.CUT, Owner.NETWORK),
        (tried(broken(Trouble.LOCAL, errno=1)), Block.LOCAL, Owner.CLIENT),
    ],
)  # fmt: skip
def test_each_way_of_blocking(trial: HostTrial, block: Block, owner: Owner) -> None:
    reading = host_reading(trial)
    assert (reading.block, reading.owner) == (block, owner)
    expected = Verdict.INCONCLUSIVE if block is Block.LOCAL else Verdict.FAIL
    found = required_hosts_reachable(Egress(trials=(trial,)), NONE, SDK)
    assert found.verdict is (Verdict.SKIP if block is Block.INSPECTED else expected)
    assert block is Block.INSPECTED or (found.remedy is not None and "{" not in found.remedy.text)


@pytest.mark.parametrize(
    "trial",
    [
        REACHED,
        tried(connected(), answer=answered(403, "<Error><Code>AccessDenied</Code></Error>", Server="AmazonS3")),
        tried(connected(), answer=answered(401, "{}")),
        tried(connected(), answer=answered(200, SPA.replace("<body>", "<body><script>'Access denied'</script>"))),
        tried(connected(), answer=answered(200, BLOCKED, x_vercel_id="fra1::a")),
        tried(connected(), answer=replace(answered(200, BLOCKED), body_truncated=True)),
        tried(connected(), answer=answered(403, "<html><title>Just a moment...</title></html>")),
        replace(REACHED, upgrade=answered(101, "")),
        replace(REACHED, upgrade=answered(404, "{}"), api_large=answered(413, '{"error": "too large"}', method="POST")),
        tried(connected(), answer=answered(308, "", Location="https://www.braintrust.dev/")),
        tried(connected(), answer=answered(), api=answered(404, "{}", method="POST")),
    ],
)
def test_what_only_looks_blocked_is_reached(trial: HostTrial) -> None:
    assert host_reading(trial).block is None
    assert required_hosts_reachable(Egress(trials=(trial,)), NONE, SDK).verdict is Verdict.PASS


def test_a_block_page_is_a_path_filter_where_another_path_gets_through() -> None:
    shut = replace(REACHED, answer=answered(403, BLOCKED), api=None)
    open_ = replace(REACHED, host=replace(APP, url=f"https://{NAME}/open"))
    alone, beside = (host_readings(trials, target_reached=False)[0] for trials in ((shut,), (shut, open_)))
    assert (alone.block, beside.block) == (Block.PAGE, Block.PATH)


def test_a_stranger_is_a_matter_of_dns_where_something_else_is_reached() -> None:
    stranger = tried(connected(code=62, names=("block.example",)), host=OWN)
    assert host_readings((stranger,), target_reached=False)[0].owner == Owner.NETWORK
    assert host_readings((stranger,), target_reached=True)[0].owner == Owner.DNS
    assert host_readings((stranger, REACHED), target_reached=False)[0].owner == Owner.DNS


def test_the_way_that_was_not_chosen_is_told() -> None:
    both = replace(BY_PROXY, other_way="directly", other=connected())
    assert host_reading(both).detail.endswith("directly a connection comes about")
    assert host_reading(replace(both, other=broken(Trouble.TIMEOUT))).detail.endswith("directly neither")
    assert host_reading(replace(both, other=None)).detail.endswith("directly its name does not resolve")


@pytest.mark.parametrize(
    ("elsewhere", "told"), [((), "denies that there is www"), (("0.0.0.0",), "gives 0.0.0.0 for www")]
)
def test_a_name_that_another_resolver_withholds_is_a_warning(elsewhere: tuple[str, ...], told: str) -> None:
    trial = replace(REACHED, resolution=resolved("192.0.2.1", elsewhere=elsewhere))
    found = required_hosts_reachable(Egress(trials=(trial,)), NONE, SDK)
    assert found.verdict is Verdict.WARN
    assert f"the resolver there {told}" in found.summary
    assert found.owner == Owner.DNS


@pytest.mark.parametrize(("first", "second", "told"), [(2.0, 0.1, True), (2.0, 1.5, False), (0.2, 0.05, False)])
def test_a_slow_start_is_told_and_no_fault(first: float, second: float, told: bool) -> None:
    slow = replace(connected(), timing=Timing(tcp_s=0.01, tls_s=first))
    quick = replace(answered(), timing=Timing(tls_s=second, first_byte_s=0.0))
    found = required_hosts_reachable(Egress(trials=(tried(slow, answer=quick),)), NONE, SDK)
    assert found.verdict is Verdict.PASS
    assert ("slow start" in found.summary) is told


def test_broken_ipv6_beside_ipv4_is_a_warning_unless_there_is_no_route() -> None:
    def verdict(errno: int | None) -> Verdict:
        trial = tried(connected(), broken(Trouble.UNREACHABLE, label="2001:db8::1", errno=errno), answer=answered())
        return required_hosts_reachable(Egress(trials=(trial,)), NONE, SDK).verdict

    assert verdict(113) is Verdict.WARN
    assert verdict(101) is Verdict.PASS


def test_one_address_of_several_that_is_lost_is_told_by_name() -> None:
    def found(*others: Connection) -> Finding:
        return required_hosts_reachable(Egress(trials=(tried(connected(), *others, answer=answered()),)), NONE, SDK)

    lost = found(broken(Trouble.TIMEOUT, label="192.0.2.77"))
    assert host_reading(tried(connected(), broken(Trouble.TIMEOUT, label="192.0.2.77"))).block is None
    assert lost.verdict is Verdict.WARN
    assert "1 of 2 addresses" in lost.summary
    assert "192.0.2.77" in lost.summary
    assert found(connected("192.0.2.78")).verdict is Verdict.PASS


def test_a_block_without_a_role_is_a_warning_unless_the_host_was_named() -> None:
    refused = tried(broken(Trouble.REFUSED))
    assert required_hosts_reachable(Egress(trials=(refused,)), NONE, TARGET).verdict is Verdict.WARN
    named = replace(refused, host=replace(APP, named=True))
    assert required_hosts_reachable(Egress(trials=(named,)), NONE, TARGET).verdict is Verdict.FAIL
    optional = replace(refused, host=replace(APP, essential=False))
    assert required_hosts_reachable(Egress(trials=(optional,)), NONE, SDK).verdict is Verdict.WARN


def test_the_twin_turns_down_into_filtered() -> None:
    silent = tried(broken(Trouble.TIMEOUT))
    target = PerAddress({"192.0.2.9": connected("192.0.2.9")})
    assert "filtered on the way, or down" in required_hosts_reachable(Egress(trials=(silent,)), target, SDK).summary
    assert "no way out at all" in required_hosts_reachable(Egress(trials=(silent,)), NONE, SDK).summary


def test_interception_fails_its_own_check_alone() -> None:
    egress = Egress(trials=(tried(connected(issuer=ZSCALER, code=20)),))
    assert tls_not_intercepted(egress, NONE, SDK).verdict is Verdict.FAIL
    assert required_hosts_reachable(egress, NONE, SDK).because == "egress.tls-not-intercepted"
    assert tls_not_intercepted(egress, NONE, TARGET).verdict is Verdict.WARN
    assert required_hosts_reachable(egress, NONE, TARGET).because is None


def test_interception_that_this_machine_trusts_is_a_warning() -> None:
    egress = Egress(trials=(tried(connected(issuer=ZSCALER), answer=answered()),))
    assert tls_not_intercepted(egress, NONE, SDK).verdict is Verdict.WARN
    assert tls_not_intercepted(Egress(trials=(REACHED,)), NONE, SDK).verdict is Verdict.PASS
    assert tls_not_intercepted(Egress(trials=(tried(broken(Trouble.REFUSED)),)), NONE, SDK).verdict is Verdict.SKIP


UNWANTED = Host(url="https://hosted.example", why="", named=True, expect_blocked=True)


def test_a_host_that_must_stay_blocked() -> None:
    shut = tried(broken(Trouble.TIMEOUT), host=UNWANTED)
    reached = tried(connected(), answer=answered(), host=UNWANTED)
    named = ("hosted.example",)
    untrusted = tried(connected(issuer="CN=Corp", code=20, names=named), answer=answered(), host=UNWANTED)
    inspected = tried(connected(issuer=ZSCALER, code=20, names=named), answer=answered(), host=UNWANTED)
    turned_down = replace(inspected, answer=answered(403, BLOCKED))
    stranger = tried(connected(code=62, names=("other.example",)), answer=answered(404, "{}"), host=UNWANTED)

    def verdict(*trials: HostTrial) -> Verdict:
        return blocked_hosts_stay_blocked(Egress(trials=trials), NONE).verdict

    assert verdict(shut, REACHED) is Verdict.PASS
    assert verdict(shut) is Verdict.INCONCLUSIVE
    assert verdict(reached) is Verdict.FAIL
    assert verdict(untrusted, REACHED) is Verdict.FAIL
    assert verdict(inspected, REACHED) is Verdict.FAIL
    assert verdict(turned_down, REACHED) is Verdict.PASS
    assert verdict(stranger, REACHED) is Verdict.INCONCLUSIVE
    assert verdict(replace(BY_PROXY, host=UNWANTED), REACHED) is Verdict.PASS
    past_the_proxy = replace(BY_PROXY, host=UNWANTED, other_way="directly", other=connected())
    assert verdict(past_the_proxy, REACHED) is Verdict.FAIL
    assert verdict(tried(connected(), answer=answered(200, BLOCKED), host=UNWANTED), REACHED) is Verdict.PASS
    assert verdict(REACHED) is Verdict.SKIP


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (TARGET, ["www.braintrust.dev", "braintrust.dev"]),
        (SDK, ["www.braintrust.dev", "braintrust.dev"]),
        (replace(SDK, app_url=TARGET.url), []),
        (replace(TARGET, app_url="https://app.example.com"), ["app.example.com"]),
        (replace(TARGET, role="build"), ["public.ecr.aws", "braintrust-cf.s3.amazonaws.com"]),
        (replace(TARGET, allow=("https://a.example",)), ["www.braintrust.dev", "braintrust.dev", "a.example"]),
        (
            replace(TARGET, role="data-plane"),
            ["www.braintrust.dev", "braintrust.dev", "gateway.braintrust.dev", "api.braintrust.dev"],
        ),
        (
            replace(TARGET, role="browser", expect_blocked=("https://b.example",)),
            ["www.braintrust.dev", "braintrust.dev", "realtime.braintrustapi.com", "b.example"],
        ),
    ],
)
def test_the_hosts_of_a_place(target: Target, expected: list[str]) -> None:
    assert [host.name for host in hosts(target)] == expected


def test_a_constrained_place_needs_no_other_host() -> None:
    found = required_hosts_reachable(Egress(trials=()), NONE, replace(SDK, app_url=TARGET.url))
    assert found.verdict is Verdict.SKIP


def late(status: int = 200, seconds: float = 9.0) -> Exchange:
    return replace(answered(status, "{}"), timing=Timing(total_s=seconds))


def cut(trouble: Trouble = Trouble.TIMEOUT) -> Exchange:
    failure = Failure(phase=Phase.HEADERS, trouble=trouble, detail="not complete within 6 s")
    return replace(answered(), status=None, failure=failure)


@pytest.mark.parametrize(
    ("trial", "words"),
    [
        (tried(connected(), answer=answered(503, "down")), "answered 503"),
        (tried(connected(), answer=answered(), api=answered(503, "{}", method="POST")), "answered 503"),
        (
            tried(connected(), answer=answered(), api=answered(200, SPA, method="POST")),
            "200 with a web page, where the",
        ),
        (replace(tried(connected(), answer=cut()), patient=late()), "answers late: nothing within 6 s"),
        (
            tried(replace(connected(), timing=Timing(tcp_s=0.01, tls_s=7.0)), answer=answered()),
            f"TLS to {NAME} takes 7.0 s",
        ),
    ],
)
def test_what_is_reached_and_does_not_serve_is_a_warning(trial: HostTrial, words: str) -> None:
    found = required_hosts_reachable(Egress(trials=(trial,)), NONE, SDK)
    assert found.verdict is Verdict.WARN
    assert words in found.summary
    assert len(found.answer) <= 90
    assert found.remedy is not None
    assert "IPv6" not in found.remedy.text


def test_a_silence_that_stays_one_is_a_cut() -> None:
    assert host_reading(replace(tried(connected(), answer=cut()), patient=cut())).block is Block.CUT
    page = replace(answered(403, BLOCKED), timing=Timing(total_s=9.0))
    assert host_reading(replace(tried(connected(), answer=cut()), patient=page)).block is Block.CUT


def test_a_redirect_to_a_host_that_nobody_named_is_said() -> None:
    leads = answered(302, "", Location="https://login.elsewhere.example/start")
    mine = replace(tried(connected(names=("a.example",)), answer=leads), host=OWN)
    found = required_hosts_reachable(Egress(trials=(mine,)), NONE, SDK)
    assert found.verdict is Verdict.WARN
    assert "redirects to login.elsewhere.example, which was not tried" in found.summary
    listed = required_hosts_reachable(Egress(trials=(tried(connected(), answer=leads),)), NONE, SDK)
    assert listed.verdict is Verdict.PASS
    assert "login.elsewhere.example" in listed.summary
    canonical = replace(mine, answer=answered(301, "", Location="https://www.a.example/"))
    assert required_hosts_reachable(Egress(trials=(canonical,)), NONE, SDK).verdict is Verdict.PASS


def test_a_web_socket_is_a_host_that_upgrades() -> None:
    one, other = hosts(replace(SDK, role="build", allow=("wss://ws.example/live", "ws://plain.example")))[-2:]
    assert (one.url, one.upgrades, one.named) == ("https://ws.example/live", True, True)
    assert (other.url, other.upgrades) == ("http://plain.example", True)


def nameless(outcome: LookupOutcome) -> HostTrial:
    """A host whose name server says nothing, or no."""
    answer = DnsAnswer(qtype="A", outcome=outcome, detail="no answer to 2 UDP queries and one over TCP")
    silent = View(label="system", servers=(ServerLookup(server="192.0.2.53:53", name=NAME, answers=(answer,)),))
    found = Resolution(name=NAME, source=AddressSource.RESOLVER, addresses=(), views=(silent,))
    return HostTrial(host=APP, resolution=found)


def test_dead_name_servers_are_one_cause_for_target_and_hosts() -> None:
    unresolved = NotMeasured(reason="no name server answers", by="dns.resolves")
    dead = required_hosts_reachable(Egress(trials=(nameless(LookupOutcome.TIMEOUT),)), unresolved, SDK)
    assert (dead.verdict, dead.because) == (Verdict.SKIP, "dns.resolves")
    denied = required_hosts_reachable(Egress(trials=(nameless(LookupOutcome.NXDOMAIN),)), unresolved, SDK)
    assert denied.verdict is Verdict.FAIL
    alone = required_hosts_reachable(Egress(trials=(nameless(LookupOutcome.TIMEOUT),)), NONE, SDK)
    assert alone.verdict is Verdict.FAIL


def test_a_wrong_clock_is_one_cause_for_target_and_hosts() -> None:
    late_clock = factories.exchange(
        method="HEAD",
        started_at="2026-06-15T00:00:00.000Z",
        headers=(("Date", "Fri, 20 Nov 2026 00:00:00 GMT"),),
    )
    fresh = replace(
        certificate(), not_before=datetime(2026, 11, 1, tzinfo=UTC), not_after=datetime(2027, 2, 1, tzinfo=UTC)
    )
    one = replace(
        connected(code=9),
        handshake=Handshake(version="TLSv1.3", cipher="x", alpn=None, chain=(fresh,)),
        greeting=late_clock,
    )
    target = PerAddress({"192.0.2.1": one})
    found = required_hosts_reachable(Egress(trials=(tried(one, answer=answered()),)), target, SDK)
    assert (found.verdict, found.because) == (Verdict.SKIP, "connection.clocks-agree")
    assert required_hosts_reachable(Egress(trials=(tried(one, answer=answered()),)), NONE, SDK).verdict is Verdict.FAIL
