"""Every scenario of the lab gives exactly the verdicts that it declares, for every check there is.

A check without a failing scenario, a false alarm, or a scenario that no longer breaks what it says breaks the build.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest

from tests.support.cli import Done, btdiag
from tests.support.loaded import Loaded
from tests.support.pasting import commands, faults

SCENARIOS = {entry["name"]: entry for entry in json.loads(btdiag("lab", "--list", "--format", "json").out)}
CHECKS = {entry["id"] for entry in json.loads(btdiag("checks", "--format", "json").out)}
WORKERS = 4
BROWSER_WORKERS = 1  # a browser is a dozen processes that want the processor at once
CAREFUL_WORKERS = 3
MOST_RETRIED = 0.01  # of all scenarios; more is no busy machine but a fault
TWO_FAULTS = {
    "config-limits-in-effect": 2,  # bodies and silent answers each have a limit, declared and in effect
    "config-limits-not-rolled-out": 2,  # the same limits, declared otherwise
    "keepalive-back-drops": 2,  # connections that are dropped silently are also dropped too early
    "keepalive-race-outage": 2,  # the race, and an outage for everybody after it: two things to change
}
"""Scenarios with more than one fault, each with one failure."""
COUNTED = ("api-restarts",)
"""Scenarios whose run counts what it covers: no other test sees a server restart."""
WORST = {"fails": "fail", "warns": "warn", "inconclusive": "inconclusive", "skips": "skip"}


def is_about_time(name: str) -> bool:
    """Volleys at an exact age, and a server that is away for a moment, want a machine that has little else to do;
    elsewhere volleys would only add work."""
    return name.startswith(("healthy", "keepalive", *COUNTED))


EACH = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.alone) if is_about_time(name) else name for name in SCENARIOS]
)


def expected(scenario: dict[str, Any], check_id: str) -> str:
    """The declared verdict; what is not declared passes."""
    return next((verdict for key, verdict in WORST.items() if check_id in scenario[key]), "pass")


def expected_code(scenario: dict[str, Any]) -> int:
    """The exit code by the contract: 1 with a failure, 3 where nothing is known, else 0."""
    verdicts = {expected(scenario, check_id) for check_id in CHECKS}
    return 1 if "fail" in verdicts else 0 if verdicts & {"pass", "warn"} else 3


AGAIN: dict[str, Done] = {}
RETRIED: dict[str, dict[str, tuple[str, str, str]]] = {}


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Done]]]:
    """The scenarios that the selected tests need, a few at a time: most of each run is waiting."""
    items = [item for item in request.session.items if item.path == request.path and isinstance(item, pytest.Function)]
    wanted = dict.fromkeys(str(item.callspec.params["name"]) for item in items if hasattr(item, "callspec"))
    light_ones = [name for name in wanted if not is_about_time(name)]
    with (
        Loaded(WORKERS + BROWSER_WORKERS) as loaded,
        ThreadPoolExecutor(WORKERS) as many,
        ThreadPoolExecutor(BROWSER_WORKERS) as browsers,
        ThreadPoolExecutor(CAREFUL_WORKERS) as few,
    ):
        light = {
            name: (browsers if with_browser(name) else many).submit(loaded.run, *arguments(name)) for name in light_ones
        }
        heavy = {name: few.submit(run_after, list(light.values()), name) for name in wanted if is_about_time(name)}
        yield {**light, **heavy}


PAGE = "browser.page-gets-its-answers"


def with_browser(name: str) -> bool:
    """A browser is started only where the scenario is about one, and for the healthy data plane: it costs more than all
    else. Elsewhere its check is skipped."""
    scenario = SCENARIOS[name]
    about_one = any(check.startswith("lna.") and expected(scenario, check) != "skip" for check in CHECKS)
    return name == "healthy" or about_one or expected(scenario, PAGE) not in {"pass", "skip"}


def declared(name: str, check_id: str) -> str:
    """What is declared, or what that comes to without a browser."""
    return "skip" if check_id == PAGE and not with_browser(name) else expected(SCENARIOS[name], check_id)


def arguments(name: str) -> tuple[str, ...]:
    induce = () if is_about_time(name) and name not in COUNTED else ("--no-induce",)
    browser = () if with_browser(name) else ("--browser", "none")
    options = (*SCENARIOS[name]["options"], *induce, *browser)
    return ("--target", f"lab:{name}", "--format", "json", "--no-files", *options)


def run(name: str) -> Done:
    """In a process of its own."""
    return btdiag("run", *arguments(name), timeout=120, traced=name in COUNTED)


def run_after(others: list[Future[Done]], name: str) -> Done:
    wait(others)
    return run(name)


def differences(name: str, done: Done) -> dict[str, tuple[str, str, str]]:
    """What is not as declared: (declared, seen, summary) by check."""
    return {
        check["id"]: (declared(name, check["id"]), check["verdict"], check["summary"])
        for check in done.report["checks"]
        if check["verdict"] != declared(name, check["id"])
    }


@EACH
def test_the_verdicts_are_the_declared_ones(name: str, runs: dict[str, Future[Done]]) -> None:
    done = runs[name].result()
    if first := differences(
        name, done
    ):  # idle ages are a matter of milliseconds: looked at once more, alone, and counted
        RETRIED[name] = first
        wait(runs.values())
        done = AGAIN[name] = run(name)
    assert differences(name, done) == {}, "declared, seen, summary"
    assert [
        one["missing"] for one in done.report["measurements"].values() if "itself failed" in str(one["missing"])
    ] == []
    assert set(done.verdicts) == CHECKS
    assert done.code == expected_code(SCENARIOS[name]), done.err


@EACH
def test_the_first_words_can_be_read_aloud(name: str, runs: dict[str, Future[Done]]) -> None:
    """The answer in at most 90 characters, what to do in at most 140, no internal name, nothing cut off."""
    report = (AGAIN.get(name) or runs[name].result()).report
    headline = report["headline"]
    assert len(headline) <= 90 + 140 + 3, headline
    assert not re.search(r"@[*0-9:]|\bb'|Error: ", headline), headline
    without_paths = re.sub(r"(?<= )/\S+", "", headline)
    assert not re.search(r"\b[a-z0-9]+_[a-z0-9_]+\b|\b(?:None|True|False)\b|e[+-][0-9]{2}\b", without_paths), headline
    assert all(headline.count(one) == headline.count(other) for one, other in ("()", "[]", "{}")), headline
    assert headline.count('"') % 2 == headline.count("`") % 2 == 0, headline
    assert " ..." not in headline, headline
    assert headline.count("because") <= 1, headline
    for check in report["checks"]:
        if check["verdict"] in {"fail", "warn"}:
            assert not re.search(r"@\*|\b[a-z]+_(?:idle|survey|seen|answers|trials)\b", check["summary"]), check[
                "summary"
            ]


def test_hardly_any_scenario_is_looked_at_twice(capsys: pytest.CaptureFixture[str]) -> None:
    """After the others: what differed once and not again is shown, and more than one in a hundred is a fault."""
    with capsys.disabled():
        for name, first in RETRIED.items():
            print(f"\nlab:{name} differed once: {first}")
    assert len(RETRIED) <= max(1, MOST_RETRIED * len(SCENARIOS)), RETRIED


@pytest.mark.alone
@pytest.mark.parametrize("name", ["healthy"])
def test_healthy_is_healthy(name: str, runs: dict[str, Future[Done]]) -> None:
    done = runs[name].result()
    assert done.code == 0
    assert done.report["verdict"] == "pass"
    assert done.report["root_cause"] is None


def test_every_check_can_fail_or_warn_and_can_pass() -> None:
    """By what is declared, which is what every run is held to."""
    seen = {check_id: {expected(scenario, check_id) for scenario in SCENARIOS.values()} for check_id in CHECKS}
    assert {check_id for check_id, verdicts in seen.items() if not verdicts & {"fail", "warn"}} == set()
    assert {check_id for check_id, verdicts in seen.items() if "pass" not in verdicts} == set()
    assert {check_id for scenario in SCENARIOS.values() for key in WORST for check_id in scenario[key]} <= CHECKS


@EACH
def test_each_failure_says_what_to_do(name: str, runs: dict[str, Future[Done]]) -> None:
    for check in (AGAIN.get(name) or runs[name].result()).report["checks"]:
        if check["verdict"] == "fail":
            missing = [key for key in ("summary", "hop", "owner", "expected", "seen", "rerun") if not check[key]]
            assert missing == [], check["id"]
            assert check["remedy"]["text"], check["id"]
            assert check["evidence"], check["id"]
            assert check["sources"], check["id"]


@EACH
def test_what_is_to_be_pasted_runs_as_it_stands(name: str, runs: dict[str, Future[Done]]) -> None:
    """Each command of the report is one for a shell, and btdiag and curl know its options."""
    assert faults(commands((AGAIN.get(name) or runs[name].result()).report)) == []


@EACH
def test_one_cause_one_failure(name: str, runs: dict[str, Future[Done]]) -> None:
    """A fault makes one check fail; what follows from it is skipped and names it. The root cause is one of those."""
    report = (AGAIN.get(name) or runs[name].result()).report
    failed = {check["id"] for check in report["checks"] if check["verdict"] == "fail"}
    assert len(failed) <= TWO_FAULTS.get(name, 1), failed
    assert (report["root_cause"] in failed) if failed else report["root_cause"] is None
    for check in report["checks"]:
        assert check["because"] is None or check["because"] in failed
