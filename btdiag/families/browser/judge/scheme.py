"""Which schemes the web app's page may call: mixed content, and HSTS, which makes https of http. Pure.

Seen with Chromium 156: an https page's call of an http:// URL is blocked as mixed content even where the browser knows
the host for https alone (HSTS), and so is a redirect to it; an http page's call of such a host goes to https.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from btdiag.core import evidence
from btdiag.core.address import AddressKind, kind, parsed_address
from btdiag.core.answers import Roots
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Verdict
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.product import origins
from btdiag.core.target import Target
from btdiag.core.wording import enumerated
from btdiag.families.browser import remedy
from btdiag.families.browser.facts import PRELOADED, strict_transport
from btdiag.families.lna.facts import BUCKET, GATEWAY, TARGET_ITSELF

_MIXED = (
    "https://www.w3.org/TR/mixed-content/",
    "https://www.w3.org/TR/secure-contexts/#is-origin-trustworthy",
    "https://wicg.github.io/local-network-access/#mixed-content",
)
_HSTS = ("RFC 6797 section 8.3", "https://hstspreload.org/")
_NEAR = frozenset({AddressKind.PRIVATE, AddressKind.UNIQUE_LOCAL, AddressKind.LINK_LOCAL, AddressKind.CGNAT})


def places(target: Target) -> dict[str, str]:
    """The URLs that the web app's page calls, by what they are."""
    named = {TARGET_ITSELF: target.url, GATEWAY: target.gateway, BUCKET: target.bucket}
    return {name: url for name, url in named.items() if url}


def scheme_is_secure(target: Target, roots: PerAddress[Roots] | NotMeasured) -> Finding:
    """The claim of browser.scheme-is-secure: the page may call each of the places, by the scheme that its URL has."""
    plain = {name: url for name, url in places(target).items() if url.startswith("http:")}
    strict = {name: known for name, url in plain.items() if (known := _known_for_https(url, target, roots))}
    if not any(origin.startswith("https:") for origin in origins(target)):
        if strict:
            return _sent_to_https({name: plain[name] for name in strict}, next(iter(strict.values())))
        return Finding(verdict=Verdict.SKIP, summary="no https page was named that would call the target (--origin)")
    refused = {name: url for name, url in plain.items() if not (_is_here(url) or _may_be_asked(url))}
    asked = {name: url for name, url in plain.items() if not _is_here(url) and _may_be_asked(url)}
    if refused:
        known = next((strict[name] for name in refused if name in strict), "")
        how = "browsers block each call as mixed content, without a question"
        return _mixed(Verdict.FAIL, refused, f"{how}, although they use https there ({known})" if known else how)
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
    shown = enumerated([f"{name} ({url})" for name, url in plain.items()])
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
        evidence=(called(plain),),
        remedy=remedy.SERVE_HTTPS,
        sources=_MIXED,
    )


def called(places: Mapping[str, str]) -> Evidence:
    """The places in question, as a table."""
    return evidence.table("What the page calls", ["what", "URL"], [[name, url] for name, url in places.items()])


# --- HSTS -------------------------------------------------------------------------------------------------------------


def _known_for_https(url: str, target: Target, roots: PerAddress[Roots] | NotMeasured) -> str:
    """How browsers know that its host takes https alone; "" where they do not. Addresses and this machine's own names
    are exempt, and a header counts only where it came over https (RFC 6797 sections 8.1 and 8.3)."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if parsed_address(host) is not None or _is_here(url):
        return ""
    ending = host.rpartition(".")[2]
    if ending in PRELOADED:
        return f"browsers have all of .{ending} in their HSTS list"
    if target.scheme != "https" or isinstance(roots, NotMeasured):
        return ""
    sent = [strict_transport(one) for facts in roots.facts.values() for one in facts.exchanges if one.tls_verified]
    known = [one for one in sent if one is not None]
    below = host.endswith(f".{target.host}") and any(one.with_subdomains for one in known)
    if below or (known and host == target.host):
        covers = ", with includeSubDomains" if below else ""
        return f"{target.host} sends Strict-Transport-Security{covers}"
    return ""


def _sent_to_https(plain: Mapping[str, str], known: str) -> Finding:
    shown = enumerated([f"{name} ({url})" for name, url in plain.items()])
    who = next(iter(plain))
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{shown}: {known}, and so browsers turn http:// into https:// there before they send anything "
        "(HSTS); programs call the http:// URL",
        answer=f"Browsers call {who} over https, and its URL says http (HSTS)",
        hop=HopName.TLS,
        owner=Owner.LOAD_BALANCER,
        expected="https:// where browsers use nothing else",
        seen="; ".join(plain.values()),
        evidence=(called(plain),),
        remedy=remedy.SERVE_HTTPS,
        sources=_HSTS,
    )
