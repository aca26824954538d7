"""What browsers refuse by rule: an insecure scheme, a bad port, a certificate or a cipher suite. Pure.

Programs (curl, SDKs) know none of these rules, so a target that they reach is "Failed to fetch" in the web app.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from btdiag.core import evidence
from btdiag.core.address import AddressKind, kind, parsed_address
from btdiag.core.certificate_names import is_public_ca, short_name
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Verdict
from btdiag.core.handshake import Certificate, Connection
from btdiag.core.measurement import NotMeasured
from btdiag.core.product import origins
from btdiag.core.target import Target
from btdiag.core.urls import port_of
from btdiag.core.wording import enumerated
from btdiag.families.browser import remedy
from btdiag.families.browser.facts import BAD_PORTS, CURVES, BrowserHandshake
from btdiag.families.lna.facts import BUCKET, GATEWAY, TARGET_ITSELF

TRUSTED = "connection.tls-is-trusted"
_MIXED = (
    "https://www.w3.org/TR/mixed-content/",
    "https://www.w3.org/TR/secure-contexts/#is-origin-trustworthy",
    "https://wicg.github.io/local-network-access/#mixed-content",
)
_PORTS = ("https://fetch.spec.whatwg.org/#port-blocking",)
_KEYS = (
    "RFC 5280 section 4.2.1.3 (key usage)",
    "RFC 9113 section 9.2.2 and appendix A (suites for HTTP/2)",
    "https://chromium.googlesource.com/chromium/src/+/main/net/base/net_error_list.h",
)
_NEAR = frozenset({AddressKind.PRIVATE, AddressKind.UNIQUE_LOCAL, AddressKind.LINK_LOCAL, AddressKind.CGNAT})
LONGEST = timedelta(days=399)  # 398, and a day for how the end is counted
_SINCE = datetime(2020, 9, 1, tzinfo=UTC)


def places(target: Target) -> dict[str, str]:
    """The URLs that the web app's page calls, by what they are."""
    named = {TARGET_ITSELF: target.url, GATEWAY: target.gateway, BUCKET: target.bucket}
    return {name: url for name, url in named.items() if url}


# --- Mixed content ----------------------------------------------------------------------------------------------------


def scheme_is_secure(target: Target) -> Finding:
    """The claim of browser.scheme-is-secure: an https page may call each of the places."""
    if not any(origin.startswith("https:") for origin in origins(target)):
        return Finding(verdict=Verdict.SKIP, summary="no https page was named that would call the target (--origin)")
    plain = {name: url for name, url in places(target).items() if url.startswith("http:")}
    refused = {name: url for name, url in plain.items() if not (_is_here(url) or _may_be_asked(url))}
    asked = {name: url for name, url in plain.items() if not _is_here(url) and _may_be_asked(url)}
    if refused:
        return _mixed(Verdict.FAIL, refused, "browsers block each call as mixed content, without a question")
    if asked:
        how = "Chrome and Edge since 142 let users allow it, other browsers block it as mixed content"
        return _mixed(Verdict.WARN, asked, how)
    here = f" ({', '.join(plain)} is this machine itself, which counts as secure)" if plain else ""
    return Finding(verdict=Verdict.PASS, summary=f"{enumerated(places(target))}: https throughout{here}")


