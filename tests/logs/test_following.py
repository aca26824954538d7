"""Logs that are still being written: what is said while they grow, and the summary at the end."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from btdiag.config.values import UsageError
from btdiag.logs.account import FileAccount
from btdiag.logs.claims import RACE
from btdiag.logs.command import logs_command
from btdiag.logs.following import Live

PAUSE_S = 0.01
MOST_S = 20.0


class Screen:
    """What was told, and a way to wait for it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._more = threading.Condition()

    def tell(self, line: str) -> None:
        with self._more:
            self.lines.append(line)
            self._more.notify_all()

    def wait(self, count: int) -> None:
        with self._more:
            assert self._more.wait_for(lambda: len(self.lines) >= count, MOST_S), self.lines


def reading(live: Live, path: str) -> tuple[threading.Thread, list[FileAccount]]:
    found: list[FileAccount] = []
    thread = threading.Thread(target=lambda: found.append(live.read(FileAccount(path), None, None)), daemon=True)
    thread.start()
    return thread, found


@pytest.fixture
def ended_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Ends a reading thread as Ctrl-C ends the program: at its next rest."""
    over = threading.Event()

    def rest(seconds: float) -> None:
        if over.wait(seconds):
            raise KeyboardInterrupt

    monkeypatch.setattr("btdiag.logs.following.time.sleep", rest)
    return over.set


LOST = (
    '203.0.113.9 - - [26/Nov/2026:08:41:42 +0000] "POST /btql HTTP/1.1" {} 157 "-" "x" msec=1795682502.{:03d} rt=0.001'
    ' uct=- uht=- urt=- ua="{}" us="-" ubr="-" c=7 compl={}\n'
)
ABORTED = LOST.format(499, 1, "10.0.0.1:8000", "")
TOO_LARGE = LOST.format(413, 2, "-", "OK")
GOOD = (
    '203.0.113.9 - - [26/Nov/2026:08:41:42 +0000] "POST /btql HTTP/1.1" 200 157 "-" "x" msec=1795682502.333 rt=0.009'
    ' uct=0.000 uht=0.008 urt=0.008 ua="10.0.0.1:8000" us="200" ubr="90" c=7 compl=OK\n'
)


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_each_kind_is_told_once_and_over_rotation(tmp_path: Path, ended_by: Callable[[], None]) -> None:
    path = tmp_path / "access.log"
    append(path, GOOD + TOO_LARGE)
    screen = Screen()
    live = Live(screen.tell, pause_s=PAUSE_S)
    thread, found = reading(live, str(path))
    screen.wait(1)
    assert re.match(
        r"2026-11-26T08:41:4\dZ  request_too_large: 1 of 2 requests was larger than .*access\.log:2\)\n$",
        screen.lines[0],
    )
    append(path, TOO_LARGE)
    path.rename(tmp_path / "access.log.1")
    append(path, GOOD + ABORTED)
    screen.wait(2)
    assert "client_abort: 1 of 5 requests was left by the client" in screen.lines[1]
    path.write_text(GOOD)
    append(path, LOST.format(429, 3, "-", "OK"))
    screen.wait(3)
    ended_by()
    thread.join(MOST_S)
    assert live.interrupted
    assert (found[0].requests, found[0].product) == (7, "nginx")
    assert [line.split()[1] for line in screen.lines] == ["request_too_large:", "client_abort:", "rate_limited:"]


def test_what_is_written_without_a_pause_is_told_as_well(
    tmp_path: Path, case_folder: Path, monkeypatch: pytest.MonkeyPatch, ended_by: Callable[[], None]
) -> None:
    content = (case_folder / "ss01" / "alb-synthetic.log").read_text("utf-8")
    (tmp_path / "alb.log").write_text(content)
    monkeypatch.setattr("btdiag.logs.following.reading.BLOCK", 4096)
    screen = Screen()
    account = FileAccount(str(tmp_path / "alb.log"))
    live = Live(screen.tell, pause_s=0.0)
    monkeypatch.setattr(account, "reaches", lambda moment: True)
    monkeypatch.setattr("btdiag.logs.following._SHARE", 0)
    ended_by()
    whole = live.read(account, None, None)
    assert [line.split()[1] for line in screen.lines] == ["race:"]
    counted = re.search(r"race: (\d+) of (\d+) requests were lost on a connection", screen.lines[0])
    assert counted is not None
    assert 3 <= int(counted[1]) < 25
    assert int(counted[2]) < whole.requests


def test_a_snapshot_leaves_the_account_as_it_is(case_folder: Path) -> None:
    lines = (case_folder / "ss01" / "alb-synthetic.log").read_bytes().splitlines()
    plain, looked_at = FileAccount("x"), FileAccount("x")
    plain.read(enumerate(lines, 1))

    def numbered() -> object:
        for number, line in enumerate(lines, 1):
            if number % 50 == 0:
                looked_at.snapshot()
            yield number, line

    looked_at.read(numbered())  # type: ignore[arg-type]
    assert looked_at.snapshot().path == "x"
    for name in ("lines", "requests", "good", "formats", "good_ages", "first", "last", "methods"):
        assert getattr(plain, name) == getattr(looked_at, name)


def command(*words: str, stdin: int | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "btdiag", "logs", *words], stdin=stdin, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip


def test_a_pipe_that_rests_is_told_of_and_its_end_summed_up() -> None:
    with command("-", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(GOOD + TOO_LARGE)
        process.stdin.flush()
        assert "request_too_large: 1 of 2" in process.stdout.readline()
        rest, _ = process.communicate(GOOD, timeout=MOST_S)
    assert process.returncode == 1
    assert "1 of 3 requests" in rest


def test_interrupted_it_writes_the_summary(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    append(path, GOOD + TOO_LARGE)
    with command("--follow", str(path), "--format", "json") as process:
        assert process.stderr is not None
        assert "request_too_large: 1 of 2" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=MOST_S)
    assert process.returncode == 130
    assert json.loads(out)["verdict"] == "fail"


def test_interrupted_before_anything_came_it_says_nothing(tmp_path: Path, ended_by: Callable[[], None]) -> None:
    (tmp_path / "access.log").touch()
    ended_by()
    out = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        logs_command([str(tmp_path / "access.log")], out=out, follow=True)
    assert not out.getvalue()


def test_a_finished_pipe_says_the_answer_first(case_folder: Path) -> None:
    path = case_folder / "ss01" / "alb-synthetic.log"
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with command("-", stdin=descriptor) as process:
            out, _ = process.communicate(timeout=MOST_S)
    finally:
        os.close(descriptor)
    assert process.returncode == 1
    assert out.startswith("FAIL  25 requests were lost")
    assert RACE in out


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a", "b"], "follows one file"),
        (["."], "is no file"),
        (["fifo"], "is no file"),
        (["missing.log"], "No such file"),
    ],
)
def test_what_cannot_be_followed(tmp_path: Path, names: list[str], words: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(UsageError, match=words):
        logs_command([str(tmp_path / name) for name in names], out=io.StringIO(), follow=True)
