"""A server that restarts is told from one that closes idle connections at an age: on plain data, and on real Node."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag.core.finding import Finding, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.target import Target
from btdiag.families.keepalive.facts import BackendIdle, Life
from btdiag.families.keepalive.judge.effective import declared_is_effective
from btdiag.families.keepalive.judge.outlives import backend_outlives
from btdiag.families.keepalive.judge.staying import STAYS_UP, api_stays_up
from btdiag.families.keepalive.restarts import (
    SAME_AGE_S,
    another_round,
    at_one_moment,
    next_opening_s,
    outages,
    restart_moments,
    restarts,
    whatever_their_age,
)
from btdiag.families.keepalive.watched import Held, Look, Watch
from tests.support.cli import run_json
from tests.support.tools import need

NOT_SEEN = NotMeasured(reason="not asked", skipped=True)
TARGET = Target(
    url="https://api.example",
    scheme="https",
    host="api.example",
    port=443,
    backend_keepalive=65.0,
    lb_idle_timeout=60.0,
)


def one(opened: Sequence[float], ended: Sequence[float | None], refused: bool = False) -> BackendIdle:
    """A round whose connections were answered and ended at these moments."""
    lives = tuple(Life(answered_at_s=at, ended_at_s=end) for at, end in zip(opened, ended, strict=True))
    ages = tuple(sorted(life.age_s for life in lives if life.age_s is not None))
    return BackendIdle(label="b", closings_s=ages, lives=lives, refused=refused)


def all_of(*rounds: BackendIdle) -> BackendIdle:
    return replace(rounds[-1], rounds=len(rounds), earlier=rounds[:-1])


def held(*rounds: tuple[float, bool, bool]) -> BackendIdle:
    """Rounds of four connections as (age of the oldest when it ended, all at one moment, new ones refused)."""
    opened = (0.0, 0.1, 0.2, 0.3)
    return all_of(
        *(one(opened, [age if together else age + at for at in opened], refused) for age, together, refused in rounds)
    )


def opened_until(moment: float) -> list[float]:
    """When the connections of a further round are opened that ends at this moment."""
    times = [0.0]
    while (following := times[-1] + next_opening_s(times[-1])) < moment:
        times.append(following)
    return times


def watch(pattern: str) -> Watch:
    """A look for each sign: `.` answered, `x` a 502, `m` one beside which others were answered."""
    looks = tuple(
        Look(at_s=float(number), answered=sign == ".", what="200" if sign == "." else "502", mixed=sign == "m")
        for number, sign in enumerate(pattern)
    )
    return Watch(label="a", every_s=1.0, looks=looks)


@pytest.mark.parametrize(
    ("seen", "count"),
    [
        (held((66.0, False, False)), 0),
        (held((66.0, True, False)), 0),  # a timer that is looked at now and then
        (held((5.0, True, False), (5.9, True, False), (5.4, True, False)), 0),  # the same, at one age each time
        (held((10.9, True, True)), 1),
        (held((10.9, True, False), (7.3, True, False)), 2),
        (held((10.9, True, True), (7.3, True, True), (2.6, True, True)), 3),
        (held((10.9, True, True), (65.9, False, False)), 1),
    ],
)
def test_restarts_are_counted(seen: BackendIdle, count: int) -> None:
    assert restarts(seen) == count


@given(st.lists(st.floats(3, 100), min_size=1, max_size=3), st.booleans())
def test_what_repeats_at_one_age_is_a_timer(ages: list[float], together: bool) -> None:
    same = [ages[0] + (age % SAME_AGE_S) / 3 for age in ages]
    assert restarts(held(*((age, together, False) for age in same))) == 0


NOISE = st.lists(st.floats(0, 0.2), min_size=40, max_size=40)
"""By how many seconds each end is seen too late on a busy machine."""


@given(st.floats(3, 15), st.floats(0.1, 2.0), NOISE)
def test_restarts_while_connections_are_held_are_counted(period: float, away: float, noise: list[float]) -> None:
    """One connection a second for forty seconds, to a server that lives for so long and is then away."""
    lives, refused, ends = list[Life](), list[float](), list[float]()
    for at in range(40):
        turn, since = divmod(at, period + away)
        end = turn * (period + away) + period
        if since > period:
            refused.append(float(at))
        elif end < 39:
            ends.append(end)
            lives.append(Life(answered_at_s=at, ended_at_s=end + noise[at]))
        else:
            lives.append(Life(answered_at_s=at))
    big = [end for end in set(ends) if ends.count(end) >= 4]
    assert len(restart_moments(Held(label="b", lives=tuple(lives), refused_at_s=tuple(refused)))) >= len(big)


@given(st.floats(0.5, 20), NOISE, st.integers(1, 20))
def test_a_keepalive_is_no_restart_while_connections_are_held(age: float, noise: list[float], kept: int) -> None:
    """The same with a server that closes each at its age, while the oldest of too many are let go of."""
    lives = [
        Life(answered_at_s=at, ended_at_s=at + age + late)
        if age + late < kept
        else Life(answered_at_s=at, let_go_at_s=float(at + kept))
        for at, late in zip(range(40), noise, strict=True)
    ]
    assert restart_moments(Held(label="b", lives=tuple(lives))) == []


@given(st.floats(2.5, 120), NOISE)
def test_connections_of_every_age_that_end_at_one_moment_were_a_process(moment: float, noise: list[float]) -> None:
    opened = opened_until(moment)
    ends = [moment + late for _, late in zip(opened, noise, strict=False)]
    assert whatever_their_age(at_one_moment(one(opened, ends)))
    later = [*opened, moment + 0.3]
    assert whatever_their_age(at_one_moment(one(later, [*ends, None]))), "one to the process that was started then"
    assert restarts(all_of(one((0.0, 0.1, 0.2, 0.3), (moment,) * 4), one(opened, ends))) == 2


@given(st.floats(1.5, 120), NOISE, st.sampled_from((0.0, 0.5, 1.0, 5.0)))
def test_an_age_is_no_restart_however_seldom_the_timer_looks(age: float, noise: list[float], every: float) -> None:
    """Each connection ends at its age, or at the next look of a timer that looks now and then: no restart, however long
    it is watched."""
    opened = opened_until(age + every + 0.5)
    ends = [
        (ceil((at + age) / every) * every if every else at + age) + late
        for at, late in zip(opened, noise, strict=False)
    ]
    over = min(ends) + 0.5
    seen = one(opened, [end if end <= over else None for end in ends])
    assert not whatever_their_age(at_one_moment(seen))
    assert restarts(all_of(held((age, every > 0, False)), seen)) == 0


@given(st.floats(0.5, 5.0), NOISE)
def test_what_this_machine_missed_is_no_moment(age: float, noise: list[float]) -> None:
    """It stood still for three seconds, and then saw at once what had ended meanwhile."""
    opened = [number * 0.5 for number in range(7)]
    wakes = age + 3.0
    assert not whatever_their_age(at_one_moment(one(opened, [max(wakes, at + age) for at in opened])), 3.0)


@pytest.mark.parametrize(
    ("rounds", "unexpected", "more"),
    [
        ([held((66.0, False, False))], False, False),
        ([held((5.0, False, False))], True, True),
        ([held((5.0, False, False)), held((5.0, False, False))], True, False),
        ([held((6.9, True, False))], False, True),
        ([held((6.9, True, True))], False, True),
        ([held((6.9, True, True)), held((6.9, True, True))], False, False),
        ([held((5.0, True, False)), held((5.0, False, False))], False, False),
        ([held((5.0, True, False))] * 4, True, False),
    ],
)
def test_a_further_round_is_for_what_is_open(rounds: list[BackendIdle], unexpected: bool, more: bool) -> None:
    assert another_round(all_of(*rounds), unexpected) is more


@pytest.mark.parametrize(
    ("seen", "looked", "verdict", "words"),
    [
        (held((10.9, True, True), (7.3, True, True)), NOT_SEEN, Verdict.FAIL, "2 times (after 10.9 and 7.3 s)"),
        (held((10.9, True, True)), NOT_SEEN, Verdict.WARN, "once may be a deployment"),
        (
            held((10.9, True, True)),
            watch("..x....."),
            Verdict.WARN,
            "once may be a deployment",
        ),  # the same one, perhaps
        (held((10.9, True, True)), watch("..x...x.."), Verdict.FAIL, "nobody answered through the load balancer at 2"),
        (held((66.0, False, False)), NOT_SEEN, Verdict.PASS, "at their own ages"),
        (NOT_SEEN, watch("....."), Verdict.PASS, "5 of 5 requests in 4 s"),
        (
            NOT_SEEN,
            watch("..xx...xxx.."),
            Verdict.FAIL,
            "failed (5 x 502), at 2, 3, 7, 8, 9 s",
        ),
        (NOT_SEEN, watch("..xx..."), Verdict.WARN, "once"),
        (NOT_SEEN, watch("..x..x..x.."), Verdict.SKIP, "one of several servers"),
        (NOT_SEEN, watch("..mm..mmm."), Verdict.SKIP, "one of several servers"),
        (NOT_SEEN, watch("xx"), Verdict.SKIP, ""),
        (NOT_SEEN, NOT_SEEN, Verdict.SKIP, "not asked"),
    ],
)
def test_what_is_said_follows_from_what_was_seen(
    seen: BackendIdle | NotMeasured, looked: Watch | NotMeasured, verdict: Verdict, words: str
) -> None:
    found = api_stays_up(looked, seen)
    assert (found.verdict, words in found.summary) == (verdict, True), found.summary
    assert len(found.answer) <= 90
    assert "keep-alive" not in found.summary


@given(st.text(".x", max_size=40))
def test_outages_hold_every_look_that_failed(pattern: str) -> None:
    found = outages(watch(pattern))
    assert sum(len(outage.looks) for outage in found) == pattern.count("x")
    assert all(outage.looks[0].at_s > 0 for outage in found if outage.whole)


def test_a_restart_is_no_keepalive() -> None:
    seen = held((10.9, True, True), (7.3, True, True))
    for found in (backend_outlives(TARGET, seen, NOT_SEEN), declared_is_effective(TARGET, seen)):
        assert (found.verdict, found.because) == (Verdict.SKIP, STAYS_UP)
    surely = backend_outlives(TARGET, held((10.9, True, True)), NOT_SEEN)
    assert (surely.verdict, surely.because) == (Verdict.SKIP, STAYS_UP)
    once = backend_outlives(TARGET, held((10.9, True, False)), NOT_SEEN)
    assert once.verdict is Verdict.INCONCLUSIVE
    timer: Finding = declared_is_effective(TARGET, held((10.9, False, False)))
    assert timer.verdict is Verdict.FAIL


# --- real Node under a supervisor, behind real nginx ------------------------------------------------------------------

APP = """
const body = JSON.stringify({ ok: true })
const server = require('http').createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(body)
})
server.keepAliveTimeout = 4000
server.listen(PORT, '127.0.0.1')
const lives = process.argv[2].split(',').map(Number)
const fs = require('fs')
const turn = fs.existsSync('turn') ? Number(fs.readFileSync('turn', 'utf8')) : 0
fs.writeFileSync('turn', String(turn + 1))
if (lives[0]) setTimeout(() => process.exit(1), lives[turn % lives.length])
"""
NGINX = """
daemon off; worker_processes 1; pid DIR/nginx.pid; error_log DIR/error.log crit;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
  upstream api { server 127.0.0.1:BACKEND max_fails=0; keepalive 16; keepalive_timeout 2s; }
  server {
    listen 127.0.0.1:PORT;
    location / { proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def staged(folder: Path, lives: str) -> Iterator[tuple[int, int]]:
    """nginx before Node, which lives so many milliseconds each time; gives both ports."""
    front, backend = free_port(), free_port()
    (folder / "app.js").write_text(APP.replace("PORT", str(backend)))
    config = NGINX.replace("DIR", str(folder)).replace("BACKEND", str(backend)).replace("PORT", str(front))
    (folder / "nginx.conf").write_text(config)
    loop = f"while :; do {need('node')} app.js {lives}; sleep 0.2; done"
    commands = [["sh", "-c", loop], [need("nginx"), "-c", str(folder / "nginx.conf")]]
    processes = [
        subprocess.Popen(command, cwd=folder, start_new_session=True, stderr=subprocess.DEVNULL) for command in commands
    ]
    try:
        for port in (front, backend):
            _wait_for(port)
        yield front, backend
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(port: int) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on port {port}")


@pytest.mark.alone
@pytest.mark.real
@pytest.mark.parametrize(("lives", "verdict"), [("3600,1200,2600", "fail"), ("0", "pass")])
def test_node_that_exits_again_and_again(tmp_path: Path, lives: str, verdict: str) -> None:
    with staged(tmp_path, lives) as (front, backend):
        done = run_json(
            f"http://127.0.0.1:{front}",
            *("--backend", f"http://127.0.0.1:{backend}", "--lb-idle-timeout", "2", "--backend-keepalive", "4"),
            *("--only", "readiness.api-stays-up", "--only", "keepalive.backend-outlives-load-balancer"),
            *("--browser", "none", "--no-induce"),
        )
    assert done.verdicts["readiness.api-stays-up"] == verdict, done.report["checks"]
    assert done.verdicts["keepalive.backend-outlives-load-balancer"] == ("skip" if verdict == "fail" else "pass")
    assert ("keep-alive" in done.report["headline"]) is False
