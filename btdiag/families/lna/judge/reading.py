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
from btdiag.core.address import parse
from btdiag.core.address import space as space_of
from btdiag.core.finding import Evidence, Finding
from btdiag.core.target import Target
from btdiag.families.lna.facts import BrowserSurvey, LaunchKind, PageTrial, PageVisit, SeenRequest, Situation

FIRST_ENFORCING = 142
MAY_CALL = "cors.web-app-may-call"
_TRUSTED = "connection.tls-is-trusted"
_OFF = frozenset({"Allow", "PermissionWarn", "WarnFromInsecureToMorePrivate"})
_GUARDED = frozenset({"local", "loopback"})
_EXPLAINED_BY = (
    ("net::ERR_NAME_NOT_RESOLVED", "dns.resolves"),
    ("net::ERR_CERT_", _TRUSTED),
    ("net::ERR_SSL_", "connection.tls-handshake-completes"),
    ("net::ERR_BAD_SSL_", "connection.tls-handshake-completes"),
    ("net::ERR_PROXY_", "connection.proxy-lets-through"),
    ("net::ERR_TUNNEL_", "connection.proxy-lets-through"),
    ("net::ERR_CONNECTION_REFUSED", "connection.tcp-connects"),
    ("net::ERR_CONNECTION_TIMED_OUT", "connection.tcp-connects"),
    ("net::ERR_ADDRESS_UNREACHABLE", "connection.tcp-connects"),
)


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


def readings(survey: BrowserSurvey, target: Target) -> tuple[PageReading, ...]:
    """One for each origin that was tried."""
    return tuple(_read(visit, survey, target) for visit in survey.visits)


def worst(
    survey: BrowserSurvey, target: Target, claim: Callable[[PageReading, BrowserSurvey, Target], Finding]
) -> Finding:
    """The claim for each origin; the most severe result speaks for all."""
    found = [claim(reading, survey, target) for reading in readings(survey, target)]
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
        beneath=_beneath(unguarded),
    )


def _expected_space(fresh: PageTrial, survey: BrowserSurvey, target: Target) -> str:
    """From which permission the refusal used up; else by the address."""
    if fresh.before.loopback != fresh.after.loopback:
        return "loopback"
    address = survey.pinned or target.host
    return str(space_of(address, target.address_spaces)) if parse(address) else "local"


def _beneath(unguarded: PageTrial) -> SeenRequest | None:
    needed = (unguarded.request(LaunchKind.SIMPLE), unguarded.request(LaunchKind.PREFLIGHTED))
    return next((request for request in needed if request is not None and not request.ok), None)


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


def explained_by(failed: SeenRequest) -> str:
    """The id of the check that is about what this request met."""
    if failed.cors_error and not failed.refused:
        return MAY_CALL
    return next(
        (check for start, check in _EXPLAINED_BY if failed.net_error.startswith(start)), "readiness.root-answers"
    )


def is_unknown_authority(failed: SeenRequest, survey: BrowserSurvey) -> bool:
    """The browser does not trust the certificate although btdiag's own verification did."""
    return survey.certificate_verified and explained_by(failed) == _TRUSTED


def place(survey: BrowserSurvey, space: str) -> str:
    """Where the browser found the target, in words: "api.example.com at 10.0.0.1 (local)"."""
    host = urlsplit(survey.url).hostname or ""
    if survey.proxy:
        return f"{host} through the proxy {survey.proxy}"
    addresses = {request.address for visit in survey.visits for trial in visit.trials for request in trial.requests}
    seen = survey.pinned or next((address for address in sorted(addresses) if address), "")
    return f"{host} at {seen} ({space})" if seen else f"{host} at its {space} address"


def proof(reading: PageReading, survey: BrowserSurvey) -> tuple[Evidence, ...]:
    """All requests of all pages, the browser, what its console says, and the screenshots."""
    rows = [
        (trial.situation, _states(trial, reading.space), request.kind, request.what, request.space or "-")
        for trial in reading.visit.trials
        for request in trial.requests
    ]
    headers = ("page", "permission before, after", "request", "result", "address space")
    console = list(dict.fromkeys(line for trial in _as_users(reading) for line in trial.console))
    shots = [trial for trial in reading.visit.trials if trial.screenshot]
    return (
        evidence.table(f"Requests of a page of {reading.visit.origin} to {survey.url}", headers, rows),
        evidence.table("The browser", ("what", "value"), _about(survey)),
        *([evidence.text("Console of the page", "\n".join(console))] if console else []),
        *(Evidence(kind="image", title=f"Page: {trial.situation}", data=trial.screenshot) for trial in shots),
    )


def _states(trial: PageTrial, space: str) -> str:
    return f"{trial.before.of(space)}, {trial.after.of(space)}"


def _as_users(reading: PageReading) -> Sequence[PageTrial]:
    return (reading.fresh, *([reading.allowed] if reading.allowed else []))


def _about(survey: BrowserSurvey) -> list[tuple[str, str]]:
    browser = survey.browser
    sandbox = "on" if browser.sandboxed else "off: this system or user (root) permits none"
    found = [("browser", f"{browser.name} {browser.version}"), ("path", browser.path), ("sandbox", sandbox)]
    optional = (("address given to it", survey.pinned), ("proxy", survey.proxy), ("trusts", survey.trust))
    return found + [(name, value) for name, value in optional if value]
