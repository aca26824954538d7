"""Certificates of a CA that keeps RFC 5280, and of CAs that break one of its rules each."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Chain:
    """A server's certificate with its key, and the root that issued it."""

    leaf: x509.Certificate
    key: Key
    root: x509.Certificate

    @property
    def ders(self) -> tuple[bytes, ...]:
        """As a server sends it, the root left out."""
        return (self.leaf.public_bytes(serialization.Encoding.DER),)

    def root_file(self, folder: Path, name: str = "root.pem") -> Path:
        """The root in PEM form."""
        path = folder / name
        path.write_bytes(self.root.public_bytes(serialization.Encoding.PEM))
        return path

    def server(self, folder: Path) -> ssl.SSLContext:
        """The server side of TLS."""
        private = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = folder / "server.pem"
        path.write_bytes(private + self.leaf.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def chain(host: str, *, identifier: bool = True, critical: bool = True) -> Chain:
    """A chain of two. Without `identifier` the leaf does not say whose key signed it, without `critical` the root's
    basicConstraints are not marked so."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Corp Root")])
    subject = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    root = (
        _begun(name, name, root_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=critical)
        .add_extension(subject, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .add_extension(_signs(), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    leaf = _begun(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), name, key)
    leaf = leaf.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    if identifier:
        leaf = leaf.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
        )
    return Chain(leaf=leaf.sign(root_key, hashes.SHA256()), key=key, root=root)


def _begun(subject: x509.Name, issuer: x509.Name, key: Key) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
    )


def _signs() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
