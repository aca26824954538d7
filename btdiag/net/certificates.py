"""The certificates that a server sent, read from an open TLS connection, trusted or not."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import AuthorityInformationAccessOID

from btdiag.core.handshake import Certificate, Handshake
from btdiag.net.failures import legible

CHAIN_LIMIT = 10  # certificates read; OpenSSL verifies no longer chains by default than about that
TEXT_LIMIT = 300  # characters kept of a name
NAMES_LIMIT = 100  # names kept of one certificate

_USAGES = {
    "digitalSignature": "digital_signature",
    "nonRepudiation": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign",
    "cRLSign": "crl_sign",
}

Kind = TypeVar("Kind", bound=x509.ExtensionType)


def handshake_of(connection: ssl.SSLObject) -> Handshake:
    """What was agreed on and sent in the handshake of an open connection."""
    whole = _chain(connection) is not None
    cipher = connection.cipher()
    return Handshake(
        version=connection.version() or "",
        cipher=cipher[0] if cipher else "",
        alpn=connection.selected_alpn_protocol(),
        chain=tuple(read for read in map(certificate, chain_of(connection)) if read is not None),
        whole_chain=whole,
    )


def chain_of(connection: ssl.SSLObject) -> tuple[bytes, ...]:
    """The certificates as sent, in DER, the server's own first; that one alone where this Python shows no more."""
    ders = _chain(connection)
    if ders is None:
        leaf = connection.getpeercert(binary_form=True)
        ders = [leaf] if leaf else []
    return tuple(ders[:CHAIN_LIMIT])


def _chain(connection: ssl.SSLObject) -> list[bytes] | None:
    """The chain as sent. Public from Python 3.13 on; before, the object inside has it. None where neither does."""
    public: Callable[[], list[bytes]] | None = getattr(connection, "get_unverified_chain", None)
    if public is not None:
        return public()
    inner = getattr(connection, "_sslobj", None)
    private: Callable[[], list[Any] | None] | None = getattr(inner, "get_unverified_chain", None)
    if private is None:
        return None
    return [ssl.PEM_cert_to_DER_cert(str(entry.public_bytes())) for entry in private() or []]


def certificate(der: bytes) -> Certificate | None:
    """The certificate in our terms; None for bytes that are none."""
    try:
        parsed = x509.load_der_x509_certificate(der)
        return Certificate(
            subject=_text(parsed.subject.rfc4514_string()),
            issuer=_text(parsed.issuer.rfc4514_string()),
            names=_names(parsed),
            not_before=parsed.not_valid_before_utc,
            not_after=parsed.not_valid_after_utc,
            serial=f"{parsed.serial_number:x}",
            sha256=parsed.fingerprint(SHA256()).hex(),
            issuer_url=_issuer_url(parsed),
            key=_key(parsed),
            usages=_usages(parsed),
            permitted=_constraint(parsed, "permitted_subtrees"),
            excluded=_constraint(parsed, "excluded_subtrees"),
        )
    except Exception:  # the server chooses these bytes, and what the parser raises has no common base
        return None


def authority_fault(parsed: x509.Certificate) -> str:
    """Which rule of RFC 5280 a CA's certificate breaks that OpenSSL's strict verification asks for, in OpenSSL's words;
    "" for none, and for what is no CA (sections 4.2.1.9, 4.2.1.3 and 4.2.1.2)."""
    try:
        constraints = parsed.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, x509.DuplicateExtension):
        return ""
    if not constraints.value.ca:
        return ""
    if not constraints.critical:
        return "Basic Constraints of CA cert not marked critical"
    if _extension(parsed, x509.KeyUsage) is None:
        return "CA cert does not include key usage extension"
    return "" if _extension(parsed, x509.SubjectKeyIdentifier) else "Missing Subject Key Identifier"


def _names(parsed: x509.Certificate) -> tuple[str, ...]:
    extension = _extension(parsed, x509.SubjectAlternativeName)
    if extension is None:
        return ()
    dns = extension.get_values_for_type(x509.DNSName)
    addresses = extension.get_values_for_type(x509.IPAddress)
    return tuple(_text(str(name)) for name in [*dns, *addresses][:NAMES_LIMIT])


def _issuer_url(parsed: x509.Certificate) -> str:
    extension = _extension(parsed, x509.AuthorityInformationAccess)
    for description in extension or ():
        where = description.access_location
        if description.access_method == AuthorityInformationAccessOID.CA_ISSUERS and isinstance(
            where, x509.UniformResourceIdentifier
        ):
            return _text(where.value)
    return ""


def _key(parsed: x509.Certificate) -> str:
    key = parsed.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    return type(key).__name__.strip("_").removesuffix("PublicKey")


def _usages(parsed: x509.Certificate) -> tuple[str, ...] | None:
    usage = _extension(parsed, x509.KeyUsage)
    if usage is None:
        return None
    return tuple(name for name, attribute in _USAGES.items() if getattr(usage, attribute))


def _constraint(parsed: x509.Certificate, which: Literal["permitted_subtrees", "excluded_subtrees"]) -> tuple[str, ...]:
    constraints = _extension(parsed, x509.NameConstraints)
    trees: list[x509.GeneralName] = (getattr(constraints, which) or []) if constraints else []
    return tuple(_text(tree.value) for tree in trees[:NAMES_LIMIT] if isinstance(tree, x509.DNSName))


def _extension(parsed: x509.Certificate, kind: type[Kind]) -> Kind | None:
    try:
        return parsed.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension):
        return None


def _text(content: str) -> str:
    return legible(content)[:TEXT_LIMIT]
