"""Repeated runs: the last attempt decides and is numbered, and none but the first may induce."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from btdiag.config import Settings, Waiver, settings
from btdiag.core.finding import Verdict
from btdiag.core.report import CheckResult, Report, ReportSet, RunInfo, Vantage
from btdiag.engine import repeat
from btdiag.engine.command import expired
from btdiag.engine.interrupt import Interrupt


def report(verdict: Verdict, check_id: str = "dns.resolves") -> Report:
    check = CheckResult(id=check_id, family="dns", title="t", verdict=verdict, summary="s")
    run = RunInfo(
        id="1",
        started_at="2026-01-01T00:00:00Z",
        duration_s=1,
        longest_wait_s=0,
        interrupted=False,
        options={},
        exit_code=0,
        requests_sent=1,
        vantage=Vantage(hostname="h", platform="p", python="3"),
    )
    return Report(
        tool_version="0",
        run=run,
        target={"url": "https://api.example"},
        verdict=verdict,
        root_cause=None,
        headline=f"it is {verdict.value}",
        counts={},
        path=(),
        checks=(check,),
    )


class Attempts:
    """Gives the verdicts one after the other, and keeps the settings of each attempt."""

    def __init__(self, verdicts: Sequence[Verdict], interrupt: Interrupt) -> None:
        self.verdicts = list(verdicts)
        self.interrupt = interrupt
        self.seen: list[Settings] = []

    def __call__(self, changed: Settings) -> Report:
        self.seen.append(changed)
        found = report(self.verdicts.pop(0))
        if not self.verdicts:
            self.interrupt.count += changed.watch is not None
        return found


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeat, "PAUSE_S", 0.01)


def make(folder: Path, **flags: object) -> Settings:
    return settings({"target": ("https://api.example",), "induce": True, **flags}, {}, folder)


def test_without_wait_one_run_is_all(tmp_path: Path) -> None:
    attempts = Attempts([Verdict.FAIL], Interrupt())
    assert repeat.until_healthy(make(tmp_path), attempts, Interrupt()).headline == "it is fail"


def test_wait_repeats_until_healthy_and_says_at_which_attempt(tmp_path: Path) -> None:
    attempts = Attempts([Verdict.FAIL, Verdict.FAIL, Verdict.PASS], Interrupt())
    found = repeat.until_healthy(make(tmp_path, wait="5s"), attempts, Interrupt())
    assert isinstance(found, Report)
    assert found.headline == "it is pass (attempt 3)"
    assert found.run.options["attempt"] == 3
    assert [each.mode.induce for each in attempts.seen] == [True, False, False]


def test_wait_ends_with_its_time_and_the_last_attempt_decides(tmp_path: Path) -> None:
    attempts = Attempts([Verdict.FAIL] * 1000, Interrupt())
    found = repeat.until_healthy(make(tmp_path, wait="100ms"), attempts, Interrupt())
    assert found.verdict is Verdict.FAIL
    assert 1 < len(attempts.seen) < 1000


def test_an_interrupt_ends_the_waiting(tmp_path: Path) -> None:
    interrupt = Interrupt()
    interrupt.count = 1
    attempts = Attempts([Verdict.FAIL, Verdict.PASS], interrupt)
    assert repeat.until_healthy(make(tmp_path, wait="5s"), attempts, interrupt).verdict is Verdict.FAIL


def test_a_set_is_numbered_too() -> None:
    found = repeat.numbered(ReportSet(verdict=Verdict.PASS, headline="all fine", reports=()), 2)
    assert found.headline == "all fine (attempt 2)"


def test_watch_prints_one_line_a_run_and_only_what_changed(tmp_path: Path) -> None:
    interrupt = Interrupt()
    attempts = Attempts([Verdict.PASS, Verdict.PASS, Verdict.FAIL, Verdict.FAIL], interrupt)
    out = io.StringIO()
    assert repeat.watch_target(make(tmp_path, watch="10ms"), attempts, interrupt, out) == 130
    lines = [line.split(maxsplit=2)[1:] for line in out.getvalue().splitlines()]
    assert lines == [["PASS", "it is pass"], ["PASS", "no change"], ["FAIL", "dns.resolves pass -> fail"]]
    assert [each.mode.induce for each in attempts.seen] == [True, False, False, False]


def test_expired_waivers_are_told() -> None:
    waivers = tuple(Waiver(id="dns.resolves", until=date(2026, 1, day), reason="r") for day in (1, 2))
    told = expired(waivers, date(2026, 1, 2))
    assert told == ["the waiver of dns.resolves ended on 2026-01-01: it counts again"]


def test_several_targets_are_told_apart() -> None:
    two = ReportSet(
        verdict=Verdict.FAIL,
        headline="x",
        reports=(report(Verdict.PASS), replace(report(Verdict.FAIL), target={"url": "https://b.example"})),
    )
    assert repeat.verdicts_of(two) == {
        "https://api.example dns.resolves": "pass",
        "https://b.example dns.resolves": "fail",
    }


def test_sleeping_ends_early_with_a_signal() -> None:
    interrupt = Interrupt()
    assert interrupt.sleep(0.001)
    interrupt.count = 1
    assert not interrupt.sleep(60)
