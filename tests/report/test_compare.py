"""A comparison tells worse from fixed, says first what makes two runs hard to compare, never calls unknown fixed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from btdiag.core.finding import Verdict
from btdiag.core.report import CheckResult, Report, ReportSet
from btdiag.report.compare import Change, ChangeKind, DifferentTargetsError, compare_reports, compared, got_worse
from btdiag.report.compare_text import COMPARE_FORMATS, render
from btdiag.report.documents import Document, reports_of, url_of

FAIL, WARN, PASS, SKIP, OPEN = Verdict.FAIL, Verdict.WARN, Verdict.PASS, Verdict.SKIP, Verdict.INCONCLUSIVE


def only(verdict: Verdict | None, waived: str | None = None, summary: str = "s") -> tuple[CheckResult, ...]:
    if verdict is None:
        return ()
    return (CheckResult(id="dns.a", family="dns", title="t", verdict=verdict, summary=summary, waived=waived),)


@pytest.mark.parametrize(
    ("old", "new", "kind", "worse"),
    [
        (only(PASS), only(FAIL), ChangeKind.WORSE, True),
        (only(PASS), only(WARN), ChangeKind.WORSE, True),
        (only(PASS), only(OPEN), ChangeKind.WORSE, True),
        (only(WARN), only(OPEN), ChangeKind.WORSE, True),
        (only(OPEN), only(FAIL), ChangeKind.WORSE, True),
        (only(FAIL), only(OPEN), ChangeKind.UNDECIDED, False),
        (only(FAIL), only(WARN), ChangeKind.BETTER, False),
        (only(FAIL), only(PASS), ChangeKind.FIXED, False),
        (only(OPEN), only(PASS), ChangeKind.FIXED, False),
        (only(FAIL), only(FAIL), ChangeKind.SAME, False),
        (only(SKIP), only(SKIP), ChangeKind.SAME, False),
        (only(FAIL), only(SKIP), ChangeKind.UNCHECKED, False),
        (only(PASS), only(None), ChangeKind.UNCHECKED, False),
        (only(SKIP), only(PASS), ChangeKind.CHECKED, False),
        (only(None), only(OPEN), ChangeKind.CHECKED, False),
        (only(SKIP), only(WARN), ChangeKind.NEW, False),
        (only(None), only(FAIL), ChangeKind.NEW, True),
        (only(FAIL), only(FAIL, "known"), ChangeKind.ACCEPTED, False),
        (only(FAIL, "known"), only(FAIL, "known"), ChangeKind.SAME, False),
        (only(PASS), only(FAIL, "known"), ChangeKind.SAME, False),
        (only(FAIL, "known"), only(FAIL), ChangeKind.NEW, True),
        (only(FAIL, "known"), only(PASS), ChangeKind.FIXED, False),
    ],
)
def test_each_change_has_its_kind(
    old: tuple[CheckResult, ...],
    new: tuple[CheckResult, ...],
    kind: ChangeKind,
    worse: bool,
    make_report: Callable[..., Report],
) -> None:
    comparison = compare_reports(make_report(old), make_report(new))
    assert [change.kind for change in comparison.changes] == [kind]
    assert comparison.worse is worse
    assert comparison.headline.startswith("Worse: 1 " if worse else "Not worse: 1 ")


def test_the_same_report_is_unchanged(failing: Report) -> None:
    (comparison,) = compared(failing, failing)
    assert {change.kind for change in comparison.changes} == {ChangeKind.SAME}
    assert (comparison.notes, comparison.times, comparison.worse) == ((), (), False)


def test_what_differs_between_the_runs_is_said_first(failing: Report) -> None:
    vantage = replace(failing.run.vantage, hostname="pod-1", proxies={})
    other = replace(failing, tool_version="0.2.0", run=replace(failing.run, vantage=vantage, options={"quick": True}))
    (comparison,) = compared(failing, other)
    assert comparison.notes == (
        "different place: laptop-7 via http://proxy:3128 then, pod-1 now",
        "different btdiag version: 0.1.0 then, 0.2.0 now",
        "different options: only=dns,keepalive then, quick now",
    )
    for name in ("text", "markdown"):
        shown = render([comparison], name)
        assert shown.index("Note: different place") < shown.index("Not worse")


def test_only_times_beyond_noise_are_told(failing: Report) -> None:
    slower = {"resolution": 0.04, "connection@10.0.3.17": 2.0, "idle_timeouts@10.0.3.17": 67.0, "browser_trial": 9.0}
    records = tuple(replace(record, duration_s=slower[record.name]) for record in failing.measurements)
    (comparison,) = compared(failing, replace(failing, measurements=records))
    assert [(each.name, each.old_s, each.new_s) for each in comparison.times] == [("connection@10.0.3.17", 0.03, 2.0)]
    assert "connection@10.0.3.17: 30 ms then, 2.0 s now" in render([comparison], "text")


def test_other_targets_are_refused(failing: Report, several: ReportSet) -> None:
    with pytest.raises(DifferentTargetsError, match=r"two\.example\.com"):
        compared(failing, several)


def test_sets_are_compared_target_by_target(several: ReportSet) -> None:
    comparisons = compared(several, replace(several, reports=several.reports[::-1]))
    assert [each.target for each in comparisons] == [url_of(report) for report in reversed(several.reports)]
    assert not got_worse(comparisons)


def test_a_finding_that_stays_but_looks_different_is_told(make_report: Callable[..., Report]) -> None:
    comparisons = compared(make_report(only(FAIL, summary="refused")), make_report(only(FAIL, summary="timed out")))
    for name in COMPARE_FORMATS:
        assert "refused" in render(comparisons, name)
    assert "timed out (before: refused)" in render(comparisons, "text")


def test_a_text_comparison_reads_well(make_report: Callable[..., Report]) -> None:
    old, new = make_report(only(PASS, summary="resolves")), make_report(only(FAIL, summary="NXDOMAIN"))
    assert render(compared(old, new), "text") == (
        "Worse: 1 worse on https://braintrust.example.com\n\n"
        "change    verdict      check\n"
        "--------  -----------  --------\n"
        "worse     pass → fail  dns.a\n"
        "                       NXDOMAIN\n"
    )


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_hostile_reports_compare_harmlessly(hostile: st.SearchStrategy[Document], data: st.DataObject) -> None:
    old, new = (reports_of(data.draw(hostile))[0] for _ in range(2))
    comparison = compare_reports(old, new)
    json.loads(render([comparison], "json"))
    tokens = MarkdownIt("commonmark").enable("table").parse(render([comparison], "markdown"))
    inline = [child.type for token in tokens for child in token.children or ()]
    assert {"link_open", "image", "em_open"}.isdisjoint(inline)
    for name in COMPARE_FORMATS:
        assert not {"\x1b", "\u202e", "\x00", "\ud800", "\x7f"} & set(render([comparison], name))


def test_a_change_that_is_gone_shows_what_was(make_report: Callable[..., Report]) -> None:
    (comparison,) = compared(make_report(only(FAIL, summary="refused")), make_report(()))
    assert comparison.changes == (
        Change(id="dns.a", kind=ChangeKind.UNCHECKED, old="fail", new="", summary="", was="refused"),
    )
    assert "fail → absent" in render([comparison], "text")
    assert "refused" in render([comparison], "text")
