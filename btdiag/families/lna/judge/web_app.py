"""The claims that hang on the user's permission: the web app reaches the target, and nobody is asked for that."""

from __future__ import annotations

from btdiag.core.finding import Evidence, Finding, HopName, Owner, Verdict
from btdiag.core.target import Target
from btdiag.families.lna import remedy
from btdiag.families.lna.facts import TARGET_ITSELF, BrowserSurvey, LaunchKind, PageTrial, StoredDecision
from btdiag.families.lna.judge.reading import (
    FIRST_ENFORCING,
    GETS_ANSWERS,
    PageReading,
    Standing,
    page_proofs,
    place,
    visited_host,
    worst,
)

REACHES = "lna.web-app-reaches-target"
CONTEXT = "lna.page-context-allows"


# --- lna.web-app-reaches-target ---------------------------------------------------------------------------------------


def web_app_reaches_target(survey: BrowserSurvey, target: Target) -> Finding:
    """The claim of lna.web-app-reaches-target: with Allow, where it is asked for, the page gets its answers."""
    return worst(survey, target, _reaches)


def _reaches(reading: PageReading, survey: BrowserSurvey, target: Target) -> Finding:
    stored = survey.decision(reading.visit.origin)
    if reading.standing is Standing.SHUT_OUT:
        return _because(CONTEXT, "the page may not use local networks at all")
    if reading.standing is Standing.BLOCKED:
        return _blocked_by_policy(reading, survey)
    if stored is not None and stored.of(reading.space) == "block" and reading.standing is Standing.ASKED:
        return _blocked_by_person(reading, survey, stored)
    if reading.beneath is not None:
        return _broken_beneath(reading, survey)
    trial = reading.allowed if reading.standing is Standing.ASKED else reading.fresh
    if trial is None or not _works(trial, itself=reading.visit.what == TARGET_ITSELF):
        return _unexplained(reading, survey, trial)
    when = "after Allow" if reading.standing is Standing.ASKED else f"({reading.standing})"
    credentials = trial.request(LaunchKind.CREDENTIALS)
    note = ", simple and preflighted" if trial.request(LaunchKind.PREFLIGHTED) else ""
    note += "" if credentials is None or credentials.ok else f"; with credentials it fails: {credentials.what}"
    return Finding(
        verdict=Verdict.PASS,
        summary=f"a page of {reading.visit.origin} in {survey.browser.words} gets its answers from "
        f"{place(reading, survey)} {when}{note}",
        evidence=page_proofs(reading, survey),
    )


def _works(trial: PageTrial, *, itself: bool) -> bool:
    """Whether the page got its answers; from the gateway and the bucket an answer that CORS hides is one too."""
    kinds = (LaunchKind.SIMPLE, LaunchKind.PREFLIGHTED) if itself else (LaunchKind.SIMPLE,)
    needed = [trial.request(kind) for kind in kinds]
    return all(one is not None and (one.ok or (not itself and one.cors_error and not one.refused)) for one in needed)


def _blocked_by_policy(reading: PageReading, survey: BrowserSurvey) -> Finding:
    state = f"permission {reading.fresh.before.of(reading.space)} in a new profile, before the first request"
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"An enterprise policy of this machine forbids {reading.visit.origin} to reach "
        f"{place(reading, survey)}: {survey.browser.words} refuses without asking",
        answer="The web app fails here: a browser policy of this machine forbids the local network",
        hop=HopName.BROWSER,
        owner=Owner.BROWSER,
        expected=f"permission prompt or granted for {reading.visit.origin}",
        seen=state,
        evidence=page_proofs(reading, survey),
        remedy=remedy.lift_policy(reading.visit.origin),
        sources=(*remedy.SOURCES, remedy.POLICY_SOURCE),
    )


def _blocked_by_person(reading: PageReading, survey: BrowserSurvey, stored: StoredDecision) -> Finding:
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"The profile {stored.folder} has Block stored for {reading.visit.origin}, so every request of the web "
        f"app to {place(reading, survey)} fails there without a question; a new profile is asked",
        answer="The web app fails in this profile: Block is stored for its page",
        hop=HopName.BROWSER,
        owner=Owner.CLIENT,
        expected="Allow, or no decision yet",
        seen=f"Block for {reading.space} addresses",
        evidence=page_proofs(reading, survey),
        remedy=remedy.undo_block(reading.visit.origin, stored.folder),
        sources=remedy.SOURCES,
    )


def _broken_beneath(reading: PageReading, survey: BrowserSurvey) -> Finding:
    """Whatever the user clicks, the request fails for another reason, which another check is about."""
    failed = reading.beneath
    assert failed is not None
    summary = f"with Local Network Access out of the way, the page's {failed.kind} ends with {failed.what}"
    return _because(GETS_ANSWERS, summary, *page_proofs(reading, survey))


def _unexplained(reading: PageReading, survey: BrowserSurvey, trial: PageTrial | None) -> Finding:
    seen = next((request.what for request in trial.requests if not request.ok), "") if trial else "it was not tried"
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"The page's requests pass while {survey.browser.words} only warns, and fail as users have it: {seen}; "
        "run btdiag again, for one of the two may have met a passing fault",
        hop=HopName.BROWSER,
        seen=seen,
        evidence=page_proofs(reading, survey),
    )


