"""Who opens TLS, and which trust stores accept it: a likeness is told from proof, and doubt stays doubt."""

from __future__ import annotations

import asyncio
import ssl
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from btdiag.core.certificate_names import speaks_for
from btdiag.core.finding import Owner, Verdict
from btdiag.core.stores import StoreTrial
from btdiag.core.target import Target
from btdiag.families.egress.facts import Egress, Host
from btdiag.families.egress.judge.reach import tls_not_intercepted
from btdiag.families.egress.judge.reading import host_reading
from btdiag.families.egress.judge.trust import (
    acceptance,
    interceptor,
    is_doubtful,
    trusted_authorities,
    wants_stores,
)
from btdiag.families.egress.probe.stores import judged_by
from btdiag.families.egress.remedy import Block
from btdiag.net.stores import Stores
from btdiag.net.wire import Wire
from tests.families.egress.test_judge import APP, NONE, OWN, SDK, ZSCALER, answered, connected, tried
from tests.support.serving import route_to, saying, serving

CORP = "CN=Example Corp Gateway CA"
SYSTEM = StoreTrial(store="the system's store", source="/etc/ssl/cert.pem", accepts=True)
CERTIFI = StoreTrial(store="Python's certifi", source="2026.1", accepts=False, public=True)
NODE = StoreTrial(store="Node.js v20", source="its own list", accepts=False, public=True)


@pytest.mark.parametrize(
    ("names", "host", "expected"),
    [
        (("a.example",), "A.example", True),
        (("*.example.com",), "a.example.com", True),
        (("*.example.com",), "a.b.example.com", False),
        (("*.example.com",), "example.com", False),
        (("b.example",), "a.example", False),
        ((), "a.example", False),
        (("192.0.2.1",), "192.0.2.1", True),
    ],
)
def test_whom_a_certificate_speaks_for(names: tuple[str, ...], host: str, expected: bool) -> None:
    assert speaks_for(names, host) is expected


def test_a_hosted_name_with_a_certificate_of_no_public_ca_is_intercepted() -> None:
    untrusted = tried(connected(issuer=CORP, code=20))
    assert interceptor(untrusted) is not None
    trusted = tried(connected(issuer=CORP), answer=answered())
    assert interceptor(trusted) is None
    assert interceptor(replace(trusted, stores=(SYSTEM, CERTIFI, NODE))) is not None
    assert interceptor(replace(trusted, stores=(replace(CERTIFI, accepts=True),))) is None
    assert interceptor(tried(connected(code=10))) is None


def test_a_proxy_past_which_the_certificate_is_trusted_opens_tls() -> None:
    seen = replace(connected("proxy", issuer=CORP, code=20, names=("a.example",)), proxied=True)
    trial = replace(tried(seen, host=OWN), proxy="http://proxy.example:3128", proxy_note="HTTPS_PROXY")
    assert interceptor(trial) is None
    both = replace(trial, other_way="directly", other=connected(names=("a.example",)))
    found = tls_not_intercepted(Egress(trials=(both,)), NONE, SDK)
    assert (found.verdict, found.owner) == (Verdict.FAIL, Owner.PROXY)
    assert "the proxy http://proxy.example:3128 (issuer Example Corp Gateway CA, while directly" in found.summary


def test_an_unknown_issuer_of_another_host_stays_in_doubt() -> None:
    own = tried(connected(issuer=CORP, code=20, names=("a.example",)), host=OWN)
    assert interceptor(own) is None
    assert is_doubtful(own)
    found = tls_not_intercepted(Egress(trials=(own,)), NONE, SDK)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "TLS inspection, or the host's private CA" in found.summary


def test_a_leaf_without_its_intermediate_is_no_inspection() -> None:
    """The CA that issued it is trusted where it is sent along."""
    sound = connected(issuer=CORP)
    assert sound.handshake is not None
    above = replace(sound.handshake.chain[0], subject=CORP, issuer="CN=Example Corp Root")
    whole = replace(sound, handshake=replace(sound.handshake, chain=(*sound.handshake.chain, above)))
    vouched = trusted_authorities((tried(whole, answer=answered()),))
    assert vouched == (CORP,)
    alone = tried(connected(issuer=CORP, code=20))
    assert interceptor(alone) is not None
    told = replace(alone, vouched=vouched)
    assert interceptor(told) is None
    assert not is_doubtful(told)
    reading = host_reading(told)
    assert (reading.block, reading.owner) == (Block.UNTRUSTED, Owner.CERTIFICATES)
    assert "an intermediate is missing" in reading.detail
    other = tried(connected(issuer="CN=Another Gateway CA", code=20))
    assert interceptor(replace(other, vouched=vouched)) is not None


