"""A sample of the corpus in every run of the tests; `make attack` runs all of it."""

from __future__ import annotations

import asyncio

from tests.attack.attack import attack, everything
from tests.attack.corpus import behaviours

SAMPLE = frozenset(
    {
        "silent",
        "resets at once",
        "endless header",
        "banner smtp",
        "answers ssh",
        "status letters",
        "status six hundred",
        "status version 3",
        "head lengths differ",
        "body body too short",
        "body body too long",
        "odd date year 9999",
        "odd json deep",
        "odd Age odd",
        "h2 status letters",
        "h2 body short",
        "h2 ping flood",
    }
)


def test_the_corpus_is_as_large_as_it_was() -> None:
    names = [one.name for one in behaviours()]
    assert len(set(names)) == len(names)
    assert len(everything()) >= 280
    assert set(names) >= SAMPLE


def test_each_of_a_sample_is_told_for_what_it_is() -> None:
    outcomes = asyncio.run(attack([(one, tls) for one, tls in everything() if one.name in SAMPLE]))
    assert [(one.name, one.wrong) for one in outcomes if one.wrong] == []
