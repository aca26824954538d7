"""One target seen from several places: puts their reports side by side and says where they differ.

What follows from a difference is said only as far as it was observed: that it works in one place and not in another,
and what the failing places have in common (their proxy) that the others have not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from btdiag.core.finding import Verdict, leading
from btdiag.core.report import CheckResult, Report
from btdiag.report import verdicts
from btdiag.report.documents import Difference, Document, Merged, ReportFileError, reports_of, url_of

Places = Mapping[str, Report]


def merged_reports(documents: Sequence[Document]) -> Merged:
    """The reports of all documents as one; raises ReportFileError for fewer than two, or several targets."""
    reports = [report for document in documents for report in reports_of(document)]
    urls = {url_of(report) for report in reports}
    if len(urls) > 1:
        raise ReportFileError(f"these reports are of {len(urls)} different targets: {', '.join(sorted(urls))}")
    if len(reports) < 2:
        raise ReportFileError("a merge needs at least two reports")
    places = _places(reports)
    return Merged(
        verdict=leading(report.verdict for report in reports),
        headline=_headline(places),
        reports=tuple(reports),
        differences=tuple(_differences(places)),
    )


def place_in_words(report: Report) -> str:
    """A place in words: the host's name, and its proxy where it has one."""
    proxies = sorted(set(report.run.vantage.proxies.values()))
    return report.run.vantage.hostname + (f" via {', '.join(proxies)}" if proxies else "")


def _places(reports: Sequence[Report]) -> Places:
    """The reports by place; runs from the same place are told apart by when they began, then by number."""
    places: dict[str, Report] = {}
    for report in reports:
        same = sum(place_in_words(other) == place_in_words(report) for other in reports)
        name = place_in_words(report) + (f" at {report.run.started_at}" if same > 1 else "")
        number = 1
        while (numbered := name if number == 1 else f"{name} ({number})") in places:
            number += 1
        places[numbered] = report
    return places


def _headline(places: Places) -> str:
    broken = [place for place, report in places.items() if report.verdict is Verdict.FAIL]
    if not broken:
        worst_report = min(places.values(), key=lambda report: report.verdict.place)
        return f"No failure from {len(places)} places: {worst_report.headline}"
    first = places[broken[0]]
    if len(broken) < len(places):
        return f"{_elsewhere(places)}breaks from {', '.join(broken)}: {first.headline}"
    if len({report.root_cause for report in places.values()}) == 1:
        return f"Breaks alike from all {len(places)} places: {first.headline}"
    return f"Breaks from all {len(places)} places, in different ways; from {broken[0]}: {first.headline}"


def _elsewhere(places: Places) -> str:
    """Where it was seen to work, and where that could not be told; what is undecided does not count as working."""
    works = [place for place, report in places.items() if report.verdict in {Verdict.PASS, Verdict.WARN}]
    unknown = [place for place, report in places.items() if report.verdict in {Verdict.INCONCLUSIVE, Verdict.SKIP}]
    told = [f"works from {', '.join(works)}; "] if works else []
    told += [f"undecided from {', '.join(unknown)}; "] if unknown else []
    sentence = "".join(told)
    return sentence[0].upper() + sentence[1:]


def _differences(places: Places) -> list[Difference]:
    broken = _differing("where it breaks first", places, _first_broken)
    found = [each for each in broken if any(value != "nowhere" for _, value in each.values)]
    found += _differing("addresses from DNS", places, _addresses, "The places are not sent to the same addresses.")
    ids = dict.fromkeys(check.id for report in places.values() for check in verdicts.by_path(report.checks))
    found += [difference for check_id in ids for difference in _of_check(check_id, places)]
    found += _differing("btdiag version", places, lambda report: report.tool_version, "They may not judge alike.")
    return found


def _differing(what: str, places: Places, value: Callable[[Report], str], meaning: str = "") -> list[Difference]:
    seen = tuple((place, value(report)) for place, report in places.items())
    known = {text for _, text in seen if text}
    return [Difference(what=what, values=seen, meaning=meaning)] if len(known) > 1 else []


def _first_broken(report: Report) -> str:
    return next((hop.hop for hop in report.path if hop.state == "broken"), "nowhere")


def _addresses(report: Report) -> str:
    """The addresses that the measurement `resolution` gave, sorted; "" where there is none."""
    fact = next((record.fact for record in report.measurements if record.name == "resolution"), None)
    found = fact.get("addresses") if isinstance(fact, dict) else None
    return ", ".join(sorted(map(str, found))) if isinstance(found, list) else ""


def _of_check(check_id: str, places: Places) -> list[Difference]:
    """The check where the places judged it differently; skips and accepted findings do not count."""
    results = {
        place: check
        for place, report in places.items()
        for check in verdicts.not_waived(report.checks)
        if check.id == check_id
    }
    if len({check.verdict for check in results.values()} - {Verdict.SKIP}) < 2:
        return []
    values = tuple((place, _told(results.get(place))) for place in places)
    return [Difference(what=check_id, values=values, meaning=_meaning(results, places))]


def _told(check: CheckResult | None) -> str:
    return f"{check.verdict}: {check.summary}" if check else "not checked"


def _meaning(results: Mapping[str, CheckResult], places: Places) -> str:
    """What the places in which it fails have in common against those in which it passes."""
    failing = [place for place, check in results.items() if check.verdict is Verdict.FAIL]
    passing = [place for place, check in results.items() if check.verdict is Verdict.PASS]
    if not failing or not passing:
        return ""
    told = f"Holds from {', '.join(passing)}, not from {', '.join(failing)}"
    proxied = {place for place, report in places.items() if report.run.vantage.proxies}
    if proxied.issuperset(failing) and proxied.isdisjoint(passing):
        return f"{told}: only the places where it fails use a proxy."
    return f"{told}: look at what only the latter pass on their way."
