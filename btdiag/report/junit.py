"""JUnit XML for CI: one testsuite per target, one testcase per check, as GitHub's and GitLab's readers expect it.

Sources: https://docs.gitlab.com/ci/testing/unit_test_reports/ (name, classname, time, failure, error, skipped);
https://github.com/testmoapp/junitxml (the common form of the format).
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from btdiag.core.finding import Verdict
from btdiag.core.report import CheckResult, Report
from btdiag.report import verdicts
from btdiag.report.documents import Document, reports_of, url_of
from btdiag.report.escape import block, plain
from btdiag.report.evidence_lines import evidence_lines
from btdiag.report.path import hop_of
from btdiag.report.words import run_lines


def render(document: Document, *, fail_on: str) -> str:
    """The document as XML in UTF-8. What counts at `fail_on` is a failure (an undecided check: an error), so that a CI
    job shows red exactly when the exit code is 1; other warnings pass and say so in system-out."""
    reports = reports_of(document)
    suites = [_suite(report, fail_on) for report in reports]
    root = ElementTree.Element("testsuites", {"name": "btdiag", **_sums(suites)})
    root.set("time", _time(sum(report.run.duration_s for report in reports)))
    root.extend(suites)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(report: Report, fail_on: str) -> ElementTree.Element:
    cases = [_case(check, fail_on) for check in verdicts.by_path(report.checks)]
    suite = ElementTree.Element("testsuite", name=plain(url_of(report)))
    for name, tags in (("tests", ()), ("failures", ("failure",)), ("errors", ("error",)), ("skipped", ("skipped",))):
        suite.set(name, str(_count(cases, tags)))
    suite.set("time", _time(report.run.duration_s))
    suite.set("timestamp", plain(report.run.started_at).removesuffix("Z"))
    suite.set("hostname", plain(report.run.vantage.hostname))
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in [("Verdict", report.verdict.value), ("Headline", report.headline), *run_lines(report)]:
        ElementTree.SubElement(properties, "property", name=name.lower().replace(" ", "-"), value=plain(value))
    suite.extend(cases)
    return suite


def _case(check: CheckResult, fail_on: str) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase", classname=plain(check.family), name=plain(check.id), time=_time(check.duration_s)
    )
    tag = _tag(check, fail_on)
    if tag == "skipped":
        ElementTree.SubElement(case, tag, message=plain(_skip_reason(check)))
    elif tag:
        outcome = ElementTree.SubElement(case, tag, message=plain(check.summary), type=check.verdict.value)
        outcome.text = details(check)
    elif check.verdict is not Verdict.PASS:
        ElementTree.SubElement(case, "system-out").text = f"{check.verdict}: {details(check)}"
    return case


def _tag(check: CheckResult, fail_on: str) -> str:
    """The element that tells how a check ended; "" for a case that passes."""
    if check.waived is not None or check.verdict is Verdict.SKIP:
        return "skipped"
    if check.verdict is Verdict.INCONCLUSIVE:
        return "error" if verdicts.crashed(check) or verdicts.counts_at(check, fail_on) else "skipped"
    return "failure" if verdicts.counts_at(check, fail_on) else ""


def _skip_reason(check: CheckResult) -> str:
    if check.waived is not None:
        return f"accepted: {check.summary}; {check.waived}"
    return check.summary if check.verdict is Verdict.SKIP else f"undecided: {check.summary}"


def details(check: CheckResult) -> str:
    """All that a person needs for one finding, as text in lines."""
    pairs = [
        ("Claim", check.title),
        ("Why it matters", check.why),
        ("Hop", hop_of(check)),
        ("Owner", check.owner),
        ("Expected", check.expected),
        ("Seen", check.seen),
        ("What to do", check.remedy.text if check.remedy else ""),
    ]
    told = [plain(check.summary), *(f"{name}: {plain(value)}" for name, value in pairs if value)]
    for snippet in check.remedy.snippets if check.remedy else ():
        told += [f"For {plain(snippet.product)}:", *(f"    {line}" for line in block(snippet.code).splitlines())]
    if check.rerun:
        told.append(f"Only this again: {plain(check.rerun)}")
    for evidence in check.evidence:
        told += ["", plain(evidence.title), *evidence_lines(evidence)]
    return "\n".join(told)


def _count(cases: Sequence[ElementTree.Element], tags: Sequence[str]) -> int:
    return sum(not tags or any(case.find(tag) is not None for tag in tags) for case in cases)


def _sums(suites: Sequence[ElementTree.Element]) -> dict[str, str]:
    names = ("tests", "failures", "errors", "skipped")
    return {name: str(sum(int(suite.get(name, "0")) for suite in suites)) for name in names}


def _time(seconds: float) -> str:
    return f"{seconds:.3f}"
