"""What the log says of a run beside what the run saw: one cause, one failure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from btdiag.core.finding import Evidence, Verdict
from btdiag.core.report import CheckResult
from btdiag.core.target import Target
from btdiag.engine.logged import FOLLOWS, INDUCED, follow_from_induced, ids_of_logs
from btdiag.logs.claims import ALL_CLAIMS, RACE

LINES = Evidence(kind="text", title="Lines that show it", data="access.log:7")


def result(id_: str, verdict: Verdict, **more: Any) -> CheckResult:
    blank = CheckResult(id=id_, family=id_.partition(".")[0], title="t", verdict=verdict, summary="s")
    return replace(blank, **more)


LOGGED = [result(RACE, Verdict.FAIL, evidence=(LINES,)), result("logs.answers-arrive-whole", Verdict.FAIL)]


def test_an_induced_race_is_one_failure_with_the_logs_lines() -> None:
    ours, race, other = follow_from_induced([result(INDUCED, Verdict.FAIL)], LOGGED)
    assert (ours.verdict, ours.evidence) == (Verdict.FAIL, (LINES,))
    assert (race.verdict, race.because) == (Verdict.SKIP, INDUCED)
    assert other.verdict is Verdict.FAIL, "another cause"


@pytest.mark.parametrize("verdict", [Verdict.INCONCLUSIVE, Verdict.PASS])
def test_what_the_run_could_not_prove_the_log_may(verdict: Verdict) -> None:
    ours, race, _ = follow_from_induced([result(INDUCED, verdict)], LOGGED)
    assert (ours.evidence, race.verdict) == ((), Verdict.FAIL)


def test_its_ids_are_those_of_the_family() -> None:
    target = Target(url="https://a.example", scheme="https", host="a.example", port=443)
    assert ids_of_logs([target]) == ()
    known = ids_of_logs([target, replace(target, logs=(Path("x"),))])
    assert {*FOLLOWS, RACE} <= set(known) == {claim.id for claim in ALL_CLAIMS}
