"""Many targets in one run: nobody waits for another, what is done is kept, and little of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from btdiag.config import Settings, UsageError, settings
from btdiag.core.finding import Verdict
from btdiag.core.report import Report, ReportSet
from btdiag.engine import lanes, pulse
from btdiag.engine.interrupt import Interrupt
from btdiag.engine.outbound import Outbox
from btdiag.engine.run import execute, resolve_targets
from btdiag.engine.spool import LINES, PAGES, Spool
from btdiag.engine.tasks import Events

OWN = """
import asyncio, time
from btdiag.core.finding import Finding, Verdict, conclude
from btdiag.core.measurement import Scope, measurement

@measurement(budget=30, why="as long as a test waits", scope=Scope.RUN)
async def once():
    RUNS.append(1)
    return len(RUNS)

@measurement(budget=30, why="as long as a test waits")
async def seen(target, once):
    ACTIVE.append(target.host)
    MOST.append(len(ACTIVE))
    if "silent" in target.host:
        for _ in range(2_000):  # as long as the others need, and no longer than a test may
            if len(DONE) >= 59:
                break
            await asyncio.sleep(0.01)
    elif "blocking" in target.host:
        time.sleep(2.5)
    else:
        await asyncio.sleep(0.002)
    ACTIVE.remove(target.host)
    DONE.append(target.host)
    return target.host

RUNS, ACTIVE, DONE, MOST = [], [], [], [0]

def check_is_fine(seen, once):
    if "broken" in seen:
        verdict, answer = Verdict.FAIL, "It is broken"
    else:
        verdict, answer = Verdict.PASS, ""
    told = f"{seen}, {once} time, at most {max(MOST)} at once"
    return conclude(Finding(verdict=verdict, summary=told, answer=answer))
"""


@pytest.fixture
def chosen(tmp_path: Path) -> Callable[..., Settings]:
    """Settings with one check of our own, which asks nothing of any network."""
    folder = tmp_path / f"checks_{tmp_path.name}"
    folder.mkdir()
    (folder / "check_many.py").write_text(OWN)

    def make(*hosts: str, **flags: Any) -> Settings:
        urls = tuple(f"http://{host}.example" for host in hosts)
        return settings({"target": urls, "checks": str(folder), "only": ("many.*",), **flags}, {}, tmp_path)

    return make


def made(
    given: Settings, ended: Callable[[Report], None] = lambda report: None, **more: Any
) -> tuple[Report | ReportSet, list[str]]:
    """The document, and the hosts in the order in which their reports came."""
    order: list[str] = []

    def take(report: Report) -> None:
        order.append(str(report.target["host"]).removesuffix(".example"))
        ended(report)

    events = more.get("events", Events())
    return execute(given, resolve_targets(given, {}), events, more.get("interrupt", Interrupt()), take), order


def test_a_silent_target_delays_nobody_and_much_is_let_go(chosen: Callable[..., Settings]) -> None:
    hosts = ["silent", *(f"broken-{n}" for n in range(3)), *(f"fine-{n}" for n in range(56))]
    counted: list[tuple[int, int, int]] = []
    full: list[Report] = []
    document, order = made(
        chosen(*hosts, parallel="5"), full.append, events=Events(targets=lambda *told: counted.append(told))
    )
    assert isinstance(document, ReportSet)
    assert order[-1] == "silent"
    assert counted[-1] == (60, 60, 3)
    assert [report.target["host"] for report in document.reports] == [f"{host}.example" for host in hosts]
    summaries = {report.checks[0].summary.partition(", ")[2] for report in full}
    assert all(text.startswith("1 time") and int(text.split()[-3]) <= 5 for text in summaries)
    assert all(report.measurements for report in full)
    assert not any(report.measurements or report.checks[0].evidence for report in document.reports)
    assert document.headline.startswith("3 of 60 need attention. 3 of 60: It is broken.")
    assert document.verdict is Verdict.FAIL


def test_an_interrupt_keeps_what_is_done(chosen: Callable[..., Settings]) -> None:
    interrupt = Interrupt()
    interrupt.patient = True

    def stop(report: Report) -> None:
        if interrupt.count == 0:
            interrupt._handle(2, None)

    document, order = made(chosen(*(f"fine-{n}" for n in range(60)), parallel="3"), stop, interrupt=interrupt)
    assert isinstance(document, ReportSet)
    assert 1 <= len(order) == len(document.reports) <= 4
    assert document.headline.endswith(f"Interrupted: {60 - len(order)} more were not begun")


def test_what_blocks_the_loop_holds_up_none_that_comes_later(
    chosen: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "STUCK_S", 0.3)
    monkeypatch.setattr(lanes, "OVERDUE_S", 0.2)
    document, order = made(chosen("blocking", "fine-1", "fine-2", budget="1s", parallel="1"))
    assert isinstance(document, ReportSet)
    assert order == ["blocking", "fine-1", "fine-2"]
    assert [report.verdict.value for report in document.reports] == ["inconclusive", "pass", "pass"]
    assert "blocks the event loop" in document.reports[0].checks[0].summary


def test_reports_leave_as_lines_when_they_end(chosen: Callable[..., Settings], tmp_path: Path) -> None:
    given = chosen("broken", *(f"fine-{n}" for n in range(50)), format="ndjson")
    out = StringIO()
    spool = Spool(given, Outbox(folder=tmp_path), out)
    _, order = made(given, spool.take)
    spool.close()
    assert spool.place is not None
    assert spool.written == [spool.place / LINES]
    lines = (spool.place / LINES).read_text().splitlines()
    assert out.getvalue().splitlines() == lines
    assert [json.loads(line)["target"]["host"].removesuffix(".example") for line in lines] == order
    (page,) = (spool.place / PAGES).iterdir()
    assert page.name.endswith("-broken.example.html")
    assert "It is broken" in page.read_text()


def test_a_place_that_takes_no_lines_is_one_line(chosen: Callable[..., Settings], tmp_path: Path) -> None:
    given = chosen(*(f"fine-{n}" for n in range(51)), report=(f"ndjson={tmp_path / 'missing' / 'file'}",))
    with pytest.raises(UsageError, match="cannot write"):
        Spool(given, Outbox(), StringIO())


@pytest.mark.parametrize("flag", ["wait", "watch"])
def test_many_targets_are_not_repeated(chosen: Callable[..., Settings], flag: str) -> None:
    with pytest.raises(UsageError, match=f"--{flag} repeats a run of at most 50 targets, not of 51"):
        chosen(*(f"fine-{n}" for n in range(51)), **{flag: "5s"})
