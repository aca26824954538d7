"""What browsers refuse by rule, on plain data."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from btdiag.core.answers import Roots
from btdiag.core.exchange import Exchange, Failure, Phase, Timing, Trouble
from btdiag.core.finding import Verdict
from btdiag.core.handshake import Certificate, Connection, Distrust, Handshake
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.target import Target
from btdiag.families.browser.facts import BrowserHandshake, StrictTransport, strict_transport
from btdiag.families.browser.judge import rules, scheme

TARGET = Target(url="https://api.corp.test", scheme="https", host="api.corp.test", port=443)
UNSEEN = NotMeasured(reason="not looked at", skipped=True)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
LEAF = Certificate(
    subject="CN=api.corp.test",
    issuer="CN=Corp CA",
    names=("api.corp.test",),
    not_before=NOW - timedelta(days=1),
    not_after=NOW + timedelta(days=89),
    serial="1",
    sha256="0",
    key="RSA 2048",
    usages=("digitalSignature", "keyEncipherment"),
)
GOOD = BrowserHandshake(label="192.0.2.1", version="TLSv1.2", cipher="ECDHE-RSA-AES128-GCM-SHA256", alpn="h2")
PLAIN_RSA = replace(GOOD, cipher="AES128-GCM-SHA256", alpn="http/1.1")


def at(host: str, scheme: str = "http") -> Target:
    return replace(TARGET, url=f"{scheme}://{host}", scheme=scheme, host=host.partition(":")[0].strip("[]"))


def connections(leaf: Certificate = LEAF, *, distrust: Distrust | None = None) -> dict[str, Connection]:
    hands = Handshake(version="TLSv1.2", cipher="ECDHE-RSA-AES128-SHA256", alpn="http/1.1", chain=(leaf,))
    one = Connection(
        label="192.0.2.1", port=443, tls=True, started_at=NOW, timing=Timing(), handshake=hands, distrust=distrust
    )
    return {one.label: one}


@pytest.mark.parametrize(
    ("target", "verdict"),
    [
        (TARGET, Verdict.PASS),
        (at("api.corp.test"), Verdict.FAIL),
        (at("8.8.8.8"), Verdict.FAIL),
        (at("localhost:8000"), Verdict.PASS),
        (at("api.localhost"), Verdict.PASS),
        (at("127.0.0.9:8000"), Verdict.PASS),
        (at("[::1]:8000"), Verdict.PASS),
        (at("10.1.2.3"), Verdict.WARN),
        (at("printer.local"), Verdict.WARN),
        (at("localhost.corp.test"), Verdict.FAIL),
        (replace(TARGET, gateway="http://gateway.corp.test"), Verdict.FAIL),
        (replace(TARGET, bucket="http://bucket.corp.test/x"), Verdict.FAIL),
        (replace(TARGET, gateway="http://localhost:1"), Verdict.PASS),
        (replace(at("api.corp.test"), origins=("http://localhost:3000",)), Verdict.SKIP),
        (replace(at("api.corp.test"), origins=("http://localhost:3000", "https://app.corp.test")), Verdict.FAIL),
    ],
)
def test_an_https_page_calls_no_http(target: Target, verdict: Verdict) -> None:
    found = scheme.scheme_is_secure(target, UNSEEN)
    assert found.verdict is verdict, found.summary
    assert (found.remedy is not None) is (verdict in {Verdict.FAIL, Verdict.WARN})
    assert len(found.answer) <= 90


HTTP_PAGE = ("http://localhost:3000",)
GATEWAY = replace(TARGET, gateway="http://gateway.api.corp.test", origins=HTTP_PAGE)


def answered(*headers: tuple[str, str], verified: bool | None = True) -> PerAddress[Roots]:
    one = Exchange(
        method="GET",
        url=TARGET.url,
        label="192.0.2.1",
        started_at="2026-11-01T00:00:00Z",
        request_headers=(),
        status=200,
        headers=headers,
        tls_verified=verified,
    )
    return PerAddress({"192.0.2.1": Roots(exchanges=(one,))})


STRICT = ("Strict-Transport-Security", "max-age=31536000; includeSubDomains")


@pytest.mark.parametrize(
    ("target", "roots", "words"),
    [
        (replace(at("api.corp.dev"), origins=HTTP_PAGE), UNSEEN, "all of .dev in their HSTS list"),
        (replace(at("api.corp.test"), origins=HTTP_PAGE), UNSEEN, ""),
        (replace(at("api.corp.test"), origins=HTTP_PAGE), answered(STRICT), ""),  # it came over http
        (GATEWAY, answered(STRICT), "api.corp.test sends Strict-Transport-Security, with includeSubDomains"),
        (GATEWAY, answered(("strict-transport-security", "max-age=31536000")), ""),
        (GATEWAY, answered(STRICT, verified=False), ""),
        (GATEWAY, answered(), ""),
        (replace(GATEWAY, gateway="http://api.corp.test:81"), answered(STRICT), "sends Strict-Transport-Security,"),
        (replace(GATEWAY, gateway="http://corp.test"), answered(STRICT), ""),
        (replace(GATEWAY, gateway="http://10.0.0.1"), answered(STRICT), ""),
    ],
)
def test_http_pages_reach_known_https_hosts_over_https(
    target: Target, roots: PerAddress[Roots] | NotMeasured, words: str
) -> None:
    found = scheme.scheme_is_secure(target, roots)
    assert found.verdict is (Verdict.FAIL if words else Verdict.SKIP)
    assert words.rstrip(",") in found.summary
    assert len(found.answer) <= 90


def test_hsts_does_not_save_an_https_page_from_mixed_content() -> None:
    found = scheme.scheme_is_secure(at("api.corp.dev"), UNSEEN)
    assert found.verdict is Verdict.FAIL
    assert "although they use https there (browsers have all of .dev" in found.summary


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("max-age=60", StrictTransport(age_s=60, with_subdomains=False)),
        ('includeSubDomains; Max-Age="60"', StrictTransport(age_s=60, with_subdomains=True)),
        ("max-age=0; includeSubDomains", None),
        ("includeSubDomains", None),
        ("max-age=soon", None),
        ("", None),
    ],
)
def test_strict_transport_is_read_as_browsers_do(value: str, read: StrictTransport | None) -> None:
    answer = answered(("Strict-Transport-Security", value)).facts["192.0.2.1"].exchanges[0]
    assert strict_transport(answer) == read


@pytest.mark.parametrize(
    ("port", "verdict"), [(443, Verdict.PASS), (10080, Verdict.FAIL), (6000, Verdict.FAIL), (8443, Verdict.PASS)]
)
def test_bad_ports(port: int, verdict: Verdict) -> None:
    found = rules.port_is_allowed(replace(TARGET, url=f"https://api.corp.test:{port}", port=port))
    assert found.verdict is verdict
    assert str(port) in found.summary
    beside = rules.port_is_allowed(replace(TARGET, gateway=f"https://gateway.corp.test:{port}"))
    assert beside.verdict is verdict


@pytest.mark.parametrize(
    ("leaf", "tried", "verdict", "words"),
    [
        (LEAF, GOOD, Verdict.PASS, "RSA 2048"),
        (replace(LEAF, key="EC secp384r1"), GOOD, Verdict.PASS, ""),
        (replace(LEAF, key="EC secp521r1"), GOOD, Verdict.FAIL, "EC secp521r1"),
        (replace(LEAF, key="Ed25519"), GOOD, Verdict.FAIL, "ERR_SSL_VERSION_OR_CIPHER_MISMATCH"),
        (replace(LEAF, key=""), GOOD, Verdict.PASS, ""),  # not read: nothing is claimed
        (replace(LEAF, usages=("keyEncipherment",)), GOOD, Verdict.FAIL, "ERR_SSL_KEY_USAGE_INCOMPATIBLE"),
        (replace(LEAF, usages=("keyEncipherment",)), PLAIN_RSA, Verdict.PASS, ""),  # nothing is signed
        (replace(LEAF, usages=None), GOOD, Verdict.PASS, ""),
        (replace(LEAF, names=()), GOOD, Verdict.FAIL, "ERR_CERT_COMMON_NAME_INVALID"),
        (LEAF, replace(GOOD, cipher="ECDHE-RSA-AES128-SHA"), Verdict.FAIL, "INADEQUATE_TRANSPORT_SECURITY"),
        (LEAF, replace(GOOD, cipher="AES128-GCM-SHA256"), Verdict.FAIL, "INADEQUATE_TRANSPORT_SECURITY"),
        (LEAF, replace(GOOD, cipher="ECDHE-RSA-AES128-SHA", alpn="http/1.1"), Verdict.PASS, ""),
        (LEAF, replace(GOOD, version="TLSv1.3", cipher="TLS_AES_128_GCM_SHA256"), Verdict.PASS, ""),
        (replace(LEAF, not_after=NOW + timedelta(days=3_900)), GOOD, Verdict.PASS, ""),  # a private CA may
        (
            replace(LEAF, issuer="CN=R3,O=Let's Encrypt,C=US", not_after=NOW + timedelta(days=500)),
            GOOD,
            Verdict.WARN,
            "398",
        ),
    ],
)
def test_certificates_and_suites(leaf: Certificate, tried: BrowserHandshake, verdict: Verdict, words: str) -> None:
    found = rules.certificate_is_accepted(connections(leaf), tried, TARGET)
    assert found.verdict is verdict, found.summary
    assert words in found.summary
    assert len(found.answer) <= 90


def test_a_handshake_that_breaks_off_with_a_browsers_suites_alone() -> None:
    failure = Failure(phase=Phase.TLS, trouble=Trouble.ALERT, detail="handshake failure")
    found = rules.certificate_is_accepted(connections(), BrowserHandshake(label="a", failure=failure), TARGET)
    assert found.verdict is Verdict.FAIL
    assert "TLSv1.2 with ECDHE-RSA-AES128-SHA256" in found.summary


def test_what_nobody_trusts_is_told_once() -> None:
    distrusted = connections(replace(LEAF, key="Ed25519"), distrust=Distrust(code=18, message="self-signed"))
    found = rules.certificate_is_accepted(distrusted, GOOD, TARGET)
    assert (found.verdict, found.because) == (Verdict.SKIP, rules.TRUSTED)


def test_what_was_not_tried_is_not_claimed() -> None:
    blocked = NotMeasured(reason="no connection", by="connection.tcp-connects")
    assert rules.certificate_is_accepted({}, blocked, TARGET).verdict is Verdict.SKIP
    unknown = rules.certificate_is_accepted(connections(), NotMeasured(reason="the budget ended"), TARGET)
    assert unknown.verdict is Verdict.INCONCLUSIVE
    known = rules.certificate_is_accepted(connections(replace(LEAF, key="Ed25519")), NotMeasured(reason="-"), TARGET)
    assert known.verdict is Verdict.FAIL
    assert rules.certificate_is_accepted({}, blocked, at("localhost")).verdict is Verdict.SKIP
