"""Root cause, headline and path picture say what was seen, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from btdiag.core.finding import Evidence, Remedy, Verdict
from btdiag.core.report import CheckResult, Hop, Report, ReportSet
from btdiag.report import verdicts

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
            "Broken at the network: 1 of 2 refuse; what to do: Start it on 10.0.0.2 (port 443)",
        ),
        ([check("dns.a", WARN, "mixed"), check("cors.b", WARN)], "Works, with 2 risks, the first at DNS: mixed"),
        (
            [check("dns.a", PASS), check("cors.b", OPEN, "429 to all")],
            "No failure was seen, but 1 of 2 checks is undecided: 429 to all",
        ),
        (
            [check("dns.a", PASS), CRASHED, check("cors.b", OPEN)],
            "No failure was seen, but btdiag itself crashed in cors.a and 2 of 3 checks are undecided: KeyError: 'x'",
        ),
        (
            [CRASHED],
            f"Nothing is known about {URL}: btdiag itself crashed in cors.a (1 check asked for): KeyError: 'x'",
        ),
        (
            [check("dns.a", SKIP, "no key"), check("dns.b", SKIP, "no key")],
            f"Nothing is known about {URL}: no check could be decided (2 checks asked for): no key",
        ),
        ([check("dns.a", PASS), check("dns.b", SKIP)], f"Healthy: 1 check passed on 3 addresses of {URL}"),
        (
            [check("dns.a", PASS), check("dns.b", FAIL, waived="known")],
            f"Healthy: 1 check passed on 3 addresses of {URL}, 1 finding accepted",
        ),
        ([], f"No check was asked for {URL}"),
    ],
)
def test_the_headline_is_one_sentence_with_cause_hop_and_remedy(checks: list[CheckResult], expected: str) -> None:
    assert verdicts.headline(checks, url=URL, addresses=3) == expected


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
    assert [each.id for each in verdicts.findings(checks)] == ["cors.b", "cors.a", "dns.a", "own.a"]


def test_waived_findings_do_not_count() -> None:
    checks = [check("dns.a", FAIL, waived="w"), check("dns.b", PASS)]
    assert verdicts.overall(checks) is PASS
    assert verdicts.counts(checks) == {"pass": 1, "warn": 0, "fail": 0, "inconclusive": 0, "skip": 0}


def states(checks: list[CheckResult]) -> dict[str, str]:
    return {hop.hop: hop.state for hop in verdicts.path(checks)}


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
    (dns,) = [hop for hop in verdicts.path(checks) if hop.hop == "dns"]
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
    assert verdicts.hop_of(check(id, PASS, hop=hop)) == expected


def test_hops_of_users_own_stand_beside_the_way() -> None:
    assert states([check("own.x", FAIL, hop="moon")])["moon"] == "broken"


def test_the_headline_of_several_targets_names_the_worst(failing: Report, healthy: Report) -> None:
    assert verdicts.headline_of_set([healthy, healthy]) == "Healthy: 2 targets checked, no finding"
    warned = verdicts.headline_of_set([healthy, failing])
    assert warned == f"1 of 2 targets need attention: {failing.headline}"


def test_a_set_exits_with_its_worst_code(failing: Report, several: ReportSet) -> None:
    assert verdicts.exit_code(several, "fail") == verdicts.exit_code(failing, "fail") == 1
