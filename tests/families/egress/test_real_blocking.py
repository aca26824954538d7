"""Ways of blocking built from nftables, dnsmasq, Unbound, squid, tinyproxy, HAProxy and nginx, in their own network.

Each is to be named rightly, with its layer and its owner; what only looks blocked raises no alarm; nothing that is not
on the printed list is asked for; and ten places that swallow everything cost no more time than one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from btdiag.core.finding import Owner
from btdiag.families.egress.remedy import Block
from tests.support import blockers
from tests.support.blockers import HOSTS, PROXY, PROXY_WITH_LOGIN
from tests.support.cli import Done, btdiag, run_json
from tests.support.namespaces import ROUTER, SECOND, Network, missing, network, server
from tests.support.tools import lacking

pytestmark = pytest.mark.real

TARGET = "https://api.good.example"
REACHABLE, INTERCEPTED = "egress.required-hosts-reachable", "egress.tls-not-intercepted"
NETWORK, DNS, PROXIES = ("network", Owner.NETWORK), ("dns", Owner.DNS), ("proxy", Owner.PROXY)
TLS, HERE = ("tls", Owner.NETWORK), ("client", Owner.CLIENT)

DIRECT = {
    "https://nonexistent.example": (Block.NAME, DNS, "NXDOMAIN"),
    "https://refused.example": (Block.NAME, DNS, "REFUSED"),
    "https://sunk.example": (Block.SINKHOLE, DNS, "0.0.0.0"),
    "https://filtered.example": (Block.STRANGER, DNS, "certificate for block.filter.example"),
    "https://rejected.example": (Block.REFUSED, NETWORK, "Connection refused"),
    "https://closed.example": (Block.REFUSED, NETWORK, "Connection refused"),
    "https://forbidden.example": (Block.REJECTED, NETWORK, f"{ROUTER} says: prohibited by a filter (ICMP code 13)"),
    "https://unreached.example": (Block.REJECTED, NETWORK, f"{ROUTER} says: port unreachable (ICMP code 3)"),
    "https://forbidden6.example": (Block.REJECTED, NETWORK, "says: prohibited by a filter (ICMPv6 code 1)"),
    "https://nohost.example": (Block.NO_WAY, NETWORK, f"{ROUTER} says: host unreachable (ICMP code 1)"),
    "https://dropped.example": (Block.SILENCE, NETWORK, "not complete within 5 s"),
    "https://accepted.example": (Block.RESET, NETWORK, "reset"),
    "https://named.example": (Block.SNI, TLS, "without a server name the handshake completes"),
    "https://silent-name.example": (Block.SNI, TLS, "without a server name the handshake completes"),
    "https://hello.example": (Block.HANDSHAKE, TLS, "after the ClientHello"),
    "https://unnamed.example": (Block.ALERT, TLS, "UNRECOGNIZED_NAME"),
    "https://looks.example:80": (Block.NO_TLS, TLS, "plain HTTP is answered 200"),
    "https://forbidden-here.example": (Block.REJECTED, HERE, "this machine itself (10.77.1.2) says: port unreachable"),
    "https://inspected.example": (Block.UNTRUSTED, TLS, "Web Gateway CA,O=Example Corp, which is no public CA"),
    "https://vendor.example": (Block.INSPECTED, TLS, "FortiGate"),
    "https://portal.example": (Block.PAGE, NETWORK, "302 to http://portal.hotel.example/login"),
    "http://portal.example": (Block.PAGE, NETWORK, "302 to http://portal.hotel.example/login"),
    "https://page.example": (Block.PAGE, NETWORK, "200 with a block page"),
    "https://denied.example": (Block.PAGE, NETWORK, "403"),
    "https://parts.example": (Block.PATH, NETWORK, "https://parts.example/allowed gets through"),
}
ONLY_LOOKS_BLOCKED = (
    "https://looks.example",  # a single-page app
    "https://looks.example/s3",
    "https://looks.example/json",
    "https://looks.example/canonical",
    "https://parts.example/allowed",
    "https://slow.example",
    "https://cold.example",
)


@dataclass
class World:
    """The network with everything in it that blocks; `ca` signs the good certificates. Most of a run is waiting, so
    those that wait longest are started first, side by side, as `early`."""

    network: Network
    folder: Path
    ca: Path
    early: dict[str, Future[Done]] = field(default_factory=dict)

    def run(
        self, *arguments: str, env: Mapping[str, str] | None = None, app: str = TARGET, target: str = TARGET
    ) -> Done:
        """btdiag among the clients."""
        place = self.network.within(self.network.client)
        return run_json(target, *self.shared(app), *arguments, env=env, prefix=place)

    def shared(self, app: str = TARGET) -> tuple[str, ...]:
        """The options of every run."""
        quick = ("--quick", "--browser", "none", "--no-progress")
        return ("--app-url", app, "--only", "egress", "--ca", str(self.ca), *quick)

    def in_the_dark(self, targets: int) -> Done:
        """Targets, an app and other hosts that all swallow everything."""
        named = [part for n in range(1, targets) for part in ("--target", f"https://t{n}.dropped.example")]
        urls = allowing(*(f"https://h{n}.dropped.example" for n in range(4)))
        app, first = "https://app.dropped.example", "https://t0.dropped.example"
        return self.run(*named, *urls, "--role", "sdk", app=app, target=first)

    def asked(self) -> set[str]:
        """The names that dnsmasq was asked for so far."""
        return set(re.findall(r"query\[\w+\] (\S+) from", self.network.log.read_text(errors="replace")))


def certificates(folder: Path) -> Path:
    """Every server's certificates as files; gives the CA's."""
    good, other = trustme.CA(), trustme.CA()
    issuers = {
        "inspecting": trustme.CA(organization_name="Example Corp", organization_unit_name="Web Gateway CA"),
        "vendor": trustme.CA(organization_name="Fortinet", organization_unit_name="FortiGate CA"),
    }
    good.cert_pem.write_to_path(folder / "ca.pem")
    good.issue_cert(*HOSTS).private_key_and_cert_chain_pem.write_to_path(folder / "good.pem")
    other.issue_cert("block.filter.example").private_key_and_cert_chain_pem.write_to_path(folder / "block.pem")
    for name, issuer in issuers.items():
        issuer.issue_cert(*HOSTS).private_key_and_cert_chain_pem.write_to_path(folder / f"{name}.pem")
    return folder / "ca.pem"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if why_not := missing("nginx", "haproxy", "squid", "tinyproxy", "dnsmasq", "unbound"):
        lacking(why_not) if "not installed" in why_not else pytest.skip(why_not)
    folder = tmp_path_factory.mktemp("blocking")
    ca = certificates(folder)
    with network(folder, blockers.SERVERS) as made:
        blockers.start(made, folder)
        own = World(network=made, folder=folder, ca=ca)
        with ThreadPoolExecutor(5) as pool:
            own.early["direct"] = pool.submit(own.run, *allowing(*DIRECT, "https://parts.example/allowed"))
            own.early["half"] = pool.submit(own.run, *allowing("https://half.example"))
            own.early["looks"] = pool.submit(own.run, *allowing(*ONLY_LOOKS_BLOCKED))
            own.early["one"] = pool.submit(own.in_the_dark, 1)
            own.early["ten"] = pool.submit(own.in_the_dark, 10)
        yield own


def allowing(*urls: str) -> list[str]:
    return [part for url in urls for part in ("--allow", url)]


def rows(done: Done) -> dict[str, list[str]]:
    """What became of each URL: way, outcome, layer, owner, what was seen."""
    check = next(one for one in done.report["checks"] if one["id"] == REACHABLE)
    table = next(item for item in check["evidence"] if item["title"] == "Hosts tried from here")
    return {row[0]: row[2:] for row in table["data"]["rows"]}


def summary(done: Done, check_id: str) -> str:
    return str(next(one["summary"] for one in done.report["checks"] if one["id"] == check_id))


@pytest.mark.parametrize("url", DIRECT)
def test_each_way_of_blocking_is_named(url: str, world: World) -> None:
    block, place, seen = DIRECT[url]
    _, outcome, layer, owner, told = rows(world.early["direct"].result())[url]
    assert (outcome, (layer, owner)) == (block, place)
    assert seen in told


def test_nothing_but_the_printed_list_is_looked_up(world: World) -> None:
    before = world.asked()
    urls = ("--target", "https://asked0.example", *allowing("https://asked1.example", "https://asked2.example"))
    printed = btdiag("run", *urls, *world.shared(), "--dry-run").out
    world.run(*urls[2:], target=urls[1])
    assert world.asked() - before == {"asked0.example", "asked1.example", "asked2.example"}
    assert all(name in printed for name in world.asked() - before)


def test_what_only_looks_blocked_raises_no_alarm(world: World) -> None:
    done = world.early["looks"].result()
    assert done.verdicts[REACHABLE] == "pass"
    assert {outcome for _, outcome, *_ in rows(done).values()} == {"reached"}
    assert "slow start" in rows(done)["https://cold.example"][-1]
    assert "slow start" not in rows(done)["https://slow.example"][-1]


def test_broken_ipv6_beside_ipv4_is_a_warning(world: World) -> None:
    done = world.early["half"].result()
    assert done.verdicts[REACHABLE] == "warn"
    assert "half.example cannot be reached by IPv6" in summary(done, REACHABLE)


def test_a_captive_portal_is_no_matter_of_dns(world: World) -> None:
    with blockers.portal(world.network):
        done = world.run(*allowing("https://also.good.example", "http://also.good.example"))
    (_, outcome, layer, owner, _), (_, plain, *_) = rows(done).values()
    assert (outcome, layer, owner) == (Block.STRANGER, *TLS)
    assert plain == Block.PAGE


def test_a_resolver_that_filters_is_told_from_another_one(world: World) -> None:
    """The name server that is asked filters two names; the machine's own one filters the third."""
    urls = ("https://kept.example", "https://led.example", "https://withheld.example")
    done = world.run("--nameserver", SECOND, *allowing(*urls))
    kept, led, withheld = (rows(done)[url] for url in urls)
    assert kept[1:4] == [Block.FILTERED, *DNS]
    assert f"system answers {server(blockers.GOOD)}" in kept[-1]
    assert led[1:4] == [Block.STRANGER, *DNS]
    assert f"the resolver system answers {server(blockers.GOOD)} instead" in led[-1]
    assert withheld[1] == "reached"
    assert "the resolver system denies that there is withheld.example" in withheld[-1]


