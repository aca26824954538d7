"""Names that lead astray, half-answered, slowly or for some programs only: glibc and btdiag in a network of their own.

getaddrinfo is the referee of what programs live through; one run of btdiag looks at all names.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.support.cli import btdiag
from tests.support.namespaces import ROUTER, Network, missing, network, server
from tests.support.tools import lacking

pytestmark = pytest.mark.real

GOOD, OTHER = server(10), server(11)
RESOLVES, AGREE, USABLE = "dns.resolves", "dns.resolvers-agree", "dns.addresses-are-usable"
NAMES = ("good", "nx6", "fail6", "mute6", "slow", "edns", "filtered", "private", "search", "hosts")
CASES = {
    "good": {},
    "nx6": {},  # glibc finds the name: clients.resolve-the-name warns of musl
    "fail6": {RESOLVES: ("warn", "answers SERVFAIL to the AAAA question")},
    "mute6": {RESOLVES: ("warn", "does not answer the AAAA question")},
    "slow": {RESOLVES: ("warn", "but a lookup takes")},
    "edns": {},
    "filtered": {RESOLVES: ("fail", "withholds filtered.api.test by policy")},
    "private": {RESOLVES: ("fail", "is an alias (CNAME) of lb.privatelink.test, which does not exist")},
    "search": {AGREE: ("fail", "by the search list, as search.api.test.corp.test, where any name is answered")},
    "hosts": {AGREE: ("fail", "by the hosts file (/etc/hosts line 2)")},
}


@dataclass
class Stand:
    """The network; `reports` by the first label of the name."""

    network: Network
    ca: Path
    reports: dict[str, dict[str, Any]]

    def run(self, *arguments: str) -> dict[str, Any]:
        """What the dns and connection families say among the clients."""
        quick = ("--quick", "--browser", "none", "--no-progress", "--no-files", "--format", "json")
        only = ("--only", "dns", "--only", "connection", "--skip", "connection.plain-http-redirects")
        prefix = self.network.within(self.network.client)
        done = btdiag("run", *arguments, *quick, *only, "--ca", str(self.ca), prefix=prefix)
        assert done.out, done.err
        found: dict[str, Any] = json.loads(done.out)
        return found


def certificates(folder: Path) -> Path:
    """The target's certificate and a stranger's; gives the CA that signs both."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    good = authority.issue_cert(*(f"{name}.api.test" for name in (*NAMES, "tcp")))
    good.private_key_and_cert_chain_pem.write_to_path(folder / "good.pem")
    authority.issue_cert("intranet.corp.test").private_key_and_cert_chain_pem.write_to_path(folder / "other.pem")
    return folder / "ca.pem"


def nginx(folder: Path) -> Path:
    servers = "".join(
        f"server {{ listen {address}:443 ssl; ssl_certificate {folder}/{name}.pem;"
        f" ssl_certificate_key {folder}/{name}.pem; return 200 'ok'; }}\n"
        for address, name in ((GOOD, "good"), (OTHER, "other"))
    )
    file = folder / "nginx.conf"
    temporary = "".join(f"{kind}_temp_path {folder}/tmp; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi"))
    file.write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {temporary} scgi_temp_path {folder}/tmp;\n{servers}}}\n"
    )
    return file


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    if why_not := missing("nginx"):
        lacking(why_not) if "not installed" in why_not else pytest.skip(why_not)
    folder = tmp_path_factory.mktemp("names")
    folder.chmod(0o755)
    ca = certificates(folder)
    with network(folder, (10, 11)) as made:
        etc = Path("/etc/netns") / made.client
        (etc / "resolv.conf").write_text(f"nameserver {ROUTER}\nsearch corp.test\noptions ndots:5\n")
        (etc / "hosts").write_text(f"127.0.0.1 localhost\n{OTHER} hosts.api.test\n")
        odd = (sys.executable, "-m", "tests.support.odd_resolver")
        made.start(made.router, *odd, ROUTER, GOOD, OTHER)
        made.start(made.servers, "nginx", "-c", str(nginx(folder)))
        made.await_ports(made.router, f"{ROUTER}:53")
        made.await_ports(made.servers, f"{GOOD}:443", f"{OTHER}:443")
        own = Stand(network=made, ca=ca, reports={})
        named = [part for name in NAMES for part in ("--target", f"https://{name}.api.test")]
        together = own.run(*named)
        own.reports = {one["target"]["url"].removeprefix("https://").split(".")[0]: one for one in together["reports"]}
        yield own


RULES = {
    "tcp": ("options use-vc", None),  # the server answers over TCP alone, and so is it asked
    "good": ("options use-vc", "answers over UDP, not over TCP, by which programs on this machine ask"),
    "slow": ("options timeout:1 attempts:1", "by the resolver's options (timeout:1 attempts:1) they give up after 1 s"),
}


@pytest.mark.parametrize("name", RULES)
def test_the_options_of_the_resolver_decide_what_programs_find(name: str, stand: Stand) -> None:
    """getaddrinfo of this machine's glibc reads the options, and so must what is said of it."""
    options, words = RULES[name]
    file = Path("/etc/netns") / stand.network.client / "resolv.conf"
    before = file.read_text()
    dropped = "add table inet f; add chain inet f i { type filter hook input priority 0; }; "
    dropped += "add rule inet f i tcp dport 53 reject with tcp reset"
    file.write_text(f"nameserver {ROUTER}\n{options}\n")
    try:
        if name == "good":
            stand.network.call(stand.network.router, "nft", dropped)
        found = not_passed(stand.run("--target", f"https://{name}.api.test"))
    finally:
        file.write_text(before)
        if name == "good":
            stand.network.call(stand.network.router, "nft", "delete table inet f")
    if words is None:
        assert found == {}
    else:
        assert found.keys() == {RESOLVES}
        assert found[RESOLVES][0] == "fail"
        assert words in found[RESOLVES][1]


def not_passed(report: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {
        check["id"]: (check["verdict"], check["summary"])
        for check in report["checks"]
        if check["verdict"] not in {"pass", "skip"}
    }


@pytest.mark.parametrize("name", NAMES)
def test_each_name_has_one_finding_with_the_right_words(name: str, stand: Stand) -> None:
    found = not_passed(stand.reports[name])
    assert found.keys() == CASES[name].keys(), found
    for check, (verdict, words) in CASES[name].items():
        assert found[check][0] == verdict, found
        assert words in found[check][1]
