"""What a load balancer writes while a run is on: where each log ended, what came after, and what of it counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from btdiag.config.values import UsageError
from btdiag.core.finding import Verdict
from btdiag.logs.claims import ARRIVED, ToldTimeouts
from btdiag.logs.during import log_ends, told_of_run
from btdiag.logs.house import CheckResult
from btdiag.logs.runs import ReportedRun
from tests.support.cli import btdiag

BEGIN = datetime(2026, 11, 26, 8, 0, tzinfo=UTC).timestamp()
OURS = "btdiag/1.2.3 (0fd8cd68)"
RUN = ReportedRun(id="0fd8cd68", begin=BEGIN, end=BEGIN + 60, path="/btdiag-6c9e5c59", sent=Counter({404: 2, 502: 1}))


def line(status: int, at: float, *, agent: str = OURS, path: str = RUN.path, method: str = "POST") -> str:
    stamp = datetime.fromtimestamp(BEGIN + at, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    upstream = "-" if status == 502 else "0.004"
    return (
        f'203.0.113.9 - - [{stamp}] "{method} {path} HTTP/1.1" {status} 157 "-" "{agent}" msec={BEGIN + at:.3f}'
        f' rt=0.005 uct=0.000 uht={upstream} urt=0.004 ua="10.0.0.1:8000" us="{status}" ubr="0" c=7 compl=OK\n'
    )


BEFORE = "".join(line(502, -at, agent="curl/8", path="/logs3") for at in range(9, 0, -1))
VOLLEYS = line(404, 1) + line(404, 2) + line(502, 30)
OTHERS = line(502, 5, agent="curl/8", path="/logs3") + line(413, 6, path="/logs3") + line(504, 7, path="/")


def results(path: Path, during: Callable[[], object]) -> dict[str, CheckResult]:
    ends = log_ends([path])
    during()
    return {one.id: one for one in told_of_run(ends, RUN, ToldTimeouts(), late_s=0)}


def appended(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_only_what_the_runs_volleys_met_is_judged(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text(BEFORE)
    found = results(path, lambda: appended(path, VOLLEYS + OTHERS))
    assert found[ARRIVED.id].verdict is Verdict.PASS
    assert found[ARRIVED.id].summary.startswith(
        "All 1 lost and 2 answered POSTs of run 0fd8cd68 are in the log: 1 race"
    )
    assert len(found) == 2, found
    race = next(one for one in found.values() if one.id != ARRIVED.id)
    assert "1 of 3 requests" in race.summary


def moved(path: Path) -> None:
    appended(path, line(404, 1) + line(404, 2))
    path.rename(path.with_name("access.log.1"))
    path.write_text(line(502, 30))


def cut(path: Path) -> None:
    path.write_text(VOLLEYS)


@pytest.mark.parametrize("turned", [moved, cut])
def test_a_log_that_is_turned_meanwhile_is_read_on(tmp_path: Path, turned: Callable[[Path], None]) -> None:
    path = tmp_path / "access.log"
    path.write_text(BEFORE)
    found = results(path, lambda: turned(path))
    assert found[ARRIVED.id].verdict is Verdict.PASS, found
    assert "All 1 lost and 2 answered" in found[ARRIVED.id].summary


def test_a_lost_request_without_a_line_is_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text(BEFORE)
    found = results(path, lambda: appended(path, line(404, 1) + line(404, 2)))
    assert found[ARRIVED.id].verdict is Verdict.FAIL


@pytest.mark.parametrize("written", ["", line(200, 3, agent="curl/8")])
def test_the_log_of_another_server_blames_nobody(tmp_path: Path, written: str) -> None:
    path = tmp_path / "access.log"
    path.write_text(BEFORE)
    found = results(path, lambda: appended(path, written))
    assert found[ARRIVED.id].verdict is Verdict.INCONCLUSIVE
    assert "writes its log later" in found[ARRIVED.id].summary
    assert not [one.id for one in found.values() if one.verdict is Verdict.FAIL]


def test_what_is_no_log_is_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "packed.gz").write_bytes(b"\x1f\x8b\x08\x00")
    for place, words in ((tmp_path / "none.log", "no file"), (tmp_path, "still being written"), (Path("-"), "no file")):
        with pytest.raises(UsageError, match=words):
            log_ends([place])
    done = btdiag("run", "--target", "https://127.0.0.1:1", "--no-files", "--logs", str(tmp_path / "none.log"))
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1].startswith("btdiag: --logs ")
