"""The first words of a report: the answer, what to do, and nothing that needs a second reading. Pure.

The answer has at most 90 characters, what to do at most 140; figures and proof stand below.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from btdiag.core.finding import Verdict
from btdiag.core.report import CheckResult, Report
from btdiag.report.verdicts import (
    any_decided,
    by_severity,
    counts,
    crashed,
    findings,
    not_waived,
    root_cause,
    with_one_reason,
)

ANSWER_LENGTH, ACTION_LENGTH = 90, 140
"""Characters: what is read at one glance, and what fits two lines of a terminal."""

IN_A_BROWSER = "lna.web-app-reaches-target"
"""What only a browser can tell of a target at private addresses."""

_SHORTEST = 24  # a clause that is cut shorter says nothing
_BRACKETS = re.compile(r" \([^()]*\)")
_PAIRS = (("(", ")"), ("[", "]"), ("{", "}"))


def headline(
    checks: Sequence[CheckResult],
    *,
    url: str,
    addresses: int = 0,
    requests: int = 0,
    private: bool = False,
    interrupted_after_s: float | None = None,
) -> str:
    """The answer and what to do. `addresses` and `requests` are how many answered and were sent, 0 if unknown;
    `private` says that browsers ask for a permission before they let a page reach the target."""
    if not checks:
        return f"No check was asked for {url}"
    if not any_decided(checks):
        return _of_nothing(checks, url)
    first = leading_finding(checks)
    if first is not None and first.verdict is not Verdict.INCONCLUSIVE:
        return " ".join(filter(None, (f"{answer_of(first)}.", action_of(first))))
    if interrupted_after_s is not None:
        return _of_interrupted(checks, interrupted_after_s)
    return _of_undecided(checks) if first else _of_health(checks, url, addresses, requests, private)


def headline_of_set(reports: Sequence[Report]) -> str:
    """How many of several targets are healthy, and the worst one's own headline with its name."""
    healthy = sum(report.verdict in {Verdict.PASS, Verdict.SKIP} for report in reports)
    if healthy == len(reports):
        return f"Healthy: {_number(len(reports), 'target')} checked, no finding"
    first = min(reports, key=lambda report: report.verdict.place)
    attention = f"{len(reports) - healthy} of {_number(len(reports), 'target')} need attention"
    return f"{attention}. {first.target.get('url', '')}: {first.headline}"


def leading_finding(checks: Sequence[CheckResult]) -> CheckResult | None:
    """What the first words speak of: the root cause, else the first warning or undecided check; None in health."""
    found = findings(checks)
    return next((check for check in found if check.id == root_cause(checks)), found[0] if found else None)


def answer_of(check: CheckResult) -> str:
    """What a result says in at most 90 characters, without a full stop: its own answer, or its summary cut short."""
    first = check.summary.partition("; ")[0]
    if not _closed(first):  # the semicolon stood in a bracket
        first = _BRACKETS.sub("", check.summary).partition("; ")[0]
    return _sentence(shortened(check.answer or first, ANSWER_LENGTH))


def action_of(check: CheckResult) -> str:
    """What to do in at most 140 characters, as a sentence; "" without a remedy."""
    if check.remedy is None or not (text := check.remedy.action or _first_sentence(check.remedy.text)):
        return ""
    return f"{_sentence(shortened(text, ACTION_LENGTH))}."


def shortened(text: str, limit: int) -> str:
    """The text if it has at most `limit` characters, else as many whole clauses of it, or words with an ellipsis.

    What stands in brackets goes first; a bracket that was opened is closed, or left out with what it holds.
    """
    whole = _clause(text)
    if len(whole) <= limit:
        return whole
    whole = _clause(_BRACKETS.sub("", whole))
    if len(whole) <= limit:
        return whole
    for ends in (r"[.;]\s", r"[:,]\s| \(| - "):
        for match in reversed(list(re.finditer(ends, whole))):
            if _SHORTEST <= match.start() <= limit and _closed(whole[: match.start()]):
                return _clause(whole[: match.start()])
    words = whole[: limit - 3].rpartition(" ")[0]
    while words and not _closed(words):
        words = words.rpartition(" ")[0]
    return f"{(words or whole[: limit - 3]).rstrip(' ,;:(')} ..."


def _closed(text: str) -> bool:
    quotes = all(text.count(quote) % 2 == 0 for quote in ('"', "`"))
    return quotes and all(text.count(one) == text.count(other) for one, other in _PAIRS)


def _of_nothing(checks: Sequence[CheckResult], url: str) -> str:
    reason = by_severity(checks)[0]
    asked = _number(len(checks), "check")
    if crashed(reason):
        return f"Nothing is known about {url}: btdiag itself crashed in {reason.id} ({asked} asked for)"
    return f"Nothing is known about {url}: {shortened(reason.summary, ACTION_LENGTH)} ({asked} asked for)"


def _of_interrupted(checks: Sequence[CheckResult], after_s: float) -> str:
    told = counts(checks)
    passed, left = told[Verdict.PASS.value], told[Verdict.INCONCLUSIVE.value]
    return f"Interrupted after {after_s:.1f} s: {passed} passed, none failed, {left} not finished"


def _of_undecided(checks: Sequence[CheckResult]) -> str:
    open_ones = [check for check in findings(checks) if check.verdict is Verdict.INCONCLUSIVE]
    share = f"{len(open_ones)} of {_number(len(not_waived(checks)), 'check')}"
    lead = f"No fault was seen, but {share} {'is' if len(open_ones) == 1 else 'are'} undecided"
    if broke := next((check for check in open_ones if crashed(check)), None):
        return f"{lead}: btdiag itself crashed in {broke.id}"
    largest = max(with_one_reason(open_ones), key=len)
    return f"{lead}: {shortened(largest[0].summary.partition('; to find out')[0], ACTION_LENGTH)}"


def _of_health(checks: Sequence[CheckResult], url: str, addresses: int, requests: int, private: bool) -> str:
    passed = _number(counts(checks)[Verdict.PASS.value], "check")
    where = f"{_number(addresses, 'address')} of " if addresses else ""
    asked = f" with {_number(requests, 'request')}" if requests else ""
    accepted = sum(check.waived is not None for check in checks)
    also = f", {_number(accepted, 'finding')} accepted" if accepted else ""
    untried = private and any(check.id == IN_A_BROWSER and check.verdict is Verdict.SKIP for check in checks)
    but = "; its addresses are private, and no browser tried to reach them" if untried else ""
    return f"Healthy: {passed} passed on {where}{url}{asked}{also}{but}"


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[A-Za-z0-9)\"'`])[.!?]\s+(?=[A-Z])", text.strip(), maxsplit=1)[0]


def _clause(sentence: str) -> str:
    return " ".join(sentence.split()).rstrip(".:;, ")


def _sentence(clause: str) -> str:
    """With a capital, unless it begins with what is no word: a name, a host, a number."""
    is_word = re.match(r"[a-z]+('s)?[,:]?(\s|$)", clause)
    return clause[:1].upper() + clause[1:] if is_word else clause


def _number(count: int, noun: str) -> str:
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{count} {noun if count == 1 else plural}"
