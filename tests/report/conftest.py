"""Hand-made documents that the tests of reports share: one of everything a report can hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import strategies as st

from btdiag.core.finding import Evidence, Owner, Remedy, Snippet, Verdict
from btdiag.core.report import CheckResult, Hop, MeasurementRecord, Report, ReportSet, RunInfo, Vantage
from btdiag.report import verdicts
from btdiag.report.documents import Difference, Document, Merged
from btdiag.report.headline import headline, headline_of_set
from btdiag.report.path import path_of

URL = "https://braintrust.example.com"

EXCHANGE: dict[str, Any] = {
    "method": "POST",
    "url": f"{URL}/btdiag-probe",
    "label": "10.0.3.17",
    "started_at": "2026-11-24T09:00:58.123Z",
    "request_headers": [["Host", "braintrust.example.com"], ["Authorization", "[withheld]"]],
    "address": "10.0.3.17",
    "local_port": 51234,
    "http_version": "1.1",
    "status": 502,
    "reason": "Bad Gateway",
    "headers": [["Server", "awselb/2.0"], ["Content-Type", "text/html"], ["X-Amzn-Trace-Id", "Root=1-abc"]],
    "body": "<html>\n<center><h1>502 Bad Gateway</h1></center>\n</html>",
    "body_bytes": 122,
    "body_truncated": False,
    "timing": {"tcp_s": 0.001, "proxy_s": None, "tls_s": 0.012, "first_byte_s": 0.004, "total_s": 0.02},
    "failure": None,
    "tls_verified": True,
    "key_withheld": None,
}

EVIDENCE = (
    Evidence(
        kind="table",
        title="Outcome by address",
        data={"headers": ["address", "sent", "lost"], "rows": [["10.0.3.17", 200, 14], ["10.0.4.22", 200, 11]]},
    ),
    Evidence(kind="exchange", title="One of the lost requests", data=EXCHANGE),
    Evidence(kind="curl", title="The same request with curl", data="curl -sv -X POST https://braintrust.example.com/x"),
    Evidence(
        kind="timeline",
        title="Requests by the idle age of their connection",
        data={
            "k_s": 66.0,
            "lb_idle_s": 300.0,
            "points": [
                {"age_s": 0.0, "outcome": "ok", "volley": "warmup"},
                {"age_s": 0.4, "outcome": "ok", "volley": "control"},
                {"age_s": 65.99, "outcome": "502", "volley": "race"},
                {"age_s": 66.0, "outcome": "reset", "volley": "race"},
                {"age_s": 65.98, "outcome": "ok", "volley": "race"},
            ],
        },
    ),
)

MATRIX = Evidence(
    kind="matrix",
    title="Preflight by header and method",
    data={
        "rows": ["authorization", "x-bt-use-gateway"],
        "columns": ["GET", "POST"],
        "cells": [
            [{"state": "pass", "text": "allowed"}, {"state": "pass", "text": "allowed"}],
            [{"state": "fail", "text": "refused"}, {"state": "warn", "text": "not asked"}],
        ],
    },
)

CHECKS = (
    CheckResult(
        id="dns.resolves",
        family="dns",
        title="The target's name resolves to an address.",
        verdict=Verdict.PASS,
        summary="braintrust.example.com resolves to 2 addresses: 10.0.3.17, 10.0.4.22",
        rerun=f"btdiag run --target {URL} --only dns.resolves",
        duration_s=0.001,
    ),
    CheckResult(
        id="connection.certificate-is-not-expiring",
        family="connection",
        title="The certificate is valid for more than 21 days.",
        verdict=Verdict.WARN,
        summary="the certificate of both addresses expires in 12 days, on 2026-12-06",
        hop="tls",
        owner=Owner.CERTIFICATES,
        expected="more than 21 days",
        seen="12 days",
        rerun=f"btdiag run --target {URL} --only connection.certificate-is-not-expiring",
        remedy=Remedy(text="Renew the certificate before 2026-12-06."),
        sources=("https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5",),
    ),
    CheckResult(
        id="keepalive.backend-outlives-load-balancer",
        family="keepalive",
        title="The backend keeps an idle connection open longer than the load balancer does.",
        verdict=Verdict.FAIL,
        summary="the backend closes idle connections after 66.0 s, the load balancer keeps them for 300 s",
        hop="load balancer",
        owner=Owner.API,
        expected="backend above 300 s",
        why="When the backend closes first, clients see a 502 though the API server is healthy and logs nothing.",
        seen="66.0 s (measured twice)",
        rerun=f"btdiag run --target {URL} --only keepalive.backend-outlives-load-balancer",
        evidence=EVIDENCE,
        remedy=Remedy(
            text="Set TS_API_KEEP_ALIVE_TIMEOUT_SECONDS to 310 on the API pods. Restart them.",
            snippets=(
                Snippet(
                    product="Helm",
                    code="api:\n  extraEnvVars:\n    - name: TS_API_KEEP_ALIVE_TIMEOUT_SECONDS\n      value: '310'",
                ),
                Snippet(product="nginx", code="keepalive_timeout 60s;"),
            ),
        ),
        sources=("https://docs.aws.amazon.com/elasticloadbalancing/latest/application/",),
        measurements=("idle_timeouts@10.0.3.17",),
        duration_s=0.002,
    ),
    CheckResult(
        id="cors.preflight-allows-headers",
        family="cors",
        title="The preflight allows every header that the web app sends.",
        verdict=Verdict.INCONCLUSIVE,
        summary="429 to 3 of 8 preflights: wait a minute and run again",
        hop="api",
        owner=Owner.API,
        evidence=(MATRIX,),
        rerun=f"btdiag run --target {URL} --only cors",
    ),
    CheckResult(
        id="readiness.backend-agrees",
        family="readiness",
        title="The API server itself answers as through the load balancer.",
        verdict=Verdict.SKIP,
        summary="not asked for: no --backend given",
    ),
    CheckResult(
        id="lna.page-may-reach-target",
        family="lna",
        title="A public page may reach the target.",
        verdict=Verdict.SKIP,
        summary="because cors.preflight-allows-headers is undecided",
        because="cors.preflight-allows-headers",
    ),
    CheckResult(
        id="egress.only-what-is-needed",
        family="egress",
        title="Only the needed hosts are reachable.",
        verdict=Verdict.FAIL,
        summary="example.org answers from here",
        waived="test network (accepted until 2027-01-31)",
    ),
)

MEASUREMENTS = (
    MeasurementRecord(
        name="resolution", started_s=0.0, duration_s=0.02, fact={"addresses": ["10.0.3.17", "10.0.4.22"]}
    ),
    MeasurementRecord(name="connection@10.0.3.17", started_s=0.02, duration_s=0.03, fact={"tcp_s": 0.001}),
    MeasurementRecord(name="idle_timeouts@10.0.3.17", started_s=0.06, duration_s=66.2, fact={"k_s": 66.0}),
    MeasurementRecord(name="browser_trial", started_s=0.06, duration_s=0.0, missing="no browser was found"),
)


def report_of(checks: tuple[CheckResult, ...], url: str = URL) -> Report:
    code = verdicts.exit_code_of(checks, "fail")
    return Report(
        tool_version="0.1.0",
        run=RunInfo(
            id="20261124T090000Z-7f3a",
            started_at="2026-11-24T09:00:00Z",
            duration_s=71.2,
            longest_wait_s=66.0,
            interrupted=False,
            options={"quick": False, "only": ["dns", "keepalive"]},
            exit_code=code,
            requests_sent=412,
            vantage=Vantage(
                hostname="laptop-7",
                platform="Linux-6.1-x86_64",
                python="3.11.9",
                proxies={"https": "http://proxy:3128"},
            ),
        ),
        target={"url": url, "lb_idle_timeout": 300.0},
        verdict=verdicts.overall(checks),
        root_cause=verdicts.root_cause(checks),
        headline=headline(checks, url=url, addresses=2),
        counts=verdicts.counts(checks),
        path=path_of(checks),
        checks=checks,
        not_seen=("what a browser would see: no browser was found (see btdiag doctor)",),
        redactions={"authorization": 3, "cookie": 1},
        measurements=MEASUREMENTS,
    )


@pytest.fixture(scope="session")
def failing() -> Report:
    """A run with one of each verdict, a waived failure and every kind of text field filled."""
    return report_of(CHECKS)


@pytest.fixture(scope="session")
def healthy() -> Report:
    return report_of(tuple(replace(check, verdict=Verdict.PASS, because=None) for check in CHECKS[:2]))


@pytest.fixture(scope="session")
def several(failing: Report, healthy: Report) -> ReportSet:
    reports = (failing, replace(healthy, target={"url": "https://two.example.com"}))
    return ReportSet(verdict=Verdict.FAIL, headline=headline_of_set(reports), reports=reports)


# --- Hostile documents ------------------------------------------------------------------------------------------------

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "'\"><svg/onload=alert(1)>&amp;&#x3c;",
    "</style></script></title></pre></details>]]>--><!--",
    "\x1b[31mred\x1b[0m\x1b]8;;http://evil.example\x07link\x1b]8;;\x07\x9b2J",
    "\u202eright to left\u2066\u200f\u200b",
    "=cmd|' /C calc'!A0",
    "@everyone #1 ![x](http://evil.example) [a](javascript:alert(1)) | cell | ``` ~~~ **b** _i_ `c`",
    "```\n# heading\n\n| a | b |\n|---|---|\n\n- [ ] x\n1. y\n\n---\n",
    "\ud800\udfff\x00\ufffe\uffff\ufeff\U0001ffff\U000e0041",
    'x\\"\n# EOF\nbtdiag_up{a="b"} 1\n',
    "a\r\nb\rc\u2028d\u2029e\x85f\x0bg\x0ch",
    "::error file=x::injected\n::set-output name=a::b",
    "{{ 7*7 }}{% raw %}${7*7}",
    "e\u0301" * 50,
    "W" * 5_000,
    "",
    " ",
)
texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(alphabet=st.characters(categories=None), max_size=30),
    st.tuples(st.sampled_from(HOSTILE), st.text(max_size=5)).map("".join),
)
numbers = st.floats(min_value=0, max_value=1e6)
data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
cells = st.fixed_dictionaries({"state": texts | st.sampled_from(["pass", "fail"]), "text": texts})
shaped = st.one_of(
    st.tuples(st.just("exchange"), st.fixed_dictionaries(dict.fromkeys(EXCHANGE, texts | data))),
    st.tuples(
        st.just("exchange"),
        st.builds(lambda body, value: {**EXCHANGE, "body": body, "headers": [[body, value]]}, texts, texts),
    ),
    st.tuples(
        st.just("table"),
        st.fixed_dictionaries(
            {"headers": st.lists(texts, max_size=3), "rows": st.lists(st.lists(data, max_size=4), max_size=3)}
        ),
    ),
    st.tuples(
        st.just("timeline"),
        st.fixed_dictionaries(
            {
                "k_s": numbers | st.none() | data,
                "lb_idle_s": numbers | st.none(),
                "points": st.lists(
                    st.fixed_dictionaries({"age_s": numbers, "outcome": texts, "volley": texts}), max_size=4
                ),
            }
        ),
    ),
    st.tuples(
        st.just("matrix"),
        st.integers(min_value=0, max_value=2).flatmap(
            lambda n: st.fixed_dictionaries(
                {
                    "rows": st.lists(texts, min_size=n, max_size=n),
                    "columns": st.lists(texts, min_size=2, max_size=2),
                    "cells": st.lists(st.lists(cells, min_size=2, max_size=2), min_size=n, max_size=n),
                }
            )
        ),
    ),
    st.tuples(st.sampled_from(["text", "curl", "image", "certificate", "facts", "crash"]), texts | data),
    st.tuples(texts, data),
)
evidence = st.builds(lambda pair, title: Evidence(kind=pair[0], title=title, data=pair[1]), shaped, texts)
snippets = st.builds(Snippet, product=texts, code=texts)
remedies = st.builds(Remedy, text=texts, snippets=st.lists(snippets, max_size=2).map(tuple))
lists_of_text = st.lists(texts, max_size=2).map(tuple)
check_results = st.builds(
    CheckResult,
    id=texts,
    family=texts | st.sampled_from(verdicts.FAMILIES),
    title=texts,
    verdict=st.sampled_from(Verdict),
    summary=texts,
    hop=texts,
    owner=texts,
    because=st.none() | texts,
    expected=texts,
    seen=texts,
    rerun=texts,
    evidence=st.lists(evidence, max_size=2).map(tuple),
    remedy=st.none() | remedies,
    sources=lists_of_text,
    measurements=lists_of_text,
    duration_s=numbers,
    waived=st.none() | texts,
    why=texts,
)
records = st.builds(
    MeasurementRecord, name=texts, started_s=numbers, duration_s=numbers, fact=data, missing=st.none() | texts
)
hops = st.builds(
    Hop,
    hop=texts,
    state=st.sampled_from(["ok", "warn", "broken", "unknown", "not reached"]),
    detail=texts,
    checks=lists_of_text,
)
runs = st.builds(
    RunInfo,
    id=texts,
    started_at=texts,
    duration_s=numbers,
    longest_wait_s=numbers,
    interrupted=st.booleans(),
    options=st.dictionaries(texts, data, max_size=2),
    exit_code=st.sampled_from([0, 1, 3, 130]),
    requests_sent=st.integers(min_value=0, max_value=10**6),
    vantage=st.builds(
        Vantage, hostname=texts, platform=texts, python=texts, proxies=st.dictionaries(texts, texts, max_size=2)
    ),
)


@st.composite
def hostile_reports(draw: st.DrawFn) -> Report:
    checks = tuple(draw(st.lists(check_results, max_size=3)))
    return Report(
        tool_version=draw(texts),
        run=draw(runs),
        target={"url": draw(texts), "more": draw(data)},
        verdict=verdicts.overall(checks),
        root_cause=verdicts.root_cause(checks),
        headline=draw(texts),
        counts=verdicts.counts(checks),
        path=draw(st.just(path_of(checks)) | st.lists(hops, max_size=2).map(tuple)),
        checks=checks,
        not_seen=draw(lists_of_text),
        redactions=draw(st.dictionaries(texts, st.integers(min_value=0, max_value=9), max_size=2)),
        measurements=tuple(draw(st.lists(records, max_size=2, unique_by=lambda record: record.name))),
    )


@st.composite
def hostile_sets(draw: st.DrawFn) -> ReportSet:
    reports = tuple(draw(st.lists(hostile_reports(), min_size=1, max_size=2)))
    return ReportSet(verdict=Verdict.FAIL, headline=draw(texts), reports=reports)


@st.composite
def hostile_merges(draw: st.DrawFn) -> Merged:
    differences = st.builds(
        Difference, what=texts, values=st.lists(st.tuples(texts, texts), max_size=2).map(tuple), meaning=texts
    )
    return Merged(
        verdict=Verdict.FAIL,
        headline=draw(texts),
        reports=tuple(draw(st.lists(hostile_reports(), min_size=1, max_size=2))),
        differences=tuple(draw(st.lists(differences, max_size=2))),
    )


@pytest.fixture(scope="session")
def hostile() -> st.SearchStrategy[Document]:
    """Documents of every kind with hostile text in every field."""
    return st.one_of(hostile_reports(), hostile_reports(), hostile_sets(), hostile_merges())


@pytest.fixture(scope="session")
def hostile_texts() -> st.SearchStrategy[str]:
    return texts


@pytest.fixture(scope="session")
def make_report() -> Callable[..., Report]:
    """Makes a report of check results, everything else as in `failing`."""
    return report_of
