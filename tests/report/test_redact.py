"""Secrets leave a report in no spelling, at no place and in no format; what is no secret stays readable."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag.core.finding import Evidence, Json, Remedy, Snippet, Verdict
from btdiag.core.report import CheckResult, Report, ReportSet
from btdiag.core.target import Secret
from btdiag.report.documents import Context
from btdiag.report.formats import FORMATS, render
from btdiag.report.redact import redact, redact_text

KEY = 'sk-canary/Key+1~with%odd "chars"é'
PROXY = "proxyuser:canary-Proxy-pass"
KNOWN = (Secret(KEY), Secret(PROXY))


def spellings(value: str) -> list[str]:
    raw = value.encode()
    return [
        value,
        quote(value, safe=""),
        re.sub("%..", lambda found: found.group().lower(), quote(value, safe="")),
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
        base64.b64encode(b"user:" + raw + b"!").decode(),
        json.dumps(value)[1:-1],
        raw.decode("ascii", "backslashreplace"),
    ]


@pytest.mark.parametrize("spelling", [*spellings(KEY), *spellings(PROXY), *spellings("canary-Proxy-pass")])
def test_every_spelling_of_a_known_secret_is_removed(spelling: str) -> None:
    shown = redact_text(f"the server said {spelling}, twice {spelling}", KNOWN)
    assert spelling not in shown
    assert shown.count("redacted-known-") == 2
    assert "the server said" in shown


def test_the_same_secret_has_the_same_pseudonym_and_another_one_another() -> None:
    assert redact_text(f"{KEY} {quote(KEY, safe='')}", KNOWN) == "redacted-known-1 redacted-known-1"
    assert redact_text("canary-Proxy-pass", KNOWN) == "redacted-known-2"


def test_the_beginning_of_a_secret_at_a_cut_is_removed() -> None:
    assert redact_text(f"the server said {KEY[:15]}", KNOWN) == "the server said redacted-known-1"
    assert redact_text("the server said sk-", KNOWN) == "the server said sk-"


def test_a_short_secret_is_removed_as_a_word_only() -> None:
    assert (
        redact_text("api: the rapid api_1 (api)", [Secret("api")])
        == "redacted-known-1: the rapid api_1 (redacted-known-1)"
    )


@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_secret_removes_nothing(value: str) -> None:
    assert redact_text("a b", [Secret(value)]) == "a b"


BY_RULE = [
    ("curl -H 'Authorization: Bearer canary1' x", "curl -H 'Authorization: Bearer redacted-authorization-1' x"),
    (
        "Proxy-Authorization: Basic Y2FuYXJ5OjE=\nHost: a",
        "Proxy-Authorization: Basic redacted-authorization-1\nHost: a",
    ),
    ('{"x-api-key": "canary1"}', '{"x-api-key": "redacted-key-1"}'),
    ('{\\"Authorization\\": \\"canary1\\"}', '{\\"Authorization\\": \\"redacted-authorization-1\\"}'),
    ("Cookie: a=canary1; b=canary2", "Cookie: a=redacted-cookie-1; b=redacted-cookie-2"),
    ("Set-Cookie: AWSALB=canary1; Path=/; Secure", "Set-Cookie: AWSALB=redacted-cookie-1; Path=/; Secure"),
    ("see https://me:canary1@host/p", "see https://redacted-userinfo-1@host/p"),
    ("postgres://me:c@n@host/p", "postgres://redacted-userinfo-1@host/p"),
    ("https:\\/\\/me:canary1@host", "https:\\/\\/redacted-userinfo-1@host"),
    (
        "https://b/o?X-Amz-Signature=canary1&X-Amz-Date=1&X-Amz-Credential=c%2Fd",
        "https://b/o?X-Amz-Signature=redacted-query-1&X-Amz-Date=1&X-Amz-Credential=redacted-query-2",
    ),
    ("https://b/o?sv=1&sig=canary1#f", "https://b/o?sv=1&sig=redacted-query-1#f"),
    (
        "https://b/?next=https%3A%2F%2Fc%3Fx%26token%3Dcanary1",
        "https://b/?next=https%3A%2F%2Fc%3Fx%26token%3Dredacted-query-1",
    ),
    ("sent Bearer abc123def456.", "sent Bearer redacted-authorization-1"),
    ("sent Basic Y2FuYXJ5OjE=", "sent Basic redacted-authorization-1"),
    ("got eyJhbGciOiJI.eyJzdWIiOiIx.c2ln back", "got redacted-token-1 back"),
    ("key sk-0123456789abcdefgh here", "key redacted-key-1 here"),
    ("a -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- b", "a redacted-private-key-1 b"),
]


@pytest.mark.parametrize(("text", "expected"), BY_RULE)
def test_rules_remove_what_is_secret_by_its_place(text: str, expected: str) -> None:
    assert redact_text(text) == expected
    assert redact_text(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "the preflight refuses the header authorization: refused",
        "Authorization: 2 of 3 addresses do not allow it",
        "Bearer authentication is demanded, Basic authentication is not",
        'WWW-Authenticate: Bearer realm="api", error="invalid_token"',
        "Basic rules apply",
        "Cookie: none was sent",
        "https://host/path?page=2&signed=yes mail me@example.com",
        "Access-Control-Allow-Headers: authorization, x-api-key, cookie",
        "set TS_API_KEEP_ALIVE_TIMEOUT_SECONDS=75",
        "Authorization: [withheld]",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_text(text) == text


def canary_check(raw: str, exchange: dict[str, Any]) -> CheckResult:
    """One check with it in every field."""
    return CheckResult(
        id="dns.resolves",
        family="dns",
        title=raw,
        verdict=Verdict.FAIL,
        summary=raw,
        owner=raw,
        expected=raw,
        seen=raw,
        rerun=raw,
        evidence=(
            Evidence(kind="exchange", title=raw, data=exchange),
            Evidence(kind="facts", title=raw, data={"authorization": "canary-dict", "deep": [{KEY: raw}]}),
        ),
        remedy=Remedy(text=raw, snippets=(Snippet(product=raw, code=raw),)),
        sources=(raw,),
        waived=None,
    )


def canary_report(failing: Report) -> Report:
    """The canaries in every kind of place that a report has."""
    raw = f"{KEY} https://u:canary-url@h/?sig=canary-query Cookie: s=canary-cookie"
    headers: list[Json] = [
        ["Authorization", "Custom canary-auth x"],
        ["Set-Cookie", "a=canary-set; Path=/"],
        ["X-Other", KEY],
    ]
    exchange: dict[str, Any] = {
        "method": "GET",
        "url": raw,
        "headers": headers,
        "request_headers": [["Cookie", "canary-bare"]],
        KEY: [raw],
    }
    check = canary_check(raw, exchange)
    vantage = replace(failing.run.vantage, proxies={"https": raw})
    record = replace(failing.measurements[0], name=raw, fact={"headers": headers, KEY: raw}, missing=raw)
    return replace(
        failing,
        headline=raw,
        target={"url": raw, KEY: raw},
        checks=(check, replace(check, waived=raw)),
        path=(replace(failing.path[0], detail=raw),),
        not_seen=(raw,),
        measurements=(record,),
        run=replace(failing.run, options={"header": [raw]}, vantage=vantage),
    )


@pytest.mark.parametrize("name", FORMATS)
def test_no_canary_reaches_any_format(name: str, failing: Report) -> None:
    report = redact(canary_report(failing), KNOWN)
    for document in (report, ReportSet(verdict=Verdict.FAIL, headline="", reports=(report, report))):
        shown = render(document, name, Context(verbose=2))
        assert "canary" not in shown
        assert "redacted-known-1" in shown


def test_removed_values_are_counted_by_rule(failing: Report) -> None:
    report = redact(canary_report(failing), KNOWN)
    assert report.redactions.keys() == {"authorization", "cookie", "known", "query", "userinfo"}
    assert report.redactions["authorization"] >= 3 + 3
    assert redact(report, KNOWN) == report


def test_a_set_is_redacted_with_one_numbering(failing: Report) -> None:
    one = canary_report(failing)
    both = redact(ReportSet(verdict=Verdict.FAIL, headline=KEY, reports=(one, one)), KNOWN)
    assert both.headline == "redacted-known-1"
    assert both.reports[0].checks == both.reports[1].checks


def test_words_of_our_own_are_not_replaced(failing: Report) -> None:
    report = redact(failing, [Secret("dns"), Secret("fail"), Secret("load balancer")])
    assert [check.id for check in report.checks] == [check.id for check in failing.checks]
    assert [hop.hop for hop in report.path] == [hop.hop for hop in failing.path]


def test_a_report_without_secrets_is_unchanged(failing: Report) -> None:
    assert redact(failing, KNOWN) == failing


@pytest.mark.parametrize("glued", ["=cmd|' /C calc'", "=Ax", "==abcdefghij"])
def test_what_is_glued_to_a_removed_token_is_not_taken_for_another(glued: str) -> None:
    for secret in ("sent Bearer abc123def456.", "Basic dXNlcjpwYXNz"):
        once = redact_text(secret + glued)
        assert "redacted-authorization-1" in once
        assert redact_text(once) == once


@given(data=st.data(), secret=st.sampled_from([text for text, _ in BY_RULE]))
def test_redacting_twice_changes_nothing(
    hostile_texts: st.SearchStrategy[str], data: st.DataObject, secret: str
) -> None:
    once = redact_text(data.draw(hostile_texts) + secret + data.draw(hostile_texts), KNOWN)
    assert redact_text(once, KNOWN) == once


WORDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=8, max_size=40)


@given(prefix=st.binary(max_size=9), suffix=st.binary(max_size=9), secret=WORDS)
def test_a_secret_is_found_in_base64_wherever_it_lies(prefix: bytes, suffix: bytes, secret: str) -> None:
    text = base64.b64encode(prefix + secret.encode() + suffix).decode()
    assert "redacted-known-1" in redact_text(text, [Secret(secret)])
