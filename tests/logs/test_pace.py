"""How long a lost request may have been under way and still be a race: as long as its load balancer's distance and load
make everything take."""

from __future__ import annotations

from collections.abc import Iterable

from btdiag.logs.account import FileAccount
from btdiag.logs.judging import JudgedFile, judge_log

BEGIN = 1_795_682_500.0


def line(at: float, took: float, *, lost: bool = False) -> bytes:
    status, header = (502, "-") if lost else (200, f"{took:.3f}")
    return (
        f'1.2.3.4 - - [26/Nov/2026:08:41:40 +0000] "POST /btql HTTP/1.1" {status} 157 "-" "x"'
        f" msec={BEGIN + at + took:.3f} rt={took:.3f} uct=0.000 uht={header} urt={took:.3f}"
        f' ua="10.0.0.1:8000" us="{status}"\n'
    ).encode()


def judged(lines: Iterable[bytes]) -> JudgedFile:
    account = FileAccount("access.log")
    account.read(enumerate(lines, 1))
    return judge_log(account)


def pauses(took: float, lost_after: float, *, ordinary: float) -> list[bytes]:
    """Five pauses of two seconds, each ended by a request that is lost; in between good ones after half a second."""
    lines, at = [], 0.0
    for _ in range(5):
        for _ in range(4):
            lines.append(line(at, ordinary))
            at += ordinary + 0.5
        at += 1.5
        lines.append(line(at, took, lost=True))
        at += lost_after
    return lines


def test_a_race_with_a_backend_far_away_is_proved() -> None:
    found = judged(pauses(0.15, 1.0, ordinary=0.16))
    assert found.proved
    assert {event.fits for event in found.account.failures} == {("race",)}


def test_a_backend_nearby_that_hangs_up_after_as_long_is_no_race() -> None:
    found = judged(pauses(0.15, 1.0, ordinary=0.01))
    assert not found.proved
    assert all("race" not in event.fits for event in found.account.failures)


def test_slow_answers_stand_for_distance_only_so_far() -> None:
    found = judged(pauses(2.5, 4.0, ordinary=3.0))
    assert not found.proved
    assert all("race" not in event.fits for event in found.account.failures)


def test_what_took_as_long_as_all_others_of_a_busy_moment_stays_open() -> None:
    lines = [line(n, 0.002) for n in range(20)]
    lines += [line(25 + n / 1000, 0.25, lost=True) for n in range(5)] + [line(25.01, 0.26), line(25.02, 0.27)]
    lines += [line(30, 0.25, lost=True), line(31, 0.002)]
    found = judged(lines)
    *busy, alone = found.account.failures
    assert {event.fits[-1] for event in busy} == {"race"}
    assert {event.fits[0] for event in busy} == {"backend_closed"}
    assert "race" not in alone.fits
    assert not found.proved
    assert not found.likely
