"""Words in a sentence."""

from __future__ import annotations

from btdiag.core.wording import enumerated


def test_names_are_told_as_people_tell_them() -> None:
    assert enumerated(["curl"]) == "curl"
    assert enumerated(iter(("A", "B", "C"))) == "A, B and C"
    assert enumerated(["race", "crash"], "or") == "race or crash"
    assert enumerated([]) == ""
