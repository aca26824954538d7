"""What is asked of a data plane to judge its CORS, and the facts that come back: routes, methods, headers, origins.

The survey is adaptive: `first_questions` asks once per backend class with everything the web app may send, and only
what was refused is asked again in smaller parts (`next_questions`), until each part at fault is known by itself.

Sources: the origins, methods and request headers are those that the four public CORS lists of the product share
(AI proxy, SDK development servers in JavaScript and Python, AWS Lambda configuration).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from btdiag.core.exchange import Exchange, Trouble
from btdiag.families.cors.fetch import Credentials, PageRequest, Refusal, cors_preflight_fetch

HEADERS = (
    "authorization",
    "content-type",
    "x-bt-auth-token",
    "x-bt-org-name",
    "x-bt-parent",
    "x-bt-project-id",
    "x-bt-stream-fmt",
    "x-bt-use-cache",
    "x-bt-use-gateway",
    "x-stainless-arch",
    "x-stainless-lang",
    "x-stainless-os",
    "x-stainless-package-version",
    "x-stainless-runtime",
    "x-stainless-runtime-version",
)


EXPOSED = ("x-bt-cursor", "x-bt-found-existing", "x-bt-span-export", "x-bt-span-id")


class Purpose(StrEnum):
    """Why a request is sent."""

    PREFLIGHT = "preflight"
    ACTUAL = "actual request"
    ERROR = "error response"
    FOREIGN = "foreign origin"
    PART = "part of a refused preflight"
    EXISTS = "does the route exist"
    OTHER = "another origin of the product"
    SIBLING = "another page of the same site"
    PLAIN = "no origin at all"
    LARGE = "large body"
    CALL = "call as the web app makes it"
    REPEAT = "the same once more, alone"
    CONTRAST = "the same without a group of headers"
    FRESH = "a URL that no cache has seen"


class Group(StrEnum):
    """Headers of a browser's call that a rule may look at together."""

    ORIGIN = "Origin"
    REFERER = "Referer"
    SEC_FETCH = "Sec-Fetch-*"
    LANGUAGE = "Accept-Language"
    PRODUCT = "x-bt-*"
    SDK = "x-stainless-*"
    BODY = "Content-Type"
    HINTS = "Sec-CH-UA*"
    ENCODINGS = "Accept-Encoding"
    KEY = "Authorization"
    VERSION = "HTTP/2"  # no header: the version of HTTP that carries them


BASIC = (Group.ORIGIN, Group.REFERER, Group.SEC_FETCH, Group.LANGUAGE)
"""What goes with a preflight and a simple request."""
WHOLE = tuple(group for group in Group if group is not Group.VERSION)
"""What goes with a call of the web app."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request to send. `path` is an API path; `page` what the page asks for; OPTIONS when `preflight`.

    `sent` are the groups of headers that go with it; `attempt` tells repeats apart, which are asked alone, each on a
    connection of its own; `http2` offers HTTP/2 first, as browsers do; `fresh` adds a query that no cache has seen.
    """

    purpose: Purpose
    path: str
    page: PageRequest
    preflight: bool = False
    sent: tuple[Group, ...] = BASIC
    attempt: int = 0
    http2: bool = False
    fresh: bool = False

    def answered_by(self, exchange: Exchange) -> CorsTrial:
        """The trial that this question became by an exchange."""
        return CorsTrial(
            purpose=self.purpose,
            path=self.path,
            page=self.page,
            preflight=self.preflight,
            exchange=exchange,
            sent=self.sent,
            attempt=self.attempt,
            http2=self.http2,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsTrial:
    """A question and what came of it."""

    purpose: Purpose
    path: str
    page: PageRequest
    preflight: bool
    exchange: Exchange
    sent: tuple[Group, ...] = BASIC
    attempt: int = 0
    http2: bool = False

    def asked_again(self, purpose: Purpose, *, attempt: int = 0) -> Question:
        """The question of this trial once more, for another purpose."""
        return Question(
            purpose=purpose,
            path=self.path,
            page=self.page,
            preflight=self.preflight,
            sent=self.sent,
            attempt=attempt,
            http2=self.http2,
        )

    @property
    def is_silent(self) -> bool:
        """Did the server leave the request without an answer (and not this machine break it off)?"""
        failure = self.exchange.failure
        return self.exchange.status is None and failure is not None and failure.trouble is not Trouble.LOCAL

    @property
    def answered(self) -> bool:
        """Did a response with a status arrive? (A rate limit's 429 says nothing of CORS and does not count.)"""
        return self.exchange.status is not None and self.exchange.status != 429


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsSurvey:
    """All trials on one way to the API (an address, or the API server itself), in the order of asking."""

    trials: tuple[CorsTrial, ...]

    def of(self, *purposes: Purpose) -> tuple[CorsTrial, ...]:
        """The answered trials with one of the purposes."""
        return tuple(trial for trial in self.trials if trial.purpose in purposes and trial.answered)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendClass:
    """Routes that a load balancer may send to a backend of their own. `methods` are those that the web app uses."""

    name: str
    path: str
    methods: tuple[str, ...] = ("POST",)


CLASSES = (
    BackendClass(name="REST API", path="/v1/project", methods=("POST", "PATCH", "PUT", "DELETE")),
    BackendClass(name="queries", path="/btql"),
    BackendClass(name="ingestion", path="/logs3"),
    BackendClass(name="AI proxy", path="/v1/proxy/chat/completions"),
    BackendClass(name="functions", path="/function/invoke"),
    BackendClass(name="evaluations", path="/v1/eval"),
    BackendClass(name="control plane", path="/api/apikey/login"),
)


API_PATH = CLASSES[0].path
PROXY_PATH = CLASSES[3].path


def refusal_of(trial: CorsTrial, *, with_credentials: bool = False) -> Refusal | None:
    """Why the preflight of this trial is refused; None when it passes."""
    page = replace(trial.page, credentials=Credentials.INCLUDE) if with_credentials else trial.page
    return cors_preflight_fetch(page, trial.exchange.status or 0, trial.exchange.headers).refusal
