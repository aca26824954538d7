"""The report as GitHub-flavoured Markdown: for tickets, pull requests, step summaries and chat.

Sources: https://github.github.com/gfm/ sections 2.4 (backslash escapes), 4.5 (fences), 6.1 (code spans), 4.10 (tables).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tabulate import tabulate

from btdiag.core.finding import Evidence, Verdict
from btdiag.core.report import CheckResult, Report
from btdiag.report import verdicts
from btdiag.report.causes import SharedCause, causes, share, worst_first
from btdiag.report.documents import MOST_WHOLE, Document, Merged, reports_of, url_of
from btdiag.report.escape import block, plain
from btdiag.report.evidence_lines import evidence_lines
from btdiag.report.path import hop_of
from btdiag.report.words import STATE_GLYPHS, label, options_in_words, run_lines, tally

_MARKUP = re.compile(
    r"[\\`*\[\]<|~$]"  # escapes, code, emphasis, links, HTML, tables, strikethrough, formulas
    r"|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"  # emphasis; within a word it is none
    r"|:(?=//)|(?<=\bwww)\.|(?<=\bmailto):|(?<=\bxmpp):"  # links without markup
    r"|^[#>=+-]|#(?=\w)",  # headings, quotations, lists; references to issues
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")
_REFERENCE = re.compile(r"(@|\\#)(?=\w)")
_FOLDED = 40
_NAMED = 20  # targets of one cause


def prose(text: str) -> str:
    """Text that means nothing to Markdown: no markup, no HTML, no link, no @mention and no #reference."""
    escaped = _MARKUP.sub(r"\\\g<0>", plain(text).strip().replace("&", "&amp;"))
    return _NUMBERED.sub(r"\1\\\2", _REFERENCE.sub(r"\1<!-- -->", escaped))


