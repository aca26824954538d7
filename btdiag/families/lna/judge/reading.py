"""What the trials of a page come to: is the user asked, spared, shut out or blocked, and what lies beneath a refusal.

Chromium tells a page and its developer tools the same for a prompt, a Block and a policy; the permission's state before
the request tells them apart. A new profile in which it is "denied" can only owe that to an enterprise policy.
Source: observed with Chromium 156, with and without enterprise policies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from btdiag.core import evidence
from btdiag.core.address import AddressKind, kind, parsed_address
from btdiag.core.address import space as space_of
from btdiag.core.finding import Evidence, Finding, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.target import Target
from btdiag.families.lna.facts import (
    TARGET_ITSELF,
    BrowserSurvey,
    CalledHost,
    LaunchKind,
    PageTrial,
    PageVisit,
    SeenRequest,
    Situation,
)

FIRST_ENFORCING = 142
GETS_ANSWERS = "browser.page-gets-its-answers"
"""The check that is about whatever breaks a page's requests beside a permission."""
_SYNTHETIC = frozenset({AddressKind.CGNAT, AddressKind.BENCHMARK, AddressKind.NAT64, AddressKind.DOCUMENTATION})
_OFF = frozenset({"Allow", "PermissionWarn", "WarnFromInsecureToMorePrivate"})
_GUARDED = frozenset({"local", "loopback"})


class Standing(StrEnum):
    """Where the web app's page stands with its request."""

    ASKED = "the user is asked"
    ALLOWED = "allowed by an enterprise policy"
    BLOCKED = "blocked by an enterprise policy"
    SHUT_OUT = "the page itself may not use local networks"
    NOT_ENFORCED = "the browser does not enforce it"
    NOT_GUARDED = "no permission is needed"
    BROKEN = "no connection came about, so no permission was asked for"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageReading:
    """`seen_space` is the target's address space as the browser saw it, "" where no request got there; `space` is the
    same, or what it must be. `beneath` is the first request that
    fails although checks only warn: what breaks the page whatever the user clicks."""

    visit: PageVisit
    fresh: PageTrial
    standing: Standing
    seen_space: str
    space: str
    beneath: SeenRequest | None

    @property
    def allowed(self) -> PageTrial | None:
        """The same page after Allow."""
        return self.visit.trial(Situation.ALLOWED)

    @property
    def person(self) -> PageTrial | None:
        """The page in a browser with a window, with somebody before it."""
        return self.visit.trial(Situation.PERSON)


def page_readings(survey: BrowserSurvey, target: Target) -> tuple[PageReading, ...]:
    """One for each origin and place where a permission may be needed."""
    return tuple(_read(visit, survey, target) for visit in survey.visits if visit.guarded)


def where_guarded(
    places: Sequence[CalledHost],
    survey: BrowserSurvey | NotMeasured,
    claim: Callable[[BrowserSurvey], Finding],
    host: str,
) -> Finding:
    """The claim where something that is not public was looked at; else why it was not."""
    if not any(place.guarded for place in places):
        return Finding(
            verdict=Verdict.SKIP,
            summary=f"{host} has public addresses only, and browsers ask no permission for those",
        )
    if isinstance(survey, NotMeasured):
        verdict = Verdict.SKIP if survey.skipped or survey.by else Verdict.INCONCLUSIVE
        return Finding(verdict=verdict, summary=survey.reason, because=survey.by)
    return claim(survey)


def worst(
    survey: BrowserSurvey, target: Target, claim: Callable[[PageReading, BrowserSurvey, Target], Finding]
) -> Finding:
    """The claim for each origin and place; the most severe result speaks for all."""
    found = [claim(reading, survey, target) for reading in page_readings(survey, target)]
    return max(found, key=lambda finding: finding.verdict.severity)


def _read(visit: PageVisit, survey: BrowserSurvey, target: Target) -> PageReading:
    fresh, unguarded = visit.trial(Situation.FRESH), visit.trial(Situation.UNGUARDED)
    assert fresh is not None
    assert unguarded is not None
    seen = (request.space for trial in visit.trials for request in trial.requests if request.space)
    seen_space = next(seen, "")
    space = seen_space or _expected_space(fresh, survey, target)
    return PageReading(
        visit=visit,
        fresh=fresh,
        standing=_standing(fresh, space, survey.browser.major),
        seen_space=seen_space,
        space=space,
        beneath=_beneath(visit, unguarded),
    )


