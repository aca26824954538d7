"""Why a certificate is not trusted: pure rules over the chain that was sent.

Interception, a private CA and a server that forgot its intermediate give OpenSSL's same error number; only the issuer
and the chain tell them apart. Error numbers: openssl-verification-options(1), X509_V_ERR_*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from btdiag.core.certificate_names import (
    default_certificate,
    inspection_vendor,
    is_public_ca,
    placeholder_of,
    short_name,
    speaks_for,
)
from btdiag.core.handshake import Certificate, Connection
from btdiag.families.connection.judge.clock import ClockReading, reading_of
from btdiag.families.connection.judge.moments import day, moment_of, span
from btdiag.families.connection.remedy import TrustCause

CLOCK_DOUBT = timedelta(hours=1)  # two clocks that far apart cannot both be right


EXPIRED, NOT_YET, _SELF_SIGNED, _SELF_SIGNED_ROOT = 10, 9, 18, 19
_NO_ISSUER = frozenset({2, 20, 21, 27})
_NAME = frozenset({62, 63, 64})
_WEAK = frozenset({66, 67, 68})
_CONSTRAINED = frozenset({47, 48})


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One untrusted connection explained: the cause, the sentence that tells it, and the certificate it is about."""

    cause: TrustCause
    sentence: str
    certificate: Certificate | None = None


_NAMELESS = frozenset({TrustCause.WRONG_NAME, TrustCause.SELF_SIGNED, TrustCause.UNKNOWN_CA})


def diagnose(connection: Connection, host: str) -> Diagnosis:
    """What the verification error of an untrusted connection comes from."""
    found = _by_error(connection, host)
    shown = connection.leaf
    if shown is not None and found.cause in _NAMELESS and placeholder_of(shown.subject, shown.names):
        return replace(found, cause=TrustCause.PLACEHOLDER)
    return found


def _by_error(connection: Connection, host: str) -> Diagnosis:
    code = connection.distrust.code if connection.distrust else 0
    leaf = connection.leaf
    if leaf is None:
        said = connection.distrust.message if connection.distrust else ""
        return Diagnosis(cause=TrustCause.OTHER, sentence=f"verification fails: {said}")
    if code in {EXPIRED, NOT_YET}:
        return _out_of_time(connection, code)
    if vendor := inspection_vendor(*all_names(connection)):
        sentence = f"it is issued by {short_name(leaf.issuer)}, which looks like TLS inspection ({vendor})"
        return Diagnosis(cause=TrustCause.INSPECTED, sentence=sentence, certificate=leaf)
    if code in _NAME:
        return _wrong_name(leaf, host)
    if code == _SELF_SIGNED:
        return _self_signed(leaf)
    if code in _NO_ISSUER or code == _SELF_SIGNED_ROOT:
        if not speaks_for(leaf.names, host):  # OpenSSL stops at the chain: the name was not looked at
            return _wrong_name(leaf, host, f", and its issuer {short_name(leaf.issuer)} is not trusted here")
        return _unknown_issuer(connection, leaf)
    if code in _CONSTRAINED:
        return _constrained(connection, leaf)
    said = connection.distrust.message if connection.distrust else ""
    if code in _WEAK and leaf.key:
        said += f" (the server's own has {leaf.key})"
    return Diagnosis(cause=TrustCause.WEAK if code in _WEAK else TrustCause.OTHER, sentence=said, certificate=leaf)


def _constrained(connection: Connection, leaf: Certificate) -> Diagnosis:
    """RFC 5280 section 4.2.1.10. The CA with the constraint may be the root, which servers do not send."""
    chain = connection.handshake.chain if connection.handshake else ()
    culprit = next((entry for entry in chain if entry.permitted or entry.excluded), None)
    names = ", ".join(leaf.names[:8])
    if culprit is None:
        sentence = f"a CA above it may not issue for {names} (name constraints)"
        return Diagnosis(cause=TrustCause.CONSTRAINED, sentence=sentence, certificate=leaf)
    only = f"for {', '.join(culprit.permitted[:8])} alone" if culprit.permitted else ""
    never = f"not for {', '.join(culprit.excluded[:8])}" if culprit.excluded else ""
    may = " and ".join(part for part in (only, never) if part)
    sentence = f"its CA {short_name(culprit.subject)} may issue {may} (name constraints), and it is for {names}"
    return Diagnosis(cause=TrustCause.CONSTRAINED, sentence=sentence, certificate=culprit)


