"""The claim on the page that calls the target: nothing about it keeps it from asking for local networks."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from btdiag.core.address import AddressKind, kind, parsed_address
from btdiag.core.finding import Finding, HopName, Owner, Remedy, Verdict
from btdiag.core.product import origins
from btdiag.core.target import Target
from btdiag.families.lna import remedy
from btdiag.families.lna.facts import BrowserSurvey, CalledHost, Situation
from btdiag.families.lna.judge.reading import PageReading, Standing, page_proofs, place, worst


def page_context_allows(survey: BrowserSurvey, target: Target) -> Finding:
    """The claim of lna.page-context-allows: the page is secure, not mixed, and not shut out by a permissions policy."""
    return worst(survey, target, _context_allows)


def context_by_rule(places: Sequence[CalledHost], target: Target) -> Finding | None:
    """What needs no browser to be known: a page over http is no secure context, and so may never call what is not
    public (Local Network Access, section "secure context"; so does Chromium 156). None where a page may ask."""
    pages = origins(target)
    near = next((one for one in places if one.guarded and not one.proxy), None)
    if near is None or any(not _is_insecure(origin) for origin in pages):
        return None
    origin = pages[0]
    where = f"{near.host} at {', '.join(near.addresses)}"
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{origin} is not a secure context, so its pages can never reach {where}, which is not public",
        answer="The web app's page may not use the local network, and its users are not asked",
        hop=HopName.BROWSER,
        owner=Owner.CLIENT,
        expected="the web app over https",
        seen=origin,
        remedy=remedy.secure(origin),
        sources=remedy.SOURCES,
    )


def _is_insecure(origin: str) -> bool:
    """It came over http from another machine than the user's own (Secure Contexts, section 3.1)."""
    parts = urlsplit(origin)
    host = parts.hostname or ""
    loopback = parsed_address(host) is not None and kind(host) is AddressKind.LOOPBACK
    return parts.scheme == "http" and not (loopback or host == "localhost" or host.endswith(".localhost"))


def _context_allows(reading: PageReading, survey: BrowserSurvey, target: Target) -> Finding:
    origin, fresh = reading.visit.origin, reading.fresh
    if reading.standing is not Standing.SHUT_OUT:
        frames = _frames(reading)
        note = f"; {frames}" if frames else ""
        return Finding(
            verdict=Verdict.PASS,
            summary=f"a page of {origin} is a secure context and may ask for local networks{note}"
            if fresh.secure
            else f"a page of {origin} needs no secure context for this target",
            evidence=page_proofs(reading, survey),
        )
    if fresh.first.blocked_reason == "mixed-content":
        summary = f"the page is https and {target.url} is not: the browser blocked the request as mixed content"
        return Finding(verdict=Verdict.SKIP, summary=summary, because="browser.scheme-is-secure")
    if not fresh.secure:
        summary = f"{origin} is not a secure context, so its pages can never reach {place(reading, survey)}"
        return _shut_out(reading, survey, summary, "the web app over https", remedy.secure(origin))
    summary = (
        f"The page of {origin} may not use local networks where it is shown (a frame without allow, or a "
        f"Permissions-Policy header): {place(reading, survey)} is refused without a question"
    )
    asked = "local-network in the page's permissions policy"
    return _shut_out(reading, survey, summary, asked, remedy.embed(origin, reading.space))


def _shut_out(reading: PageReading, survey: BrowserSurvey, summary: str, expected: str, advice: Remedy) -> Finding:
    fresh = reading.fresh
    return Finding(
        verdict=Verdict.FAIL,
        summary=summary,
        answer="The web app's page may not use the local network, and its users are not asked",
        hop=HopName.BROWSER,
        owner=Owner.API if fresh.first.blocked_reason else Owner.CLIENT,
        expected=expected,
        seen=f"{fresh.first.what}; secure context: {'yes' if fresh.secure else 'no'}, permission "
        f"{fresh.before.of(reading.space)} before the request",
        evidence=page_proofs(reading, survey),
        remedy=advice,
        sources=remedy.SOURCES,
    )


def _frames(reading: PageReading) -> str:
    """What becomes of the page in another site's frame."""
    bare, delegated = (reading.visit.trial(one) for one in (Situation.FRAMED, Situation.FRAMED_WITH_ALLOW))
    if bare is None or delegated is None:
        return ""
    if bare.before.of(reading.space) == "denied" and delegated.before.of(reading.space) != "denied":
        return 'in another site\'s frame only with allow="local-network-access"'
    return ""
