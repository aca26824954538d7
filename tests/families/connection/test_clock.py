"""This machine's clock against Date headers, and what http:// beside https:// is judged to be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btdiag.core.exchange import Exchange, Failure, Phase, Timing, Trouble
from btdiag.core.finding import Verdict
from btdiag.core.handshake import Connection
from btdiag.core.target import Target
from btdiag.families.connection.facts import PlainHttp
from btdiag.families.connection.judge.clock import clocks_agree, reading_of
from btdiag.families.connection.judge.plain_http import plain_http_redirects

NOW = datetime(2026, 6, 15, 12, 0, 0, tzinfo=UTC)
TARGET = Target(url="https://api.example.com", scheme="https", host="api.example.com", port=443, plain_port=80)
URL = "http://api.example.com/"


def answer(
    status: int | None = 200, *headers: tuple[str, str], took: float = 0.0, trouble: Trouble | None = None
) -> Exchange:
    return Exchange(
        method="GET",
        url=URL,
        label="a",
        started_at="2026-06-15T12:00:00.000Z",
        request_headers=(),
        status=status,
        headers=headers,
        timing=Timing(total_s=took),
        failure=Failure(phase=Phase.TCP, trouble=trouble, detail="as seen") if trouble else None,
    )


def dated(seconds: float, *headers: tuple[str, str], took: float = 0.0) -> Connection:
    moment = NOW + timedelta(seconds=seconds)
    date = ("Date", moment.strftime("%a, %d %b %Y %H:%M:%S GMT"))
    greeting = answer(200, date, *headers, took=took)
    return Connection(label="a", port=443, tls=True, started_at=NOW, timing=Timing(), greeting=greeting)


@pytest.mark.parametrize(
    ("seconds", "verdict", "words"),
    [
        (0, Verdict.PASS, "agrees"),
        (59, Verdict.PASS, "agrees"),
        (-60, Verdict.PASS, "agrees"),
        (600, Verdict.WARN, "10 minutes ahead of"),
        (-600, Verdict.WARN, "10 minutes behind"),
        (3600, Verdict.FAIL, "60 minutes ahead of"),
        (-86400, Verdict.FAIL, "24 hours behind"),
    ],
)
def test_clocks(seconds: float, verdict: Verdict, words: str) -> None:
    finding = clocks_agree({"a": dated(seconds)})
    assert finding.verdict is verdict
    assert words in finding.summary


@settings(deadline=None)
@given(st.floats(0, 5), st.floats(0, 1))
def test_the_second_and_the_way_of_an_honest_clock_are_no_skew(took: float, share: float) -> None:
    made_at = NOW + timedelta(seconds=took * share)
    assert (reading := reading_of(dated((made_at - NOW).total_seconds(), took=took))) is not None
    assert reading.skew == timedelta(0)


def test_a_cached_answer_counts_as_of_now() -> None:
    assert clocks_agree({"a": dated(-3600, ("Age", "3600"))}).verdict is Verdict.PASS


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026", "Mon, 15 Jun 99999999 12:00:00 GMT"])
def test_nonsense_is_no_date(date: str) -> None:
    one = replace(dated(0), greeting=answer(200, ("Date", date)))
    finding = clocks_agree({"a": one})
    assert (finding.verdict, finding.because) == (Verdict.SKIP, None)


@pytest.mark.parametrize("age", ["-1e9", "x", "9" * 40])
def test_nonsense_is_no_age(age: str) -> None:
    assert reading_of(dated(0, ("Age", age))) is None


def test_without_a_connection_the_cause_is_named() -> None:
    failure = Failure(phase=Phase.TLS, trouble=Trouble.RESET, detail="reset")
    finding = clocks_agree({"a": replace(dated(0), greeting=None, failure=failure)})
    assert (finding.verdict, finding.because) == (Verdict.SKIP, "connection.tls-handshake-completes")


@pytest.mark.parametrize(
    ("seen", "verdict", "words"),
    [
        (answer(308, ("Location", "https://api.example.com/")), Verdict.PASS, "redirects to https (308"),
        (answer(301, ("Location", "https://other.example/")), Verdict.PASS, "another host than"),
        (answer(301, ("Location", "//api.example.com/")), Verdict.WARN, "not https"),
        (answer(302, ("Location", "/login")), Verdict.WARN, "http://api.example.com/login, which is not https"),
        (answer(302), Verdict.WARN, "not https"),
        (answer(200), Verdict.WARN, "serves the API in clear (status 200)"),
        (answer(204), Verdict.WARN, "in clear"),
        (answer(404), Verdict.PASS, "not served in clear"),
        (answer(503), Verdict.PASS, "answers 503"),
        (answer(None, trouble=Trouble.REFUSED), Verdict.PASS, "serves nothing: as seen"),
        (answer(None), Verdict.PASS, "serves nothing: no answer"),
    ],
)
def test_plain_http(seen: Exchange, verdict: Verdict, words: str) -> None:
    finding = plain_http_redirects(PlainHttp(answer=seen), TARGET)
    assert finding.verdict is verdict
    assert words in finding.summary
    assert (finding.remedy is not None) is (verdict is Verdict.WARN)


def test_a_plain_port_that_speaks_tls() -> None:
    finding = plain_http_redirects(PlainHttp(answer=answer(None), speaks_tls=True), TARGET)
    assert finding.verdict is Verdict.WARN
    assert "speaks TLS" in finding.summary
