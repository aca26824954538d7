"""What can be rendered: a report, the reports of several targets, or one target seen from several places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from btdiag.core.finding import Verdict
from btdiag.core.report import Report, ReportSet


class ReportFileError(Exception):
    """A stored report that cannot be read; the message is one line for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that the places do not see alike. `values` pairs each place with what it saw; `meaning` says in a
    sentence what may follow from it, "" where nothing safe can be said."""

    what: str
    values: tuple[tuple[str, str], ...]
    meaning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Reports of one target from several places, with what differs between them."""

    verdict: Verdict
    headline: str
    reports: tuple[Report, ...]
    differences: tuple[Difference, ...]


Document: TypeAlias = Report | ReportSet | Merged

MOST_WHOLE = 50
"""Reports of so many targets are kept, and shown, each in full. What is said of more is one summary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """How a document is to be shown; formats take from it what applies to them.

    `fail_on` is "fail", "inconclusive", "warn" or "never". `width` counts columns. `verbose` -1 shows the answer alone,
    1 passes and skips too, 2 the evidence as well. `files` are the paths written beside this output.
    """

    fail_on: str = "fail"
    color: bool = False
    width: int = 80
    verbose: int = 0
    files: tuple[str, ...] = ()


def reports_of(document: Document) -> tuple[Report, ...]:
    """The single reports in a document, in their order."""
    return (document,) if isinstance(document, Report) else document.reports


def url_of(report: Report) -> str:
    """The target's URL as text."""
    return str(report.target.get("url", ""))