def test_a_proxy_with_a_list_of_allowed_hosts(world: World) -> None:
    """squid: which variable won, what NO_PROXY takes out, and what the other way would give."""
    beyond = ("https://closed.example", "https://nonexistent.example")
    urls = ("https://also.good.example", "https://known-to-the-proxy.example", *beyond)
    before = world.asked()
    env = {"https_proxy": PROXY, "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": ".exempt.example"}
    done = world.run(*allowing(*urls, "https://looks.example", "https://an.exempt.example"), env=env)
    found = rows(done)
    assert [found[url][1] for url in urls[:2]] == ["reached", "reached"]
    assert found[urls[0]][0] == f"{PROXY} (https_proxy)"
    assert [found[url][1:4] for url in beyond] == [[Block.BEYOND_PROXY, *PROXIES]] * 2
    assert found["https://looks.example"][1:4] == [Block.PROXY, *PROXIES]
    assert "403" in found["https://looks.example"][-1]
    assert "ERR_ACCESS_DENIED" in found["https://looks.example"][-1]
    assert "directly a connection comes about" in found["https://looks.example"][-1]
    exempt = found["https://an.exempt.example"]
    assert exempt[0] == "direct (https_proxy is set, but .exempt.example in NO_PROXY exempts an.exempt.example)"
    assert exempt[1:4] == [Block.REFUSED, *NETWORK]
    assert f"through the proxy {PROXY} (https_proxy) a connection comes about" in exempt[-1]
    assert "known-to-the-proxy.example" not in world.asked() - before
    allowed = {"api.good.example", *(url.removeprefix("https://") for url in (*urls, "https://looks.example"))}
    tunnels = set(re.findall(r"CONNECT (\S+):443", world.network.log.read_text(errors="replace")))
    assert tunnels == allowed | {"an.exempt.example"}


