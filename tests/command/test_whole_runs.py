"""Whole runs, in a process of their own that counts what it covers: what no test reaches within its own process.

Each leads with what its scenario declares. They run a few at a time, for most of each is waiting.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.support.cli import TRACED, Done, btdiag, run_json

if not TRACED:
    pytest.skip("without coverage they show nothing that the scenarios' own tests do not", allow_module_level=True)

AT_ONCE = 3
RUNS: dict[str, tuple[str, ...]] = {
    "healthy": ("--browser", "none", "--no-induce"),
    "brainstore-fast-reader-gone": ("--only", "brainstore", "--quick"),
    "config-origin-refused": ("--only", "config", "--no-induce"),
    "key-dropped": ("--only", "readiness", "--quick"),
    "two-applications": ("--only", "readiness", "--quick"),
    "limit-at-once": ("--only", "readiness", "--quick"),
    "tls-suite-no-browser-has": ("--only", "browser", "--quick"),
    "tls-client-certificate": ("--only", "connection", "--quick"),
    "tls-plain-http": ("--only", "connection", "--quick"),
    "tls-reset": ("--only", "connection", "--quick"),
    "egress-portal": ("--only", "egress", "--quick"),
    "egress-silent": ("--only", "egress", "--quick"),
    "gateway-route-dead": ("--only", "gateway", "--quick"),
    "gateway-body-limit": ("--only", "gateway", "--quick"),
    "gateway-over-http": ("--only", "gateway", "--only", "browser", "--quick"),
    "telemetry-sysadmin-on": ("--only", "telemetry", "--quick"),
    "private": ("--only", "lna", "--quick"),
    "private-block-stored": ("--only", "lna", "--quick"),
    "private-proxy": ("--only", "lna", "--quick"),
    "private-framed": ("--only", "lna", "--quick"),
}
"""Scenario and options."""
SCENARIOS = {entry["name"]: entry for entry in json.loads(btdiag("lab", "--list", "--format", "json").out)}


@pytest.fixture(scope="module")
def runs() -> Iterator[dict[str, Future[Done]]]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            name: pool.submit(run_json, f"lab:{name}", *SCENARIOS[name]["options"], *options, traced=True, timeout=120)
            for name, options in RUNS.items()
        }


@pytest.mark.real
@pytest.mark.parametrize("name", RUNS)
def test_a_whole_run_leads_with_what_is_declared(name: str, runs: dict[str, Future[Done]]) -> None:
    done = runs[name].result()
    fails = SCENARIOS[name]["fails"]
    assert done.report["root_cause"] in (fails or [None])
    assert done.code == (1 if fails else 0), done.err
    assert [check["id"] for check in done.report["checks"] if check["verdict"] == "fail"] == fails
