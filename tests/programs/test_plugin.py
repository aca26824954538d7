"""btdiag in somebody's pytest suite: without a target nothing changes, with one each check is an item."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from btdiag.core.finding import Verdict
from btdiag.core.report import CheckResult
from btdiag.pytest_items import _outcome
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
    plain = {}
    for more in ((), ("-p", "no:btdiag")):
        code, text = run(suite, "-q", "-rA", "-k", "own", *more)
        plain[more] = code, re.sub(r"\d+\.\d+s", "", text).replace("btdiag.pytest_plugin", "")
        assert "btdiag.api" not in text
    assert plain[()][1].replace("['btdiag', '']", "") == plain[("-p", "no:btdiag")][1].replace("[]", "")
    assert plain[()][0] == 0
    assert "1 passed, 1 deselected" in plain[()][1]


def test_a_test_that_needs_a_target_is_skipped_without_one(suite: Path) -> None:
    code, text = run(suite, "-q", "-rs", "-k", "client")
    assert (code, "no data plane is named: give --btdiag-target URL" in text) == (0, True), text


def test_checks_are_items_that_say_what_one_run_found(suite: Path) -> None:
    options = ("--btdiag-target", "lab:tls-missing-intermediate", "--btdiag-profile", "btdiag.toml")
    code, text = run(suite, *options, "-k", "tls or own")
    found = cases(suite)
    assert code == 1, text
    broken = found["btdiag connection.tls-is-trusted"]
    assert outcome(broken) == (
        "failure",
        "SDKs refuse to connect: the server leaves an intermediate certificate out",
    )
    told = {entry.get("name"): entry.get("value") for entry in broken.iter("property")}
    assert {"id": "connection.tls-is-trusted", "hop": "tls", "owner": "certificate owner"}.items() <= told.items()
    assert str(told["remedy"]).startswith("Let the load balancer send")
    assert "Traceback" not in text
    assert "pytest_items.py" not in text
    assert outcome(found["tests.check_own own.name-is-hidden"]) == ("failure", "the name is shown")
    assert outcome(found["tests.check_own own.risk-is-small"]) == ("passed", "")
    assert outcome(found["tests.check_own own.all-is-known"]) == ("skipped", "inconclusive: nobody knows")
    assert outcome(found["tests.check_own own.door-is-open"]) == ("skipped", "nobody asked")
    assert "BtdiagWarning: own.risk-is-small: a risk" in text
    assert (suite / "measured.txt").read_text() == "tls-missing-intermediate "


@pytest.mark.real
def test_other_plugins_work_as_they_are_and_one_worker_measures(suite: Path) -> None:
    (suite / "tests" / "test_smoke.py").write_text(SMOKE + EXAMPLE)
    targets = ("--btdiag-target", "lab:healthy", "--btdiag-target", "lab:tls-missing-intermediate")
    more = ("--btdiag-only", "dns", "--btdiag-only", "connection", "--btdiag-only", "own", "--btdiag-fail-on", "warn")
    code, text = run(suite, *targets, "--btdiag-profile", "btdiag.toml", *more, *PLUGINS)
    found = cases(suite)
    assert code == 1, text
    assert sorted((suite / "measured.txt").read_text().split()) == ["healthy", "tls-missing-intermediate"]
    assert outcome(found["btdiag connection.tls-is-trusted[lab:healthy]"]) == ("passed", "")
    assert outcome(found["btdiag connection.tls-is-trusted[lab:tls-missing-intermediate]"])[0] == "failure"
    assert outcome(found["tests.check_own own.risk-is-small[lab:healthy]"])[0] == "failure"
    assert outcome(found["tests.test_smoke test_client[lab:healthy]"]) == ("passed", "")
    assert outcome(found["tests.test_smoke test_names_resolve[lab:tls-missing-intermediate]"]) == ("passed", "")
    results = [json.loads(file.read_text()) for file in (suite / "allure").glob("*-result.json")]
    statuses = {result["name"]: result["status"] for result in results}
    assert statuses["connection.tls-is-trusted[lab:tls-missing-intermediate]"] == "failed"
    assert "connection.tls-is-trusted[lab:tls-missing-intermediate]" in (suite / "page.html").read_text()
    assert " rerun in " in text


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--btdiag-target", "lab:healthy", "--btdiag-only", "nosuch"), 4, "no check is called 'nosuch'"),
        (("--btdiag-target", "lab:nosuch", "--btdiag-only", "dns.resolves"), 1, "no such scenario"),
    ],
)
def test_a_mistake_is_one_line(suite: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    (suite / "tests" / "check_own.py").unlink()
    ended, text = run(suite, "-q", "-k", "not client", *arguments)
    assert (ended, words in text) == (code, True), text
    assert "Traceback" not in text
    assert "pytest_items.py" not in text


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
