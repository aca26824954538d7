"""The claim on the page that calls the target: nothing about it keeps it from asking for local networks."""

from __future__ import annotations

from btdiag.core.finding import Finding, HopName, Owner, Remedy, Verdict
from btdiag.core.target import Target
from btdiag.families.lna import remedy
from btdiag.families.lna.facts import BrowserSurvey, Situation
from btdiag.families.lna.judge.reading import PageReading, Standing, page_proofs, place, worst


def page_context_allows(survey: BrowserSurvey, target: Target) -> Finding:
    """The claim of lna.page-context-allows: the page is secure, not mixed, and not shut out by a permissions policy."""
    return worst(survey, target, _context_allows)


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