def _is_here(url: str) -> bool:
    """Is it this machine, by its name? Browsers trust that without TLS (Secure Contexts, section 3.1); `0.0.0.0` works
    as loopback in Chromium 156."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return parsed_address(host) is not None and kind(host) in {AddressKind.LOOPBACK, AddressKind.UNSPECIFIED}


def _may_be_asked(url: str) -> bool:
    """Is it of those http URLs that Local Network Access takes out of mixed content, once a user has allowed it: a
    literal address that is not public, or a name in .local?"""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return host.endswith(".local") or (parsed_address(host) is not None and kind(host) in _NEAR)


def _mixed(verdict: Verdict, plain: Mapping[str, str], how: str) -> Finding:
    shown = enumerated(f"{name} ({url})" for name, url in plain.items())
    who = next(iter(plain))
    return Finding(
        verdict=verdict,
        summary=f"the web app's page is https, and {shown} {'is' if len(plain) == 1 else 'are'} http: {how}",
        answer=f"The web app cannot call {who}: an https page may not call an http:// URL"
        if verdict is Verdict.FAIL
        else f"Most browsers block {who}: an https page calls an http:// URL",
        hop=HopName.TLS,
        owner=Owner.LOAD_BALANCER,
        expected="https:// for everything that the web app's page calls",
        seen="; ".join(plain.values()),
        evidence=(_called(plain),),
        remedy=remedy.SERVE_HTTPS,
        sources=_MIXED,
    )


def _called(places: Mapping[str, str]) -> Evidence:
    return evidence.table("What the page calls", ["what", "URL"], [[name, url] for name, url in places.items()])


# --- Ports ------------------------------------------------------------------------------------------------------------


def port_is_allowed(target: Target) -> Finding:
    """The claim of browser.port-is-allowed: no place has a port that browsers refuse to call."""
    ports = {name: (url, port_of(urlsplit(url))) for name, url in places(target).items()}
    bad = {name: url for name, (url, port) in ports.items() if port in BAD_PORTS}
    if not bad:
        return Finding(
            verdict=Verdict.PASS,
            summary=f"ports that browsers call: {enumerated(str(port) for _, port in ports.values())}",
        )
    name = next(iter(bad))
    port = ports[name][1]
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{enumerated(f'{name} ({url})' for name, url in bad.items())}: browsers send nothing to port {port} "
        "(net::ERR_UNSAFE_PORT), for another protocol has it; programs do",
        answer=f"The web app cannot call {name}: browsers refuse port {port}",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="a port that is not on the Fetch standard's list of bad ports, best 443",
        seen=f"port {port}",
        evidence=(_called(bad),),
        remedy=remedy.another_port(port),
        sources=_PORTS,
    )


# --- Certificate and suite --------------------------------------------------------------------------------------------


def certificate_is_accepted(
    connections: Mapping[str, Connection], tried: BrowserHandshake | NotMeasured, target: Target
) -> Finding:
    """The claim of browser.certificate-is-accepted: what the TLS handshake shows and agrees on, browsers take.

    A certificate that programs do not trust either is for connection.tls-is-trusted alone.
    """
    if target.scheme == "http":
        return Finding(verdict=Verdict.SKIP, summary="the target is an http:// URL: no certificate is involved")
    shown = [one for one in connections.values() if one.leaf]
    if shown and all(one.distrust for one in shown):
        return Finding(verdict=Verdict.SKIP, summary="nobody trusts the certificate", because=TRUSTED)
    if shown and all(one.blocked_by for one in shown):
        return Finding(verdict=Verdict.SKIP, summary=shown[0].why_blocked, because=shown[0].blocked_by)
    for one in shown:
        if one.leaf is not None and one.distrust is None:
            agreed = tried if isinstance(tried, BrowserHandshake) and not tried.failure else None
            if found := _certificate(one, one.leaf, _ephemeral(one, agreed)) or _validity(one):
                return found
    if isinstance(tried, NotMeasured):
        if tried.by:
            return Finding(verdict=Verdict.SKIP, summary=tried.reason, because=tried.by)
        return Finding(verdict=Verdict.INCONCLUSIVE, summary=tried.reason)
    return _suite(tried, connections)


def _ephemeral(one: Connection, tried: BrowserHandshake | None) -> bool:
    """Does a browser's handshake with it have the server sign? Where none was seen, as programs' handshake."""
    if tried is not None:
        return tried.ephemeral
    hands = one.handshake
    return hands is not None and (hands.version == "TLSv1.3" or hands.cipher.startswith(("ECDHE-", "DHE-")))


def _certificate(one: Connection, leaf: Certificate, signs: bool) -> Finding | None:
    label, proof = one.label, (_leaf(leaf),)
    if not leaf.names:
        return _refused(
            label,
            f"the certificate {short_name(leaf.subject)} names no host in its subjectAltName; browsers ignore the "
            "common name (net::ERR_CERT_COMMON_NAME_INVALID), some programs do not",
            "Browsers refuse the certificate: it has no subjectAltName",
            remedy.NEW_CERTIFICATE,
            proof,
        )
    algorithm, _, detail = leaf.key.partition(" ")
    if (algorithm == "EC" and detail not in CURVES) or algorithm in {"Ed25519", "Ed448", "DSA"}:
        return _refused(
            label,
            f"the certificate's key is {leaf.key}, which Chrome does not take (net::ERR_SSL_VERSION_OR_CIPHER_MISMATCH)"
            "; programs do",
            f"Browsers refuse the certificate: its key is {leaf.key}",
            remedy.NEW_CERTIFICATE,
            proof,
        )
    if leaf.usages is not None and "digitalSignature" not in leaf.usages and signs:
        has = ", ".join(leaf.usages) or "nothing"
        return _refused(
            label,
            f"the certificate's key usage is {has}, and the handshake has it sign: browsers refuse that "
            "(net::ERR_SSL_KEY_USAGE_INCOMPATIBLE), programs do not look",
            "Browsers refuse the certificate: its key usage lacks digitalSignature",
            remedy.NEW_CERTIFICATE,
            proof,
        )
    return None


def _leaf(leaf: Certificate) -> Evidence:
    rows = [
        ["subject", short_name(leaf.subject)],
        ["names", ", ".join(leaf.names[:8]) or "none"],
        ["key", leaf.key],
        ["key usage", "none given" if leaf.usages is None else ", ".join(leaf.usages)],
        ["valid", f"{leaf.not_before:%Y-%m-%d} to {leaf.not_after:%Y-%m-%d}"],
    ]
    return evidence.table("The server's certificate", ["field", "value"], rows)


def _validity(one: Connection) -> Finding | None:
    leaf = one.leaf
    if leaf is None or not is_public_ca(leaf.issuer) or leaf.not_before < _SINCE:
        return None
    days = leaf.not_after - leaf.not_before
    if days <= LONGEST:
        return None
    return Finding(
        verdict=Verdict.WARN,
        summary=f"the certificate at {one.label} is valid for {days.days} days, and its issuer "
        f"({short_name(leaf.issuer)}) has the name of a public CA: of those, browsers take 398 days at most "
        "(net::ERR_CERT_VALIDITY_TOO_LONG)",
        answer="Browsers may refuse the certificate: it is valid for more than 398 days",
        hop=HopName.TLS,
        owner=Owner.CERTIFICATES,
        expected="398 days or less",
        seen=f"{days.days} days",
        evidence=(_leaf(leaf),),
        remedy=remedy.NEW_CERTIFICATE,
        sources=_KEYS,
    )


def _suite(tried: BrowserHandshake, connections: Mapping[str, Connection]) -> Finding:
    hands = next((one.handshake for one in connections.values() if one.handshake), None)
    programs = f"{hands.version} with {hands.cipher}" if hands else "another suite"
    came = tried.failure.detail if tried.failure else f"{tried.version} with {tried.cipher}, {tried.alpn or 'no ALPN'}"
    rows = [["programs'", programs], ["Chrome's", came]]
    proof = (evidence.table(f"Handshakes with {tried.label}", ["suites that were offered", "came to"], rows),)
    if tried.failure is not None:
        return _refused(
            tried.label,
            f"a handshake with the suites that Chrome offers breaks off ({tried.failure.detail}), while programs agree "
            f"on {programs}: Chrome says net::ERR_SSL_VERSION_OR_CIPHER_MISMATCH",
            "Browsers cannot connect: the server offers no cipher suite that they have",
            remedy.MODERN_SUITES,
            proof,
        )
    if tried.forbidden_for_http2:
        return _refused(
            tried.label,
            f"the server chooses HTTP/2 with {tried.cipher}, a suite that HTTP/2 forbids: browsers close the "
            "connection (net::ERR_HTTP2_INADEQUATE_TRANSPORT_SECURITY), programs do not look",
            "Browsers cannot connect: the server speaks HTTP/2 with a forbidden cipher suite",
            remedy.MODERN_SUITES,
            proof,
        )
    leaf = next((one.leaf for one in connections.values() if one.leaf), None)
    key = f", a certificate with an {leaf.key} key" if leaf and leaf.key else ""
    return Finding(
        verdict=Verdict.PASS,
        summary=f"a handshake with Chrome's suites agrees on {tried.version} with {tried.cipher}"
        f"{f' and {tried.alpn}' if tried.alpn else ''}{key}",
        sources=_KEYS,
    )


def _refused(label: str, summary: str, answer: str, change: Remedy, proof: tuple[Evidence, ...]) -> Finding:
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"at {label}: {summary}",
        answer=answer,
        hop=HopName.TLS,
        owner=Owner.CERTIFICATES if change is remedy.NEW_CERTIFICATE else Owner.LOAD_BALANCER,
        expected="a certificate and a suite that browsers take",
        seen=summary,
        evidence=proof,
        remedy=change,
        sources=_KEYS,
    )
