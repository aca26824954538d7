"""Is the certificate trusted, and if not, by whom is that to be mended? The chains are shown beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from btdiag.core import evidence
from btdiag.core.answers import ROOT_ANSWERS
from btdiag.core.causes import Cause
from btdiag.core.certificate_names import (
    inspection_vendor,
    short_name,
)
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Verdict
from btdiag.core.handshake import Certificate, Connection
from btdiag.core.statuses import explain_answer
from btdiag.core.target import Target
from btdiag.families.connection.judge.diagnosis import all_names, diagnose
from btdiag.families.connection.judge.moments import day, moment_of
from btdiag.families.connection.judge.reach import blocked, share_of
from btdiag.families.connection.remedy import ANSWERS, TrustCause, remedy_for


def tls_is_trusted(connections: Mapping[str, Connection], target: Target, misled: Sequence[str] = ()) -> Finding:
    """The claim of connection.tls-is-trusted, over the connections on which TLS came about.

    `misled` are addresses that a DNS filter gave: a foreign certificate there is the filter's doing.
    """
    if target.scheme == "http":
        return Finding(verdict=Verdict.SKIP, summary="the target is an http:// URL: no certificate is involved")
    seen = {label: one for label, one in connections.items() if one.handshake is not None or one.distrust is not None}
    if not seen:
        return blocked(connections)
    distrusted = {label: one for label, one in seen.items() if one.distrust is not None}
    if not distrusted:
        return _trusted(seen)
    if all(label in misled for label in distrusted):
        summary = f"the certificate at {', '.join(distrusted)} is a DNS filter's and not the target's"
        return Finding(verdict=Verdict.SKIP, summary=summary, because="dns.addresses-are-usable")
    if all(diagnose(one, target.host).cause is TrustCause.WRONG_CLOCK for one in distrusted.values()):
        return Finding(verdict=Verdict.SKIP, summary="by one clock it is valid", because="connection.clocks-agree")
    return _untrusted(seen, distrusted, target)


def _trusted(seen: Mapping[str, Connection]) -> Finding:
    leaf = next((one.leaf for one in seen.values() if one.leaf), None)
    if leaf is None:
        return Finding(verdict=Verdict.PASS, summary=f"the certificate of {_count(seen)} is trusted")
    vendor = inspection_vendor(*[name for one in seen.values() for name in all_names(one)])
    note = f"; its issuer looks like TLS inspection ({vendor}), whose CA this machine trusts" if vendor else ""
    issued = f"issued by {short_name(leaf.issuer)}, valid to {day(leaf.not_after)}"
    text = f"the certificate of {_count(seen)} is trusted: {issued}{note}"
    return Finding(verdict=Verdict.PASS, summary=text, evidence=chains(seen))


def _untrusted(seen: Mapping[str, Connection], distrusted: Mapping[str, Connection], target: Target) -> Finding:
    diagnoses = {label: diagnose(one, target.host) for label, one in distrusted.items()}
    first_label, first = next(iter(diagnoses.items()))
    causes = list(dict.fromkeys(found.sentence for found in diagnoses.values()))
    subject = f"the certificate of {target.host}"
    if len(seen) > 1:
        subject += f" at {share_of(distrusted, seen)} ({', '.join(distrusted)})"
    errors = dict.fromkeys(
        f"{one.distrust.message} ({one.distrust.code})" for one in distrusted.values() if one.distrust
    )
    hop, owner = _blame(first.cause, distrusted[first_label])
    return Finding(
        verdict=Verdict.FAIL,
        unless=(ROOT_ANSWERS,) if all(map(_is_portal, distrusted.values())) else (),
        summary=f"{subject} is not trusted: {'; '.join(causes)}",
        answer=ANSWERS[first.cause]
        + ("" if len(distrusted) == len(seen) else f" ({len(distrusted)} of {len(seen)} addresses)"),
        hop=hop,
        owner=owner,
        expected=f"a certificate for {target.host} from a CA that clients trust, with its intermediates",
        seen="OpenSSL says: " + "; ".join(errors),
        evidence=chains(distrusted),
        remedy=remedy_for(first.cause, first.certificate, target),
        sources=("RFC 5280 section 6", "RFC 9525", "openssl-verification-options(1)"),
    )


def _is_portal(connection: Connection) -> bool:
    """Does what shows the certificate lead to a captive portal? Then that stands in the way, and not a certificate."""
    said = connection.greeting
    return said is not None and said.status is not None and explain_answer(said).kind is Cause.PORTAL


def _blame(cause: TrustCause, connection: Connection) -> tuple[str, str]:
    if cause is TrustCause.INSPECTED:
        return (HopName.PROXY, Owner.PROXY) if connection.proxied else (HopName.NETWORK, Owner.NETWORK)
    if cause in {TrustCause.WRONG_CLOCK, TrustCause.OLD_STORE}:
        return HopName.CLIENT, Owner.CLIENT
    if cause is TrustCause.PLACEHOLDER:
        return HopName.TLS, Owner.LOAD_BALANCER
    return HopName.TLS, Owner.CERTIFICATES


def chains(connections: Mapping[str, Connection]) -> tuple[Evidence, ...]:
    """The certificates that were sent, one table for each different chain."""
    distinct: dict[tuple[str, ...], list[str]] = {}
    entries: dict[tuple[str, ...], Sequence[Certificate]] = {}
    for label, one in connections.items():
        chain = one.handshake.chain if one.handshake else ()
        if chain:
            key = tuple(entry.sha256 for entry in chain)
            distinct.setdefault(key, []).append(label)
            entries[key] = chain
    return tuple(
        evidence.table(
            f"Certificates sent by {', '.join(labels)}",
            ("subject", "issuer", "names", "valid from", "valid to", "SHA-256"),
            [_row(entry) for entry in entries[key]],
        )
        for key, labels in distinct.items()
    )


def _row(entry: Certificate) -> Sequence[object]:
    names = ", ".join(entry.names[:8]) + (f" and {len(entry.names) - 8} more" if len(entry.names) > 8 else "")
    return (
        entry.subject,
        entry.issuer,
        names,
        moment_of(entry.not_before),
        moment_of(entry.not_after),
        entry.sha256[:16],
    )


def _count(connections: Mapping[str, Connection]) -> str:
    return next(iter(connections)) if len(connections) == 1 else f"all {len(connections)} addresses"
