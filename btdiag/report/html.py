"""The report as one HTML file: no script, no request, readable on a phone, in the dark, on paper and by screen readers.

A content security policy forbids everything but the style sheet inside (by its hash) and pictures inside. Sources:
https://www.w3.org/TR/CSP3/#framework-directive-source-list; https://www.w3.org/TR/WCAG22/.
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from btdiag.core.finding import Verdict
from btdiag.core.report import CheckResult, Report, ReportSet
from btdiag.report import picture, verdicts, words
from btdiag.report.causes import causes, share
from btdiag.report.documents import MOST_WHOLE, Document, Merged, reports_of, url_of
from btdiag.report.escape import block, plain
from btdiag.report.evidence_views import view
from btdiag.report.headline import answer_of, leading_finding
from btdiag.report.path import hop_of

_LINK = re.compile(r"https://[A-Za-z0-9.-]+(?::\d+)?(?:[/?#][^\s<>\"\\^`{|}]*)?")


def render(document: Document) -> str:
    """The document as a complete HTML5 page in ASCII-safe UTF-8."""
    is_set = isinstance(document, ReportSet)
    return _TEMPLATE.render(
        document=document,
        causes=causes(reports_of(document)) if is_set else (),
        whole=len(reports_of(document)) <= MOST_WHOLE,
        reports=reports_of(document),
        is_set=is_set,
        is_merged=isinstance(document, Merged),
        style=Markup(_STYLE),  # our own file: nothing in it comes from a report
        digest=base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode(),
    )


def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("btdiag.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"block": _block, "seconds": words.seconds}
    environment.globals |= {
        "addresses": addresses,
        "cause_line": _cause_line,
        "cause_of": lambda report: leading_finding(report.checks),
        "findings": lambda checks: verdicts.with_one_reason(verdicts.findings(checks)),
        "glyphs": words.GLYPHS,
        "hop_of": hop_of,
        "is_link": _is_link,
        "quiet": _quiet,
        "run_lines": words.run_lines,
        "settings": words.options_in_words,
        "share": share,
        "state_glyphs": words.STATE_GLYPHS,
        "tally": words.tally,
        "url_of": url_of,
        "view": view,
        "waived": _waived,
        "waterfall": picture.waterfall,
        "plot_size": (picture.WIDTH, picture.HEIGHT),
    }
    return environment.get_template("report.html")


def _shown(value: Any) -> Any:
    """Every text that the template puts out passes here before it is escaped."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _block(text: str) -> Markup:
    return escape(block(text))


def _is_link(text: str) -> bool:
    return _LINK.fullmatch(text) is not None


def _cause_line(report: Report) -> str:
    """The answer alone where what to do stands right below it, else the headline."""
    cause = leading_finding(report.checks)
    return answer_of(cause) if cause and cause.remedy else report.headline


def _quiet(report: Report, verdict: str) -> list[CheckResult]:
    return [
        check for check in verdicts.by_path(verdicts.not_waived(report.checks)) if check.verdict is Verdict(verdict)
    ]


def _waived(report: Report) -> list[CheckResult]:
    return [check for check in verdicts.by_severity(report.checks) if check.waived is not None]


def addresses(report: Report) -> list[str]:
    """The addresses that were measured, taken from the names of the measurements ("connection@10.0.3.17")."""
    labels = [record.name.partition("@")[2] for record in report.measurements]
    return list(dict.fromkeys(label for label in labels if label))


# Compiled once, when the module is imported: a page then takes a few milliseconds.
_TEMPLATE = _template()
_STYLE = files("btdiag.report").joinpath("templates/report.css").read_text("utf-8")
