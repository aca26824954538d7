"""A merge says where it works and where it breaks, and draws no conclusion that was not observed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from btdiag.core.finding import Verdict
from btdiag.core.report import CheckResult, Report, ReportSet
from btdiag.report import json_
from btdiag.report.documents import Context, Merged, ReportFileError
from btdiag.report.formats import FORMATS, render
from btdiag.report.merge import merged_reports

FAIL, PASS, SKIP, WARN = Verdict.FAIL, Verdict.PASS, Verdict.SKIP, Verdict.WARN
Make = Callable[..., Report]


def checks(verdict: Verdict, id: str = "connection.proxy-lets-through") -> tuple[CheckResult, ...]:
    return (CheckResult(id=id, family=id.partition(".")[0], title="t", verdict=verdict, summary=f"it did {verdict}"),)


def seen_from(report: Report, host: str, **proxies: str) -> Report:
    vantage = replace(report.run.vantage, hostname=host, proxies=proxies)
    return replace(report, run=replace(report.run, vantage=vantage))


def meanings(merged: Merged) -> dict[str, str]:
    return {each.what: each.meaning for each in merged.differences}


def test_works_in_the_cluster_breaks_at_the_proxy(make_report: Make) -> None:
    pod = seen_from(make_report(checks(PASS)), "pod-1")
    laptop = seen_from(make_report(checks(FAIL)), "laptop", https="http://proxy:3128")
    merged = merged_reports([pod, laptop])
    assert merged.verdict is FAIL
    assert merged.headline == ("Works from pod-1; breaks from laptop via http://proxy:3128: It did fail.")
    assert meanings(merged) == {
        "where it breaks first": "",
        "connection.proxy-lets-through": "Holds from pod-1, not from laptop via http://proxy:3128: "
        "only the places where it fails use a proxy.",
    }


def test_what_is_undecided_is_not_said_to_work(make_report: Make) -> None:
    places = {"a": FAIL, "b": Verdict.INCONCLUSIVE, "c": PASS, "d": WARN}
    reports = [seen_from(make_report(checks(verdict)), host) for host, verdict in places.items()]
    assert merged_reports(reports).headline.startswith("Works from c, d; undecided from b; breaks from a: It did fail")
    assert merged_reports(reports[:2]).headline.startswith("Undecided from b; breaks from a: ")


def test_accepted_findings_are_no_difference(make_report: Make) -> None:
    (finding,) = checks(FAIL)
    assert (
        merged_reports([make_report(checks(PASS)), make_report((replace(finding, waived="known"),))]).differences == ()
    )


def test_without_a_telling_difference_only_the_observation_is_said(make_report: Make) -> None:
    merged = merged_reports([seen_from(make_report(checks(PASS)), "a"), seen_from(make_report(checks(FAIL)), "b")])
    meaning = meanings(merged)["connection.proxy-lets-through"]
    assert meaning == "Holds from a, not from b: look at what only the latter pass on their way."


def test_places_that_agree_differ_in_nothing(make_report: Make) -> None:
    merged = merged_reports([seen_from(make_report(checks(PASS)), "a"), seen_from(make_report(checks(PASS)), "b")])
    assert merged.differences == ()
    assert merged.headline.startswith("No failure from 2 places: Healthy: 1 check passed")


def test_skips_and_absent_checks_are_no_difference(make_report: Make) -> None:
    merged = merged_reports([make_report(checks(PASS)), make_report(checks(SKIP)), make_report(())])
    assert merged.differences == ()


def test_a_warning_against_a_pass_is_told_without_a_meaning(make_report: Make) -> None:
    merged = merged_reports([make_report(checks(PASS)), make_report(checks(WARN)), make_report(())])
    (difference,) = merged.differences
    assert [seen for _, seen in difference.values] == ["pass: it did pass", "warn: it did warn", "not checked"]
    assert difference.meaning == ""


def test_runs_from_the_same_place_keep_apart(make_report: Make) -> None:
    merged = merged_reports([make_report(checks(PASS)), make_report(checks(FAIL)), make_report(checks(FAIL))])
    names = [place for place, _ in merged.differences[0].values]
    assert len(set(names)) == 3
    assert names[2].endswith(" at 2026-11-24T09:00:00Z (3)")


def test_breaking_everywhere_tells_alike_from_different(make_report: Make) -> None:
    alike = merged_reports([seen_from(make_report(checks(FAIL)), place) for place in "ab"])
    assert alike.headline == "Breaks alike from all 2 places: It did fail."
    other = merged_reports([make_report(checks(FAIL)), make_report(checks(FAIL, "cors.x"))])
    assert other.headline.startswith("Breaks from all 2 places, in different ways; from laptop-7")


def test_other_addresses_and_versions_are_told(make_report: Make) -> None:
    one = make_report(checks(PASS))
    records = (replace(one.measurements[0], fact={"addresses": ["10.9.9.9"]}),)
    two = replace(one, measurements=records, tool_version="0.2.0")
    assert list(meanings(merged_reports([one, two]))) == ["addresses from DNS", "btdiag version"]
    blind = replace(one, measurements=(replace(one.measurements[0], fact=None),))
    assert merged_reports([one, blind]).differences == ()


def test_several_targets_or_one_report_are_refused(failing: Report, several: ReportSet) -> None:
    with pytest.raises(ReportFileError, match="2 different targets"):
        merged_reports([failing, several])
    with pytest.raises(ReportFileError, match="at least two"):
        merged_reports([failing])


def test_a_merge_renders_in_every_format_and_comes_back(failing: Report, healthy: Report) -> None:
    merged = merged_reports([failing, seen_from(healthy, "pod-1")])
    for name in FORMATS:
        assert "pod-1" in render(merged, name, Context())
    assert json_.load(json_.render(merged)) == merged
    assert merged_reports([merged, failing]).reports == (*merged.reports, failing)
