"""The words and signs in which all formats speak of verdicts, times and places, so that they never differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from btdiag.core.finding import Verdict
from btdiag.core.report import Report

GLYPHS: Mapping[str, str] = {"pass": "✓", "warn": "!", "fail": "✗", "inconclusive": "?", "skip": "-", "waived": "~"}
"""A sign for each verdict, shown beside its word and never alone."""

STATE_GLYPHS: Mapping[str, str] = {"ok": "✓", "warn": "!", "broken": "✗", "unknown": "?", "not reached": "·"}
"""A sign for each state of a hop."""

_NOUNS: Mapping[str, str] = {
    "pass": "passed",
    "warn": "warned",
    "fail": "failed",
    "inconclusive": "undecided",
    "skip": "skipped",
}


def tally(
    counts: Mapping[str, int], waived: int = 0, only: Iterable[str] = ("fail", "inconclusive", "warn", "pass", "skip")
) -> str:
    """ "1 failed, 2 warned, 23 passed": the counts in words, zeros left out."""
    said = [f"{counts[verdict]} {_NOUNS[verdict]}" for verdict in only if counts.get(verdict)]
    return ", ".join([*said, *([f"{waived} accepted"] if waived else [])]) or "no checks"


def seconds(value: float) -> str:
    """A duration for people: "0.4 ms", "12 ms", "71.2 s", "3 min 20 s"."""
    if value < 1:
        return f"{value * 1000:.3g} ms"
    if value < 120:
        return f"{value:.1f} s"
    return f"{int(value // 60)} min {value % 60:.0f} s"


def run_lines(report: Report) -> list[tuple[str, str]]:
    """What was tested, from where and when, as pairs of a label and its text."""
    run = report.run
    vantage = run.vantage
    proxies = ", ".join(f"{scheme} via {url}" for scheme, url in vantage.proxies.items())
    interrupted = ", interrupted before its end" if run.interrupted else ""
    return [
        ("Target", str(report.target.get("url", ""))),
        ("Seen from", f"{vantage.hostname}, {vantage.platform}" + (f", proxy {proxies}" if proxies else "")),
        (
            "When",
            f"{run.started_at}, took {seconds(run.duration_s)}{interrupted}; "
            f"longest wait {seconds(run.longest_wait_s)}, {run.requests_sent} requests",
        ),
        ("Run", f"{run.id}, btdiag {report.tool_version}, Python {vantage.python}"),
    ]


def options_in_words(options: Mapping[str, object]) -> str:
    """The options of a run on one line, those without a value left out."""
    told = {name: value for name, value in options.items() if value not in (None, False, [], "", {})}
    return ", ".join(name if value is True else f"{name}={_option(value)}" for name, value in told.items())


def _option(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(map(str, value))
    return str(value)


def label(verdict: Verdict | str) -> str:
    """A sign and the word of a verdict: "✗ fail"."""
    return f"{GLYPHS[str(verdict)]} {verdict}"
