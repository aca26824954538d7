"""What is asked of a data plane to judge its CORS, and the facts that come back: routes, methods, headers, origins.

The survey is adaptive: `first_questions` asks once per backend class with everything the web app may send, and only
what was refused is asked again in smaller parts (`next_questions`), until each part at fault is known by itself.

Sources: the origins, methods and request headers are those that the four public CORS lists of the product share
(AI proxy, SDK development servers in JavaScript and Python, AWS Lambda configuration).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from btdiag.core.exchange import Exchange, Trouble
from btdiag.core.target import Target
from btdiag.judge.cors import Credentials, PageRequest, Refusal, cors_preflight_fetch

WEB_APP = "https://www.braintrust.dev"
OTHER_ORIGINS = ("https://www.braintrustdata.com", "https://braintrust.dev", "https://btdiag.preview.braintrust.dev")
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
_JSON = "application/json"


class Purpose(StrEnum):
    """Why a request is sent."""

    PREFLIGHT = "preflight"
    ACTUAL = "actual request"
    ERROR = "error response"
    FOREIGN = "foreign origin"
    PART = "part of a refused preflight"
    EXISTS = "does the route exist"
    OTHER = "another origin of the product"
    PLAIN = "no origin at all"
    LARGE = "large body"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request to send. `path` is an API path; `page` what the page asks for; OPTIONS when `preflight`."""

    purpose: Purpose
    path: str
    page: PageRequest
    preflight: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A question and what came of it."""

    purpose: Purpose
    path: str
    page: PageRequest
    preflight: bool
    exchange: Exchange

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

    trials: tuple[Trial, ...]

    def of(self, *purposes: Purpose) -> tuple[Trial, ...]:
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
READABLE_PATHS = ("/", "/version")
UNKNOWN_PATH = "/v1/btdiag-no-such-route"
LARGE_BODY = 1_000_000  # bytes; just below nginx's default limit of 1 MiB
ERROR_PATHS = ("/ping", UNKNOWN_PATH, PROXY_PATH)  # 401 without a key, 404, and what the AI proxy says to a GET


def origins(target: Target) -> tuple[str, ...]:
    """The origins whose pages must be able to call the API: `--origin`, else the web app's."""
    return target.origins or (WEB_APP,)


def foreign_origins(allowed: str) -> tuple[str, ...]:
    """Origins that must be refused where `allowed` is welcome: each finds one kind of careless pattern."""
    scheme, _, host = allowed.partition("://")
    labels = host.partition(":")[0].split(".")
    domain, stem = ".".join(labels[-2:]), ".".join(labels[:-1])
    tricks = (
        "https://evil.example",
        f"{scheme}://{host}.evil.example",  # an unanchored end
        f"{scheme}://evil{domain}",  # an unanchored beginning
        f"{scheme}://{'X'.join((labels[0], domain))}",  # an unescaped dot
        f"{scheme}://{stem}.{labels[-1]}il.example",  # a prefix match
        f"http://{host}",  # a downgrade
        f"{scheme}://x.preview.{domain}.evil.example",
        "null",
        f"{scheme}://{host.partition(':')[0]}:8443",
        "file://",
    )
    return tuple(dict.fromkeys(trick for trick in tricks if trick != allowed))


def page_request(origin: str, method: str = "GET", names: Iterable[str] = ()) -> PageRequest:
    """What a page asks for; values do not matter beyond making each header one that needs permission."""
    return PageRequest(
        origin=origin, method=method, headers=tuple((n, _JSON if n == "content-type" else "-") for n in names)
    )


def first_questions(allowed: Sequence[str]) -> tuple[Question, ...]:
    """What is asked of every address: for each origin all classes, and for the first one errors and foreign origins."""
    main = allowed[0]
    preflights = [
        Question(purpose=Purpose.PREFLIGHT, path=item.path, page=page_request(origin, "POST", HEADERS), preflight=True)
        for origin in allowed
        for item in CLASSES
    ]
    actual = [
        Question(purpose=Purpose.ACTUAL, path=path, page=page_request(origin))
        for origin in allowed
        for path in READABLE_PATHS
    ]
    errors = [Question(purpose=Purpose.ERROR, path=path, page=page_request(main)) for path in ERROR_PATHS]
    foreign = [
        question
        for origin in foreign_origins(main)
        if origin not in allowed
        for question in (
            Question(purpose=Purpose.FOREIGN, path="/", page=page_request(origin)),
            Question(
                purpose=Purpose.FOREIGN,
                path=PROXY_PATH,
                page=page_request(origin, "POST", ("authorization",)),
                preflight=True,
            ),
        )
    ]
    plain = Question(purpose=Purpose.PLAIN, path="/", page=page_request(""))
    return (plain, *preflights, *actual, *errors, *foreign)


def bucket_questions(path: str, query: str) -> tuple[Question, ...]:
    """What is asked of the object store: a page that was redirected there has the origin `null`."""
    url = f"{path}?{query}" if query else path
    return (
        Question(purpose=Purpose.ACTUAL, path=url, page=page_request("null")),
        Question(purpose=Purpose.PREFLIGHT, path=url, page=page_request("null", "GET", ("range",)), preflight=True),
    )


def large_question(allowed: Sequence[str]) -> Question:
    """A body that a healthy gateway takes and a careful one may refuse: 413 must be readable as well."""
    return Question(purpose=Purpose.LARGE, path=UNKNOWN_PATH, page=page_request(allowed[0], "POST"))


def refusal_of(trial: Trial, *, with_credentials: bool = False) -> Refusal | None:
    """Why the preflight of this trial is refused; None when it passes."""
    page = replace(trial.page, credentials=Credentials.INCLUDE) if with_credentials else trial.page
    return cors_preflight_fetch(page, trial.exchange.status or 0, trial.exchange.headers).refusal
