"""From attempts to results: blocked, unknown, skipped and crashed are four different things."""

from __future__ import annotations

from datetime import date

import pytest

from btdiag.config import Waiver
from btdiag.core.finding import Finding, Remedy, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.report import CheckResult
from btdiag.engine.attempt import Attempt
from btdiag.engine.checks import Check, check_of, explanation, matches, select
from btdiag.engine.outcome import check_result, not_seen, waive, with_root_causes


def check_answers() -> None:
    """The API answers.

    Nothing works without it.

    Measured: by a request.

    Remedy: start it.

    Sources: RFC 9110 section 15; https://vendor.example/page.
    """


def a_check(check_id: str = "readiness.answers") -> Check:
    family, _, _ = check_id.partition(".")
    return Check(
        id=check_id,
        family=family,
        explanation=explanation(check_answers.__doc__ or "", "x"),
        parameters=(),
        function=check_answers,
    )


def judged(attempt: Attempt, check_id: str = "readiness.answers") -> CheckResult:
    return check_result(a_check(check_id), attempt, measurements=("root",), rerun="btdiag run")


def entry(check_id: str, verdict: Verdict, *, because: str | None = None, summary: str = "so it is") -> CheckResult:
    family = check_id.partition(".")[0]
    return CheckResult(id=check_id, family=family, title="t", verdict=verdict, summary=summary, because=because)


def resolved(*entries: CheckResult) -> dict[str, CheckResult]:
    return with_root_causes({each.id: each for each in entries})


def test_a_docstring_is_the_explanation() -> None:
    found = explanation(check_answers.__doc__ or "", "check_answers")
    assert (found.title, found.why, found.measured, found.remedy) == (
        "The API answers",
        "Nothing works without it.",
        "by a request.",
        "start it.",
    )
    assert found.sources == ("RFC 9110 section 15", "https://vendor.example/page")


def test_without_a_docstring_the_name_is_the_claim() -> None:
    assert explanation("", "check_every_address_agrees").title == "check every address agrees"


def test_the_id_is_made_of_file_and_function(tmp_path) -> None:  # type: ignore[no-untyped-def]
    found = check_of(check_answers, tmp_path / "check_own_things.py", own=True)
    assert (found.id, found.family, found.own) == ("own-things.answers", "own-things", True)


@pytest.mark.parametrize("pattern", ["readiness", "readiness.answers", "*.answers", "readiness.*"])
def test_patterns_that_fit(pattern: str) -> None:
    assert matches(a_check(), pattern)


def test_only_and_skip() -> None:
    checks = [a_check("a.one"), a_check("a.two"), a_check("b.one")]
    assert [check.id for check in select(checks, ("a",), ("*.two",))] == ["a.one"]
    with pytest.raises(ValueError, match="'c'"):
        select(checks, ("c",), ())


def test_nothing_returned_is_a_pass_in_the_words_of_the_claim() -> None:
    assert judged(Attempt()).verdict is Verdict.PASS
    assert judged(Attempt()).summary == "The API answers"


def test_a_finding_keeps_its_words_and_gets_what_the_docstring_adds() -> None:
    found = judged(Attempt(finding=Finding(verdict=Verdict.FAIL, summary="it is down", sources=("measured",))))
    assert (found.verdict, found.summary, found.remedy) == (Verdict.FAIL, "it is down", Remedy(text="start it."))
    assert found.sources == ("measured", "RFC 9110 section 15", "https://vendor.example/page")


def test_an_assertion_of_a_users_check_is_a_failure_in_its_own_words() -> None:
    found = judged(Attempt(assertion="five is not six\nassert 5 == 6"))
    assert (found.verdict, found.summary) == (Verdict.FAIL, "five is not six")
    assert found.evidence[0].data == "five is not six\nassert 5 == 6"


def test_a_crash_is_inconclusive_with_its_place() -> None:
    found = judged(Attempt(crash="File x\nZeroDivisionError: division by zero"))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "ZeroDivisionError" in found.summary
    assert found.evidence[0].kind == "crash"


@pytest.mark.parametrize(
    ("missing", "verdict", "because"),
    [
        ([NotMeasured(reason="refused", by="connection.tcp-connects")], Verdict.SKIP, "connection.tcp-connects"),
        ([NotMeasured(reason="cannot tell")], Verdict.INCONCLUSIVE, None),
        ([NotMeasured(reason="not asked", skipped=True)], Verdict.SKIP, None),
        (
            [NotMeasured(reason="not asked", skipped=True), NotMeasured(reason="cannot tell")],
            Verdict.INCONCLUSIVE,
            None,
        ),
        (
            [NotMeasured(reason="cannot tell"), NotMeasured(reason="dead", by="dns.resolves")],
            Verdict.SKIP,
            "dns.resolves",
        ),
    ],
)
def test_a_missing_fact(missing: list[NotMeasured], verdict: Verdict, because: str | None) -> None:
    found = judged(Attempt(missing=tuple(("root", one) for one in missing)))
    assert (found.verdict, found.because) == (verdict, because)


