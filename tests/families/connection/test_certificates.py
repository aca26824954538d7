"""Certificates are read whatever is in them, and never more of them than is wanted."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID as Access
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from btdiag.net import certificates
from btdiag.net.certificates import authority_fault, certificate, handshake_of

KEY = ec.generate_private_key(ec.SECP256R1())
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def der(*extensions: x509.ExtensionType, common: str = "api.example.com") -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(KEY.public_key())
    builder = builder.serial_number(0xABC).not_valid_before(START).not_valid_after(START + datetime.timedelta(days=90))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


SOUND = der()


def test_all_that_a_judgement_needs_is_read() -> None:
    read = certificate(
        der(
            x509.SubjectAlternativeName([x509.DNSName("a.example"), x509.IPAddress(ipaddress.ip_address("::1"))]),
            x509.AuthorityInformationAccess(
                [
                    x509.AccessDescription(Access.OCSP, x509.UniformResourceIdentifier("http://ocsp.example")),
                    x509.AccessDescription(
                        Access.CA_ISSUERS, x509.UniformResourceIdentifier("http://ca.example/ca.crt")
                    ),
                ]
            ),
        )
    )
    assert read is not None
    assert read.names == ("a.example", "::1")
    assert read.issuer_url == "http://ca.example/ca.crt"
    assert read.serial == "abc"
    assert read.self_issued
    assert (read.not_before, read.not_after) == (START, START + datetime.timedelta(days=90))
    assert len(read.sha256) == 64


def test_a_certificate_without_extensions_has_no_names() -> None:
    read = certificate(der())
    assert read is not None
    assert (read.names, read.issuer_url) == ((), "")


def test_what_a_hostile_server_writes_into_names_is_cut_and_made_legible() -> None:
    names = [x509.DNSName(f"host{number}.example") for number in range(500)]
    read = certificate(der(x509.SubjectAlternativeName(names), common="\x1b[31mred"))
    assert read is not None
    assert len(read.names) == certificates.NAMES_LIMIT
    assert "\x1b" not in read.subject
    assert "red" in read.subject


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_certificate(junk: bytes) -> None:
    assert certificate(junk) is None


@settings(deadline=None)
@given(st.integers(0, len(SOUND) - 1), st.integers(1, 255))
def test_a_damaged_certificate_is_read_or_refused_but_never_crashes(place: int, change: int) -> None:
    damaged = bytearray(SOUND)
    damaged[place] ^= change
    read = certificate(bytes(damaged))
    assert read is None or read.sha256 != ""


class Connected:
    """Stands in for ssl.SSLObject as one Python version or another has it."""

    def __init__(self, leaf: bytes | None, **also: Any) -> None:
        self._leaf = leaf
        for name, value in also.items():
            setattr(self, name, value)

    def getpeercert(self, binary_form: bool = False) -> bytes | None:
        return self._leaf

    def cipher(self) -> tuple[str, str, int] | None:
        return ("TLS_AES_128_GCM_SHA256", "TLSv1.3", 128)

    def version(self) -> str:
        return "TLSv1.3"

    def selected_alpn_protocol(self) -> str | None:
        return None


def test_the_public_way_to_the_chain_is_preferred() -> None:
    chain = [der(common="leaf"), der(common="issuer")]
    agreed = handshake_of(cast(ssl.SSLObject, Connected(chain[0], get_unverified_chain=lambda: chain)))
    assert agreed.whole_chain
    assert [entry.subject for entry in agreed.chain] == ["CN=leaf", "CN=issuer"]


@pytest.mark.parametrize(("leaf", "count"), [(der(), 1), (None, 0)], ids=["a-leaf", "none"])
def test_without_a_way_to_the_chain_there_is_the_leaf(leaf: bytes | None, count: int) -> None:
    agreed = handshake_of(cast(ssl.SSLObject, Connected(leaf)))
    assert not agreed.whole_chain
    assert len(agreed.chain) == count


def test_an_endless_chain_is_cut() -> None:
    agreed = handshake_of(cast(ssl.SSLObject, Connected(None, get_unverified_chain=lambda: [der()] * 99)))
    assert len(agreed.chain) == certificates.CHAIN_LIMIT


def test_name_constraints_are_read() -> None:
    limits = x509.NameConstraints([x509.DNSName("corp.test")], [x509.DNSName("x.corp.test")])
    read = certificate(der(limits))
    assert read is not None
    assert (read.permitted, read.excluded) == (("corp.test",), ("x.corp.test",))


def signed(critical: bool, *, authority: bool = True, usage: bool = True) -> x509.Certificate:
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(KEY.public_key())
    builder = builder.serial_number(1).not_valid_before(START).not_valid_after(START + datetime.timedelta(days=90))
    builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=critical)
    if usage:
        flags = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
        signs = x509.KeyUsage(
            digital_signature=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
            **flags,
        )
        builder = builder.add_extension(signs, critical=True)
    return builder.sign(KEY, hashes.SHA256())


NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Corp Root")])


def test_which_rule_for_authorities_is_broken() -> None:
    assert "not marked critical" in authority_fault(signed(False))
    assert "key usage" in authority_fault(signed(True, usage=False))
    assert authority_fault(signed(True)) == "Missing Subject Key Identifier"
    assert authority_fault(signed(False, authority=False)) == ""
    assert authority_fault(x509.load_der_x509_certificate(der())) == ""
