"""Every line and every file of the cases against their truth."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from btdiag.logs import reading
from btdiag.logs.account import FileAccount
from btdiag.logs.joining import fits_by_all
from tests.logs.cases import Case

NAMED_OR_NARROWED = 0.95
PROVED_CASES = 14
"""Of 15. The other one's access log ends before the failures that its error log tells of."""


def test_formats_and_products_are_recognised_by_content(cases: list[Case]) -> None:
    for case in cases:
        account = case.judged.account
        alike = {account.format, account.format.replace("nginx", "apache")} if "combined" in account.format else set()
        assert case.truth["format"] in {account.format, *alike}, case.truth["file"]
        assert account.malformed == 0, case.truth["file"]
        assert account.lines == case.truth["lines"], case.truth["file"]
        if case.truth["unit"] == "line" and case.truth["requests"] is not None:
            assert 0 <= case.truth["requests"] - account.requests + case.truth["unrelated_lines"] <= 5


def test_no_good_line_is_called_faulty(cases: list[Case]) -> None:
    wrong = [(case.truth["file"], line) for case in cases for line in set(case.events) - set(case.kinds)]
    assert wrong == []
    assert sum(case.truth["not_faults"].get("ok", 0) for case in cases) > 18_000


def test_no_sure_kind_is_wrong_alone_or_together(cases: list[Case]) -> None:
    for case in cases:
        for line, kind in case.kinds.items():
            if line in case.events:
                fits, sure = case.alone.get(line, ((kind,), False))
                assert not sure or fits[0] == kind, (case.truth["file"], line, kind, fits)
                event = case.events[line]
                assert not event.sure or fits_by_all(event)[0] == kind, (
                    case.truth["file"],
                    line,
                    kind,
                    fits_by_all(event),
                )


def test_failing_lines_are_named_or_narrowed_to_what_fits(cases: list[Case]) -> None:
    tally: Counter[str] = Counter()
    for case in cases:
        for line, kind in case.kinds.items():
            event = case.events.get(line)
            if event is None:
                tally["hidden" if kind in case.hidden else "missed"] += 1
                continue
            fits = fits_by_all(event)
            tally["named" if fits == (kind,) else "narrowed" if kind in fits else "wrong"] += 1
            tally["alternatives"] += len(fits)
    shown = tally["named"] + tally["narrowed"] + tally["wrong"] + tally["missed"]
    print(dict(tally))
    assert (tally["named"] + tally["narrowed"]) / shown >= NAMED_OR_NARROWED
    assert tally["named"] / shown >= 0.45
    assert tally["alternatives"] / shown < 2.5  # what fits is narrow


def test_the_race_is_proved_where_it_is_and_nowhere_else(cases: list[Case]) -> None:
    proved = {case.truth["case"] for case in cases if case.judged.proved}
    true = {case.truth["case"] for case in cases if case.truth["case_verdict"] == "race"}
    assert proved <= true
    assert len(proved) >= PROVED_CASES
    assert not [case.truth["file"] for case in cases if case.proved_alone and case.truth["verdict"] != "race"]


def test_the_moment_of_closing_is_found_to_a_hundredth(cases: list[Case]) -> None:
    for case in cases:
        k = case.truth.get("idle_K_s")
        if case.judged.proved and case.judged.cluster and k and case.truth["synthetic"] is False:
            off = 0.035 if case.judged.account.resolution_s < 0.1 else 0.5
            assert abs(case.judged.cluster.k_s - k) <= off, case.truth["file"]


def test_quick_reading_and_full_reading_agree(case_folder: Path, cases: list[Case]) -> None:
    for case in cases:
        one = case.judged.account
        if not one.quick:
            continue
        full = FileAccount(one.path)
        with reading.opened_log(str(case_folder / case.truth["file"])) as file:
            full.read(reading.log_lines(file), since=0.0)
        assert full.quick == 0
        for name in ("lines", "requests", "good", "fresh", "malformed", "methods", "good_ages", "good_by_upstream"):
            assert getattr(one, name) == getattr(full, name), (one.path, name)
        assert [event.line for event in full.failures] == [event.line for event in one.failures if event.fits
                                                           and not event.retried]  # fmt: skip
    assert sum(case.judged.account.quick for case in cases) > 7_000
