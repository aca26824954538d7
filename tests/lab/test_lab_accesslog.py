"""The load balancer's log in both formats, and that `btdiag logs` reads in it what was staged."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest

from btdiag.lab.accesslog import Entry, istio_line, nginx_line
from btdiag.lab.faults.http import Delays
from btdiag.lab.http import Body, Request
from btdiag.lab.plan import Backend, Balancer, LabHop, LabPlan
from btdiag.lab.scenario import Scenario
from btdiag.lab.world import World
from btdiag.logs.judging import JudgedFile, judge_log
from tests.lab.test_lab_balancer import client
from tests.logs.cases import read

KEEPALIVE, DELAY = 0.7, 0.02
FORMATS: dict[str, str] = {"nginx": "nginx-upstream", "envoy": "istio-default"}
BOTH = pytest.mark.parametrize("style", list(FORMATS))


def stage(style: str, *faults: object, **settings: object) -> LabPlan:
    on_broken = {"nginx": 502, "envoy": 503}[style]
    balancer = Balancer(plain="serves", link_delay=DELAY, style=style, on_broken=on_broken, **settings)  # type: ignore[arg-type]
    return Scenario(name="x", summary="", faults=(balancer, Backend(keepalive=KEEPALIVE, grace=0.0), *faults)).plan  # type: ignore[arg-type]


async def visit(port: int, *pauses: float) -> list[int | None]:
    """POSTs on one connection, each after a pause."""
    answers = []
    async with client(port) as connection:
        for pause in pauses:
            await asyncio.sleep(pause)
            answers.append(await connection.ask("POST", b"x", "/x"))
    return answers


def logged(plan: LabPlan, *pauses: float, visitors: int = 6) -> tuple[list[int | None], JudgedFile]:
    """What the visitors were answered, and what the log says of it."""

    async def run(folder: Path) -> tuple[list[int | None], JudgedFile]:
        async with World(plan, folder, log=folder / "access.log") as told:
            port = told["target"]["plain_port"]  # type: ignore[index]
            answers = await asyncio.gather(*(visit(port, *pauses) for _ in range(visitors)))
            return [one for each in answers for one in each], judge_log(read(folder / "access.log"))

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(run(Path(folder)))


# the backend's timer began one link delay before the answer was here
LATE = KEEPALIVE - DELAY


@pytest.mark.alone
@BOTH
def test_the_race_is_proved_from_the_log(style: str) -> None:
    """Again where a busy machine missed the window in every period."""
    for _ in range(4):
        answers, found = logged(stage(style, upstream_idle=5.0), 0, 0.1, 0.2, LATE, 0.1, LATE, 0.1, LATE, 0.05)
        lost = sum(status in (502, 503) for status in answers)
        assert found.account.format == FORMATS[style]
        assert len(found.account.failures) == lost
        if found.proved:
            break
    assert found.proved
    assert found.cluster is not None
    assert found.cluster.k_s == pytest.approx(LATE, abs=0.05)
    assert {event.fits for event in found.account.failures} == {("race",)}


@BOTH
def test_a_load_balancer_that_lets_go_first_has_a_sound_log(style: str) -> None:
    answers, found = logged(stage(style, upstream_idle=KEEPALIVE / 2), 0, 0.1, LATE, 0.1)
    assert set(answers) == {404}
    assert found.account.requests == len(answers)
    assert not found.account.failures
    assert found.account.malformed == 0


@BOTH
def test_other_faults_have_their_own_words(style: str) -> None:
    _, down = logged(stage(style, backend_down=True), 0, visitors=1)
    _, slow = logged(stage(style, Delays(hop=LabHop.BACKEND, seconds=1.0), upstream_timeout=0.4), 0, visitors=1)
    assert [event.fits[0] for event in down.account.failures] == ["refused"]
    assert [(event.fits, event.sure) for event in slow.account.failures] == [(("upstream_timeout",), True)]


def test_a_retried_request_has_both_attempts_in_the_log() -> None:
    for _ in range(4):
        answers, found = logged(stage("nginx", upstream_idle=5.0, retry="all"), 0, LATE, 0.1, LATE, visitors=3)
        assert set(answers) == {404}
        if found.account.retries:
            break
    assert {event.fits for event in found.account.failures} == {("race_retried",)}


def test_an_outage_after_a_race_names_no_server() -> None:
    for _ in range(4):
        _, found = logged(stage("nginx", upstream_idle=5.0, takes_out_for=1.0), 0, LATE, 0.0, LATE, 0.0, visitors=2)
        kinds = {event.fits[0] for event in found.account.failures}
        if kinds:
            break
    assert kinds == {"race", "no_healthy_target"}


def test_what_a_client_says_cannot_break_a_line() -> None:
    async def entry() -> Entry:
        body = Body(asyncio.StreamReader(), length=0, chunked=False)
        said = (("User-Agent", 'a"b\tc\xe9'),)
        return Entry(request=Request(method="GET", target='/"\\x', headers=said, body=body), client="::1")

    made = asyncio.run(entry())
    for line in (nginx_line(made, 200, 1, made.began), istio_line(made, 200, 1, made.began)):
        assert '"GET /\\x22\\x5Cx HTTP/1.1"' in line
        assert '"a\\x22b\\x09c\\xE9"' in line
        assert "\n" not in line
