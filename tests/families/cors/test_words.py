"""The first words of every finding of the family: short, and never without something to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag.core.finding import Finding, Verdict
from btdiag.core.product import WEB_APP
from btdiag.families.cors.facts import HEADERS, CorsSurvey, Question
from btdiag.families.cors.judge import readable, too_loose
from btdiag.families.cors.plan import bucket_questions
from btdiag.families.cors.remedy.words import MOST_ACTION, MOST_ANSWER, cut_at_blank, names_that_fit
from tests.families.cors.made_up import CLAIMS, Answer, Gateway, surveys, trial

ORIGIN, CREDENTIALS = "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"


def changed(change: Callable[[Answer], Answer]) -> Gateway:
    return lambda _, answer: change(answer)


def echo(question: Question, answer: Answer) -> Answer:
    return Answer(answer.status, answer.headers | {ORIGIN: question.page.origin, CREDENTIALS: "true"}, answer.body)


MOVED = Answer(301, {"Location": "https://b.example/"})
FAULTS: dict[str, Gateway] = {
    "doubled": changed(lambda answer: answer.having(Access_Control_Allow_Origin=f"{WEB_APP}, {WEB_APP}")),
    "doubled credentials": changed(lambda answer: answer.having(Access_Control_Allow_Credentials="true, true")),
    "wildcard": changed(lambda answer: answer.having(Access_Control_Allow_Origin="*")),
    "spelled": changed(lambda answer: answer.having(Access_Control_Allow_Credentials="True")),
    "wild list": changed(lambda answer: answer.having(Access_Control_Allow_Headers="*")),
    "no max-age": changed(lambda answer: answer.having(Access_Control_Max_Age="0")),
    "not exposed": changed(lambda answer: answer.without("Access-Control-Expose-Headers").having(x_bt_span_id="1")),
    "bare errors": changed(lambda answer: answer if answer.status != 404 else answer.without(ORIGIN)),
    "cacheable": changed(lambda answer: answer.without("Vary").having(Cache_Control="public, max-age=60")),
    "echo": echo,
    "no header": changed(lambda answer: answer.having(Access_Control_Allow_Headers="accept")),
    "moved": changed(
        lambda answer: Answer(301, {"Location": "https://b.example/"}) if answer.status == 204 else answer
    ),
}


def is_short_and_says_what_to_do(finding: Finding) -> bool:
    action = finding.remedy.action if finding.remedy else ""
    return 0 < len(finding.answer) <= MOST_ANSWER and 0 < len(action) <= MOST_ACTION


@pytest.mark.parametrize("gateway", FAULTS.values(), ids=FAULTS)
def test_every_finding_begins_with_what_it_means_and_what_to_do(gateway: Gateway) -> None:
    seen = surveys(gateway)
    found = [claim(seen, (WEB_APP,), None) for claim in CLAIMS]
    found.append(too_loose.caches_keep_origins_apart(seen, (WEB_APP,)))
    told = [one for one in found if one.verdict in (Verdict.FAIL, Verdict.WARN)]
    assert told
    assert [one for one in told if not is_short_and_says_what_to_do(one)] == []


def test_the_bucket_too() -> None:
    trials = tuple(trial(question, Answer(200), "192.0.2.9") for question in bucket_questions("/", ""))
    assert is_short_and_says_what_to_do(readable.bucket_lets_the_web_app_read(CorsSurvey(trials=trials), (WEB_APP,)))


@given(st.lists(st.sampled_from(HEADERS), min_size=1, unique=True), st.integers(min_value=12, max_value=120))
def test_as_many_names_as_there_is_room_for(names: list[str], room: int) -> None:
    text = names_that_fit(names, room)
    assert len(text) <= room
    assert text.split(",")[0].split(" ")[0] in (names[0], str(len(names)))


@given(st.text(max_size=300), st.integers(min_value=10, max_value=140))
def test_a_cut_text_fits(text: str, most: int) -> None:
    assert len(cut_at_blank(text, most)) <= most
    assert cut_at_blank(text, most) == text or len(text) > most
