"""Many targets in a few lines: grouped by cause, the worst first, and nothing said of one that is not true of all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from btdiag.core.finding import Remedy, Verdict
from btdiag.core.report import CheckResult, Report, ReportSet
from btdiag.report.causes import causes, headline_of_many, share
from btdiag.report.documents import MOST_WHOLE, Context
from btdiag.report.formats import render
from btdiag.report.json_ import load

Make = Callable[..., Report]


def check(**fields: Any) -> CheckResult:
    given = {"id": "dns.resolves", "family": "dns", "title": "The name resolves", "summary": "seen"} | fields
    return CheckResult(**given)


def one(make_report: Make, number: int, *checks: CheckResult) -> Report:
    return replace(make_report(checks), target={"url": f"https://dp-{number}.example"})


@pytest.fixture
def expiring() -> CheckResult:
    return check(
        id="connection.certificate-is-not-expiring",
        verdict=Verdict.WARN,
        summary="expires in 9 days",
        answer="The certificate expires within two weeks",
        remedy=Remedy(text="Renew the certificate."),
    )


@pytest.fixture
def mixed(make_report: Make, expiring: CheckResult) -> list[Report]:
    """Sixty targets: 37 that expire, two that fail each with figures of its own, one undecided, twenty in health."""
    reports = [one(make_report, n, expiring) for n in range(37)]
    for number in (37, 38):
        failed = check(id="dns.resolves", title="The name resolves", verdict=Verdict.FAIL, summary=f"{number} lost")
        reports.append(one(make_report, number, failed))
    reports.append(one(make_report, 39, check(verdict=Verdict.INCONCLUSIVE, title="It")))
    return [*reports, *(one(make_report, n, check(verdict=Verdict.PASS)) for n in range(40, 60))]


def test_the_worst_and_most_frequent_come_first(mixed: list[Report]) -> None:
    found = causes(mixed)
    assert [(cause.verdict.value, len(cause.targets)) for cause in found] == [
        ("fail", 2),
        ("warn", 37),
        ("inconclusive", 1),
    ]
    assert share(found[1], len(mixed)) == "37 of 60: The certificate expires within two weeks"
    assert found[1].action == "Renew the certificate."
    assert found[0].what == "dns.resolves does not hold: The name resolves"
    assert found[0].targets == ("https://dp-37.example", "https://dp-38.example")
    assert found[2].what == "dns.resolves could not be decided: It"


def test_the_headline_counts(mixed: list[Report], make_report: Make) -> None:
    assert headline_of_many(mixed).startswith("40 of 60 need attention. 2 of 60: dns.resolves does not hold")
    assert headline_of_many(mixed[40:]) == "Healthy: 20 targets checked, no finding"
    blind = replace(make_report(()), verdict=Verdict.INCONCLUSIVE)
    assert causes([blind])[0].what == "Nothing could be decided"


def test_many_are_shown_by_cause_alone(mixed: list[Report]) -> None:
    document = ReportSet(verdict=Verdict.FAIL, headline=headline_of_many(mixed), reports=tuple(mixed))
    assert len(mixed) > MOST_WHOLE
    text = render(document, "text", Context(width=120))
    assert "37 of 60: The certificate expires within two weeks" in text
    assert "and 32 more (-v names all)" in text
    assert len(text.splitlines()) < 30
    assert "dp-36" in render(document, "text", Context(width=120, verbose=1))
    assert "37 of 60: The certificate expires within two weeks. Renew" in render(document, "markdown", Context())
    page = render(document, "html", Context())
    assert "37 of 60: The certificate expires within two weeks" in page
    assert 'class="report"' not in page


def test_json_holds_the_causes_and_each_report_a_line(mixed: list[Report]) -> None:
    document = ReportSet(verdict=Verdict.FAIL, headline="40 of 60", reports=tuple(mixed))
    data = json.loads(render(document, "json", Context()))
    assert [len(cause["targets"]) for cause in data["causes"]] == [2, 37, 1]
    assert load(render(document, "json", Context())) == document
    lines = render(document, "ndjson", Context()).splitlines()
    assert [json.loads(line) for line in lines] == data["reports"]


def test_few_are_shown_each_and_a_cause_that_several_share(mixed: list[Report]) -> None:
    few = ReportSet(verdict=Verdict.WARN, headline="", reports=(mixed[40], *mixed[:3]))
    text = render(few, "text", Context(width=120))
    assert "3 of 4: The certificate expires within two weeks" in text
    rows = [line for line in text.splitlines() if "https://dp-" in line and line[:1] in "!✓"]
    assert [row.split()[1] for row in rows[:4]] == ["warn", "warn", "warn", "pass"]
