"""What OpenSSL refuses by itself, told from a second handshake in which it was let take everything."""

from __future__ import annotations

from btdiag.core.exchange import Trouble
from btdiag.core.finding import Owner
from btdiag.core.handshake import Connection, Handshake

_KNOWN = {
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": (
        "the server does not know secure renegotiation (RFC 5746, of 2010), without which OpenSSL 3 refuses to connect",
        "Update the load balancer, or the appliance that ends TLS before it. Until then a client can be told to "
        "connect all the same (OpenSSL's option UnsafeLegacyServerConnect), at its own risk.",
    ),
    "DH_KEY_TOO_SMALL": (
        "the server's Diffie-Hellman parameters are too small for OpenSSL's security level here (below 2048 bits at "
        "level 2)",
        "Offer suites with ECDHE on the load balancer, or Diffie-Hellman parameters of 2048 bits or more (nginx: "
        "ssl_dhparam).",
    ),
}
_SUITES = (
    "the server has no cipher suite in common with the list of Python and its OpenSSL",
    "Let the load balancer offer suites with ECDHE and AES-GCM or ChaCha20 (RFC 9325 section 4.2).",
)
_SIGNATURES = (
    "the server signs its handshake with what OpenSSL's security level here refuses (SHA-1, or a short key)",
    "Update the load balancer, or give it a certificate with a key of today (RSA of 2048 bits, ECDSA P-256).",
)
_OTHERS = (
    "OpenSSL refuses what the server offers",
    "Choose a TLS policy of today on the load balancer: TLS 1.2 and 1.3, ECDHE, keys of 2048 bits or P-256.",
)


def refused_by_openssl(detail: str, agreed: Handshake) -> tuple[str, str, str]:
    """Sentence, advice and owner for a handshake that comes about only where OpenSSL refuses nothing: what the error
    names, and what was agreed on instead."""
    sentence, advice = _KNOWN.get(detail) or _by_words(detail, agreed)
    key = agreed.chain[0].key if agreed.chain else ""
    own = f", with a key of {key}" if key else ""
    taken = f"{agreed.version.replace('TLSv', 'TLS ')} with {agreed.cipher}{own}"
    return f"{sentence} ({detail}); let take everything, it agrees on {taken}", advice, Owner.LOAD_BALANCER


def is_refused_by_openssl(one: Connection) -> bool:
    """Whether the handshake broke for what OpenSSL, or the server, says, and came about where OpenSSL was let take
    everything. After a reset a second try that succeeds may be but luck."""
    failure = one.failure
    return one.lax is not None and failure is not None and failure.trouble in {Trouble.PROTOCOL, Trouble.ALERT}


def whom_it_hurts(detail: str) -> str:
    """Who cannot connect, in the words that begin a headline: other programs may offer more suites than Python."""
    if _is_about_suites(detail):
        return "The Python SDK cannot connect: the server offers old cipher suites alone"
    return "Programs on OpenSSL 3 cannot connect: it refuses the old TLS that the server offers"


def _is_about_suites(detail: str) -> bool:
    return any(word in detail for word in ("HANDSHAKE_FAILURE", "NO_SHARED_CIPHER", "INSUFFICIENT_SECURITY"))


def _by_words(detail: str, agreed: Handshake) -> tuple[str, str]:
    if "SIGNATURE" in detail or "SIGALG" in detail or "DIGEST" in detail:
        return _SIGNATURES
    if _is_about_suites(detail):
        return _SUITES
    return _OTHERS
