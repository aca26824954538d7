"""Words lead to commands and checks, and the README's table is made of the same rows."""

from __future__ import annotations

import pytest

from btdiag.engine.symptoms import SYMPTOMS, as_text, fitting
from tests import docs
from tests.support.cli import btdiag


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("Failed to fetch", "cors.web-app-may-call"),
        ("502", "keepalive.backend-outlives-load-balancer"),
        ("hang", "connection.tcp-connects"),
        ("HTTP 504", "readiness.root-answers"),
        ("requests hang", "keepalive.no-silent-drop"),
        ("requests.exceptions.SSLError: certificate verify failed (_ssl.c:1006)", "connection.tls-is-trusted"),
        ("getaddrinfo ENOTFOUND api.example.com", "dns.resolves"),
        ("upstream prematurely closed connection while reading", "keepalive.backend-outlives-load-balancer"),
        ("the name is not found", "dns.resolves"),
        ("requests.exceptions.SSLError", "connection.tls-is-trusted"),
        ("429 Too Many Requests", "ratelimit.not-throttled"),
    ],
)
def test_words_lead_to_the_check_that_decides(words: str, first: str) -> None:
    assert first in fitting(words)[0].checks


@pytest.mark.parametrize("words", ["", "zebra", "the", "cors.web-app-may", "?!", "\x1b[31m"])
def test_what_means_nothing_leads_nowhere(words: str) -> None:
    assert fitting(words) == ()


def test_each_row_is_found_by_its_own_words_first() -> None:
    for one in SYMPTOMS:
        assert one in fitting(one.seen), one.seen
        for message in one.also:
            assert one in fitting(message), message


def test_the_table_of_the_readme_is_made_of_the_rows() -> None:
    assert docs.README.read_text("utf-8") == docs.readme()


def test_what_is_told_can_be_pasted() -> None:
    text = as_text(fitting("requests hang"), {"keepalive.no-silent-drop": "a claim"})
    assert "\n  btdiag run --only keepalive --only gateway\n" in text
    assert "keepalive.no-silent-drop               a claim" in text


def test_explain_takes_words_and_ids() -> None:
    done = btdiag("explain", "connection", "refused")
    assert (done.code, "connection.tcp-connects" in done.out) == (0, True), done
    done = btdiag("explain", "cors.web-app-may-cal")
    assert (done.code, done.err) == (
        2,
        "btdiag: no check is called 'cors.web-app-may-cal': did you mean cors.web-app-may-call?\n",
    )