def all_names(connection: Connection) -> list[str]:
    """What the leaf is for, as it says itself."""
    chain = connection.handshake.chain if connection.handshake else ()
    return [name for entry in chain for name in (entry.issuer, entry.subject)]


def _out_of_time(connection: Connection, code: int) -> Diagnosis:
    now = connection.started_at
    chain = connection.handshake.chain if connection.handshake else ()
    culprit = next((entry for entry in chain if not entry.covers(now)), None)
    if culprit is None:
        what = "has expired" if code == EXPIRED else "is not valid yet"
        return Diagnosis(cause=TrustCause.OLD_STORE, sentence=f"a CA certificate in this machine's own store {what}")
    reading = reading_of(connection)
    if reading is not None and abs(reading.skew) > CLOCK_DOUBT and culprit.covers(reading.server_time):
        return Diagnosis(
            cause=TrustCause.WRONG_CLOCK, sentence=_clock_sentence(culprit, now, reading), certificate=culprit
        )
    whose = "it" if culprit is chain[0] else f"the intermediate {short_name(culprit.subject)}"
    if now > culprit.not_after:
        sentence = f"{whose} expired on {day(culprit.not_after)}, {span(now - culprit.not_after)} ago"
        return Diagnosis(cause=TrustCause.EXPIRED, sentence=sentence, certificate=culprit)
    sentence = f"{whose} is not valid before {moment_of(culprit.not_before)}, {span(culprit.not_before - now)} from now"
    return Diagnosis(cause=TrustCause.NOT_YET_VALID, sentence=sentence, certificate=culprit)


def _clock_sentence(culprit: Certificate, now: datetime, reading: ClockReading) -> str:
    return (
        f"it is valid from {moment_of(culprit.not_before)} to {moment_of(culprit.not_after)}: by the server's clock "
        f"({moment_of(reading.server_time)}) it is valid, by this machine's ({moment_of(now)}) it is not"
    )


def _wrong_name(leaf: Certificate, host: str, more_wrong: str = "") -> Diagnosis:
    names = ", ".join(leaf.names[:8]) or f"no host name at all (subject {short_name(leaf.subject)})"
    more = f" and {len(leaf.names) - 8} more" if len(leaf.names) > 8 else ""
    product = default_certificate(leaf.subject, leaf.names)
    hint = f" ({product})" if product else ""
    sentence = f"it is for {names}{more}{hint}, not for {host}{more_wrong}"
    return Diagnosis(cause=TrustCause.WRONG_NAME, sentence=sentence, certificate=leaf)


def _self_signed(leaf: Certificate) -> Diagnosis:
    product = default_certificate(leaf.subject, leaf.names)
    hint = f": {product}" if product else ""
    sentence = f"it is self-signed by {short_name(leaf.issuer)}{hint}"
    return Diagnosis(cause=TrustCause.SELF_SIGNED, sentence=sentence, certificate=leaf)


def _unknown_issuer(connection: Connection, leaf: Certificate) -> Diagnosis:
    top = top_of_chain(connection.handshake.chain if connection.handshake else ())
    whole = connection.handshake is not None and connection.handshake.whole_chain
    issuer = short_name(top.issuer)
    if whole and top is leaf and not leaf.self_issued:
        if is_public_ca(leaf.issuer) or leaf.issuer_url:
            sentence = f"the server sends it without the intermediate CA {issuer} that issued it"
        else:
            sentence = (
                f"the server sends it alone, and its issuer {issuer} is not trusted here: an intermediate is missing"
            )
        return Diagnosis(cause=TrustCause.MISSING_INTERMEDIATE, sentence=sentence, certificate=leaf)
    if is_public_ca(top.issuer) and not top.self_issued:
        sentence = f"its chain ends at the public CA {issuer}, which is not among those trusted here"
        return Diagnosis(cause=TrustCause.OLD_STORE, sentence=sentence, certificate=top)
    leads = f"it is issued by {issuer}" if top is leaf else f"its chain leads to {issuer}"
    sentence = f"{leads}, which is not trusted here"
    return Diagnosis(cause=TrustCause.UNKNOWN_CA, sentence=sentence, certificate=top)


def top_of_chain(chain: Sequence[Certificate]) -> Certificate:
    """The certificate that the server's own one leads to, going from issuer to issuer through what was sent."""
    top = chain[0]
    for _ in chain:
        above = next((entry for entry in chain if entry.subject == top.issuer and entry is not top), None)
        if above is None or top.self_issued:
            return top
        top = above
    return top