def code(text: str) -> str:
    """A code span, its fence longer than any run of backticks within; one that fits into a table cell too."""
    shown = plain(text).replace("|", "\\|") or " "
    fence = "`" * (_longest_run(shown) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def fenced(text: str, language: str = "") -> list[str]:
    """A code block, its fence longer than any run of backticks within."""
    shown = block(text)
    fence = "`" * max(3, _longest_run(shown) + 1)
    return [f"{fence}{language}", *shown.split("\n"), fence]


def markdown_table(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> list[str]:
    """A table whose cells are Markdown already."""
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True).splitlines() if rows else []


def render(document: Document) -> str:
    """The document in Markdown, evidence folded with <details>."""
    head = [] if isinstance(document, Report) else [_summary(document)]
    reports = reports_of(document)
    parts = [part for report in reports for part in _report(report)] if len(reports) <= MOST_WHOLE else []
    return "\n\n".join("\n".join(part) for part in [*head, *parts] if part) + "\n"


def _summary(document: Document) -> list[str]:
    lines = [f"# {label(document.verdict)}: {prose(document.headline)}"]
    if isinstance(document, Merged):
        for each in document.differences:
            rows = [(prose(place), prose(seen)) for place, seen in each.values]
            lines += [
                "",
                f"## {prose(each.what)}",
                "",
                prose(each.meaning),
                "",
                *markdown_table(rows, ("from", "seen")),
            ]
        return lines
    reports = reports_of(document)
    told = [(label(each.verdict), _cause(each, len(reports)), _named(each)) for each in causes(reports)]
    lines += ["", *markdown_table(told, ("verdict", "cause", "targets"))] if told else []
    if len(reports) > MOST_WHOLE:
        return lines
    targets = [(label(each.verdict), prose(url_of(each)), prose(each.headline)) for each in worst_first(reports)]
    return [*lines, "", *markdown_table(targets, ("verdict", "target", "headline"))]


def _cause(cause: SharedCause, of: int) -> str:
    return prose(f"{share(cause, of)}. {cause.action}")


def _named(cause: SharedCause) -> str:
    more = len(cause.targets) - _NAMED
    return prose(", ".join(cause.targets[:_NAMED]) + (f" and {more:,} more" if more > 0 else ""))


def _report(report: Report) -> list[list[str]]:
    found = verdicts.with_one_reason(verdicts.findings(report.checks))
    waived = [check for check in report.checks if check.waived is not None]
    quiet = [check for check in verdicts.not_waived(report.checks) if check.verdict in {Verdict.PASS, Verdict.SKIP}]
    return [
        [f"## {label(report.verdict)}: {prose(report.headline)}"],
        [f"**Path:** {' → '.join(_hop(hop.hop, hop.state) for hop in report.path)}"] if report.path else [],
        [f"**Checks:** {tally(report.counts, len(waived))}"],
        markdown_table([_row(group) for group in found], ("verdict", "check", "hop", "owner", "what was seen")),
        *[_finding(group[0]) for group in found if len(group) == 1],
        _folded(
            "Accepted findings, not counted",
            [(*_row((check,)), prose(check.waived or "")) for check in waived],
            _WAIVED_HEADERS,
        ),
        _folded(
            "Passed and skipped",
            [_quiet_row(group) for group in verdicts.with_one_reason(verdicts.by_severity(quiet))],
            ("verdict", "check", "what was seen"),
        ),
        _about(report),
    ]


_WAIVED_HEADERS = ("verdict", "check", "hop", "owner", "what was seen", "accepted")


def _hop(name: str, state: str) -> str:
    shown = f"{STATE_GLYPHS[state]} {prose(name)}"
    return f"**{shown} ({state})**" if state in {"broken", "not reached"} else shown


def _row(group: Sequence[CheckResult]) -> tuple[str, ...]:
    check = group[0]
    return (
        label(check.verdict),
        _names(group),
        prose(hop_of(check)),
        prose(check.owner),
        prose(check.summary),
    )


def _quiet_row(group: Sequence[CheckResult]) -> tuple[str, ...]:
    return (label(group[0].verdict), _names(group), prose(group[0].summary))


def _names(group: Sequence[CheckResult]) -> str:
    ids = ", ".join(code(check.id) for check in group)
    return ids if len(group) == 1 else f"{len(group)} checks: {ids}"


def _finding(check: CheckResult) -> list[str]:
    """One finding in full: what was seen against what was expected, what to do, and the proof."""
    pairs = [
        ("Claim", check.title),
        ("Why it matters", check.why),
        ("Expected", check.expected),
        ("Seen", check.seen),
        ("Owner", check.owner),
    ]
    lines = [f"### {label(check.verdict)}: {code(check.id)}", "", prose(check.summary), ""]
    lines += [f"- **{name}:** {prose(value)}" for name, value in pairs if value]
    if check.remedy:
        lines += ["", f"**What to do:** {prose(check.remedy.text)}"]
        for snippet in check.remedy.snippets:
            lines += ["", f"For {prose(snippet.product)}:", "", *fenced(snippet.code)]
    if check.rerun:
        lines += ["", "Only this again:", "", *fenced(check.rerun, "sh")]
    lines += [line for evidence in check.evidence for line in _evidence(evidence)]
    lines += ["", *(f"- Source: {code(source)}" for source in check.sources)] if check.sources else []
    return lines


def _evidence(evidence: Evidence) -> list[str]:
    shown = evidence_lines(evidence)
    more = [f"... {len(shown) - _FOLDED} more lines in report.json"] if len(shown) > _FOLDED else []
    return ["", *_details(plain(evidence.title), fenced("\n".join([*shown[:_FOLDED], *more])))]


def _folded(title: str, rows: Sequence[Sequence[str]], headers: Sequence[str]) -> list[str]:
    return _details(f"{title} ({len(rows)})", markdown_table(rows, headers)) if rows else []


def _details(title: str, content: Iterable[str]) -> list[str]:
    return [f"<details><summary>{_html(title)}</summary>", "", *content, "", "</details>"]


def _html(text: str) -> str:
    """Text inside an HTML block, where backslash escapes mean nothing."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return re.sub(r"[@#:.]", lambda match: f"{match.group()}<!-- -->", escaped)


def _about(report: Report) -> list[str]:
    pairs = [*run_lines(report), ("Options", options_in_words(report.run.options))]
    lines = [f"- **{name}:** {prose(text)}" for name, text in pairs if text]
    lines += [f"- **Not seen:** {prose(text)}" for text in report.not_seen]
    redacted = ", ".join(f"{count} by rule {rule}" for rule, count in sorted(report.redactions.items()))
    return [*lines, *([f"- **Redacted:** {prose(redacted)}"] if redacted else [])]


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
