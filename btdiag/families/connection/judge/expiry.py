"""Whether the certificates will go on being valid."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from btdiag.core.certificate_names import short_name
from btdiag.core.finding import Finding, HopName, Owner, Remedy, Verdict
from btdiag.core.handshake import Certificate, Connection
from btdiag.core.target import Target
from btdiag.families.connection.judge.diagnosis import EXPIRED
from btdiag.families.connection.judge.moments import day, moment_of, span
from btdiag.families.connection.judge.reach import blocked
from btdiag.families.connection.judge.trust import chains
from btdiag.families.connection.remedy import TrustCause, remedy_for

EXPIRY_WARNING = timedelta(days=14)  # a renewal at one third of 90 days that failed has been failing for 16 days then
SHORT_LIVED_SHARE = 4  # a certificate of few days is in danger in the last quarter of its life: renewal is at a third


def certificate_is_not_expiring(connections: Mapping[str, Connection], target: Target) -> Finding:
    """The claim of connection.certificate-is-not-expiring: server and intermediate certificates stay valid for 14 days
    more (short-lived ones: for a quarter of their life). Expired fails, unless tls-is-trusted fails for just that; one
    that has expired in a chain which is trusted all the same is superfluous, and a warning."""
    if target.scheme == "http":
        return Finding(verdict=Verdict.SKIP, summary="the target is an http:// URL: no certificate is involved")
    entries = [(one, entry) for one in connections.values() if one.handshake for entry in one.handshake.chain]
    if not entries:
        return blocked(connections)
    entries = [(one, entry) for one, entry in entries if not _known_expired(one)]
    if not entries:
        summary = "the certificate has expired already"
        return Finding(verdict=Verdict.SKIP, summary=summary, because="connection.tls-is-trusted")
    superfluous = [(one, entry) for one, entry in entries if _is_superfluous(one, entry)]
    entries = [pair for pair in entries if pair not in superfluous] or entries
    one, soonest = min(entries, key=lambda entry: entry[1].not_after - entry[0].started_at)
    left = soonest.not_after - one.started_at
    threshold = min(EXPIRY_WARNING, (soonest.not_after - soonest.not_before) / SHORT_LIVED_SHARE)
    if left > threshold and superfluous:
        return _superfluous(*superfluous[0])
    if left > threshold:
        until = f"valid for {span(left)} more, to {day(soonest.not_after)}"
        text = f"the certificate that expires first, {short_name(soonest.subject)}, is {until}"
        return Finding(verdict=Verdict.PASS, summary=text, evidence=chains(connections))
    return _expiring(one, soonest, left, target)


def _is_superfluous(one: Connection, entry: Certificate) -> bool:
    return one.distrust is None and entry.not_after < one.started_at


def _superfluous(one: Connection, entry: Certificate) -> Finding:
    """OpenSSL found another way to a CA that it trusts, past this certificate."""
    return Finding(
        verdict=Verdict.WARN,
        summary=f"{one.label} sends {short_name(entry.subject)} along, which expired on {day(entry.not_after)} and is "
        "not needed: this machine trusts the chain without it; old clients (OpenSSL before 1.1.0) stop at it",
        answer="An expired certificate is sent along that is not needed: old clients refuse the chain",
        hop=HopName.TLS,
        owner=Owner.CERTIFICATES,
        expected="the server's own certificate and the intermediates that lead to a root, and no others",
        seen=f"valid from {moment_of(entry.not_before)} to {moment_of(entry.not_after)}",
        evidence=chains({one.label: one}),
        remedy=Remedy(
            text=f"Take {short_name(entry.subject)} out of the chain file on the load balancer; with an ACME client "
            "choose the chain that ends at a root of today.",
            action="Take the expired certificate out of the chain that the load balancer sends",
        ),
        sources=("RFC 8446 section 4.4.2", "https://letsencrypt.org/docs/dst-root-ca-x3-expiration-september-2021/"),
    )


def _known_expired(one: Connection) -> bool:
    return one.distrust is not None and one.distrust.code == EXPIRED


def _expiring(one: Connection, soonest: Certificate, left: timedelta, target: Target) -> Finding:
    gone = left < timedelta(0)
    what = (
        f"expired on {day(soonest.not_after)}"
        if gone
        else f"expires in {span(left)}, on {moment_of(soonest.not_after)}"
    )
    return Finding(
        verdict=Verdict.FAIL if gone else Verdict.WARN,
        summary=f"the certificate {short_name(soonest.subject)} at {one.label} {what}",
        answer="A certificate has expired: clients refuse to connect"
        if gone
        else f"A certificate expires in {span(left)}: then nobody connects",
        hop=HopName.TLS,
        owner=Owner.CERTIFICATES,
        expected="renewed well before its end: ACME clients renew when a third of the lifetime is left",
        seen=f"valid from {moment_of(soonest.not_before)} to {moment_of(soonest.not_after)}, seen at "
        f"{moment_of(one.started_at)}",
        evidence=chains({one.label: one}),
        remedy=remedy_for(TrustCause.EXPIRED, soonest, target),
        sources=(
            "https://letsencrypt.org/docs/integration-guide/",
            "CA/Browser Forum Baseline Requirements section 6.3.2",
        ),
    )
