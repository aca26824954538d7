"""Every scenario of the lab gives exactly the verdicts that it declares, for every check there is.

A check without a failing scenario, a false alarm, or a scenario that no longer breaks what it says breaks the build.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest

from tests.support.cli import Done, btdiag, run_json

SCENARIOS = {entry["name"]: entry for entry in json.loads(btdiag("lab", "--list", "--format", "json").out)}
WORKERS = 6
CAREFUL_WORKERS = 2
WORST = {"fails": "fail", "warns": "warn", "inconclusive": "inconclusive", "skips": "skip"}


def expected(scenario: dict[str, Any], check_id: str) -> str:
    """The declared verdict; what is not declared passes."""
    return next((verdict for key, verdict in WORST.items() if check_id in scenario[key]), "pass")


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Done]]]:
    """The scenarios that the selected tests need, a few at a time: most of each run is waiting."""
    items = [item for item in request.session.items if item.path == request.path]
    named = [
        item.callspec.params["name"]
        for item in items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
    ]
    wanted = list(SCENARIOS) if len(named) < len(items) else named
    with ThreadPoolExecutor(WORKERS) as many, ThreadPoolExecutor(CAREFUL_WORKERS) as few:
        light = {name: many.submit(run, name, "--no-induce") for name in wanted if not is_about_time(name)}
        heavy = {name: few.submit(run_after, list(light.values()), name) for name in wanted if is_about_time(name)}
        yield {**light, **heavy}


def is_about_time(name: str) -> bool:
    """Volleys at an exact age want a machine that has little else to do; elsewhere they would only add work."""
    return name.startswith(("healthy", "keepalive"))


def run(name: str, *more: str) -> Done:
    return run_json(f"lab:{name}", *SCENARIOS[name]["options"], *more, timeout=120, traced=False)


def run_after(others: list[Future[Done]], name: str) -> Done:
    wait(others)
    return run(name)


def differences(name: str, done: Done) -> dict[str, tuple[str, str, str]]:
    """What is not as declared: (declared, seen, summary) by check."""
    return {
        check["id"]: (expected(SCENARIOS[name], check["id"]), check["verdict"], check["summary"])
        for check in done.report["checks"]
        if check["verdict"] != expected(SCENARIOS[name], check["id"])
    }


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_verdicts_are_the_declared_ones(name: str, runs: dict[str, Future[Done]]) -> None:
    done = runs[name].result()
    if differences(name, done):
        done = run(name)  # idle ages are a matter of milliseconds: what differs among many runs is looked at alone
    assert done.code in (0, 1, 3), done.err
    assert differences(name, done) == {}, "declared, seen, summary"
    assert set(done.verdicts) >= {check_id for key in WORST for check_id in SCENARIOS[name][key]}
    assert done.code == (1 if "fail" in done.verdicts.values() else done.code)


def test_healthy_is_healthy(runs: dict[str, Future[Done]]) -> None:
    done = runs["healthy"].result()
    assert done.code == 0
    assert done.report["verdict"] == "pass"
    assert done.report["root_cause"] is None


def test_every_check_can_fail_or_warn_and_can_pass(runs: dict[str, Future[Done]]) -> None:
    seen: dict[str, set[str]] = {}
    for run in runs.values():
        for check_id, verdict in run.result().verdicts.items():
            seen.setdefault(check_id, set()).add(verdict)
    assert {check_id for check_id, verdicts in seen.items() if not verdicts & {"fail", "warn"}} == set()
    assert {check_id for check_id, verdicts in seen.items() if "pass" not in verdicts} == set()


def test_each_failure_says_what_to_do(runs: dict[str, Future[Done]]) -> None:
    for name, run in runs.items():
        for check in run.result().report["checks"]:
            if check["verdict"] == "fail":
                missing = [key for key in ("summary", "hop", "owner", "expected", "seen", "rerun") if not check[key]]
                assert missing == [], (name, check["id"])
                assert check["remedy"]["text"], (name, check["id"])
                assert check["evidence"], (name, check["id"])
                assert check["sources"], (name, check["id"])


def test_one_cause_one_failure(runs: dict[str, Future[Done]]) -> None:
    """What follows from a failure is skipped and names it; the root cause is one of the failures."""
    for run in runs.values():
        report = run.result().report
        failed = {check["id"] for check in report["checks"] if check["verdict"] == "fail"}
        assert (report["root_cause"] in failed) if failed else report["root_cause"] is None
        for check in report["checks"]:
            assert check["because"] is None or check["because"] in failed
