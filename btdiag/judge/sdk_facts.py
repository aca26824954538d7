"""What SDKs need of the control plane, version by version, and what the data plane answered in its place.

An SDK whose BRAINTRUST_APP_URL is the data plane sends its control-plane calls there. Which calls those are was read in
the published packages: Python 0.20 to 0.48.1, JavaScript 0.2.2 to 3.35.0.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

from btdiag.judge.exchange import Exchange
from btdiag.judge.gateway import Confidence, page, redirect, sender
from btdiag.model import HopName, Target
from btdiag.urls import url_parts

NEWEST = (("python", "0.48.1"), ("js", "3.35.0"))
_PYTHON = frozenset({"python", "py"})
_JAVASCRIPT = frozenset({"js", "javascript", "typescript", "ts", "node"})
_REST_SINCE = (0, 35)  # from this version on, Python SDKs ask the data plane's own REST API for all but the login


@dataclass(frozen=True, slots=True)
class SdkRoute:
    """One control-plane call."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


LOGIN = SdkRoute("POST", "/api/apikey/login")
PROJECT = SdkRoute("GET", "/api/project")
REGISTER_PROJECT = SdkRoute("POST", "/api/project/register")
REGISTER_EXPERIMENT = SdkRoute("POST", "/api/experiment/register")
REGISTER_DATASET = SdkRoute("POST", "/api/dataset/register")
ROUTES = (PROJECT, REGISTER_PROJECT, REGISTER_EXPERIMENT, REGISTER_DATASET)


class Flow(StrEnum):
    """What a program does with an SDK. The first two raise when a call fails; loggers never do: what they log is lost
    silently (Python prints to stderr, JavaScript prints nothing)."""

    EXPERIMENT = "init()"
    DATASET = "init_dataset()"
    LOGGER = "init_logger() by project name"
    LOGGER_BY_ID = "init_logger() by project id"

    @property
    def is_silent(self) -> bool:
        """Failure is not seen by the program."""
        return self in {Flow.LOGGER, Flow.LOGGER_BY_ID}


_LEGACY = {
    Flow.EXPERIMENT: (LOGIN, REGISTER_EXPERIMENT),
    Flow.DATASET: (LOGIN, REGISTER_DATASET),
    Flow.LOGGER: (LOGIN, REGISTER_PROJECT),
    Flow.LOGGER_BY_ID: (LOGIN, PROJECT),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdk:
    """An SDK in one version."""

    language: str
    version: str

    def __str__(self) -> str:
        return f"{self.language} {self.version}"

    @property
    def needs(self) -> dict[Flow, tuple[SdkRoute, ...]]:
        """The control-plane calls of each flow. Java and Go log in and use the REST API for the rest."""
        number = tuple(int(part) for part in self.version.split("."))
        legacy = self.language in _JAVASCRIPT or (self.language in _PYTHON and number < _REST_SINCE)
        return dict(_LEGACY) if legacy else dict.fromkeys(Flow, (LOGIN,))


def sdks_of(target: Target) -> tuple[Sdk, ...]:
    """The SDKs to judge for: those declared with --sdk, or the newest known ones."""
    declared = target.sdks or NEWEST
    return tuple(Sdk(language=language.lower(), version=version) for language, version in declared)


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """One organisation as login describes it: where its SDKs are sent. None where login says nothing."""

    name: str
    api_url: str | None
    proxy_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """POST /api/apikey/login at the target. `keyed` tells if the API key went with it; `organisations` is None when the
    answer is no login answer. The body of a success is not kept."""

    exchange: Exchange
    keyed: bool
    organisations: tuple[Organisation, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """What the target answers to control-plane calls. `routes` were asked without the key where they could write;
    `unknown` is a POST to a path that does not exist, for comparison."""

    login: Login
    routes: tuple[tuple[SdkRoute, Exchange], ...]
    unknown: Exchange

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All that passed on to the control plane, or should have."""
        return (self.login.exchange, *(seen for _, seen in self.routes))


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkEnvironment:
    """The SDKs' variables as set where btdiag runs; None where unset ("" is set to nothing). Without userinfo."""

    app_public_url: str | None = None
    api_url: str | None = None
    proxy_url: str | None = None


def organisations(body: str) -> tuple[Organisation, ...] | None:
    """The organisations of a login answer; None when the body is none."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    listed = parsed.get("org_info") if isinstance(parsed, dict) else None
    if not isinstance(listed, list):
        return None
    return tuple(_organisation(entry) for entry in listed[:50] if isinstance(entry, dict))


def _organisation(entry: dict[str, object]) -> Organisation:
    def text(key: str) -> str | None:
        value = entry.get(key)
        return value[:300] if isinstance(value, str) and value else None

    return Organisation(name=text("name") or "?", api_url=text("api_url"), proxy_url=text("proxy_url"))


class RouteState(StrEnum):
    """What an answer says of a control-plane route at the data plane."""

    THERE = "proxied"
    MISSING = "not proxied"
    BROKEN = "broken"
    LIMITED = "rate limited"
    UNTOLD = "cannot be told"  # everything under the host is refused alike without a key


def state(seen: Exchange, unknown: Exchange) -> RouteState:
    """Whether the route is proxied. Without a key a refusal is the right answer, unless paths that do not exist are
    refused in the same way."""
    if seen.status is None:
        return RouteState.BROKEN
    if seen.status == 429:
        return RouteState.LIMITED
    if seen.status >= 500 or seen.status == 421 or redirect(seen) is not None:
        return RouteState.MISSING if seen.status == 501 else RouteState.BROKEN
    if seen.status in {404, 405} or _is_foreign_page(seen, unknown) or sender(seen).name == "AWS API Gateway":
        return RouteState.MISSING
    if seen.status in {401, 403} and seen.status == unknown.status and not _from_control_plane(seen):
        return RouteState.UNTOLD
    return RouteState.THERE


def _is_foreign_page(seen: Exchange, unknown: Exchange) -> bool:
    """A web page, unless it is what a gateway puts in the place of every error of the API."""
    return page(seen) is not None and ((seen.status or 0) < 400 or page(unknown) is None)


def _from_control_plane(seen: Exchange) -> bool:
    who = sender(seen)
    return who.hop is HopName.CONTROL_PLANE and who.confidence is not Confidence.UNKNOWN


def same_place(one: str, other: str) -> bool:
    """Whether two URLs name the same scheme, host, port and path; False when one is no URL."""
    try:
        return url_parts(one).normal == url_parts(other).normal
    except ValueError:
        return False


def is_constrained(target: Target) -> bool:
    """Whether it was declared that SDKs talk to the data plane alone: by the app URL, --sdk or --role sdk."""
    return bool(target.sdks) or target.role == "sdk" or same_place(target.app_url, target.url)
