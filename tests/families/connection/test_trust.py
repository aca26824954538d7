"""Why certificates are not trusted: one chain for each cause, from hand-made facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btdiag.core.certificate_names import default_certificate, inspection_vendor, is_public_ca, short_name
from btdiag.core.exchange import Failure, Phase, Timing, Trouble
from btdiag.core.finding import HopName, Owner, Verdict
from btdiag.core.handshake import Certificate, Connection, Distrust, Handshake
from btdiag.core.target import Target
from btdiag.families.connection.judge.diagnosis import diagnose, top_of_chain
from btdiag.families.connection.judge.expiry import certificate_is_not_expiring
from btdiag.families.connection.judge.trust import tls_is_trusted
from btdiag.families.connection.remedy import TrustCause, remedy_for
from tests import factories

HOST = "api.example.com"
TARGET = Target(url=f"https://{HOST}", scheme="https", host=HOST, port=443)
NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
PRIVATE_CA = "CN=Example Issuing CA,O=Example Corp"
PRIVATE_ROOT = "CN=Example Root,O=Example Corp"
PUBLIC_CA = "CN=R11,O=Let's Encrypt,C=US"


def certificate(
    issuer: str = PRIVATE_CA,
    subject: str = f"CN={HOST}",
    names: tuple[str, ...] = (HOST,),
    start: timedelta = -30 * DAY,
    end: timedelta = 60 * DAY,
    issuer_url: str = "",
) -> Certificate:
    return Certificate(
        subject=subject,
        issuer=issuer,
        names=names,
        not_before=NOW + start,
        not_after=NOW + end,
        serial="1",
        sha256=f"{subject}|{issuer}|{end}",
        issuer_url=issuer_url,
    )


def authority(subject: str = PRIVATE_CA, issuer: str = PRIVATE_ROOT, **given: timedelta) -> Certificate:
    times: dict[str, Any] = {"start": -300 * DAY, "end": 900 * DAY, **given}
    return certificate(issuer, subject, (), **times)


def connection(
    *chain: Certificate,
    code: int = 0,
    label: str = "192.0.2.1",
    whole: bool = True,
    date: datetime | None = None,
    proxied: bool = False,
) -> Connection:
    headers = (("Date", date.strftime("%a, %d %b %Y %H:%M:%S GMT")),) if date else ()
    answer = factories.exchange(
        method="HEAD",
        url=TARGET.url,
        label=label,
        started_at=NOW.isoformat(),
        status=200,
        headers=headers,
    )
    return Connection(
        label=label,
        port=443,
        tls=True,
        started_at=NOW,
        timing=Timing(),
        handshake=Handshake(version="TLSv1.3", cipher="X", alpn=None, chain=chain, whole_chain=whole),
        distrust=Distrust(code=code, message=f"error {code}") if code else None,
        greeting=answer,
        proxied=proxied,
    )


ZSCALER = "CN=Zscaler Intermediate Root CA (zscaler.net),O=Zscaler Inc."


@pytest.mark.parametrize(
    ("untrusted", "cause", "words"),
    [
        pytest.param(
            connection(certificate(end=-3 * DAY), authority(), code=10),
            TrustCause.EXPIRED,
            "it expired on 2026-06-12, 3 days ago",
            id="expired",
        ),
        pytest.param(
            connection(certificate(), authority(end=-DAY), code=10),
            TrustCause.EXPIRED,
            "the intermediate Example Issuing CA (Example Corp) expired on 2026-06-14",
            id="expired intermediate",
        ),
        pytest.param(
            connection(certificate(), authority(), code=10),
            TrustCause.OLD_STORE,
            "a CA certificate in this machine's own store has expired",
            id="expired root in the store",
        ),
        pytest.param(
            connection(certificate(start=2 * DAY), authority(), code=9),
            TrustCause.NOT_YET_VALID,
            "it is not valid before 2026-06-17 12:00 UTC, 2 days from now",
            id="not yet valid",
        ),
        pytest.param(
            connection(certificate(end=-3 * DAY), authority(), code=10, date=NOW - 10 * DAY),
            TrustCause.WRONG_CLOCK,
            "by the server's clock (2026-06-05 12:00 UTC) it is valid, by this machine's (2026-06-15 12:00 UTC) it is "
            "not",
            id="clock ahead",
        ),
        pytest.param(
            connection(certificate(start=2 * DAY), authority(), code=9, date=NOW + 5 * DAY),
            TrustCause.WRONG_CLOCK,
            "by the server's clock",
            id="clock behind",
        ),
        pytest.param(
            connection(certificate(end=-3 * DAY), authority(), code=10, date=NOW),
            TrustCause.EXPIRED,
            "3 days ago",
            id="expired by both clocks",
        ),
        pytest.param(
            connection(certificate(names=("www.example.com", "10.0.0.1")), authority(), code=62),
            TrustCause.WRONG_NAME,
            f"it is for www.example.com, 10.0.0.1, not for {HOST}",
            id="wrong name",
        ),
        pytest.param(
            connection(certificate(names=()), authority(), code=62),
            TrustCause.WRONG_NAME,
            "no host name at all",
            id="no name",
        ),
        pytest.param(
            connection(certificate(names=("lb-1.eu.elb.amazonaws.com",)), authority(), code=62),
            TrustCause.WRONG_NAME,
            "AWS's own name",
            id="default name",
        ),
        pytest.param(
            connection(certificate(names=("other.example.com",)), code=20),
            TrustCause.WRONG_NAME,
            f"not for {HOST}, and its issuer Example Issuing CA (Example Corp) is not trusted here",
            id="wrong name and unknown issuer",
        ),
        pytest.param(
            connection(certificate(issuer=f"CN={HOST}"), code=18),
            TrustCause.SELF_SIGNED,
            f"it is self-signed by {HOST}",
            id="self-signed",
        ),
        pytest.param(
            connection(
                certificate("CN=TRAEFIK DEFAULT CERT", "CN=TRAEFIK DEFAULT CERT", ("x.traefik.default",)), code=18
            ),
            TrustCause.PLACEHOLDER,
            "the default of Traefik",
            id="default certificate",
        ),
        pytest.param(
            connection(certificate(PUBLIC_CA, issuer_url="http://r11.i.lencr.org/"), code=20),
            TrustCause.MISSING_INTERMEDIATE,
            "the server sends it without the intermediate CA R11 (Let's Encrypt)",
            id="missing intermediate of a public CA",
        ),
        pytest.param(
            connection(certificate(), code=20),
            TrustCause.MISSING_INTERMEDIATE,
            "an intermediate is missing",
            id="missing intermediate of a private CA",
        ),
        pytest.param(
            connection(certificate(), code=20, whole=False),
            TrustCause.UNKNOWN_CA,
            "it is issued by Example Issuing CA (Example Corp), which is not trusted here",
            id="unknown CA where the chain cannot be seen",
        ),
        pytest.param(
            connection(certificate(), authority(), code=20),
            TrustCause.UNKNOWN_CA,
            "its chain leads to Example Root (Example Corp), which is not trusted here",
            id="unknown CA",
        ),
        pytest.param(
            connection(certificate(), authority(), authority(PRIVATE_ROOT), code=19),
            TrustCause.UNKNOWN_CA,
            "its chain leads to Example Root",
            id="unknown CA with its root",
        ),
        pytest.param(
            connection(
                certificate(PUBLIC_CA),
                authority(PUBLIC_CA, "CN=ISRG Root X1,O=Internet Security Research Group"),
                code=20,
            ),
            TrustCause.OLD_STORE,
            "the public CA ISRG Root X1",
            id="old store",
        ),
        pytest.param(
            connection(certificate(ZSCALER), authority(ZSCALER, "CN=Zscaler Root CA,O=Zscaler Inc."), code=20),
            TrustCause.INSPECTED,
            "which looks like TLS inspection (Zscaler)",
            id="inspected",
        ),
        pytest.param(connection(certificate(), authority(), code=66), TrustCause.WEAK, "error 66", id="weak"),
        pytest.param(connection(certificate(), authority(), code=26), TrustCause.OTHER, "error 26", id="other"),
        pytest.param(connection(code=20), TrustCause.OTHER, "error 20", id="no certificate read"),
    ],
)
def test_each_cause_has_its_sentence(untrusted: Connection, cause: TrustCause, words: str) -> None:
    found = diagnose(untrusted, HOST)
    assert found.cause is cause
    assert words in found.sentence
    finding = tls_is_trusted({untrusted.label: untrusted}, TARGET)
    if cause is TrustCause.WRONG_CLOCK:
        assert (finding.verdict, finding.because) == (Verdict.SKIP, "connection.clocks-agree")
        return
    assert finding.verdict is Verdict.FAIL
    assert words in finding.summary
    assert HOST in finding.summary
    assert finding.hop
    assert finding.owner
    assert finding.remedy is not None
    assert finding.remedy.snippets
    assert 0 < len(finding.remedy.action) <= 140
    assert 0 < len(finding.answer) <= 90
    assert finding.sources


def test_a_placeholder_is_never_to_be_trusted() -> None:
    fake = "CN=Kubernetes Ingress Controller Fake Certificate,O=Acme Co"
    for shown in (
        connection(certificate(fake, fake, ("ingress.local",)), code=18),
        connection(certificate(fake, fake, ("ingress.local",)), code=62),
        connection(certificate("CN=own root,O=Acme Co", fake, ("ingress.local",)), code=20),
    ):
        assert diagnose(shown, HOST).cause is TrustCause.PLACEHOLDER
        finding = tls_is_trusted({shown.label: shown}, TARGET)
        assert finding.remedy is not None
        assert "tls entry" in finding.remedy.text
        assert "SSL_CERT_FILE" not in "".join(snippet.code for snippet in finding.remedy.snippets)
    traefik = connection(
        certificate("CN=TRAEFIK DEFAULT CERT", "CN=TRAEFIK DEFAULT CERT", ("x.traefik.default",)), code=18
    )
    advice = tls_is_trusted({traefik.label: traefik}, TARGET).remedy
    assert advice is not None
    assert "Give Traefik a certificate" in advice.text
    genuine = connection(certificate("CN=own", "CN=own", (HOST,)), code=18)
    assert diagnose(genuine, HOST).cause is TrustCause.SELF_SIGNED


def test_who_is_to_act() -> None:
    def blamed(one: Connection) -> tuple[str, str]:
        finding = tls_is_trusted({one.label: one}, TARGET)
        return finding.hop, finding.owner

    inspected = connection(certificate(ZSCALER), authority(ZSCALER), code=20)
    assert blamed(inspected) == (HopName.NETWORK, Owner.NETWORK)
    assert blamed(replace(inspected, proxied=True)) == (HopName.PROXY, Owner.PROXY)
    assert blamed(connection(certificate(end=-DAY), code=10)) == (HopName.TLS, Owner.CERTIFICATES)
    assert blamed(connection(certificate(), code=10)) == (HopName.CLIENT, Owner.CLIENT)


def test_a_share_of_the_addresses_is_counted_and_named() -> None:
    good = connection(certificate(), authority())
    bad = connection(certificate(end=-DAY), code=10, label="192.0.2.2")
    finding = tls_is_trusted({good.label: good, bad.label: bad}, TARGET)
    assert finding.verdict is Verdict.FAIL
    assert "at 1 of 2 addresses (192.0.2.2) is not trusted" in finding.summary


def test_a_trusted_certificate_tells_its_issuer_and_inspection_that_the_machine_trusts() -> None:
    finding = tls_is_trusted({"a": connection(certificate(), authority())}, TARGET)
    assert finding.verdict is Verdict.PASS
    assert "issued by Example Issuing CA (Example Corp), valid to 2026-08-14" in finding.summary
    inspected = tls_is_trusted({"a": connection(certificate(ZSCALER))}, TARGET)
    assert inspected.verdict is Verdict.PASS
    assert "looks like TLS inspection (Zscaler)" in inspected.summary
    assert tls_is_trusted({"a": connection()}, TARGET).verdict is Verdict.PASS


def test_a_filters_own_certificate_is_the_filters_doing() -> None:
    page = connection(certificate(names=("block.example",)), code=62, label="127.0.0.1")
    finding = tls_is_trusted({page.label: page}, TARGET, misled=["127.0.0.1"])
    assert (finding.verdict, finding.because) == (Verdict.SKIP, "dns.addresses-are-usable")


def test_without_a_handshake_the_cause_is_named() -> None:
    failure = Failure(phase=Phase.TCP, trouble=Trouble.REFUSED, detail="Connection refused")
    dead = replace(connection(), handshake=None, greeting=None, failure=failure)
    for finding in (tls_is_trusted({"a": dead}, TARGET), certificate_is_not_expiring({"a": dead}, TARGET)):
        assert (finding.verdict, finding.because) == (Verdict.SKIP, "connection.tcp-connects")


def test_http_has_no_certificates() -> None:
    plain = replace(TARGET, scheme="http")
    assert tls_is_trusted({}, plain).verdict is Verdict.SKIP
    assert certificate_is_not_expiring({}, plain).verdict is Verdict.SKIP


@pytest.mark.parametrize(
    ("start", "end", "verdict"),
    [
        pytest.param(-76 * DAY, 15 * DAY, Verdict.PASS, id="90 days, renewal late"),
        pytest.param(-77 * DAY, 13 * DAY, Verdict.WARN, id="90 days, renewal failed"),
        pytest.param(-DAY, 5 * DAY, Verdict.PASS, id="six days, fresh"),
        pytest.param(-5 * DAY, DAY, Verdict.WARN, id="six days, nearly over"),
        pytest.param(-DAY, timedelta(hours=1), Verdict.WARN, id="an hour left"),
        pytest.param(-90 * DAY, -DAY, Verdict.FAIL, id="expired, though verification failed for another reason"),
    ],
)
def test_expiry_is_judged_by_the_length_of_life(start: timedelta, end: timedelta, verdict: Verdict) -> None:
    one = connection(certificate(start=start, end=end), authority(), code=20)
    finding = certificate_is_not_expiring({"a": one}, TARGET)
    assert finding.verdict is verdict
    assert HOST in finding.summary


def test_an_expiring_intermediate_counts() -> None:
    finding = certificate_is_not_expiring({"a": connection(certificate(), authority(end=2 * DAY))}, TARGET)
    assert finding.verdict is Verdict.WARN
    assert "Example Issuing CA (Example Corp) at 192.0.2.1 expires in 2 days" in finding.summary


def test_what_has_expired_is_told_once() -> None:
    expired = connection(certificate(end=-DAY), code=10, label="192.0.2.2")
    finding = certificate_is_not_expiring({"b": expired}, TARGET)
    assert (finding.verdict, finding.because) == (Verdict.SKIP, "connection.tls-is-trusted")
    both = certificate_is_not_expiring({"a": connection(certificate()), "b": expired}, TARGET)
    assert both.verdict is Verdict.PASS


@settings(deadline=None)
@given(st.permutations(range(4)))
def test_the_top_of_a_chain_does_not_depend_on_the_order_sent(order: list[int]) -> None:
    names = [f"CN={HOST}", "CN=one", "CN=two", "CN=root"]
    chain = [certificate(issuer=names[min(k + 1, 3)], subject=names[k]) for k in range(4)]
    rest = [chain[k] for k in order if k != 0]
    assert top_of_chain([chain[0], *rest]).subject == "CN=root"


def test_certificates_that_issue_each_other_end() -> None:
    chain = [certificate("CN=b", "CN=a"), certificate("CN=a", "CN=b")]
    assert top_of_chain(chain).subject in {"CN=a", "CN=b"}


@pytest.mark.parametrize(
    ("name", "vendor"),
    [
        ("CN=Zscaler Root CA,O=Zscaler Inc.", "Zscaler"),
        ("CN=ca.acme.goskope.com,O=Netskope", "Netskope"),
        ("CN=FG100F,O=Fortinet,OU=FortiGate", "Fortinet"),
        ("CN=Cisco Umbrella Root CA,O=Cisco", "Cisco Umbrella"),
        ("CN=mitmproxy,O=mitmproxy", "mitmproxy"),
        ("CN=DO_NOT_TRUST_FiddlerRoot", "Fiddler"),
        ("CN=PortSwigger CA", "Burp Suite"),
        ("CN=ESET SSL Filter CA", "ESET"),
        ("CN=R11,O=Let's Encrypt", None),
        ("CN=Amazon RSA 2048 M02,O=Amazon", None),
        ("CN=Example Corp Root", None),
        ("CN=Reset Corp CA", None),
    ],
)
def test_inspection_is_recognised_by_name_alone(name: str, vendor: str | None) -> None:
    assert inspection_vendor("CN=api.example.com", name) == vendor


def test_names_are_read() -> None:
    assert is_public_ca("CN=Amazon RSA 2048 M02,O=Amazon,C=US")
    assert not is_public_ca("CN=Amazing Corp CA")
    assert (
        default_certificate("CN=Kubernetes Ingress Controller Fake Certificate", ()) == "the default of ingress-nginx"
    )
    assert default_certificate("CN=api", (HOST,)) is None
    assert short_name("CN=a\\,b,O=Corp") == "a,b (Corp)"
    assert short_name("CN=Corp Root,O=Corp") == "Corp Root"
    assert short_name("O=Only") == "O=Only"
    assert short_name("") == "an empty name"


@settings(deadline=None)
@given(st.text())
def test_any_name_can_be_shortened(name: str) -> None:
    assert short_name(name)


@pytest.mark.parametrize("cause", list(TrustCause))
@pytest.mark.parametrize("known", [certificate(issuer_url="http://ca.example/ca.crt"), None])
def test_every_cause_has_a_remedy(cause: TrustCause, known: Certificate | None) -> None:
    remedy = remedy_for(cause, known, replace(TARGET, ca_file=Path("/etc/lab-ca.pem")))
    assert len(remedy.text) > 40
    assert any("openssl s_client" in snippet.code for snippet in remedy.snippets)


OLD = authority("CN=Old Root,O=Example Corp", start=-3000 * DAY, end=-400 * DAY)


def test_an_expired_certificate_that_is_not_needed_is_a_warning() -> None:
    sound = connection(certificate(), authority(), OLD)
    found = certificate_is_not_expiring({"192.0.2.1": sound}, TARGET)
    assert found.verdict is Verdict.WARN
    assert "Old Root (Example Corp) along, which expired on 2025-05-11 and is not needed" in found.summary
    assert len(found.answer) <= 90


def test_what_is_needed_and_expires_soon_comes_first() -> None:
    soon = connection(certificate(end=3 * DAY), authority(), OLD)
    found = certificate_is_not_expiring({"192.0.2.1": soon}, TARGET)
    assert "api.example.com" in found.summary
    assert "expires in 3 days" in found.summary


@pytest.mark.parametrize(
    ("above", "words"),
    [
        (
            replace(authority(), permitted=("corp.example",)),
            "may issue for corp.example alone (name constraints), and it is for",
        ),
        (replace(authority(), excluded=("example.com",)), "may issue not for example.com (name constraints)"),
        (authority(), "a CA above it may not issue for api.example.com (name constraints)"),
    ],
)
def test_name_constraints_are_told_by_name(above: Certificate, words: str) -> None:
    one = connection(certificate(), above, code=47)
    found = diagnose(one, HOST)
    assert found.cause is TrustCause.CONSTRAINED
    assert words in found.sentence
    assert tls_is_trusted({"192.0.2.1": one}, TARGET).verdict is Verdict.FAIL
