"""What runs tell of a target over time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from btdiag.core.finding import Verdict
from btdiag.report.history import PastRun, history_of, render

DAY = datetime(2026, 11, 1, tzinfo=UTC)


def entries(*verdicts: str, check: str = "dns.resolves") -> list[PastRun]:
    """One run a day with one check, given oldest first; the newest comes first."""
    made = [
        PastRun(
            at=DAY + timedelta(days=day),
            verdict=Verdict(verdict.partition(",")[0]),
            headline=f"run {day}",
            vantage="here",
            run=f"{day:08x}",
            verdicts={check: verdict},
        )
        for day, verdict in enumerate(verdicts)
    ]
    return made[::-1]


def test_stretches_and_turns() -> None:
    found = history_of("https://dp.example", entries("pass", "pass", "fail", "fail", "pass"))
    assert [(each.verdict.value, each.runs, each.since.day, each.until.day) for each in found.stretches] == [
        ("pass", 1, 5, 5),
        ("fail", 2, 3, 4),
        ("pass", 2, 1, 2),
    ]
    assert [(each.at.day, each.old, each.new) for each in found.turns] == [(5, "fail", "pass"), (3, "pass", "fail")]
    assert found.flapping == ()
    assert found.headline == "PASS since 2026-11-05T00:00:00Z (1 run)"


def test_what_turns_again_and_again_does_not_settle() -> None:
    found = history_of("t", entries("pass", "fail", "pass", "fail"))
    assert found.flapping == ("dns.resolves",)
    assert found.headline.endswith("; dns.resolves does not settle")


@pytest.mark.parametrize(
    "verdicts",
    [
        ("pass", "fail", "pass"),
        ("fail", "skip", "fail", "skip", "fail", "inconclusive", "fail"),
        ("pass", "fail", "pass", "fail", *["fail"] * 10),
    ],
)
def test_an_end_or_a_gap_or_what_is_long_past_is_no_flapping(verdicts: tuple[str, ...]) -> None:
    assert history_of("t", entries(*verdicts)).flapping == ()


def test_a_check_that_comes_or_goes_is_a_turn() -> None:
    new, old = entries("pass", check="a.b")[0], entries("pass", check="c.d")[0]
    told = {(turn.check, turn.old, turn.new) for turn in history_of("t", [new, old]).turns}
    assert told == {("c.d", "pass", "absent"), ("a.b", "absent", "pass")}


def test_nothing_stored_is_said() -> None:
    assert render(history_of("t", []), "text") == "t: No run of t is stored\n"


def test_text_and_json_tell_the_same() -> None:
    found = history_of("https://dp.example", entries("pass", "fail"))
    text = render(found, "text")
    assert "FAIL since 2026-11-02T00:00:00Z" in text
    assert "pass -> fail" in text
    data = json.loads(render(found, "json"))
    assert data["stretches"][0] == {
        "since": "2026-11-02T00:00:00Z",
        "until": "2026-11-02T00:00:00Z",
        "runs": 1,
        "verdict": "fail",
        "headline": "run 1",
    }
    assert data["turns"] == [{"at": "2026-11-02T00:00:00Z", "check": "dns.resolves", "old": "pass", "new": "fail"}]


def test_long_tables_are_cut() -> None:
    found = history_of("t", entries(*["pass", "fail"] * 30))
    assert "40 older ones: --format json" in render(found, "text")


def test_a_headline_of_a_stranger_stays_on_its_line() -> None:
    entry = entries("pass")[0]
    hostile = PastRun(
        at=entry.at,
        verdict=entry.verdict,
        headline="a\nb\x1b[31m",
        vantage="",
        run="",
        verdicts={"x.\x1b": "pass"},
    )
    assert "\x1b" not in render(history_of("t\x1b", [hostile, entry]), "text")