def test_a_proxy_that_demands_a_login(world: World) -> None:
    """tinyproxy: without a login nothing gets through, with one its filter decides."""
    urls = allowing("https://also.good.example", "https://looks.example")
    without = world.run(*urls, env={"HTTPS_PROXY": PROXY_WITH_LOGIN})
    assert without.verdicts[REACHABLE] == "skip"
    assert without.verdicts["connection.proxy-lets-through"] == "fail"
    assert "407" in summary(without, "connection.proxy-lets-through")
    known = PROXY_WITH_LOGIN.replace("//", "//someone:secret@")
    found = rows(world.run(*urls, env={"HTTPS_PROXY": known}))
    assert found["https://also.good.example"][1] == "reached"
    assert found["https://looks.example"][1:4] == [Block.PROXY, *PROXIES]


@pytest.mark.parametrize(
    ("app", "block"), [("paths", Block.PATH), ("methods", Block.METHOD), ("bodies", Block.BODY), ("whole", None)]
)
def test_what_of_the_requests_of_an_sdk_gets_through(app: str, block: Block | None, world: World) -> None:
    url = f"https://{app}.example"
    done = world.run("--role", "sdk", *allowing("https://also.good.example"), app=url)
    assert rows(done)[url][1] == (block or "reached")
    assert done.verdicts[REACHABLE] == ("fail" if block else "pass")


