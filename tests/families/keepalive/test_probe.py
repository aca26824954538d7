"""Keep-alive against lab targets where a run differs from the default one: --deep and --dry-run."""

from __future__ import annotations

import re

import pytest

from tests.support.cli import btdiag, run_json

ONLY = ("--only", "keepalive", "--browser", "none")
ORDER = "keepalive.backend-outlives-load-balancer"


@pytest.mark.alone
def test_a_deep_run_has_a_control_at_half_the_age() -> None:
    done = run_json("lab:keepalive-race", "--deep", *ONLY, timeout=120)
    assert done.verdicts[ORDER] == "fail"
    table = next(
        one["data"]
        for check in done.report["checks"]
        if check["id"] == ORDER
        for one in check["evidence"]
        if one["kind"] == "table" and "volley" in one["data"]["headers"]
    )
    idle = [float(row[2]) for row in table["rows"] if row[0] == "control"]
    assert max(idle) > 0.9, "about half of two seconds, and later on a busy machine; all others follow a volley at once"


def test_every_request_is_announced() -> None:
    done = btdiag("run", "--target", "https://api.example", "--induce", "--dry-run", "--only", "keepalive")
    assert "on 200 connections at once" in " ".join(done.out.split())
    assert "on 8 connections" in done.out


@pytest.mark.alone
def test_slower_answers_tell_that_the_pool_was_closed_and_not_by_whom() -> None:
    done = run_json("lab:keepalive-undeclared", *ONLY, timeout=120)
    assert done.verdicts[ORDER] == "inconclusive"
    summary = next(check["summary"] for check in done.report["checks"] if check["id"] == ORDER)
    assert re.search(r"it seems that the pool had been closed before 1\.\d+ s", summary), summary
    assert "which of them this does not tell" in summary
    assert "--lb-idle-timeout" in summary