def test_the_command_that_would_find_out_is_named() -> None:
    attempt = Attempt(missing=(("root", NotMeasured(reason="no time", command="btdiag run --budget 90s")),))
    assert judged(attempt).summary == "no time; to find out: btdiag run --budget 90s"


def test_what_follows_from_a_failure_is_skipped_and_names_the_first_cause() -> None:
    found = resolved(
        entry("dns.resolves", Verdict.FAIL),
        entry("connection.tcp-connects", Verdict.SKIP, because="dns.resolves"),
        entry("readiness.root-answers", Verdict.SKIP, because="connection.tcp-connects", summary="no connection"),
    )
    last = found["readiness.root-answers"]
    assert (last.verdict, last.because) == (Verdict.SKIP, "dns.resolves")
    assert last.summary == "because dns.resolves failed: no connection"


def test_a_cause_is_named_once() -> None:
    said = "because dns.resolves failed: no address"
    follows = entry("tls.up", Verdict.SKIP, because="dns.resolves", summary=said)
    assert resolved(entry("dns.resolves", Verdict.FAIL), follows)["tls.up"].summary == said


def test_what_follows_from_something_unknown_is_unknown() -> None:
    found = resolved(
        entry("dns.resolves", Verdict.INCONCLUSIVE), entry("readiness.x", Verdict.SKIP, because="dns.resolves")
    )
    assert found["readiness.x"].verdict is Verdict.INCONCLUSIVE
    assert found["readiness.x"].because is None


@pytest.mark.parametrize(
    ("verdict", "words"),
    [(Verdict.PASS, "undecided, for dns.resolves holds: "), (Verdict.WARN, "dns.resolves warns: ")],
)
def test_a_cause_that_did_not_fail_leaves_it_open(verdict: Verdict, words: str) -> None:
    found = resolved(entry("dns.resolves", verdict), entry("readiness.x", Verdict.SKIP, because="dns.resolves"))
    assert found["readiness.x"].verdict is Verdict.INCONCLUSIVE
    assert found["readiness.x"].summary.startswith(words)


def test_of_several_causes_the_one_that_failed_explains() -> None:
    entries = [
        entry("connection.tcp-connects", Verdict.WARN),
        entry("connection.tls-handshake-completes", Verdict.FAIL),
        entry("readiness.x", Verdict.SKIP, because="connection.tcp-connects", summary="no way"),
    ]
    found = with_root_causes(
        {each.id: each for each in entries}, {"readiness.x": ("connection.tls-handshake-completes",)}
    )
    assert found["readiness.x"].because == "connection.tls-handshake-completes"


def test_a_cause_that_was_skipped_for_itself_skips_what_follows() -> None:
    found = resolved(entry("a.a", Verdict.SKIP), entry("b.b", Verdict.SKIP, because="a.a"))
    assert (found["b.b"].verdict, found["b.b"].because) == (Verdict.SKIP, None)


@pytest.mark.parametrize("because", ["no.such", "b.b"])
def test_a_cause_that_leads_nowhere_leaves_the_check_undecided(because: str) -> None:
    found = resolved(entry("b.b", Verdict.SKIP, because=because))
    assert found["b.b"].verdict is Verdict.INCONCLUSIVE


def test_an_accepted_finding_is_marked_until_its_day_is_over() -> None:
    waivers = (Waiver(id="a.a", until=date(2030, 12, 31), reason="known"),)
    failed = entry("a.a", Verdict.FAIL)
    assert waive(failed, waivers, date(2030, 12, 31)).waived == "known (accepted until 2030-12-31)"
    assert waive(failed, waivers, date(2031, 1, 1)).waived is None
    assert waive(entry("b.b", Verdict.FAIL), waivers, date(2030, 1, 1)).waived is None
    assert waive(entry("a.a", Verdict.PASS), waivers, date(2030, 1, 1)).waived is None


def test_what_was_not_seen_is_grouped_by_reason() -> None:
    entries = [
        entry("a.a", Verdict.SKIP, summary="no --backend"),
        entry("b.b", Verdict.SKIP, summary="no --backend"),
        entry("c.c", Verdict.INCONCLUSIVE, summary="cannot tell"),
        entry("d.d", Verdict.PASS),
        entry("e.e", Verdict.SKIP, because="a.a"),
    ]
    assert not_seen({each.id: each for each in entries}) == ("a.a, b.b: no --backend", "c.c: cannot tell")


@pytest.mark.parametrize(("explains", "verdict"), [(Verdict.FAIL, "skip"), (Verdict.WARN, "fail")])
def test_a_finding_yields_to_the_failure_that_explains_it_and_to_nothing_less(explains: Verdict, verdict: str) -> None:
    entries = [
        entry("cors.x", explains),
        entry("browser.x", Verdict.FAIL),
        entry("lna.x", Verdict.SKIP, because="browser.x"),
    ]
    found = with_root_causes({each.id: each for each in entries}, {}, {"browser.x": ("dns.x", "cors.x")})
    assert str(found["browser.x"].verdict) == verdict
    assert found["lna.x"].because == ("cors.x" if explains is Verdict.FAIL else "browser.x")