def _expected_space(fresh: PageTrial, survey: BrowserSurvey, target: Target) -> str:
    """From which permission the refusal used up; else by the address."""
    if fresh.before.loopback != fresh.after.loopback:
        return "loopback"
    address = survey.pinned or target.host
    return str(space_of(address, target.address_spaces)) if parsed_address(address) else "local"


def _beneath(visit: PageVisit, unguarded: PageTrial) -> SeenRequest | None:
    """What fails whatever the user clicks. Of the gateway and the bucket no CORS is known that a page would need: what
    is refused for that alone was reached."""
    needed = (unguarded.request(LaunchKind.SIMPLE), unguarded.request(LaunchKind.PREFLIGHTED))
    failed = (request for request in needed if request is not None and not (request.ok or request.passed))
    itself = visit.what == TARGET_ITSELF
    return next((request for request in failed if itself or not request.cors_error or request.refused), None)


def _standing(fresh: PageTrial, space: str, major: int) -> Standing:
    first, before = fresh.first, fresh.before.of(space)
    if first.blocked_reason == "mixed-content" or first.cors_error == "InsecureLocalNetwork":
        return Standing.SHUT_OUT
    if first.refused and before != "granted":
        if fresh.allowed_by_page is False:
            return Standing.SHUT_OUT
        return Standing.BLOCKED if before == "denied" else Standing.ASKED
    if not (first.ok or first.cors_error):
        return Standing.BROKEN
    if space not in _GUARDED:
        return Standing.NOT_GUARDED
    if first.policy in _OFF or major < FIRST_ENFORCING:
        return Standing.NOT_ENFORCED
    return Standing.ALLOWED if before == "granted" else Standing.NOT_GUARDED


def place(reading: PageReading, survey: BrowserSurvey) -> str:
    """Where the browser found the place, in words: "api.example.com at 10.0.0.1 (local)"; what an address is for is
    told where that is no private network's."""
    visit, space = reading.visit, reading.space
    itself = visit.what == TARGET_ITSELF
    host = f"{'' if itself else f'{visit.what} '}{visited_host(visit, survey)}"
    if survey.proxy and itself:
        return f"{host} through the proxy {survey.proxy}"
    addresses = {request.address for trial in visit.trials for request in trial.requests}
    pinned = survey.pinned if itself else ""
    seen = pinned or next((address for address in sorted(addresses) if address), "")
    if not seen:
        return f"{host} at its {space} address"
    odd = parsed_address(seen) is not None and kind(seen) in _SYNTHETIC
    return f"{host} at {seen} ({space}{f': {kind(seen)}' if odd else ''})"


def visited_host(visit: PageVisit, survey: BrowserSurvey) -> str:
    """The host that was visited."""
    return urlsplit(visit.url or survey.url).hostname or ""


def page_proofs(reading: PageReading, survey: BrowserSurvey) -> tuple[Evidence, ...]:
    """All requests of all pages, the browser, what its console says, and the screenshots."""
    rows = [
        (trial.situation, _states(trial, reading.space), request.kind, request.what, request.space or "-")
        for trial in reading.visit.trials
        for request in trial.requests
    ]
    headers = ("page", "permission before, after", "request", "result", "address space")
    console = list(dict.fromkeys(line for trial in _as_users(reading) for line in trial.console))
    shots = [trial for trial in reading.visit.trials if trial.screenshot]
    url = reading.visit.url or survey.url
    return (
        evidence.table(f"Requests of a page of {reading.visit.origin} to {url}", headers, rows),
        about(survey),
        *([evidence.text("Console of the page", "\n".join(console))] if console else []),
        *(Evidence(kind="image", title=f"Page: {trial.situation}", data=trial.screenshot) for trial in shots),
    )


def _states(trial: PageTrial, space: str) -> str:
    return f"{trial.before.of(space)}, {trial.after.of(space)}"


def _as_users(reading: PageReading) -> Sequence[PageTrial]:
    return (reading.fresh, *([reading.allowed] if reading.allowed else []))


def about(survey: BrowserSurvey) -> Evidence:
    """The browser that was used and how."""
    browser = survey.browser
    sandbox = "on" if browser.sandboxed else "off: this system or user (root) permits none"
    found = [("browser", f"{browser.name} {browser.version}"), ("path", browser.path), ("sandbox", sandbox)]
    optional = (("address given to it", survey.pinned), ("proxy", survey.proxy), ("trusts", survey.trust))
    found += [(name, value) for name, value in optional if value]
    found += [(f"policy {one.policy}", f"{one.value} ({one.where})") for one in survey.managed]
    return evidence.table("The browser", ("what", "value"), found)
