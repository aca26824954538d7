"""The CORS claims on made-up gateways: what is said, of which hop, and when nothing is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from btdiag.core.finding import Finding, HopName, Verdict
from btdiag.core.product import WEB_APP, origins
from btdiag.families.cors.facts import PROXY_PATH, CorsSurvey, Purpose, Question
from btdiag.families.cors.judge import readable, responses, too_loose, web_app
from btdiag.families.cors.plan import MOST_FOLLOW_UPS
from btdiag.families.cors.questions import bucket_questions, foreign_origins
from tests.families.cors.made_up import (
    CLAIMS,
    STATUS,
    TARGET,
    Answer,
    Gateway,
    Headers,
    may_call,
    on_preflights,
    sound,
    survey,
    surveys,
    trial,
)


def test_a_sound_api_passes_every_claim() -> None:
    good = surveys()
    assert [claim(good, (WEB_APP,), None).verdict for claim in CLAIMS] == [Verdict.PASS] * 6
    assert too_loose.caches_keep_origins_apart(good, (WEB_APP,)).verdict is Verdict.PASS


NGINX_403 = "<html><head><title>403 Forbidden</title></head><body><center>nginx</center></body></html>"
LOGIN = "https://login.example/oauth2/authorize?client_id=1"
REFUSALS = [
    pytest.param(Answer(401, {"WWW-Authenticate": "Basic"}), "authentication in front", id="401"),
    pytest.param(Answer(302, {"Location": LOGIN}), "authentication in front", id="login page"),
    pytest.param(Answer(403, {}, "<html>Please log in</html>"), "authentication in front", id="403 with a login"),
    pytest.param(Answer(403, {"cf-access-domain": "x"}), "authentication in front", id="Cloudflare Access"),
    pytest.param(Answer(403, {}, NGINX_403), "firewall", id="403"),
    pytest.param(Answer(405), "method filter", id="405"),
    pytest.param(Answer(501), "method filter", id="501"),
    pytest.param(Answer(404), "method filter", id="404"),
    pytest.param(Answer(308, {"Location": "https://api.example/x/"}), "redirects to https://api.example/x/", id="308"),
    pytest.param(Answer(431), "too large", id="431"),
    pytest.param(Answer(502, {"Server": "awselb/2.0"}), "not a CORS fault", id="502"),
    pytest.param(Answer(204), "answers OPTIONS itself", id="bare 204"),
    pytest.param(Answer(204, {"Allow": "GET"}), "strips", id="Allow alone"),
]


@pytest.mark.parametrize(("answer", "says"), REFUSALS)
def test_a_refused_preflight_names_its_hop(answer: Answer, says: str) -> None:
    finding = may_call(on_preflights(lambda _, __: answer))
    assert finding.verdict is Verdict.FAIL
    assert finding.hop is HopName.LOAD_BALANCER
    assert says in finding.summary
    assert "on all 7 routes at 192.0.2.1" in finding.summary
    assert {"curl", "table", "exchange"} <= {one.kind for one in finding.evidence}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"Access-Control-Allow-Headers": "authorization"}, "content-type, x-bt-auth-token"),
        ({"Access-Control-Allow-Headers": "'x' y"}, "no list of names"),
        ({"Access-Control-Allow-Methods": '"GET"'}, "Access-Control-Allow-Methods is no list"),
        ({"Access-Control-Allow-Methods": "GET, POST"}, "lacks PATCH"),
        ({"Access-Control-Allow-Origin": "https://braintrust.dev"}, "fixed to 'https://braintrust.dev'"),
        ({"Access-Control-Allow-Origin": "www.braintrust.dev"}, "InvalidAllowOriginValue"),
    ],
)
def test_a_wrong_list_names_what_is_missing(change: Headers, says: str) -> None:
    finding = may_call(on_preflights(lambda _, answer: replace(answer, headers=answer.headers | change)))
    assert finding.verdict is Verdict.FAIL
    assert says in finding.summary


def test_a_header_that_a_server_refuses_silently_is_found_by_halving() -> None:
    def strict(question: Question, answer: Answer) -> Answer:
        asked = {name for name, _ in question.page.headers}
        return Answer(204) if asked & {"x-bt-parent", "x-stainless-os"} else answer

    finding = may_call(on_preflights(strict))
    assert "x-bt-parent, x-stainless-os are not allowed" in finding.summary
    parts = [one for one in survey(on_preflights(strict)).trials if one.purpose is Purpose.PART]
    assert len(parts) <= MOST_FOLLOW_UPS


def test_follow_ups_are_bounded() -> None:
    asked = survey(on_preflights(lambda question, answer: Answer(204) if question.page.headers else answer)).trials
    assert sum(one.purpose is Purpose.PART for one in asked) <= MOST_FOLLOW_UPS


def test_an_echo_of_one_method_is_asked_for_each_method() -> None:
    def echo(question: Question, answer: Answer) -> Answer:
        return answer.having(Access_Control_Allow_Methods=question.page.method)

    assert may_call(on_preflights(echo)).verdict is Verdict.PASS
    deaf = on_preflights(lambda q, a: Answer(405) if q.page.method == "PATCH" else echo(q, a))
    assert "POST" not in may_call(deaf).summary.partition(":")[2].partition(" is ")[0]
    assert may_call(deaf).verdict is Verdict.FAIL


def test_the_apis_own_answer_moves_the_blame() -> None:
    stale = on_preflights(lambda _, answer: answer.having(Access_Control_Allow_Headers="authorization"))
    proved = may_call(stale, survey())
    assert (proved.hop, "a hop in front of it" in proved.summary) == (HopName.LOAD_BALANCER, True)
    own = may_call(stale, survey(stale))
    assert (own.hop, "in the same way" in own.summary) == (HopName.API, True)


def test_an_unknown_origin_is_the_apis_matter_and_old_ones_are_named() -> None:
    def old(question: Question, _: Answer) -> Answer:
        if question.page.origin == "https://www.braintrustdata.com":
            good = sound(replace(question, page=replace(question.page, origin=WEB_APP)))
            return good.having(Access_Control_Allow_Origin=question.page.origin)
        return Answer(STATUS.get(question.path, 401), {"X-Powered-By": "Express"}, '{"error": "no"}')

    finding = may_call(old)
    assert finding.hop is HopName.API
    assert "it does allow https://www.braintrustdata.com" in finding.summary


def test_a_stripped_origin_is_the_cdns() -> None:
    finding = may_call(lambda _, answer: answer.without("Access-Control-Allow-Origin"))
    assert "strips" in finding.summary
    assert finding.remedy is not None
    assert "Origin" in finding.remedy.text


def test_headers_on_preflights_only_are_dropped_by_the_gateway() -> None:
    bare = ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers")
    finding = may_call(lambda question, answer: answer if question.preflight else answer.without(*bare))
    assert "preflights carry CORS headers" in finding.summary


MISSING_ROUTE = Answer(403, {}, '{"message":"Missing Authentication Token"}')


@pytest.mark.parametrize("absent", [Answer(404, {}, "{}"), MISSING_ROUTE], ids=["404", "API Gateway"])
def test_a_route_that_is_not_there_is_no_fault(absent: Answer) -> None:
    finding = may_call(lambda question, answer: absent if question.path == "/function/invoke" else answer)
    assert finding.verdict is Verdict.PASS
    assert "/function/invoke" in finding.summary


def test_the_ai_proxys_forbidden_means_the_origin() -> None:
    forbidden = Answer(403, {"Content-Type": "text/plain"}, "Forbidden")
    finding = may_call(lambda question, answer: forbidden if question.path == PROXY_PATH else answer)
    assert f"on {PROXY_PATH}" in finding.summary
    assert "WHITELISTED_ORIGINS" in (finding.remedy.text if finding.remedy else "")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"Access-Control-Allow-Origin": "*"}, "fixed `*`"),
        ({"Access-Control-Allow-Credentials": "True"}, "'True'"),
        ({"Access-Control-Allow-Headers": "*, authorization"}, "list is `*`"),
    ],
)
def test_what_breaks_with_credentials_only_is_a_warning(change: Headers, says: str) -> None:
    finding = may_call(lambda _, answer: replace(answer, headers=answer.headers | change))
    assert finding.verdict is Verdict.WARN
    assert says in finding.summary


def test_authorization_by_wildcard_is_a_warning() -> None:
    def lax(_: Question, answer: Answer) -> Answer:
        return answer.having(Access_Control_Allow_Headers="*").having(Access_Control_Allow_Origin="*")

    wild = surveys(on_preflights(lax))
    assert web_app.web_app_may_call(wild, (WEB_APP,), None).verdict is Verdict.WARN


def test_every_given_origin_counts() -> None:
    other = "https://staging.example"
    both = {"192.0.2.1": survey(allowed=(WEB_APP, other))}
    finding = web_app.web_app_may_call(both, (WEB_APP, other), None)
    assert finding.verdict is Verdict.FAIL
    assert other in finding.summary


def test_one_address_of_two_is_named() -> None:
    both = surveys() | {"192.0.2.2": survey(on_preflights(lambda _, __: Answer(405)), "192.0.2.2")}
    finding = web_app.web_app_may_call(both, (WEB_APP,), None)
    assert "at 1 of 2 addresses (192.0.2.2)" in finding.summary


@pytest.mark.parametrize("status", [502, 401, None])
def test_a_dead_root_is_the_cause_of_all(status: int | None) -> None:
    dead = surveys(lambda *_: Answer(status))
    finding = web_app.web_app_may_call(dead, (WEB_APP,), None)
    assert (finding.verdict, finding.because) == (Verdict.SKIP, "readiness.root-answers")


def test_a_login_page_at_the_root_is_not_the_api() -> None:
    finding = may_call(lambda *_: Answer(200, {}, "<html><title>Sign in</title></html>"))
    assert finding.because == "readiness.root-answers"
    assert may_call(lambda *_: Answer(302, {"Location": LOGIN})).because == "readiness.root-answers"


def test_a_rate_limit_leaves_it_open() -> None:
    assert may_call(lambda *_: Answer(429)).verdict is Verdict.INCONCLUSIVE
    limited = on_preflights(lambda *_: Answer(429))
    assert may_call(limited).verdict is Verdict.INCONCLUSIVE
    assert (
        too_loose.foreign_origins_are_refused(
            surveys(lambda q, a: Answer(429) if q.purpose is Purpose.FOREIGN else a), (WEB_APP,), None
        ).verdict
        is Verdict.INCONCLUSIVE
    )


def test_a_doubled_origin_has_a_check_of_its_own() -> None:
    doubled = surveys(lambda _, answer: answer.having(Access_Control_Allow_Origin=f"{WEB_APP}, {WEB_APP}"))
    assert web_app.web_app_may_call(doubled, (WEB_APP,), None).because == "cors.headers-not-doubled"
    finding = responses.headers_not_doubled(doubled, (WEB_APP,), doubled["192.0.2.1"])
    assert (finding.verdict, finding.hop) == (Verdict.FAIL, HopName.API)
    assert responses.headers_not_doubled(doubled, (WEB_APP,), survey()).hop is HopName.LOAD_BALANCER


def errors(gateway: Gateway, backend: CorsSurvey | None = None) -> Finding:
    return responses.errors_are_readable(surveys(gateway), (WEB_APP,), backend)


def bare_errors(_: Question, answer: Answer) -> Answer:
    return answer if (answer.status or 0) < 400 else answer.without("Access-Control-Allow-Origin")


def test_unreadable_errors_are_explained_by_who_sent_them() -> None:
    assert "`always`" in errors(lambda q, a: bare_errors(q, a).having(Server="nginx/1.22.1")).summary
    assert "successful responses only" in errors(bare_errors).summary
    page = "<html><body><center>nginx</center></body></html>"
    own_pages = errors(lambda q, a: replace(bare_errors(q, a), body=page) if (a.status or 0) >= 400 else a)
    assert "own error page" in own_pages.summary
    assert errors(bare_errors, survey(bare_errors)).hop is HopName.API


def test_errors_without_a_verdict_of_their_own() -> None:
    assert errors(lambda _, a: replace(a, status=200)).verdict is Verdict.SKIP
    assert errors(lambda _, a: a.without("Access-Control-Allow-Origin")).because == "cors.web-app-may-call"
    undeployed = errors(lambda q, a: MISSING_ROUTE if (a.status or 0) >= 400 else a)
    assert undeployed.verdict is Verdict.SKIP
    walled = errors(lambda q, a: Answer(401) if q.preflight or (a.status or 0) >= 400 else a)
    assert walled.because == "cors.web-app-may-call"


@pytest.mark.parametrize("value", [None, "0", "5", "-1", "600, 600", "ten"])
def test_a_short_memory_is_a_warning(value: str | None) -> None:
    def change(_: Question, answer: Answer) -> Answer:
        name = "Access-Control-Max-Age"
        return answer.without(name) if value is None else replace(answer, headers=answer.headers | {name: value})

    bad = on_preflights(change)
    assert responses.preflight_is_cached(surveys(bad), (WEB_APP,), None).hop is HopName.LOAD_BALANCER
    finding = responses.preflight_is_cached(surveys(bad), (WEB_APP,), survey(bad))
    assert (finding.verdict, finding.hop) == (Verdict.WARN, HopName.API)


def loose(gateway: Gateway, backend: CorsSurvey | None = None) -> Finding:
    return too_loose.foreign_origins_are_refused(surveys(gateway), (WEB_APP,), backend)


def echo(question: Question, answer: Answer) -> Answer:
    return answer.having(Access_Control_Allow_Origin=question.page.origin, Access_Control_Allow_Credentials="true")


@pytest.mark.parametrize(
    ("origin", "says"),
    [
        (f"{WEB_APP}.evil.example", "anchored at its end"),
        ("https://evilbraintrust.dev", "anchored at its beginning"),
        ("https://wwwXbraintrust.dev", "not escaped"),
        ("https://www.braintrust.devil.example", "only the beginning"),
        ("http://www.braintrust.dev", "plain http"),
        (f"{WEB_APP}:8443", "port is not compared"),
        ("null", "sandboxed"),
        ("file://", "local files"),
    ],
)
def test_each_hole_in_a_pattern_is_named(origin: str, says: str) -> None:
    assert origin in foreign_origins(WEB_APP)
    finding = loose(lambda q, a: echo(q, a) if q.page.origin == origin else a)
    assert finding.verdict is Verdict.FAIL
    assert says in finding.summary


def test_an_echo_is_worse_with_credentials() -> None:
    assert "whatever origin asks" in loose(echo).summary
    mild = loose(lambda q, a: echo(q, a).without("Access-Control-Allow-Credentials"))
    assert mild.verdict is Verdict.WARN
    assert loose(echo, survey(echo)).hop is HopName.API
    assert "not compared at all" in loose(lambda _, a: a.having(Access_Control_Allow_Origin="*")).summary


def test_the_lambda_ai_proxy_may_echo() -> None:
    def proxy(question: Question, answer: Answer) -> Answer:
        return echo(question, answer) if question.path == PROXY_PATH else answer

    assert loose(proxy).verdict is Verdict.FAIL
    finding = loose(lambda q, a: proxy(q, a).having(x_amzn_RequestId="1"))
    assert finding.verdict is Verdict.PASS
    assert "Lambda" in finding.summary


def test_other_origins_have_foreign_ones_too() -> None:
    tricks = foreign_origins("http://localhost:3000")
    assert "http://localhost:3000" not in tricks
    assert origins(replace(TARGET, origins=("https://x.example",))) == ("https://x.example",)


@pytest.mark.parametrize(
    ("cached", "verdict"),
    [
        ({"Cache-Control": "public, max-age=60"}, Verdict.WARN),
        ({"X-Cache": "Hit from cloudfront"}, Verdict.WARN),
        ({"Age": "12"}, Verdict.WARN),
        ({"Cache-Control": "private, max-age=60"}, Verdict.PASS),
        ({"Cache-Control": "no-store", "Age": "1"}, Verdict.PASS),
        ({}, Verdict.PASS),
    ],
)
def test_a_cache_is_a_trap_only_where_it_may_keep_the_answer(cached: Headers, verdict: Verdict) -> None:
    mixed = surveys(lambda _, a: replace(a.without("Vary"), headers=a.without("Vary").headers | cached))
    assert too_loose.caches_keep_origins_apart(mixed, (WEB_APP,)).verdict is verdict
    varied = surveys(lambda _, a: replace(a, headers=a.headers | cached))
    assert too_loose.caches_keep_origins_apart(varied, (WEB_APP,)).verdict is Verdict.PASS


def exposed(gateway: Gateway, backend: CorsSurvey | None = None) -> Finding:
    return readable.exposed_headers_suffice(surveys(gateway), (WEB_APP,), backend)


def test_exposure_is_judged_by_what_is_seen() -> None:
    def hidden(_: Question, answer: Answer) -> Answer:
        return answer.without("Access-Control-Expose-Headers")

    assert exposed(hidden).verdict is Verdict.SKIP
    assert exposed(hidden, survey()).verdict is Verdict.FAIL
    assert exposed(lambda q, a: hidden(q, a).having(x_bt_cursor="1")).verdict is Verdict.WARN
    assert "no list of names" in exposed(lambda _, a: a.having(Access_Control_Expose_Headers="a b")).summary
    both = surveys() | {"192.0.2.2": survey(hidden, "192.0.2.2")}
    finding = readable.exposed_headers_suffice(both, (WEB_APP,), None)
    assert "at 1 of 2 addresses (192.0.2.2)" in finding.summary
    assert exposed(lambda _, a: a.without("Access-Control-Allow-Origin")).because == "cors.web-app-may-call"


def bucket(answer: Answer) -> Finding:
    asked = bucket_questions("/trace.json", "X-Amz-Signature=1")
    found = CorsSurvey(trials=tuple(trial(question, answer, "bucket") for question in asked))
    return readable.bucket_lets_the_web_app_read(found, (WEB_APP,))


def test_the_object_store_must_answer_null() -> None:
    assert bucket(Answer(200, {"Access-Control-Allow-Origin": "*"})).verdict is Verdict.PASS
    assert bucket(Answer(403, {"Access-Control-Allow-Origin": "null"})).verdict is Verdict.PASS
    refused = bucket(Answer(200, {"Access-Control-Allow-Origin": WEB_APP}))
    assert refused.verdict is Verdict.FAIL
    assert "X-Amz-Signature" not in refused.summary
    assert bucket(Answer(None)).verdict is Verdict.INCONCLUSIVE