def test_hosts_of_the_product_behind_an_unknown_inspection(world: World) -> None:
    """The machine trusts the CA by --ca; Mozilla's list, which Python's requests and Node.js bring, does not."""
    done = world.run("--role", "browser", app="https://www.braintrust.dev")
    found = rows(done)
    assert found["https://www.braintrust.dev"][1] == "reached"
    assert found["https://realtime.braintrustapi.com"][1:4] == [Block.UPGRADE, *NETWORK]
    assert done.verdicts[INTERCEPTED] == "warn"
    told = summary(done, INTERCEPTED)
    assert "no public CA, as the host's own is" in told
    assert "accepted by none of the system's store" in told
    assert "Python's certifi" in told
    assert "Node.js" in told
    trusting = {"REQUESTS_CA_BUNDLE": str(world.ca), "NODE_EXTRA_CA_CERTS": str(world.ca)}
    trusted = summary(world.run("--role", "browser", app="https://www.braintrust.dev", env=trusting), INTERCEPTED)
    accepting = trusted.partition("accepted by ")[2].partition(", not by ")[0]
    assert "Python requests here (REQUESTS_CA_BUNDLE=" in accepting
    assert "NODE_EXTRA_CA_CERTS=" in accepting
    assert "certifi" not in accepting


def test_isolation_is_asserted(world: World) -> None:
    shut = ("https://named.example", "https://rejected.example")
    done = world.run(*(part for url in shut for part in ("--expect-blocked", url)))
    assert done.verdicts["egress.blocked-hosts-stay-blocked"] == "pass"
    open_ = world.run(
        "--expect-blocked", TARGET, "--expect-blocked", "https://looks.example", env={"HTTPS_PROXY": PROXY}
    )
    assert open_.verdicts["egress.blocked-hosts-stay-blocked"] == "fail"
    told = summary(open_, "egress.blocked-hosts-stay-blocked")
    assert "2 of 2 hosts" in told
    assert "looks.example (directly)" in told


def test_ten_targets_in_the_dark_do_not_wait_one_after_the_other(world: World) -> None:
    """Half of what that would take leaves room for a machine that is busy with other tests."""
    one, ten = (world.early[name].result().report for name in ("one", "ten"))
    assert len(ten["reports"]) == 10
    assert max(report["run"]["duration_s"] for report in ten["reports"]) < 10 * one["run"]["duration_s"] / 2
