"""Schemes and ports that browsers refuse, on URLs alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag.core.finding import HopName, Verdict
from btdiag.core.target import Target
from btdiag.families.browser.judge.ports import ALLOWED_BY_CHROMIUM, BAD_PORTS, port_is_allowed
from btdiag.families.browser.judge.schemes import scheme_is_secure

TARGET = Target(url="https://api.corp.example", scheme="https", host="api.corp.example", port=443)


def plain(host: str, port: int = 80) -> Target:
    return replace(TARGET, url=f"http://{host}", scheme="http", host=host, port=port)


@pytest.mark.parametrize(
    ("host", "verdict"),
    [
        ("api.corp.example", Verdict.FAIL),
        ("203.0.113.7", Verdict.FAIL),  # for documentation: public to Chromium
        ("localhost.corp.example", Verdict.FAIL),
        ("notlocalhost", Verdict.FAIL),
        ("127.0.0.1", Verdict.PASS),
        ("127.1.2.3", Verdict.PASS),
        ("::1", Verdict.PASS),
        ("localhost", Verdict.PASS),
        ("api.localhost", Verdict.PASS),
        ("10.0.0.5", Verdict.WARN),
        ("fd00::5", Verdict.WARN),
        ("api.local", Verdict.WARN),
    ],
)
def test_http_is_mixed_content_but_on_this_machine(host: str, verdict: Verdict) -> None:
    assert scheme_is_secure(plain(host)).verdict is verdict


@pytest.mark.parametrize("field", ["gateway", "bucket"])
def test_gateway_and_bucket_are_judged_as_the_target_is(field: str) -> None:
    host = "http://store.corp.example/file?X-Amz-Signature=secret"
    target = replace(TARGET, gateway=host) if field == "gateway" else replace(TARGET, bucket=host)
    found = scheme_is_secure(target)
    assert found.verdict is Verdict.FAIL
    assert f"--{field}" in found.summary
    assert "secret" not in repr(found)


def test_a_blocked_host_comes_before_one_that_is_exempt() -> None:
    found = scheme_is_secure(replace(plain("10.0.0.5"), gateway="http://gateway.corp.example"))
    assert found.verdict is Verdict.FAIL
    assert "gateway.corp.example" in found.summary


def test_a_page_without_https_has_no_mixed_content() -> None:
    page = "http://app.corp.example"
    assert scheme_is_secure(replace(plain("api.corp.example"), origins=(page,))).verdict is Verdict.SKIP


@given(st.integers(0, 65535))
def test_only_bad_ports_fail(port: int) -> None:
    found = port_is_allowed(replace(TARGET, port=port))
    assert (found.verdict is Verdict.FAIL) == (port in BAD_PORTS - ALLOWED_BY_CHROMIUM)
    assert (found.verdict is Verdict.WARN) == (port in ALLOWED_BY_CHROMIUM)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_usual_ports_are_meant_where_none_is_named(scheme: str) -> None:
    assert port_is_allowed(replace(TARGET, bucket=f"{scheme}://store.corp.example/x")).verdict is Verdict.PASS


def test_a_bad_port_of_the_gateway_is_named() -> None:
    found = port_is_allowed(replace(TARGET, gateway="https://gateway.corp.example:6667"))
    assert found.verdict is Verdict.FAIL
    assert "6667" in found.answer
    assert "the AI gateway" in found.answer


@pytest.mark.parametrize("gateway", ["http://gateway.corp.example", "https://gateway.corp.example:10080"])
def test_answers_and_actions_are_short(gateway: str) -> None:
    for found in (
        scheme_is_secure(replace(TARGET, gateway=gateway)),
        port_is_allowed(replace(TARGET, gateway=gateway)),
    ):
        assert len(found.answer) <= 90
        assert found.remedy is None or 0 < len(found.remedy.action) <= 140


def test_the_place_is_the_browser_for_nothing_was_sent_anywhere() -> None:
    for found in (scheme_is_secure(plain("api.corp.example")), port_is_allowed(replace(TARGET, port=6000))):
        assert found.verdict is Verdict.FAIL
        assert found.hop == HopName.BROWSER
