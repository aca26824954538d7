"""Certificates and TLS contexts: a root, an intermediate, and leaves that are sound or wrong in one named way."""

from __future__ import annotations

import base64
import ssl
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from btdiag.lab.plan import HOST, CertificateKind, Tls
from btdiag.openssl import tidy

DAY = timedelta(days=1)

# Days from now in which a leaf is valid.
_VALIDITY: dict[CertificateKind, tuple[int, int]] = {
    "expired": (-91, -1),
    "expires-soon": (-85, 5),
    "not-yet-valid": (2, 92),
}

_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


class Authority:
    """A root CA with an intermediate that issues the leaves."""

    def __init__(self, organisation: str, root_name: str, intermediate_name: str) -> None:
        self._names = (_name(organisation, root_name), _name(organisation, intermediate_name))

    @cached_property
    def root(self) -> Issued:
        """The root, which clients must trust."""
        return _issue(self._names[0], None, ca=True, validity=(-400, 3650))

    @cached_property
    def intermediate(self) -> Issued:
        """What signs the leaves."""
        return _issue(self._names[1], self.root, ca=True, validity=(-300, 1800))

    def leaf(
        self,
        *names: str,
        validity: tuple[int, int] = (-1, 90),
        client: bool = False,
        curve: ec.EllipticCurve | None = None,
    ) -> Issued:
        """A certificate for host names, or for a client."""
        subject = _name(None, names[0])
        return _issue(subject, self.intermediate, names=names, validity=validity, client=client, curve=curve)


class Certificates:
    """All that the lab's hops show and trust, written to `folder` where OpenSSL wants files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.own = Authority("btdiag lab", "btdiag lab root CA", "btdiag lab issuing CA")
        self.inspection = Authority("Zscaler Inc.", "Zscaler Root CA", "Zscaler Intermediate Root CA (zscaler.net)")
        self._stranger = Authority("Example Corp", "Example Corp Private Root", "Example Corp Private Issuing CA")

    def ca_file(self) -> Path:
        """The lab's root, for clients."""
        return self._write("ca.pem", self.own.root.pem)

    def filled_in(self, text: str) -> str:
        """A file with the lab's root, or that of a stranger, in the places that stand for them, as Secrets hold it."""
        for place, authority in (("@LAB-CA@", self.own), ("@OTHER-CA@", self._stranger)):
            if place in text:
                text = text.replace(place, base64.b64encode(authority.root.pem).decode())
        return text

    def client_files(self) -> tuple[Path, Path]:
        """A client certificate that the load balancer accepts, and its key."""
        issued = self.own.leaf("lab-client", client=True)
        chain = issued.pem + self.own.intermediate.pem
        return self._write("client.pem", chain), self._write("client.key", issued.key_pem)

    def context(self, tls: Tls) -> ssl.SSLContext:
        """The server side of the target's TLS."""
        context = self._loaded(tls.certificate)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # old versions are the point here
            context.minimum_version = _VERSIONS[tls.minimum]
            context.maximum_version = _VERSIONS[tls.maximum]
        if tls.minimum in ("1.0", "1.1"):
            context.set_ciphers("ALL:@SECLEVEL=0")
        if tls.ciphers:
            context.set_ciphers(tls.ciphers)
        context.set_alpn_protocols(list(tls.alpn))
        if tls.demands_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=self.own.root.pem.decode())
        return context

    def context_for(self, *names: str, authority: Authority | None = None) -> ssl.SSLContext:
        """The server side of TLS for other host names."""
        issuer = authority or self.own
        return self._context(issuer.leaf(*names), issuer.intermediate)

    def client_context(self) -> ssl.SSLContext:
        """For the lab's own hops as clients of each other."""
        return tidy(ssl.create_default_context(cadata=self.own.root.pem.decode()))

    def _loaded(self, kind: CertificateKind) -> ssl.SSLContext:
        match kind:
            case "self-signed":
                return self._context(_issue(_name(None, HOST), None, names=(HOST,), validity=(-1, 90)))
            case "placeholder":
                fake = _name("Acme Co", "Kubernetes Ingress Controller Fake Certificate")
                return self._context(_issue(fake, None, names=("ingress.local",), validity=(-1, 90)))
            case "missing-intermediate":
                return self._context(self.own.leaf(HOST))
            case "wrong-name":
                return self.context_for("www.lab.example", "old-api.lab.example")
            case "inspected":
                return self.context_for(HOST, authority=self.inspection)
            case "unknown-ca":
                return self.context_for(HOST, authority=self._stranger)
            case "curve-no-browser-takes":
                return self._context(self.own.leaf(HOST, curve=ec.SECP521R1()), self.own.intermediate)
            case "portal":
                return self.context_for("portal.lab.example", authority=self._stranger)
            case _:
                leaf = self.own.leaf(HOST, validity=_VALIDITY.get(kind, (-1, 90)))
                return self._context(leaf, self.own.intermediate)

    def _context(self, leaf: Issued, *chain: Issued) -> ssl.SSLContext:
        context = tidy(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        pem = leaf.key_pem + leaf.pem + b"".join(issued.pem for issued in chain)
        context.load_cert_chain(self._write(f"{leaf.certificate.serial_number:x}.pem", pem))
        context.set_alpn_protocols(["http/1.1"])
        return context

    def _write(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)
        return path


def _name(organisation: str | None, common: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if organisation is not None:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(attributes)


def _issue(
    subject: x509.Name,
    issuer: Issued | None,
    *,
    validity: tuple[int, int],
    names: tuple[str, ...] = (),
    ca: bool = False,
    client: bool = False,
    curve: ec.EllipticCurve | None = None,
) -> Issued:
    """A certificate signed by the issuer, or by itself; all extensions that strict verification asks for (RFC 5280)."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    now = datetime.now(UTC)
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + validity[0] * DAY)
        .not_valid_after(now + validity[1] * DAY)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(_key_usage(ca), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if not ca:
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if names:
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternatives, critical=False)
    return Issued(builder.sign(signer, hashes.SHA256()), key)


def _key_usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
