"""Made-up gateways: the API's own answers to every question, changed on their way, and the whole survey of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from btdiag.core.exchange import Failure, Phase, Trouble
from btdiag.core.finding import Finding
from btdiag.core.product import WEB_APP
from btdiag.core.target import Target
from btdiag.families.cors.facts import HEADERS, PROXY_PATH, CorsSurvey, CorsTrial, Group, Question
from btdiag.families.cors.judge import readable, responses, too_loose, web_app
from btdiag.families.cors.plan import next_questions
from btdiag.families.cors.questions import first_questions
from tests import factories

Headers = dict[str, str]
CLAIMS = (
    web_app.web_app_may_call,
    responses.errors_are_readable,
    responses.headers_not_doubled,
    responses.preflight_is_cached,
    too_loose.foreign_origins_are_refused,
    readable.exposed_headers_suffice,
)
"""The claims that are judged from the surveys, the allowed origins and the API asked directly."""
TARGET = Target(url="https://api.example", scheme="https", host="api.example", port=443)
METHODS = "GET,PATCH,POST,PUT,DELETE,OPTIONS"
STATUS = {"/": 200, "/version": 200, "/ping": 401, PROXY_PATH: 401}


@dataclass(frozen=True)
class Answer:
    """What comes back: None as status is a broken connection."""

    status: int | None = 204
    headers: Headers = field(default_factory=dict)
    body: str = ""

    def without(self, *names: str) -> Answer:
        return replace(self, headers={name: value for name, value in self.headers.items() if name not in names})

    def having(self, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers=self.headers | named)


Gateway = Callable[[Question, Answer], Answer]


def sound(question: Question) -> Answer:
    """The API itself."""
    allow = {
        "Access-Control-Allow-Origin": question.page.origin,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": "x-bt-cursor,x-bt-span-id",
        "Vary": "Origin",
    }
    asks = question.page.origin == WEB_APP and Group.ORIGIN in question.sent
    own = {"X-Powered-By": "Express"} | (allow if asks else {})
    if question.preflight and question.page.origin == WEB_APP:
        lists = {"Access-Control-Allow-Methods": METHODS, "Access-Control-Allow-Headers": ",".join(HEADERS)}
        return Answer(204, own | lists | {"Access-Control-Max-Age": "86400"})
    return Answer(STATUS.get(question.path, 404), own, "{}")


def trial(question: Question, answer: Answer, label: str) -> CorsTrial:
    broken = Failure(phase=Phase.HEADERS, trouble=Trouble.RESET, detail="reset") if answer.status is None else None
    key = (("Authorization", "[withheld]"),) if Group.KEY in question.sent and not question.preflight else ()
    exchange = factories.exchange(
        http_version="HTTP/2" if question.http2 else "HTTP/1.1",
        method="OPTIONS" if question.preflight else question.page.method,
        url=TARGET.url_for(question.path),
        label=label,
        request_headers=(("Origin", question.page.origin), *key),
        address=label,
        status=answer.status,
        headers=tuple(answer.headers.items()),
        body=answer.body,
        failure=broken,
    )
    return question.answered_by(exchange)


def survey(
    gateway: Gateway | None = None, label: str = "192.0.2.1", allowed: tuple[str, ...] = (WEB_APP,)
) -> CorsSurvey:
    """All questions asked of the API behind a gateway."""
    trials: list[CorsTrial] = []
    wanted = first_questions(allowed)
    while wanted:
        for question in wanted:
            answer = sound(question)
            trials.append(trial(question, gateway(question, answer) if gateway else answer, label))
        wanted = next_questions(trials)
    return CorsSurvey(trials=tuple(trials))


def surveys(gateway: Gateway | None = None) -> dict[str, CorsSurvey]:
    return {"192.0.2.1": survey(gateway)}


def may_call(gateway: Gateway | None, backend: CorsSurvey | None = None) -> Finding:
    return web_app.web_app_may_call(surveys(gateway), (WEB_APP,), backend)


def on_preflights(change: Callable[[Question, Answer], Answer]) -> Gateway:
    return lambda question, answer: change(question, answer) if question.preflight else answer
