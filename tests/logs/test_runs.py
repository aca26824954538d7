"""A run's requests in the load balancer's log: those that arrived, those that did not, and what cannot be told."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from btdiag.config.values import UsageError
from btdiag.core.finding import Json, Verdict
from btdiag.core.report import MeasurementRecord, Report, RunInfo, Vantage
from btdiag.logs.account import FileAccount
from btdiag.logs.claims import ARRIVED, explain_claim
from btdiag.logs.command import examined, logs_command
from btdiag.logs.event import Event
from btdiag.logs.house import CheckResult
from btdiag.logs.quoting import Quoter
from btdiag.logs.runs import RunSearch, arrived, run_of
from btdiag.report.json_ import render

BEGIN = datetime(2026, 11, 26, 8, 0, tzinfo=UTC).timestamp()
ID = "0fd8cd68"
PATH = "/btdiag-6c9e5c59"
OURS = f"btdiag/1.2.3 ({ID})"


def shot(status: int | None, method: str = "POST", ending: str | None = None) -> dict[str, Json]:
    return {"method": method, "ending": ending or ("answered" if status else "no answer"), "status": status,
            "age_s": None, "took_s": 0.01}  # fmt: skip


def report(*shots: dict[str, Json], path: str = PATH, id_: str = ID, started: str = "2026-11-26T08:00:00Z") -> Report:
    fact: Json = {"path": path, "warm_up": [{"name": "W", "shots": list(shots)}]}
    run = RunInfo(
        id=id_, started_at=started, duration_s=60.0, longest_wait_s=4.0, interrupted=False, options={}, exit_code=1,
        requests_sent=len(shots), vantage=Vantage(hostname="h", platform="p", python="3"),
    )  # fmt: skip
    return Report(
        tool_version="1.2.3", run=run, target={"url": "https://api.example"}, verdict=Verdict.FAIL, root_cause=None,
        headline="x", counts=dict.fromkeys((one.value for one in Verdict), 0), path=(), checks=(), not_seen=(),
        redactions={}, measurements=(MeasurementRecord(name="race", started_s=0, duration_s=1, fact=fact),),
    )  # fmt: skip


def line(status: int, at: float, *, agent: str = OURS, path: str = PATH, method: str = "POST") -> str:
    stamp = datetime.fromtimestamp(BEGIN + at, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    upstream = "-" if status == 502 else "0.004"
    return (
        f'203.0.113.9 - - [{stamp}] "{method} {path} HTTP/1.1" {status} 157 "-" "{agent}" msec={BEGIN + at:.3f}'
        f' rt=0.005 uct=0.000 uht={upstream} urt=0.004 ua="10.0.0.1:8000" us="{status}" ubr="0" c=7 compl=OK\n'
    )


AROUND = [line(200, -100, agent="curl/8"), line(200, 200, agent="curl/8")]


def judged(folder: Path, told: Report, lines: list[str], name: str = "access.log") -> CheckResult:
    (folder / name).write_text("".join(lines))
    (folder / "report.json").write_text(render(told))
    return next(
        one for one in examined([str(folder / name)], with_report=str(folder)).checks if one.id == ARRIVED.id
    )  # fmt: skip


SHOTS = [*[shot(404)] * 5, shot(502), shot(502), shot(None), shot(404, "GET"), shot(None, ending="not sent")]
ARRIVED_ALL = [*[line(404, 10)] * 5, line(502, 20), line(502, 21), line(499, 22), line(404, 10, method="GET")]


def test_what_was_lost_at_the_load_balancer_has_its_lines(tmp_path: Path) -> None:
    found = judged(tmp_path, report(*SHOTS), AROUND[:1] + ARRIVED_ALL + AROUND[1:])
    assert found.verdict is Verdict.PASS
    assert found.summary.startswith(f"All 3 lost and 5 answered POSTs of run {ID} are in the log: 2 race")
    shown = str(found.evidence[0].data)
    assert f"{tmp_path / 'access.log'}:7: race" in shown
    assert "client abort" in shown
    assert found.evidence[0].title.endswith("(3)")


def test_what_was_lost_in_front_of_it_is_a_finding(tmp_path: Path) -> None:
    lines = AROUND + [one for one in ARRIVED_ALL if "499" not in one and "502" not in one] + [line(502, 20)]
    found = judged(tmp_path, report(*SHOTS), lines)
    assert found.verdict is Verdict.FAIL
    assert (
        found.summary
        == f"At least 2 of the 3 lost POSTs of run {ID} are not in the log, though all 5 answered ones are"
    )
    assert found.remedy is not None
    assert "in front of this load balancer" in found.remedy.text


def test_a_log_that_lacks_answered_requests_proves_nothing(tmp_path: Path) -> None:
    found = judged(tmp_path, report(*SHOTS), AROUND + ARRIVED_ALL[:3])
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "3 of 5 answered POSTs" in found.summary


def test_a_line_that_cannot_be_read_may_be_the_missing_one(tmp_path: Path) -> None:
    found = judged(tmp_path, report(*SHOTS), [*AROUND, *ARRIVED_ALL[:5], "203.0.113.9 - - [26/Nov/2026:08:00:20 +\n"])
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "could not be read" in found.summary


@pytest.mark.parametrize(
    ("product", "format_", "words"),
    [("haproxy", "haproxy-json", "HAProxy logs no line"), ("gcp-lb", "gcp-https-lb-json", "may be a sample")],
)
def test_logs_without_a_line_for_each_request_accuse_nobody(product: str, format_: str, words: str) -> None:
    run = run_of(report(*SHOTS), "report.json")
    account = FileAccount("x", watch=RunSearch(run))
    account.product, account.format = product, format_
    for _ in range(5):
        event = Event()
        event.method, event.path, event.status, event.agent = b"POST", PATH.encode(), 404, OURS.encode()
        assert account.watch is not None
        account.watch.see(event)
    found = arrived(run, [account], Quoter())
    assert found.verdict is Verdict.INCONCLUSIVE
    assert words in found.summary


def test_two_views_of_one_load_balancer_count_once(tmp_path: Path) -> None:
    lost = [one for one in ARRIVED_ALL if "499" not in one]
    (tmp_path / "combined.log").write_text("".join(one.split(" msec=")[0] + "\n" for one in AROUND + lost))
    (tmp_path / "report.json").write_text(render(report(*SHOTS)))
    (tmp_path / "access.log").write_text("".join(AROUND + lost))
    paths = [str(tmp_path / name) for name in ("combined.log", "access.log")]
    found = next(one for one in examined(paths, with_report=str(tmp_path)).checks if one.id == ARRIVED.id)
    assert found.verdict is Verdict.FAIL
    assert found.summary.startswith("At least 1 of the 3 lost")


@pytest.mark.parametrize(
    ("told", "lines", "verdict", "words"),
    [
        (report(*SHOTS), [line(200, 5, agent="-")], Verdict.SKIP, "no User-Agents"),
        (report(*SHOTS), AROUND, Verdict.INCONCLUSIVE, "this is not the load balancer"),
        (report(*SHOTS), AROUND[:1], Verdict.SKIP, "do not cover the time"),
        (report(path="/health"), [*AROUND, *ARRIVED_ALL], Verdict.SKIP, "9 requests of run"),
        (report(*SHOTS, id_="ffffffff"), [*AROUND, *ARRIVED_ALL], Verdict.INCONCLUSIVE, "run ffffffff"),
    ],
    ids=["no agents", "another log", "another time", "no volleys", "another run"],
)
def test_what_cannot_be_told_is_said(
    tmp_path: Path, told: Report, lines: list[str], verdict: Verdict, words: str
) -> None:
    found = judged(tmp_path, told, lines)
    assert found.verdict is verdict
    assert words in found.summary


def test_lines_are_shown_without_what_is_secret(tmp_path: Path) -> None:
    lines = [*AROUND, *ARRIVED_ALL[:5], line(502, 20, path=f"{PATH}?token=SECRETTOKEN")]
    found = judged(tmp_path, report(*SHOTS), lines)
    assert "SECRETTOKEN" not in str(found)
    assert "[withheld]" in str(found.evidence[0].data)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "not a btdiag report"),
        (json.dumps({"schema_version": 1, "kind": "logs"}), "kind"),
        (render(replace(report(), run=replace(report().run, id="x' y"))), "no run with an id"),
        (render(report(started="soon")), "no run with an id"),
    ],
)
def test_what_is_no_report_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "access.log").write_text("".join(AROUND))
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(UsageError, match=words) as error:
        logs_command([str(tmp_path / "access.log")], out=io.StringIO(), with_report=str(tmp_path / "other.json"))
    assert "\n" not in str(error.value)


def test_the_check_is_there_only_where_it_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "access.log").write_text("".join(AROUND))
    assert ARRIVED.id not in {one.id for one in examined([str(tmp_path / "access.log")]).checks}
    assert ARRIVED.title in (explain_claim(ARRIVED.id) or "")
    assert len(ARRIVED.answer) <= 90
    assert len(ARRIVED.action) <= 140