def _because(check_id: str, summary: str, *shown: Evidence) -> Finding:
    return Finding(verdict=Verdict.SKIP, because=check_id, summary=summary, evidence=shown)


# --- lna.no-prompt-needed ---------------------------------------------------------------------------------------------


def no_prompt_needed(survey: BrowserSurvey, target: Target) -> Finding:
    """The claim of lna.no-prompt-needed: the web app works without a question to its users."""
    return worst(survey, target, _needs_no_prompt)


def _needs_no_prompt(reading: PageReading, survey: BrowserSurvey, target: Target) -> Finding:
    stored = survey.decision(reading.visit.origin)
    decision = stored.of(reading.space) if stored else ""
    match reading.standing:
        case Standing.SHUT_OUT:
            return _because(CONTEXT, "the page may not even ask")
        case Standing.BLOCKED:
            return _because(REACHES, "nobody is asked, for a policy refuses at once")
        case Standing.BROKEN:
            return _never_got_there(reading, survey)
        case Standing.ASKED if decision == "block":
            return _because(REACHES, "this profile is not asked any more, for it has Block stored")
        case Standing.ASKED if stored is not None and decision == "allow":
            return _allowed_before(reading, stored)
        case Standing.ASKED:
            return _asked(reading, survey, target)
        case Standing.NOT_ENFORCED:
            return _not_enforced(reading, survey, target)
        case _:
            return _spared(reading, survey)


def _never_got_there(reading: PageReading, survey: BrowserSurvey) -> Finding:
    if reading.beneath is None:
        return _unexplained(reading, survey, reading.fresh)
    return _broken_beneath(reading, survey)


def _allowed_before(reading: PageReading, stored: StoredDecision) -> Finding:
    return Finding(
        verdict=Verdict.PASS,
        summary=f"the profile {stored.folder} has Allow stored for {reading.visit.origin}; other profiles are asked",
    )


def _spared(reading: PageReading, survey: BrowserSurvey) -> Finding:
    why = {
        Standing.ALLOWED: "an enterprise policy of this machine allows it; users without that policy are asked",
    }.get(
        reading.standing,
        f"the page reaches {place(reading, survey)}, and that needs no permission{_elsewhere(survey)}",
    )
    return Finding(
        verdict=Verdict.PASS,
        summary=f"{survey.browser.words} asks nothing: {why}",
        evidence=page_proofs(reading, survey),
    )


def _elsewhere(survey: BrowserSurvey) -> str:
    return "; users who reach a private address without the proxy are asked" if survey.proxy else ""


def _asked(reading: PageReading, survey: BrowserSurvey, target: Target) -> Finding:
    origin = reading.visit.origin
    return Finding(
        verdict=Verdict.WARN,
        summary=f"{survey.browser.words} asks users whether {origin} may reach "
        f"{place(reading, survey)}; until they click Allow the web app fails, and after Block it stays so"
        f"{_answered(reading)}",
        answer=_until_allowed(reading),
        hop=HopName.BROWSER,
        owner=Owner.BROWSER,
        expected="granted beforehand by policy, or a public address",
        seen=f"permission {reading.fresh.before.of(reading.space)}, and the request held back",
        evidence=(*page_proofs(reading, survey), remedy.behaviour_of_versions()),
        remedy=remedy.spare_users(origin, visited_host(reading.visit, survey), reading.space),
        sources=(*remedy.SOURCES, remedy.POLICY_SOURCE),
    )


def _until_allowed(reading: PageReading) -> str:
    if reading.visit.what == TARGET_ITSELF:
        return "The web app fails until its users click Allow in the browser's question"
    return f"Calls to {reading.visit.what} fail until users click Allow in the browser's question"


def _answered(reading: PageReading) -> str:
    """What a person chose when the prompt was shown (--headed)."""
    person = reading.person
    if person is None:
        return ""
    match person.after.of(reading.space), person.first.error:
        case "granted", _:
            late = "" if person.first.ok else f", but the request failed all the same ({person.first.what})"
            return f"; asked now, a person clicked Allow{late}"
        case "denied", _:
            return "; asked now, a person clicked Block"
        case _, "timeout":
            return "; asked now, nobody answered"
        case _:
            return "; asked now, a person closed the question"


def _not_enforced(reading: PageReading, survey: BrowserSurvey, target: Target) -> Finding:
    old = survey.browser.major < FIRST_ENFORCING
    why = f"{survey.browser.words} is older than {FIRST_ENFORCING}" if old else "a policy or flag switches it off here"
    return Finding(
        verdict=Verdict.WARN,
        summary=f"Nobody is asked on this machine ({why}), but users of Chrome or Edge {FIRST_ENFORCING} and later "
        f"are: {reading.visit.what} is {place(reading, survey)}",
        answer="Users of current browsers are asked for access to their local network",
        hop=HopName.BROWSER,
        owner=Owner.BROWSER,
        expected="granted beforehand by policy, or a public address",
        seen=f"policy {reading.fresh.first.policy or 'none'} in {survey.browser.words}",
        evidence=(*page_proofs(reading, survey), remedy.behaviour_of_versions()),
        remedy=remedy.spare_users(reading.visit.origin, visited_host(reading.visit, survey), reading.space),
        sources=(*remedy.SOURCES, remedy.POLICY_SOURCE),
    )
