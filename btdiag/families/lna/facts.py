"""What a real browser made of the web app's calls to the target: the facts of Local Network Access.

The page has the web app's true origin and is made up locally. Two launches see it: one as users have it, and one whose
checks only warn, which shows what lies beneath a refusal. Times in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

REFUSED = "LocalNetworkAccessPermissionDenied"
"""Chromium's CORS error for a request that Local Network Access refused, or that waits for a permission for ever."""


class Situation(StrEnum):
    """In which page, with which permissions, the requests were made."""

    FRESH = "a new profile, nothing decided yet"
    ALLOWED = "after Allow"
    UNGUARDED = "checks set to warn only"
    FRAMED = "in another site's frame"
    FRAMED_WITH_ALLOW = 'in another site\'s frame with allow="local-network-access"'
    PERSON = "a person answered"


class LaunchKind(StrEnum):
    """What the page asked for."""

    SIMPLE = "GET"
    PREFLIGHTED = "preflighted GET"
    CREDENTIALS = "GET with credentials"
    IMAGE = "image"
    WEBSOCKET = "WebSocket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """The states "prompt", "granted", "denied" or "unsupported" of the permissions for local networks and for loopback;
    Chromium before 145 has one for both."""

    local: str
    loopback: str

    def of(self, space: str) -> str:
        """The one that decides on addresses of that space."""
        return self.loopback if space == "loopback" else self.local


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRequest:
    """One request and what the browser made of it.

    `ok`: the page got an answer (whatever its status). `error` is what the page's script was told, `net_error`,
    `cors_error` with its parameter and `blocked_reason` what the developer tools say. `space` is the address space in
    which Chromium saw `address`, `policy` what it enforced ("PermissionBlock", "PermissionWarn", "Allow"), and `gated`
    that it raised its Local Network Access issue.
    """

    kind: LaunchKind
    ok: bool
    status: int | None = None
    error: str = ""
    net_error: str = ""
    cors_error: str = ""
    cors_parameter: str = ""
    blocked_reason: str = ""
    space: str = ""
    policy: str = ""
    gated: bool = False
    address: str = ""
    duration_s: float = 0.0

    @property
    def refused(self) -> bool:
        """Local Network Access kept it from being answered."""
        codes = (self.cors_error, self.net_error)
        return not self.ok and any(REFUSED in code or "LOCAL_NETWORK_ACCESS_CHECKS" in code for code in codes)

    @property
    def what(self) -> str:
        """How it ended, in one word or code."""
        if self.ok:
            return f"status {self.status}" if self.status else "answered"
        if self.cors_error:
            return f"{self.cors_error} {self.cors_parameter}".strip()
        return self.net_error or self.blocked_reason or self.error or "no answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTrial:
    """A page and its requests. `secure` is its isSecureContext, `allowed_by_page` whether its own permissions policy
    lets it use local networks (None: the browser does not tell), `space` its own address space."""

    situation: Situation
    secure: bool
    allowed_by_page: bool | None
    space: str
    before: Permissions
    after: Permissions
    requests: tuple[SeenRequest, ...]
    console: tuple[str, ...] = ()
    duration_s: float = 0.0
    screenshot: str = ""

    @property
    def first(self) -> SeenRequest:
        """The simple request, which comes first in every page."""
        return self.requests[0]

    def request(self, kind: LaunchKind) -> SeenRequest | None:
        """The request of that kind; None if it was not made."""
        return next((request for request in self.requests if request.kind is kind), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageVisit:
    """All trials of one origin."""

    origin: str
    trials: tuple[PageTrial, ...]

    def trial(self, situation: Situation) -> PageTrial | None:
        """The trial in that situation; None if there is none."""
        return next((trial for trial in self.trials if trial.situation is situation), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDecision:
    """What a person's profile has stored for an origin: "allow", "block" or "" for each permission, and the
    experiments (chrome://flags) on Local Network Access that are switched there."""

    origin: str
    folder: str
    local: str = ""
    loopback: str = ""
    flags: tuple[str, ...] = ()

    def of(self, space: str) -> str:
        """The decision for addresses of that space."""
        return self.loopback if space == "loopback" else self.local


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """The browser that was used. `sandboxed` is False where the system permits no sandbox (root in a container)."""

    name: str
    version: str
    path: str
    sandboxed: bool = True

    @property
    def major(self) -> int:
        """156 of "156.0.8078.79"; 0 where it is not known."""
        first = self.version.partition(".")[0]
        return int(first) if first.isdecimal() else 0

    @property
    def words(self) -> str:
        """ "Chromium 156"."""
        return f"{self.name} {self.major or self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSurvey:
    """Everything that the browser saw. `pinned` is the address it was told to use (of a lab, --resolve, --nameserver),
    "" where it resolved the name itself; `proxy` the proxy it used; `trust` how it came to trust a private CA;
    `certificate_verified` whether btdiag itself verified the target's certificate on that way."""

    browser: Browser
    url: str
    visits: tuple[PageVisit, ...]
    pinned: str = ""
    proxy: str = ""
    trust: str = ""
    certificate_verified: bool = True
    stored: tuple[StoredDecision, ...] = ()

    def decision(self, origin: str) -> StoredDecision | None:
        """What the profile of --browser-profile has stored for the origin; None without such a profile."""
        return next((decision for decision in self.stored if decision.origin == origin), None)
