"""What a real browser made of the web app's calls: the facts of Local Network Access, and of what only browsers meet.

The page has the web app's true origin and is made up locally. One launch sees it as users have it; where something is
not public a second one, whose checks only warn, shows what lies beneath a refusal. Times in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from btdiag.core.urls import port_of

REFUSED = "LocalNetworkAccessPermissionDenied"
"""Chromium's CORS error for a request that Local Network Access refused, or that waits for a permission for ever."""


TARGET_ITSELF, GATEWAY, BUCKET = "the target", "the AI gateway", "the bucket"
"""The places that the web app's page calls, in words."""


class Situation(StrEnum):
    """In which page, with which permissions, the requests were made."""

    FRESH = "a new profile, nothing decided yet"
    ALLOWED = "after Allow"
    UNGUARDED = "checks set to warn only"
    CALLS = "as users have it"
    FRAMED = "in another site's frame"
    FRAMED_WITH_ALLOW = 'in another site\'s frame with allow="local-network-access"'
    PERSON = "a person answered"


class LaunchKind(StrEnum):
    """What the page asked for."""

    SIMPLE = "GET"
    PREFLIGHTED = "preflighted GET"
    CREDENTIALS = "GET with credentials"
    POST = "POST"
    STREAM = "event stream"
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
    that it raised its Local Network Access issue. `ended_at` is where redirects led, "" without any. What failed is
    asked again: of `tries` the last one is told, and `passed` of them got an answer. `preflight_status` is what the
    preflight was answered, where it was.
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
    preflight_status: int | None = None
    ended_at: str = ""
    tries: int = 1
    passed: int = 0

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
    """All trials of one origin at one place: `what` it is, and the `url` that was read, without its query."""

    origin: str
    trials: tuple[PageTrial, ...]
    what: str = TARGET_ITSELF
    url: str = ""

    @property
    def guarded(self) -> bool:
        """Whether Local Network Access was looked at here."""
        return self.trial(Situation.FRESH) is not None

    @property
    def calls(self) -> PageTrial | None:
        """The trial in which no permission stood in the way."""
        return self.trial(Situation.CALLS) or self.trial(Situation.UNGUARDED)

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
class ManagedPolicy:
    """An enterprise policy: its name, its value in short, and where it stands."""

    policy: str
    value: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedProxy(ManagedPolicy):
    """One that sets a proxy. `hosts` are the hosts that it names, () where a script or the network chooses them."""

    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserPolicies:
    """The enterprise policies of this machine that decide on what pages may call. `known` tells that they could be
    looked for, `complete` that they hardly stand elsewhere: Windows and macOS are often managed from a cloud."""

    proxies: tuple[ManagedProxy, ...] = ()
    networks: tuple[ManagedPolicy, ...] = ()
    known: bool = True
    complete: bool = True

    @property
    def decisive(self) -> tuple[ManagedPolicy, ...]:
        """All of them."""
        return (*self.proxies, *self.networks)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalledHost:
    """A host that the web app's page calls. `url` is read, `unknown` gets a POST to a path that does not exist ("" for
    none); `addresses` are those it has here, () where a proxy resolves the name; `guarded` tells that one of them is
    not public. `address` is the one that the browser is told, "" where it resolves the name itself; `proxy` the proxy
    it goes through; `bearer` the Authorization header that its page sends, as the web app does, "" for none.
    `nameless` tells that all name servers asked say that its host has no address."""

    what: str
    url: str
    unknown: str = ""
    addresses: tuple[str, ...] = ()
    guarded: bool = False
    address: str = ""
    proxy: str = ""
    bearer: str = ""
    nameless: bool = False

    @property
    def host(self) -> str:
        """Its host, without brackets."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Its port."""
        return port_of(urlsplit(self.url))

    @property
    def shown(self) -> str:
        """Its URL without the query, which may be a secret."""
        return self.url.partition("?")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSurvey:
    """Everything that the browser saw. `pinned` is the address it was told to use (of a lab, --resolve, --nameserver),
    "" where it resolved the name itself; `proxy` the proxy it used; `trust` how it came to trust a private CA;
    `certificate_verified` whether btdiag itself verified the target's certificate on that way; `managed` are the proxy
    settings that enterprise policies of this machine give the browser, `policies` those on local networks;
    `behind_login` that a login stands in front of the target, and its pages came with a made-up key."""

    browser: Browser
    url: str
    visits: tuple[PageVisit, ...]
    pinned: str = ""
    proxy: str = ""
    trust: str = ""
    certificate_verified: bool = True
    managed: tuple[ManagedProxy, ...] = ()
    policies: tuple[ManagedPolicy, ...] = ()
    behind_login: bool = False
    stored: tuple[StoredDecision, ...] = ()

    def decision(self, origin: str) -> StoredDecision | None:
        """What the profile of --browser-profile has stored for the origin; None without such a profile."""
        return next((decision for decision in self.stored if decision.origin == origin), None)
