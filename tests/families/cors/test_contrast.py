"""What is asked again, and what it tells: by turns, without a group of headers, past a cache, after a redirect."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count

import pytest

from btdiag.core.exchange import Failure, Phase, Trouble
from btdiag.core.finding import Finding, HopName, Verdict
from btdiag.core.product import UNKNOWN_PATH, WEB_APP
from btdiag.families.cors.contrast import TIMES, call_questions
from btdiag.families.cors.facts import CorsSurvey, CorsTrial, Group, Purpose, Question
from btdiag.families.cors.fetch import Credentials, PageRequest, cors_check
from btdiag.families.cors.judge import readable, responses, too_loose, web_app
from btdiag.families.cors.mixed import TRIES
from btdiag.families.cors.plan import MOST_HOPS, next_questions
from btdiag.families.cors.questions import first_questions
from tests.families.cors.made_up import Answer, Gateway, may_call, sound, survey, surveys, trial

REFUSED = Answer(403, {"Server": "nginx"}, "<html><head><title>403 Forbidden</title></head></html>")


def every(n: int, change: Callable[[Answer], Answer]) -> Gateway:
    """Every n-th preflight meets another server than the others."""
    numbers = count(1)

    def gateway(question: Question, answer: Answer) -> Answer:
        return change(answer) if question.preflight and next(numbers) % n == 0 else answer

    return gateway


def lacks_a_header(answer: Answer) -> Answer:
    listed = answer.headers.get("Access-Control-Allow-Headers", "").replace(",x-bt-use-gateway", "")
    return answer.having(Access_Control_Allow_Headers=listed)


def without(group: Group) -> Gateway:
    """A rule that refuses calls which carry a group of headers."""
    return lambda question, answer: REFUSED if group in question.sent and not question.preflight else answer


def test_one_older_server_of_three_is_one_finding_with_k_of_n() -> None:
    finding = may_call(every(3, lacks_a_header))
    assert finding.verdict is Verdict.FAIL
    assert finding.hop == HopName.API
    assert f"of {TRIES + 1} times" in finding.summary
    assert "refused and allowed" in finding.answer


@pytest.mark.parametrize("n", [2, 3, 4])
def test_nothing_else_of_cors_is_judged_by_answers_that_change(n: int) -> None:
    mixed = {"192.0.2.1": survey(every(n, lacks_a_header))}
    others = [
        responses.errors_are_readable(mixed, (WEB_APP,), None),
        responses.headers_not_doubled(mixed, (WEB_APP,), None),
        responses.preflight_is_cached(mixed, (WEB_APP,), None),
        readable.exposed_headers_suffice(mixed, (WEB_APP,), None),
        too_loose.foreign_origins_are_refused(mixed, (WEB_APP,), None),
        too_loose.caches_keep_origins_apart(mixed, (WEB_APP,)),
    ]
    assert {(one.verdict, one.because) for one in others} == {(Verdict.SKIP, "cors.web-app-may-call")}


def test_where_answers_change_the_refusal_is_not_taken_apart() -> None:
    asked = survey(every(3, lambda _: Answer(405))).trials
    assert not [one for one in asked if one.purpose in (Purpose.PART, Purpose.CONTRAST)]
    assert len([one for one in asked if one.purpose is Purpose.REPEAT]) == TRIES


def test_what_is_refused_in_a_burst_and_never_alone_is_a_limit() -> None:
    def gateway(question: Question, answer: Answer) -> Answer:
        return Answer(403) if question.preflight and question.purpose is Purpose.PREFLIGHT else answer

    finding = may_call(gateway)
    assert "only among other requests at the same moment" in finding.summary
    assert finding.hop == HopName.LOAD_BALANCER


def test_what_is_always_refused_is_not_by_turns() -> None:
    finding = may_call(every(1, lacks_a_header))
    assert "x-bt-use-gateway is not allowed" in finding.summary
    assert finding.answer == "The web app cannot call the API: preflights refuse x-bt-use-gateway"


def test_a_healthy_target_is_asked_two_calls_and_nothing_again() -> None:
    asked = [one.purpose for one in survey().trials]
    assert asked.count(Purpose.CALL) == len(call_questions(WEB_APP)) == 2
    assert not {Purpose.REPEAT, Purpose.CONTRAST, Purpose.FRESH} & set(asked)


@pytest.mark.parametrize("group", [Group.REFERER, Group.SEC_FETCH, Group.HINTS, Group.ENCODINGS, Group.ORIGIN])
def test_the_group_of_headers_at_fault_is_named(group: Group) -> None:
    def gateway(question: Question, answer: Answer) -> Answer:
        is_call = question.purpose in (Purpose.CALL, Purpose.CONTRAST)
        return REFUSED if is_call and group in question.sent else answer

    finding = may_call(gateway)
    assert finding.verdict is Verdict.FAIL
    assert group.value in finding.answer
    assert f"passes without {group.value}, tried {TIMES + 1} times each" in finding.summary


def test_the_header_of_the_product_at_fault_is_named() -> None:
    def gateway(question: Question, answer: Answer) -> Answer:
        carries = any(name == "x-bt-use-cache" for name, _ in question.page.headers)
        return REFUSED if carries and Group.PRODUCT in question.sent and not question.preflight else answer

    finding = may_call(gateway)
    assert finding.answer == "The web app cannot call the API: requests with x-bt-use-cache are refused"


def test_a_write_alone_that_is_refused_is_taken_apart_too() -> None:
    def gateway(question: Question, answer: Answer) -> Answer:
        writes = question.page.method == "POST" and not question.preflight
        return REFUSED if writes and Group.SEC_FETCH in question.sent else answer

    finding = may_call(gateway)
    assert UNKNOWN_PATH in finding.summary
    assert "Sec-Fetch-*" in finding.answer


def test_a_rule_on_preflights_that_come_from_a_page_is_told_from_authentication() -> None:
    def gateway(question: Question, answer: Answer) -> Answer:
        return REFUSED if question.page.origin and Group.REFERER in question.sent else answer

    finding = may_call(gateway)
    assert "Referer" in finding.answer
    assert "authentication" not in finding.summary


def test_what_only_http2_refuses_is_the_gateways_http2_side() -> None:
    finding = may_call(lambda question, answer: REFUSED if question.http2 else answer)
    assert "passes over HTTP/1.1" in finding.summary


def test_a_difference_that_does_not_repeat_is_one_by_turns() -> None:
    def gateway(question: Question, answer: Answer) -> Answer:
        is_whole = question.purpose in (Purpose.CALL, Purpose.CONTRAST) and Group.HINTS in question.sent
        return REFUSED if is_whole and not question.attempt else answer

    finding = may_call(gateway)
    assert f"1 of {TIMES + 1} times" in finding.summary
    assert "Sec-CH-UA" not in finding.summary


def test_a_gateways_error_that_does_not_repeat_is_no_matter_of_cors() -> None:
    def gateway(question: Question, answer: Answer) -> Answer:
        return Answer(502) if question.purpose is Purpose.CALL else answer

    assert may_call(gateway).verdict is Verdict.PASS


def test_an_answer_that_cannot_be_unpacked_is_left_to_the_claim_on_it() -> None:
    whole = survey()
    broken = Failure(phase=Phase.BODY, trouble=Trouble.PROTOCOL, detail="cannot be unpacked")
    wanted, trials = list(next_questions(_spoiled(whole.trials, broken))), list(_spoiled(whole.trials, broken))
    while wanted:
        trials += _spoiled([trial(question, sound(question), "192.0.2.1") for question in wanted], broken)
        wanted = list(next_questions(trials))
    finding = web_app.web_app_may_call({"192.0.2.1": CorsSurvey(trials=tuple(trials))}, (WEB_APP,), None)
    assert (finding.verdict, finding.because) == (Verdict.SKIP, "gateway.compressed-answers-unpack")


def _spoiled(trials: Iterable[CorsTrial], failure: Failure) -> list[CorsTrial]:
    """Every answer to a request that takes codings is broken."""
    return [
        replace(one, exchange=replace(one.exchange, failure=failure)) if Group.ENCODINGS in one.sent else one
        for one in trials
    ]


def test_a_key_that_is_refused_is_no_matter_of_cors() -> None:
    assert may_call(without(Group.KEY)).verdict is Verdict.PASS


@pytest.mark.parametrize("stored", ["https://www.braintrustdata.com", None])
def test_a_cache_that_serves_anothers_answer_is_named(stored: str | None) -> None:
    def gateway(question: Question, answer: Answer) -> Answer:
        if question.preflight or question.fresh or answer.status != 200:
            return answer
        bare = answer.without("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials")
        kept = bare if stored is None else bare.having(Access_Control_Allow_Origin=stored)
        return kept.having(Age="12")

    finding = too_loose.caches_keep_origins_apart(surveys(gateway), (WEB_APP,))
    assert finding.verdict is Verdict.FAIL
    assert "a query that no cache has seen" in finding.summary
    follows = may_call(gateway)
    assert (follows.verdict, follows.because) == (Verdict.SKIP, "cors.caches-keep-origins-apart")


def login(question: Question, answer: Answer) -> Answer:
    bare = Group.KEY not in question.sent and not question.preflight
    return Answer(302, {"Location": "https://login.example/oauth2/authorize"}) if bare else answer


def test_a_login_that_only_bare_requests_meet_blocks_nothing() -> None:
    assert may_call(login).verdict is Verdict.PASS
    assert responses.errors_are_readable(surveys(login), (WEB_APP,), None).verdict is Verdict.PASS


def test_a_login_that_the_key_meets_too_blocks_all() -> None:
    to_login = Answer(302, {"Location": "https://login.example/oauth2/authorize"})
    finding = may_call(lambda question, answer: answer if question.preflight else to_login)
    assert (finding.verdict, finding.because) == (Verdict.SKIP, "readiness.root-answers")


def sent_on(url: str) -> Gateway:
    def gateway(question: Question, answer: Answer) -> Answer:
        moved = question.path == "/" and question.purpose is Purpose.ACTUAL
        return replace(answer, status=307).having(Location=url) if moved else answer

    return gateway


def test_redirects_are_judged_by_where_they_lead() -> None:
    asked = survey(sent_on("/elsewhere")).of(Purpose.ACTUAL)
    assert "/elsewhere" in [one.path for one in asked]
    assert may_call(sent_on("/elsewhere")).verdict is Verdict.PASS
    assert may_call(sent_on("http://api.example/")).because == "gateway.preserves-headers"


def test_a_path_that_a_redirect_leads_to_and_that_hides_its_answer_is_refused() -> None:
    def gateway(question: Question, answer: Answer) -> Answer:
        if question.path == "/elsewhere":
            return Answer(200, {}, "{}")
        return sent_on("/elsewhere")(question, answer)

    finding = may_call(gateway)
    assert finding.verdict is Verdict.FAIL
    assert "GET /elsewhere" in finding.summary


def test_a_chain_of_redirects_has_an_end() -> None:
    numbers = count()

    def gateway(question: Question, answer: Answer) -> Answer:
        moved = question.purpose is Purpose.ACTUAL
        return replace(answer, status=302).having(Location=f"/{next(numbers)}") if moved else answer

    assert len(survey(gateway).of(Purpose.ACTUAL)) <= 2 + MOST_HOPS


def test_a_404_of_the_load_balancers_own_is_no_missing_feature() -> None:
    page = Answer(404, {"Server": "nginx"}, "<html><head><title>404 Not Found</title></head><hr>nginx</html>")
    finding = may_call(lambda question, answer: page if question.path == "/function/invoke" else answer)
    assert (finding.verdict, finding.because) == (Verdict.SKIP, "gateway.routes-reach-their-backend")


def test_a_route_that_the_api_has_is_missing_in_front_of_it() -> None:
    gone = Answer(404, {}, "{}")
    finding = may_call(lambda question, answer: gone if question.path == "/function/invoke" else answer, survey())
    assert finding.because == "gateway.routes-reach-their-backend"


def test_same_origin_as_a_mode_sends_no_credentials_to_another_origin() -> None:
    page = PageRequest(origin=WEB_APP, credentials=Credentials.SAME_ORIGIN)
    assert cors_check(page.origin, page.with_credentials, [("Access-Control-Allow-Origin", "*")]) is None


GATEWAYS: dict[str, Gateway] = {
    "405": lambda question, answer: Answer(405) if question.preflight else answer,
    "401": lambda question, answer: Answer(401) if question.preflight else answer,
    "silent": lambda question, answer: Answer(None) if question.preflight else answer,
    "204": lambda question, answer: Answer(204) if question.preflight else answer,
    "502": lambda question, answer: Answer(502) if question.path == "/btql" else answer,
    "no list": lambda _, answer: answer.without("Access-Control-Allow-Headers"),
    "no methods": lambda _, answer: answer.without("Access-Control-Allow-Methods"),
    "fixed": lambda _, answer: answer.having(Access_Control_Allow_Origin="https://braintrust.dev"),
    "broken": lambda _, answer: answer.having(Access_Control_Allow_Headers='"a"'),
    "turns": every(2, lacks_a_header),
    "hints": without(Group.HINTS),
    "encodings": without(Group.ENCODINGS),
}


@pytest.mark.parametrize("gateway", GATEWAYS.values(), ids=GATEWAYS)
def test_first_words_are_short_and_say_what_to_do(gateway: Gateway) -> None:
    finding: Finding = may_call(gateway)
    assert finding.verdict is Verdict.FAIL
    assert finding.remedy is not None
    assert 0 < len(finding.answer) <= 90
    assert 0 < len(finding.remedy.action) <= 140


def test_the_first_questions_are_few() -> None:
    assert len(first_questions((WEB_APP,))) <= 35
