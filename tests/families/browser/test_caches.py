"""What browsers keep for one page and give to another, on plain data."""

from __future__ import annotations

from dataclasses import replace

import pytest

from btdiag.core.exchange import Exchange, Header
from btdiag.core.finding import Finding, Verdict
from btdiag.core.product import WEB_APP
from btdiag.families.browser.judge.caches import browser_keeps_origins_apart
from btdiag.families.cors.facts import CorsSurvey, CorsTrial, Purpose
from btdiag.families.cors.plan import SIBLING_ORIGIN, next_questions, page_request

KEPT: Header = ("Cache-Control", "private, max-age=600")


def trial(purpose: Purpose, origin: str, allowed: str, *headers: Header, path: str = "/version") -> CorsTrial:
    allow = (("Access-Control-Allow-Origin", allowed),) if allowed else ()
    seen = Exchange(
        method="GET",
        url=f"https://api.corp.example{path}",
        label="203.0.113.5",
        started_at="2026-11-27T00:00:00.000Z",
        request_headers=(),
        status=200,
        headers=(*allow, *headers, ("Content-Type", "application/json")),
        body='{"version": "1"}',
    )
    return CorsTrial(purpose=purpose, path=path, page=page_request(origin), preflight=False, exchange=seen)


def own(*headers: Header, allowed: str = WEB_APP) -> CorsTrial:
    return trial(Purpose.ACTUAL, WEB_APP, allowed, *headers)


SIBLING = trial(Purpose.SIBLING, SIBLING_ORIGIN, SIBLING_ORIGIN, KEPT)
PLAIN = trial(Purpose.PLAIN, "", "", KEPT, path="/")
FOREIGN = trial(Purpose.FOREIGN, "https://evil.example", "", KEPT)


def judged(*trials: CorsTrial) -> Finding:
    return browser_keeps_origins_apart({"203.0.113.5": CorsSurvey(trials=(PLAIN, *trials))})


CASES = [
    ((own(KEPT), SIBLING), "fail"),
    ((own(KEPT), trial(Purpose.SIBLING, SIBLING_ORIGIN, "", KEPT)), "warn"),
    ((own(KEPT), FOREIGN), "warn"),
    ((own(KEPT), trial(Purpose.FOREIGN, "https://evil.example", "", path="/")), "warn"),
    ((own(KEPT, allowed="*"), SIBLING), "pass"),
    ((own(KEPT, ("Vary", "Accept, origin")), SIBLING), "pass"),
    ((own(("Cache-Control", "private, no-store, max-age=600")), SIBLING), "pass"),
    ((own(("Cache-Control", "private, max-age=0")), SIBLING), "pass"),
    ((own(("Cache-Control", "public, max-age=600")), SIBLING), "pass"),  # shared caches: cors is about those
    ((own(), SIBLING), "pass"),
    ((own(KEPT),), "pass"),  # nothing to compare with
    ((), "pass"),
]


@pytest.mark.parametrize(("trials", "verdict"), CASES)
def test_what_is_kept_for_one_page_alone(trials: tuple[CorsTrial, ...], verdict: str) -> None:
    found = judged(*trials)
    assert str(found.verdict) == verdict, found.summary
    if verdict in {"fail", "warn"}:
        assert found.remedy is not None
        assert all((found.hop, found.owner, found.expected, found.seen, found.evidence, found.sources))
        assert len(found.answer) <= 90


def test_what_a_dead_api_answers_is_not_judged() -> None:
    dead = replace(PLAIN, exchange=replace(PLAIN.exchange, status=502, body="", headers=()))
    found = browser_keeps_origins_apart({"203.0.113.5": CorsSurvey(trials=(dead, own(KEPT), SIBLING))})
    assert (found.verdict, found.because) == (Verdict.SKIP, "readiness.root-answers")


def test_another_page_of_the_site_is_asked_for_only_where_it_matters() -> None:
    asked = [question for question in next_questions((own(KEPT),)) if question.purpose is Purpose.SIBLING]
    assert [(question.path, question.page.origin) for question in asked] == [("/version", SIBLING_ORIGIN)]
    for trials in ((own(),), (own(KEPT, ("Vary", "Origin")),), (own(KEPT), SIBLING)):
        assert not [one for one in next_questions(trials) if one.purpose is Purpose.SIBLING]
