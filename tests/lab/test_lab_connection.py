"""The lab's doors, certificates, TLS versions and proxies behave as the scenarios declare."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from btdiag.lab.plan import HOST, LabPlan
from tests.support.labclient import (
    Target,
    ask,
    ask_plain,
    careless,
    connect,
    exchange,
    port_of,
    staged,
    trusting,
    url_port,
)


def seen(what: str | LabPlan, look: Callable[[Target], Any]) -> Any:
    """What a blocking client sees, run in a thread beside the lab."""

    async def run() -> Any:
        async with staged(what) as target:
            return await asyncio.to_thread(look, target)

    return asyncio.run(run())


def leaf(target: Target, address: str = "127.0.0.2") -> x509.Certificate:
    with connect(target, address, careless()) as sock:
        return x509.load_der_x509_certificate(sock.getpeercert(binary_form=True) or b"")


def common_name(name: x509.Name) -> str:
    return str(name.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


@pytest.mark.parametrize("address", ["127.0.0.2", "127.0.0.3", "::1"])
def test_all_addresses_can_refuse(address: str) -> None:
    with pytest.raises(ConnectionRefusedError):
        seen("tcp-refused", lambda target: connect(target, address))


def test_one_address_can_refuse_and_the_others_serve() -> None:
    def look(target: Target) -> int:
        with pytest.raises(ConnectionRefusedError):
            connect(target, "127.0.0.3")
        return ask(target).status

    assert seen("tcp-refused-one", look) == 200


def test_silent_address_lets_connects_hang() -> None:
    def look(target: Target) -> None:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                connect(target, "127.0.0.3", timeout=0.15)
        assert ask(target).status == 200

    seen("tcp-silent-one", look)


def test_broken_ipv6_leaves_ipv4_alone() -> None:
    def look(target: Target) -> int:
        with pytest.raises(ConnectionRefusedError):
            connect(target, "::1")
        return ask(target).status

    assert seen("ipv6-broken", look) == 200


@pytest.mark.parametrize(
    ("scenario", "complaint"),
    [
        ("tls-expired", "certificate has expired"),
        ("tls-not-yet-valid", "certificate is not yet valid"),
        ("tls-wrong-name", "Hostname mismatch"),
        ("tls-self-signed", "self-signed certificate"),
        ("tls-placeholder", "self-signed certificate"),
        ("tls-missing-intermediate", "unable to get local issuer certificate"),
        ("tls-inspected", "unable to get local issuer certificate"),
        ("tls-unknown-ca", "unable to get local issuer certificate"),
        ("captive-portal", "unable to get local issuer certificate"),
    ],
)
def test_certificate_is_refused_for_its_fault(scenario: str, complaint: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=complaint):
        seen(scenario, connect)


def test_certificate_expiring_soon_is_still_good() -> None:
    def look(target: Target) -> timedelta:
        assert ask(target).status == 200
        return leaf(target).not_valid_after_utc - datetime.now(UTC)

    assert timedelta(days=4) < seen("tls-expires-soon", look) <= timedelta(days=5)


def test_inspecting_firewall_names_itself_as_issuer() -> None:
    assert common_name(seen("tls-inspected", leaf).issuer) == "Zscaler Intermediate Root CA (zscaler.net)"


def test_only_one_address_may_have_the_old_certificate() -> None:
    def look(target: Target) -> int:
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            connect(target, "127.0.0.3")
        return ask(target).status

    assert seen("tls-expired-one", look) == 200


def test_wrong_name_lists_the_names_it_is_for() -> None:
    certificate = seen("tls-wrong-name", leaf)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["www.lab.example", "old-api.lab.example"]


def test_chain_satisfies_strict_verification() -> None:
    def look(target: Target) -> int:
        context = trusting(target)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return ask(target, context=context).status

    assert seen("healthy", look) == 200


def speaking(target: Target, version: ssl.TLSVersion) -> str | None:
    context = careless()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    try:
        with connect(target, context=context) as sock:
            return sock.version()
    except (ssl.SSLError, ConnectionError):
        return None


@pytest.mark.parametrize(
    ("scenario", "versions"),
    [
        ("healthy", [None, None, "TLSv1.2", "TLSv1.3"]),
        ("tls-old-versions", ["TLSv1", "TLSv1.1", None, None]),
        ("tls-old-versions-too", ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]),
        ("tls-1.3-only", [None, None, None, "TLSv1.3"]),
    ],
)
def test_versions(scenario: str, versions: list[str | None]) -> None:
    asked = [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
    assert seen(scenario, lambda target: [speaking(target, version) for version in asked]) == versions


def test_client_certificate_is_demanded_and_taken() -> None:
    with pytest.raises(ssl.SSLError, match="certificate required"):
        seen("tls-client-certificate", ask)
    assert seen("tls-client-certificate-given", ask).status == 200


def test_plain_http_on_the_tls_port() -> None:
    def look(target: Target) -> int:
        with pytest.raises(ssl.SSLError):
            connect(target)
        return ask_plain(port_of(target), address="127.0.0.2").status

    assert seen("tls-plain-http", look) == 200


def test_reset_after_client_hello() -> None:
    with pytest.raises(ConnectionResetError):
        seen("tls-reset", connect)


def test_silence_after_client_hello() -> None:
    with pytest.raises(TimeoutError):
        seen("tls-silent", lambda target: connect(target, timeout=0.2))


def test_plain_port_redirects_to_the_same_path_on_https() -> None:
    def look(target: Target) -> tuple[int, str | None, str]:
        answer = ask_plain(target["plain_port"], "/version?x=1", address="127.0.0.2")
        return answer.status, answer.header("location"), f"{target['url']}/version?x=1"

    status, location, expected = seen("healthy", look)
    assert (status, location) == (301, expected)


def test_plain_port_can_serve_refuse_or_speak_tls() -> None:
    def plain(target: Target) -> int:
        return ask_plain(target["plain_port"], address="127.0.0.2").status

    def tls(target: Target) -> str | None:
        with (
            socket.create_connection(("127.0.0.2", target["plain_port"]), 5.0) as raw,
            trusting(target).wrap_socket(raw, server_hostname=HOST) as sock,
        ):
            return sock.version()

    assert seen("http-no-redirect", plain) == 200
    assert seen("http-speaks-tls", tls) == "TLSv1.3"
    with pytest.raises(ConnectionRefusedError):
        seen("http-closed", plain)


def test_clock_is_ten_minutes_ahead() -> None:
    date = parsedate_to_datetime(seen("clock-skew", ask).header("date"))
    ahead = date - datetime.now(UTC)
    assert timedelta(minutes=9) < ahead < timedelta(minutes=11)


def tunnel(target: Target, authority: str | None = None, *headers: str) -> tuple[int, bytes, socket.socket]:
    """CONNECT through the proxy: status, the whole head, and the connection."""
    sock = socket.create_connection(("127.0.0.1", url_port(target["proxy"])), 5.0)
    place = authority or f"{HOST}:{port_of(target)}"
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}", *headers, "", ""]
    sock.sendall("\r\n".join(lines).encode())
    head = b""
    while b"\r\n\r\n" not in head and (piece := sock.recv(1)):
        head += piece
    return int(head.split()[1]), head, sock


def through(target: Target, context: ssl.SSLContext) -> int:
    status, _, sock = tunnel(target)
    with sock:
        assert status == 200
        with context.wrap_socket(sock, server_hostname=HOST) as tls:
            return exchange(tls, port_of(target)).status


def refused(target: Target, authority: str | None = None, *headers: str) -> tuple[int, bytes]:
    status, head, sock = tunnel(target, authority, *headers)
    sock.close()
    return status, head


def test_proxy_carries_tls_untouched() -> None:
    assert seen("healthy-proxy", lambda target: through(target, trusting(target))) == 200


def test_proxy_knows_only_the_labs_hosts() -> None:
    status, head = seen("healthy-proxy", lambda target: refused(target, "www.example.com:443"))
    assert status == 503
    assert b"X-Squid-Error: ERR_DNS_FAIL" in head


def test_proxy_passes_plain_requests() -> None:
    def look(target: Target) -> int:
        url = f"http://{HOST}:{target['plain_port']}/version"
        return ask_plain(url_port(target["proxy"]), url).status

    assert seen("healthy-proxy", look) == 301


def test_proxy_refuses() -> None:
    status, head = seen("proxy-refuses", refused)
    assert status == 403
    assert b"X-Squid-Error: ERR_ACCESS_DENIED" in head


def test_proxy_demands_and_takes_credentials() -> None:
    token = base64.b64encode(b"lab:proxy-password").decode()
    header = f"Proxy-Authorization: Basic {token}"
    status, head = seen("proxy-demands-login", refused)
    assert status == 407
    assert b"Proxy-Authenticate: Basic" in head
    assert seen("proxy-demands-login", lambda target: refused(target, None, header))[0] == 200


def test_proxy_intercepts() -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        seen("proxy-intercepts", lambda target: through(target, trusting(target)))
    assert seen("proxy-intercepts", lambda target: through(target, careless())) == 200


def test_proxy_is_dead() -> None:
    with pytest.raises(ConnectionRefusedError):
        seen("proxy-dead", tunnel)
