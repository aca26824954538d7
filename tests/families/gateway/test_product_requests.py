"""Requests as the product sends them: what each refusal means for users, and what to change."""

from __future__ import annotations

import pytest

from btdiag.core.finding import Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.families.gateway.facts.requests import ProductRequests, RequestTrial, Trait
from btdiag.families.gateway.judge.requests import accepts_product_requests
from btdiag.families.gateway.remedy import ADVICE, ANSWERS, snippets
from tests.families.readiness.test_judge import seen

PLAIN = seen(404, '{"error":"Not Found"}')
REFUSED = seen(403, "<center>nginx/1.22.1</center>")
NONE = NotMeasured(reason="not asked for", skipped=True)


def judged(trait: Trait) -> tuple[Verdict, str, str]:
    trial = RequestTrial(trait=trait, what="it", exchange=REFUSED)
    found = accepts_product_requests(ProductRequests(plain_get=PLAIN, plain_post=PLAIN, trials=(trial,)), NONE)
    return found.verdict, found.answer, found.remedy.action if found.remedy else ""


@pytest.mark.parametrize("trait", [trait for trait in Trait if trait is not Trait.OPTIONS])
def test_each_refusal_has_an_answer_and_an_action(trait: Trait) -> None:
    verdict, answer, action = judged(trait)
    assert verdict in {Verdict.FAIL, Verdict.WARN}
    assert 0 < len(answer) <= 90
    assert 0 < len(action) <= 140
    assert action.count("(") == action.count(")")


def test_users_of_sdks_and_of_queries_are_hit_exporters_lose_something() -> None:
    assert judged(Trait.AGENT)[0] is judged(Trait.QUERY)[0] is Verdict.FAIL
    assert judged(Trait.CHUNKED)[0] is Verdict.WARN


def test_every_trait_has_its_words() -> None:
    assert set(ADVICE) == set(ANSWERS) == set(Trait)


def test_the_recognised_product_comes_first() -> None:
    assert snippets([Trait.BODY], "Caddy")[0].product == "Caddy"
    assert snippets([Trait.HEADERS], "HAProxy")[0].product == "HAProxy"
    assert snippets([Trait.METHOD], "nginx") == ()
