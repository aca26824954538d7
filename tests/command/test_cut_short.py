"""A run that is cut short, by its budget, by signals or by a user's own code, keeps and judges what it has seen."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.cli import CLEAN, Done, run_json
from tests.support.serving import Handler, forever, serving, silent

SLOW: dict[str, Handler] = {
    "silent": silent,
    "drips its header": forever(b"HTTP/1.1 200 OK\r\nX-A: ", b"b", 0.3),
    "processes for ever": forever(b"", b"HTTP/1.1 102 Processing\r\n\r\n", 0.5),
    "drips its body": forever(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x", 0.3),
}
ALONE = ("--browser", "none", "--no-progress")


async def run_against(handler: Handler, *arguments: str) -> Done:
    async with serving(handler) as port:
        return await asyncio.to_thread(run_json, f"http://127.0.0.1:{port}", *ALONE, *arguments)


def test_within_a_short_budget_slow_servers_are_found_out() -> None:
    async def all_at_once() -> list[Done]:
        return await asyncio.gather(*(run_against(handler, "--budget", "12s") for handler in SLOW.values()))

    for name, done in zip(SLOW, asyncio.run(all_at_once()), strict=True):
        assert (name, done.code) == (name, 1)
        assert done.verdicts["readiness.root-answers"] == "fail", name
        assert done.report["run"]["duration_s"] < 12.5, name


def test_a_silence_too_short_to_mean_anything_blames_nobody() -> None:
    done = asyncio.run(run_against(silent, "--budget", "4s"))
    assert "fail" not in done.verdicts.values()
    assert done.verdicts["readiness.root-answers"] == "inconclusive"
    summary = next(one["summary"] for one in done.report["checks"] if one["id"] == "readiness.root-answers")
    assert "the run's budget of 4 s ended first" in summary


BLOCKING = """
import time
from btdiag.core.measurement import measurement
@measurement(budget=1, why="a test")
async def block(): BODY
def check_blocked(block): pass
def check_other(version): pass
"""


@pytest.mark.parametrize("body", ["time.sleep(1000)", "\n    while True: pass"])
def test_a_users_measurement_that_blocks_ends_with_the_budget(tmp_path: Path, body: str) -> None:
    (tmp_path / "check_own.py").write_text(BLOCKING.replace("BODY", body))
    done = run_json("lab:healthy", *ALONE, "--budget", "2s", "--checks", str(tmp_path), "--only", "own", timeout=20)
    assert done.verdicts["own.blocked"] == "inconclusive"
    (blocked,) = (one for one in done.report["checks"] if one["id"] == "own.blocked")
    assert "blocks the event loop" in blocked["summary"]
    assert any(one["kind"] == "crash" and "check_own.py" in one["data"] for one in blocked["evidence"])
    assert done.report["run"]["duration_s"] < 4


def begun(target: str, place: Path) -> subprocess.Popen[str]:
    """A run in a process of its own."""
    command = [sys.executable, "-m", "btdiag", "run", "--target", target, "--format", "json", "-o", str(place), *ALONE]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=CLEAN)


def interrupted(target: str, place: Path, after: float, signals: list[tuple[float, signal.Signals]]) -> Done:
    """A run that gets signals: the first one `after` seconds, each further one so many seconds later."""
    process = begun(target, place)
    time.sleep(after)
    for pause, number in signals:
        time.sleep(pause)
        process.send_signal(number)
    out, err = process.communicate(timeout=30)
    return Done(process.returncode, out, err)


NAMES = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("again", [None, 0.0, 0.3])
def test_after_one_or_two_signals_the_report_is_written(tmp_path: Path, name: str, again: float | None) -> None:
    number = signal.Signals[name]
    signals = [(0.0, number)] if again is None else [(0.0, number), (again, signal.SIGTERM)]
    done = interrupted("lab:healthy", tmp_path, 2.0, signals)
    assert (done.code, done.err) == (130, "btdiag: wrote " + done.err.removeprefix("btdiag: wrote "))
    assert done.report["run"]["interrupted"]
    (written,) = tmp_path.glob("*/report.json")
    assert json.loads(written.read_text())["run"]["exit_code"] == 130


def test_a_signal_at_any_moment_leaves_no_traceback_and_no_half_of_a_file(tmp_path: Path) -> None:
    moments = random.Random(7)
    for number in range(8):
        place = tmp_path / str(number)
        place.mkdir()
        signals = [(moments.uniform(0, 0.4), signal.SIGINT) for _ in range(moments.choice([1, 2, 3]))]
        done = interrupted("lab:healthy", place, moments.uniform(0.1, 2.5), signals)
        assert (done.code, "Traceback" in done.err) == (130, False)
        assert not list(place.rglob(".btdiag-*")) or len(signals) == 3
        for written in place.rglob("report.json"):
            json.loads(written.read_text())


def test_what_was_seen_before_an_interrupt_is_judged(tmp_path: Path) -> None:
    """Interrupted a little more than five seconds after the first request, whenever a busy machine sent that."""
    asked = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET / "):
            asked.set()
        await asyncio.sleep(60)

    async def go() -> Done:
        async with serving(never) as port:
            process = begun(f"http://127.0.0.1:{port}", tmp_path)
            await asyncio.wait_for(asked.wait(), 30)
            await asyncio.sleep(5.4)
            process.send_signal(signal.SIGINT)
            out, err = await asyncio.to_thread(process.communicate, timeout=30)
            return Done(process.returncode, out, err)

    assert asyncio.run(go()).verdicts["readiness.root-answers"] == "fail"


def test_a_closed_terminal_does_not_take_the_files(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "btdiag", "run", "--target", "lab:healthy", "-o", str(tmp_path), "--quick", *ALONE]
    with os.fdopen(writing, "w") as closed:
        subprocess.run(command, stdout=closed, stderr=subprocess.DEVNULL, env=CLEAN, timeout=30, check=False)
    assert list(tmp_path.glob("*/report.json"))
