"""Findings and facts of users' own checks: what a report cannot show is named, and what it can passes unchanged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from btdiag.core.finding import Evidence, Finding, Remedy, Snippet, Verdict
from btdiag.engine.crash import crash_text, said
from btdiag.engine.soundness import (
    LONGEST_LINE,
    LONGEST_TEXT,
    MOST_DEPTH,
    MOST_EVIDENCE,
    MOST_VALUES,
    UnsoundError,
    bounded_json,
    sound,
)

PROOF = Evidence(kind="text", title="seen", data={"a": [1, "b", None]})
GOOD = Finding(
    verdict=Verdict.FAIL,
    summary="so it is",
    because="dns.resolves",
    evidence=(PROOF,),
    remedy=Remedy(text="do this", snippets=(Snippet(product="shell", code="true"),)),
    sources=("RFC 9110",),
)


def odd(**fields: Any) -> Finding:
    return replace(GOOD, **fields)


def test_what_is_sound_passes_unchanged() -> None:
    assert sound(GOOD) is GOOD
    assert sound(odd(remedy=None, because=None, evidence=(), sources=())).summary == "so it is"


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        (odd(verdict="fail"), "none of Verdict"),
        (odd(summary=7), "summary must be a text"),
        (odd(seen="x" * (LONGEST_LINE + 1)), "seen must be a text"),
        (odd(because=7), "because must be a text"),
        (odd(sources=["RFC 9110"]), "sources must be a tuple"),
        (odd(sources=(7,)), "sources must be a text"),
        (odd(evidence=[PROOF]), "evidence must be a tuple"),
        (odd(evidence=(PROOF,) * (MOST_EVIDENCE + 1)), "evidence must be a tuple"),
        (odd(evidence=("text",)), "which is no Evidence"),
        (odd(evidence=(replace(PROOF, title=cast(str, 7)),)), "the title of evidence"),
        (odd(evidence=(replace(PROOF, data=cast(Any, {"at": Path("/x")})),)), "is no JSON"),
        (odd(remedy="do this"), "must be a Remedy"),
        (odd(remedy=Remedy(text="x", snippets=cast(Any, ("true",)))), "which is no Snippet"),
        (odd(remedy=Remedy(text="x", snippets=(Snippet(product="x", code=cast(str, 7)),))), "a snippet must be a text"),
    ],
)
def test_what_is_odd_is_named(finding: Finding, words: str) -> None:
    with pytest.raises(UnsoundError, match=words):
        sound(finding)


def deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


CYCLE: list[object] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (CYCLE, "in itself"),
        (deep(MOST_DEPTH + 2), "deep"),
        (list(range(MOST_VALUES + 1)), "values"),
        ("x" * (LONGEST_TEXT + 1), "characters"),
    ],
)
def test_facts_without_an_end_are_refused(value: object, words: str) -> None:
    with pytest.raises(UnsoundError, match=words):
        bounded_json(value)


def test_facts_are_shown_as_json() -> None:
    assert bounded_json({"verdict": Verdict.FAIL, "ways": (1, 2)}) == {"verdict": "fail", "ways": [1, 2]}


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


def test_an_error_without_words_is_told_by_its_type() -> None:
    assert said(Mute()) == "(an error whose text cannot be made)"
    assert "Mute" in crash_text(Mute())
    assert said(ValueError("x" * 1_000)) == "x" * 300
