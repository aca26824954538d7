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


def test_a_large_body_that_breaks_a_hop_met_no_limit() -> None:
    broken = seen(500, "<center>nginx/1.22.1</center>")
    trial = RequestTrial(trait=Trait.BODY, what="a body of 6.0 MiB", exchange=broken, size=6 << 20)
    found = accepts_product_requests(ProductRequests(plain_get=PLAIN, plain_post=PLAIN, trials=(trial,)), NONE)
    assert found.remedy is not None
    assert "breaks on large bodies" in found.answer
    assert "Raise" not in found.remedy.text
    assert "client_body_temp_path" in found.remedy.snippets[0].code
    assert "limit" not in found.summary


def test_forms_that_no_client_sends_are_told_and_no_fault() -> None:
    fine = RequestTrial(trait=Trait.METHOD, what="PATCH", exchange=PLAIN)
    old = RequestTrial(trait=Trait.HEADERS, what="HTTP/1.0", exchange=seen(426, "Upgrade Required", Server="envoy"))
    asked = ProductRequests(plain_get=PLAIN, plain_post=PLAIN, trials=(fine,), unusual=(old,))
    found = accepts_product_requests(asked, NONE)
    assert found.verdict is Verdict.PASS
    assert "HTTP/1.0 (426, probably from Envoy (or Istio))" in found.summary