def test_the_stores_are_told_one_by_one() -> None:
    trial = replace(tried(connected(issuer=ZSCALER), answer=answered()), stores=(SYSTEM, CERTIFI, NODE))
    found = tls_not_intercepted(Egress(trials=(trial,)), NONE, SDK)
    assert found.verdict is Verdict.WARN
    assert "accepted by the system's store (/etc/ssl/cert.pem), not by Python's certifi (2026.1)" in found.summary
    assert found.remedy is not None
    assert "Python's certifi, Node.js v20 lack it" in found.remedy.text
    assert any(item.title == "Trust stores of this machine" for item in found.evidence)
    assert acceptance(()) == ""
    assert acceptance((CERTIFI,)) == "accepted by none of Python's certifi (2026.1)"


def test_stores_are_asked_only_where_the_issuer_is_not_known_to_be_public() -> None:
    assert not wants_stores(tried(connected()))
    assert wants_stores(tried(connected(issuer=CORP)))
    assert wants_stores(tried(connected(issuer=ZSCALER, code=20)))
    assert not wants_stores(tried(connected(issuer=CORP, code=62, names=("other.example",))))


@pytest.mark.parametrize(
    ("url", "hosted"),
    [
        (APP.url, True),
        ("https://braintrust.dev", True),
        ("https://notbraintrust.dev", False),
        ("https://braintrust-cf.s3.amazonaws.com", True),
        ("https://api.example.com", False),
    ],
)
def test_whose_certificates_are_known_to_be_public(url: str, hosted: bool) -> None:
    assert Host(url=url, why="").is_hosted is hosted


FAKE_NODE = """#!{python}
import json, os, sys
assert sys.argv[1] == "-e"
assert "--inspect" not in os.environ["NODE_OPTIONS"]
assert "SECRET" not in os.environ
print(json.dumps({{"version": "v99.0.0", "pem": open({pem!r}).read()}}))
"""


def judged(environment: dict[str, str], issuer: trustme.CA) -> dict[str, StoreTrial]:
    """What each store under an environment says of a server whose certificate the issuer signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issuer.issue_cert("a.example").configure_cert(context)

    async def run() -> dict[str, StoreTrial]:
        async with serving(saying(), context=context) as port:
            target = Target(url="https://a.example", scheme="https", host="a.example", port=port)
            found = await judged_by(Stores(environment), route_to(port), Wire(target, user_agent="btdiag/test"))
            return {store.store: store for store in found}

    return asyncio.run(run())


def fake_node(folder: Path, pem: Path) -> str:
    """A folder for PATH with a Node.js that trusts one CA."""
    program = folder / "node"
    program.write_text(FAKE_NODE.format(python=sys.executable, pem=str(pem)))
    program.chmod(0o755)
    return str(folder)


def test_each_store_judges_the_chain_that_is_sent(tmp_path: Path) -> None:
    issuer, other = trustme.CA(), trustme.CA()
    issuer.cert_pem.write_to_path(tmp_path / "ca.pem")
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    path = fake_node(tmp_path, tmp_path / "other.pem")
    bare = judged({"PATH": path, "NODE_OPTIONS": "--inspect", "SECRET": "x"}, issuer)
    assert {name: store.accepts for name, store in bare.items()} == {
        "the system's store": False,
        "Python's certifi": False,
        "Node.js v99.0.0": False,
    }
    assert bare["Node.js v99.0.0"].public
    ca = str(tmp_path / "ca.pem")
    given = judged({"PATH": path, "REQUESTS_CA_BUNDLE": ca, "NODE_EXTRA_CA_CERTS": ca}, issuer)
    assert given["Python requests here"].accepts is True
    assert given["Node.js v99.0.0"].accepts is True
    assert not given["Node.js v99.0.0"].public
    assert given["Python's certifi"].accepts is False


@pytest.mark.parametrize(
    ("settings", "accepts", "source", "public"),
    [
        ({}, True, "its own list", True),
        ({"NODE_OPTIONS": "--use-openssl-ca"}, False, "OpenSSL's list", False),
        ({"NODE_OPTIONS": "--use-system-ca"}, True, "its own list and the system's", False),
        ({"NODE_USE_SYSTEM_CA": "1"}, True, "its own list and the system's", False),
    ],
)
def test_what_decides_whom_node_trusts(
    settings: dict[str, str], accepts: bool, source: str, public: bool, tmp_path: Path
) -> None:
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(tmp_path / "ca.pem")
    found = judged({"PATH": fake_node(tmp_path, tmp_path / "ca.pem"), **settings}, issuer)["Node.js v99.0.0"]
    assert (found.accepts, found.source, found.public) == (accepts, source, public)


def test_a_store_that_cannot_be_loaded_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "node").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "node").chmod(0o755)
    found = judged({"PATH": str(tmp_path), "CURL_CA_BUNDLE": str(tmp_path / "none.pem")}, trustme.CA())
    assert found["Python requests here"].accepts is None
    assert "cannot be loaded" in found["Python requests here"].detail
    assert not any(name.startswith("Node.js") for name in found)
