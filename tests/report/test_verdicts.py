"""Root cause, headline and path picture say what was seen, and no more."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag.core.finding import Evidence, Remedy, Verdict
from btdiag.core.report import CheckResult, Hop, Report, ReportSet
from btdiag.report import verdicts
from btdiag.report.documents import url_of
from btdiag.report.headline import headline, headline_of_set, shortened
from btdiag.report.path import hop_of, path_of

URL = "https://h.example"
REMEDY = Remedy(text="Start it on 10.0.0.2 (port 443). Then run again.")


def check(id: str, verdict: Verdict, summary: str = "s.", **more: Any) -> CheckResult:
    return CheckResult(id=id, family=id.partition(".")[0], title="t", verdict=verdict, summary=summary, **more)


FAIL, WARN, PASS, SKIP, OPEN = Verdict.FAIL, Verdict.WARN, Verdict.PASS, Verdict.SKIP, Verdict.INCONCLUSIVE
CRASHED = check("cors.a", OPEN, "KeyError: 'x'", evidence=(Evidence(kind="crash", title="t", data="d"),))


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        (
            [
                check("cors.x", FAIL),
                check("connection.tcp-connects", FAIL, "1 of 2 refuse.", remedy=REMEDY, hop="network"),
            ],
            "1 of 2 refuse. Start it on 10.0.0.2 (port 443).",
        ),
        ([check("dns.a", WARN, "mixed"), check("cors.b", WARN)], "Mixed."),
        ([check("dns.a", WARN, "mixed"), check("cors.b", OPEN)], "Mixed."),
        (
            [check("dns.a", WARN, "3 of 4 are lost; more", answer="the name is not always found", remedy=REMEDY)],
            "The name is not always found. Start it on 10.0.0.2 (port 443).",
        ),
        (
            [check("dns.a", FAIL, remedy=Remedy(text="Long.", action="name the second resolver"))],
            "S. Name the second resolver.",
        ),
        (
            [check("dns.a", PASS), check("cors.b", OPEN, "429 to all")],
            "No fault was seen, but 1 of 2 checks is undecided: 429 to all",
        ),
        (
            [
                check("dns.a", PASS),
                check("cors.a", OPEN),
                *(check(f"own.{n}", OPEN, "time is over") for n in "ab"),
            ],
            "No fault was seen, but 3 of 4 checks are undecided: time is over",
        ),
        (
            [check("dns.a", PASS), CRASHED, check("cors.b", OPEN)],
            "No fault was seen, but 2 of 3 checks are undecided: btdiag itself crashed in cors.a",
        ),
        ([CRASHED], f"Nothing is known about {URL}: btdiag itself crashed in cors.a (1 check asked for)"),
        (
            [check("dns.a", SKIP, "no key"), check("dns.b", SKIP, "no key")],
            f"Nothing is known about {URL}: no key (2 checks asked for)",
        ),
        (
            [check("dns.a", PASS), check("dns.b", SKIP)],
            f"Healthy: 1 check passed on 3 addresses of {URL} with 9 requests",
        ),
        (
            [check("dns.a", PASS), check("dns.b", FAIL, waived="known")],
            f"Healthy: 1 check passed on 3 addresses of {URL} with 9 requests, 1 finding accepted",
        ),
        ([], f"No check was asked for {URL}"),
    ],
)
def test_the_headline_is_the_answer_and_what_to_do(checks: list[CheckResult], expected: str) -> None:
    assert headline(checks, url=URL, addresses=3, requests=9) == expected


@pytest.mark.parametrize(
    ("private", "verdict", "told"), [(True, SKIP, True), (False, SKIP, False), (True, PASS, False)]
)
def test_a_healthy_private_target_that_no_browser_tried_is_called_so(
    private: bool, verdict: Verdict, told: bool
) -> None:
    checks = [check("dns.a", PASS), check("lna.web-app-reaches-target", verdict)]
    assert ("no browser tried" in headline(checks, url=URL, private=private)) is told


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        (
            [check("dns.a", PASS), check("cors.b", OPEN)],
            "Interrupted after 1.8 s: 1 passed, none failed, 1 not finished",
        ),
        ([check("dns.a", FAIL, "it is gone"), check("cors.b", OPEN)], "It is gone."),
    ],
)
def test_an_interrupted_run_says_how_far_it_came(checks: list[CheckResult], expected: str) -> None:
    assert headline(checks, url=URL, interrupted_after_s=1.84) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("as long as it is.", "as long as it is"),
        (
            "GET / is not answered by the API, but by nginx (a page) on 2 of 3",
            "GET / is not answered by the API",
        ),
        ("the header (which is one of the four that are asked for) is gone", "the header is gone"),
        ("one two three four five six seven eight nine ten", "one two three four five six seven ..."),
    ],
)
def test_what_is_too_long_is_cut_between_clauses_or_words(text: str, expected: str) -> None:
    assert shortened(text, 42) == expected


@given(st.text(max_size=300), st.integers(30, 140))
def test_what_is_cut_short_is_short_enough(text: str, limit: int) -> None:
    assert len(shortened(text, limit)) <= max(limit, 4)


def test_rows_with_one_reason_are_one_row() -> None:
    checks = [check("a.x", OPEN, "late"), check("b.x", FAIL, "late"), check("c.x", OPEN, "late"), check("d.x", OPEN)]
    groups = verdicts.with_one_reason(verdicts.findings(checks))
    assert [verdicts.ids_of(group) for group in groups] == ["b.x", "2 checks: a.x, c.x", "d.x"]


def test_the_root_cause_is_the_first_failure_on_the_path() -> None:
    checks = [check("own.x", FAIL), check("cors.x", FAIL), check("readiness.y", FAIL), check("dns.z", FAIL, waived="w")]
    assert verdicts.root_cause(checks) == "readiness.y"
    assert verdicts.root_cause(checks[3:]) is None


def test_findings_are_sorted_by_severity_then_path() -> None:
    checks = [
        check("own.a", WARN),
        check("cors.a", OPEN),
        check("cors.b", FAIL),
        check("dns.a", WARN),
        check("dns.b", PASS),
    ]
    assert [each.id for each in verdicts.findings(checks)] == ["cors.b", "dns.a", "own.a", "cors.a"]


def test_waived_findings_do_not_count() -> None:
    checks = [check("dns.a", FAIL, waived="w"), check("dns.b", PASS)]
    assert verdicts.overall(checks) is PASS
    assert verdicts.counts(checks) == {"pass": 1, "warn": 0, "fail": 0, "inconclusive": 0, "skip": 0}


def states(checks: list[CheckResult]) -> dict[str, str]:
    return {hop.hop: hop.state for hop in path_of(checks)}


def test_hops_behind_the_first_broken_one_are_not_reached() -> None:
    checks = [check("dns.resolves", FAIL), check("connection.tls-is-trusted", SKIP, because="dns.resolves")]
    assert states(checks) == {
        "client": "ok",
        "dns": "broken",
        "network": "not reached",
        "tls": "not reached",
        "load balancer": "not reached",
        "api": "not reached",
    }


def test_hops_before_one_that_answered_are_ok() -> None:
    assert states([check("readiness.root-answers", FAIL)]) == {
        "client": "ok",
        "dns": "ok",
        "network": "ok",
        "load balancer": "ok",
        "api": "broken",
    }


def test_hops_of_an_empty_run_are_unknown() -> None:
    assert set(states([]).values()) == {"unknown"}


def test_a_hop_tells_its_worst_finding_and_its_checks() -> None:
    checks = [
        check("dns.a", WARN, "slow"),
        check("dns.b", PASS),
        check("dns.c", SKIP),
        check("dns.d", FAIL, waived="w"),
    ]
    (dns,) = [hop for hop in path_of(checks) if hop.hop == "dns"]
    assert dns == Hop(hop="dns", state="warn", detail="slow", checks=("dns.a", "dns.b"))


@pytest.mark.parametrize(
    ("id", "hop", "expected"),
    [
        ("connection.tcp-connects", "", "network"),
        ("connection.tls-is-trusted", "", "tls"),
        ("connection.certificate-is-not-expiring", "", "tls"),
        ("connection.proxy-lets-through", "", "proxy"),
        ("connection.clocks-agree", "", "client"),
        ("keepalive.x", "api", "api"),
        ("lna.x", "", "browser"),
        ("own.x", "", "api"),
        ("own.x", "moon", "moon"),
    ],
)
def test_every_result_has_a_hop(id: str, hop: str, expected: str) -> None:
    assert hop_of(check(id, PASS, hop=hop)) == expected


def test_hops_of_users_own_stand_beside_the_way() -> None:
    assert states([check("own.x", FAIL, hop="moon")])["moon"] == "broken"


def test_the_headline_of_several_targets_names_the_worst(failing: Report, healthy: Report) -> None:
    assert headline_of_set([healthy, healthy]) == "Healthy: 2 targets checked, no finding"
    warned = headline_of_set([healthy, failing])
    assert warned == f"1 of 2 targets need attention. {url_of(failing)}: {failing.headline}"


def test_a_set_exits_with_its_worst_code(failing: Report, several: ReportSet) -> None:
    assert verdicts.exit_code(several, "fail") == verdicts.exit_code(failing, "fail") == 1
