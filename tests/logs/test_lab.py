"""The race in the lab, by the log that its load balancer writes: from the log alone, and beside the run itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Done, btdiag, run_json

INDUCED, RACE = "keepalive.backend-outlives-load-balancer", "logs.no-request-meets-a-closing-connection"
ARRIVED = "logs.requests-of-the-run-arrived"


def run_with_log(scenario: str, log: Path) -> Done:
    return run_json(f"lab:{scenario}", "--only", "keepalive", "--browser", "none", "--logs", str(log), timeout=100)


@pytest.mark.alone
@pytest.mark.parametrize(("scenario", "format_"), [("keepalive-race", "nginx"), ("keepalive-race-envoy", "envoy")])
def test_the_race_is_proved_by_the_log_too(tmp_path: Path, scenario: str, format_: str) -> None:
    log = tmp_path / "access.log"
    done = run_with_log(scenario, log)
    found = {check["id"]: check for check in done.report["checks"]}
    assert (found[INDUCED]["verdict"], found[ARRIVED]["verdict"]) == ("fail", "pass"), found[ARRIVED]["summary"]
    assert (found[RACE]["verdict"], found[RACE]["because"]) == ("skip", INDUCED)
    assert any("Lines that show it" in one["title"] for one in found[INDUCED]["evidence"])
    alone = btdiag("logs", str(log), "--format", "json")
    assert format_ in alone.out
    # on a busy machine a volley takes longer than a race may last: the log alone leaves it open then
    assert alone.verdicts[RACE] in ("fail", "inconclusive"), alone.out


@pytest.mark.alone
def test_a_sound_order_loses_nothing_in_the_log_either(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    done = run_with_log("healthy", log)
    assert (done.code, done.verdicts[ARRIVED], done.verdicts[RACE]) == (0, "pass", "pass")
    assert btdiag("logs", str(log)).code == 0
