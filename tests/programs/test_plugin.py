"""btdiag in somebody's pytest suite: without a target nothing changes, with one each check is an item."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from btdiag.core.finding import Verdict
from btdiag.core.report import CheckResult
from btdiag.pytest_items import ToldFinding, _outcome
from tests.support.cli import CLEAN

PAGE = (Path(__file__).parents[2] / "docs" / "pytest.md").read_text("utf-8")
EXAMPLE = PAGE.partition("<!-- example: test_smoke.py -->\n```python\n")[2].partition("```")[0]
SMOKE = """
def test_own():
    assert 1 == 1
def test_client(btdiag_client, btdiag_target):
    answer = btdiag_client.get("/version")
    assert (answer.status_code, answer.request.url.host) == (200, btdiag_target.host)
    assert "btdiag" in answer.request.headers["User-Agent"]
"""
OWN = """
from btdiag.core.finding import *
from btdiag.core.measurement import measurement
@measurement(budget=6, why="a test")
async def measured(target):
    with open("measured.txt", "a") as file:
        file.write(target.lab_scenario + " ")
    return 1
def check_name_is_hidden(measured):
    assert measured == 2, "the name is shown"
def check_risk_is_small(measured):
    return conclude(Finding(verdict=Verdict.WARN, summary="a risk"))
def check_all_is_known(measured):
    return conclude(Finding(verdict=Verdict.INCONCLUSIVE, summary="nobody knows"))
def check_door_is_open(measured):
    return conclude(Finding(verdict=Verdict.SKIP, summary="nobody asked"))
"""
PLUGINS = ("-n", "2", "--reruns", "1", "--html=page.html", "--self-contained-html", "--alluredir=allure")


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_smoke.py").write_text(SMOKE)
    (tmp_path / "tests" / "check_own.py").write_text(OWN)
    (tmp_path / "btdiag.toml").write_text('quick = true\nbrowser = "none"\n')
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "--color=no", "--junitxml=junit.xml", *arguments]
    done = subprocess.run(command, cwd=folder, env=CLEAN, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def cases(folder: Path) -> dict[str, ElementTree.Element]:
    """The test cases of the JUnit file by classname and name; of those that were run again the last."""
    found = ElementTree.parse(folder / "junit.xml").iter("testcase")
    return {f"{case.get('classname')} {case.get('name')}": case for case in found}


def outcome(case: ElementTree.Element) -> tuple[str, str]:
    told = next((child for child in case if child.tag in ("failure", "skipped", "error")), None)
    return ("passed", "") if told is None else (told.tag, told.get("message", ""))


def test_an_uninvolved_run_is_as_before(suite: Path) -> None:
    (suite / "conftest.py").write_text(
        "import sys\ndef pytest_unconfigure():\n    print(sorted({name for name in sys.modules if 'btdiag' in name}))\n"
    )
    code, text = run(suite, "-q", "-rs")
    before, without = run(suite, "-q", "-rs", "-k", "not client", "-p", "no:btdiag")
    assert (code, before) == (0, 0), text
    assert "['btdiag', 'btdiag.pytest_plugin']" in text
    assert "[]" in without
    assert "1 passed, 1 skipped in" in text
    assert "no data plane is named: give --btdiag-target URL" in text


@pytest.mark.real
def test_other_plugins_work_as_they_are_and_one_worker_measures(suite: Path) -> None:
    (suite / "tests" / "test_smoke.py").write_text(SMOKE + EXAMPLE)
    targets = ("--btdiag-target", "lab:healthy", "--btdiag-target", "lab:tls-missing-intermediate")
    only = [word for family in ("dns", "connection", "own") for word in ("--btdiag-only", family)]
    code, text = run(suite, *targets, "--btdiag-profile", "btdiag.toml", *only, *PLUGINS)
    found = cases(suite)
    assert code == 1, text
    assert sorted((suite / "measured.txt").read_text().split()) == ["healthy", "tls-missing-intermediate"]
    assert outcome(found["btdiag connection.tls-is-trusted[lab:healthy]"]) == ("passed", "")
    broken = found["btdiag connection.tls-is-trusted[lab:tls-missing-intermediate]"]
    assert outcome(broken)[0] == "failure"
    told = {entry.get("name"): entry.get("value") for entry in broken.iter("property")}
    assert {"id": "connection.tls-is-trusted", "hop": "tls", "owner": "certificate owner"}.items() <= told.items()
    assert str(told["remedy"]).startswith("Let the load balancer send")
    own = {name: outcome(case) for name, case in found.items() if name.endswith("[lab:healthy]") and " own." in name}
    assert {name.partition(" own.")[2].partition("[")[0]: told[0] for name, told in own.items()} == {
        "name-is-hidden": "failure",
        "risk-is-small": "passed",
        "all-is-known": "skipped",
        "door-is-open": "skipped",
    }
    assert outcome(found["tests.test_smoke test_client[lab:healthy]"]) == ("passed", "")
    assert outcome(found["tests.test_smoke test_names_resolve[lab:tls-missing-intermediate]"]) == ("passed", "")
    assert "BtdiagWarning: own.risk-is-small: a risk" in text
    assert "pytest_items.py" not in text.partition("warnings summary")[0].replace("pytest_items.CheckFailed", "")
    results = [json.loads(file.read_text()) for file in (suite / "allure").glob("*-result.json")]
    statuses = {result["name"]: result["status"] for result in results}
    assert statuses["connection.tls-is-trusted[lab:tls-missing-intermediate]"] == "failed"
    assert "connection.tls-is-trusted[lab:tls-missing-intermediate]" in (suite / "page.html").read_text()
    assert " rerun in " in text


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--btdiag-target", "ftp://host"), 4, "only http and https"),
        (("--btdiag-target", "lab:nosuch", "-k", "dns.resolves"), 1, "no such scenario"),
    ],
)
def test_a_mistake_is_one_line(suite: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    ended, text = run(suite, "-q", *arguments)
    assert (ended, words in text) == (code, True), text
    assert "Traceback" not in text
    assert "pytest_items.py" not in text


def test_a_failure_is_the_finding_with_its_first_line_in_summaries() -> None:
    failed = ToldFinding(replace(result(Verdict.FAIL), answer="The door is shut", owner="janitor"))
    assert failed.reprcrash.message == "The door is shut"
    assert str(failed).splitlines() == ["s", "Claim: t", "Hop: api", "Owner: janitor"]


def result(verdict: Verdict, waived: str | None = None) -> CheckResult:
    return CheckResult(id="a.b", family="a", title="t", verdict=verdict, summary="s", waived=waived)


@pytest.mark.parametrize(
    ("fail_on", "outcomes"),
    [
        ("fail", {"fail": "fail", "inconclusive": "xfail", "warn": "warn", "pass": "pass", "skip": "skip"}),
        ("inconclusive", {"fail": "fail", "inconclusive": "fail", "warn": "warn", "pass": "pass", "skip": "skip"}),
        ("warn", {"fail": "fail", "inconclusive": "fail", "warn": "fail", "pass": "pass", "skip": "skip"}),
        ("never", {"fail": "xfail", "inconclusive": "xfail", "warn": "warn", "pass": "pass", "skip": "skip"}),
    ],
)
def test_what_counts_fails_an_item(fail_on: str, outcomes: dict[str, str]) -> None:
    assert {verdict.value: _outcome(result(verdict), fail_on) for verdict in Verdict} == outcomes
    assert {_outcome(result(verdict, waived="accepted"), fail_on) for verdict in Verdict} == {"skip"}
