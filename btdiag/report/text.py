"""The report on a terminal: the answer first, then root cause, what to do, the findings, and where it was seen from."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

from tabulate import tabulate

from btdiag.core.finding import Remedy, Verdict
from btdiag.core.report import CheckResult, Hop, Report
from btdiag.report import verdicts
from btdiag.report.causes import SharedCause, causes, share, worst_first
from btdiag.report.documents import MOST_WHOLE, Document, Merged, reports_of, url_of
from btdiag.report.escape import block, plain
from btdiag.report.evidence_lines import evidence_lines
from btdiag.report.headline import leading_finding
from btdiag.report.path import hop_of
from btdiag.report.words import GLYPHS, STATE_GLYPHS, label, options_in_words, run_lines, tally

_NARROWEST = 40
_LONG = 40  # lines: more than this leaves a usual screen
_NAMED = 5  # targets of one cause
_SNIPPETS = 2
"""So many snippets are shown without being asked: judgements give those for the product they recognized first."""
_COMMAND = re.compile(r"(^[ \t]*(?=::[A-Za-z][\w-]*(?: .*)?::)|#(?=#\[))", re.MULTILINE)
_COLORS = {"pass": "32", "ok": "32", "warn": "33", "fail": "31", "broken": "31", "inconclusive": "35", "unknown": "35"}


def render(document: Document, *, color: bool, width: int, verbose: int, files: Sequence[str] = ()) -> str:
    """The document in `width` columns (at least 40). The first line holds the answer; verdicts are words with signs,
    `color` only adds. `verbose` -1 gives the answer alone, 1 adds passes, skips and settings, 2 the evidence too.
    `files` are paths to mention."""
    page = _Page(color=color, width=max(width, _NARROWEST), verbose=verbose)
    reports = reports_of(document)
    parts = [] if isinstance(document, Report) else [page.summary(document)]
    if len(reports) <= MOST_WHOLE:
        parts += [page.report(report) for report in reports]
    if files:
        parts.append(page.labelled("Files", "\n".join(map(plain, files))))
    return _tame("\n\n".join("\n".join(part) for part in parts if part)) + "\n"


def _tame(text: str) -> str:
    """The text without what a CI log would obey: GitHub's runner takes `::name ...::` at the beginning of a line, and
    `##[name]` anywhere, for commands."""
    return _COMMAND.sub(r"\1\\", text)


class _Page:
    """Lays text out for one terminal."""

    def __init__(self, *, color: bool, width: int, verbose: int) -> None:
        self._color = color
        self._width = width
        self._verbose = verbose

    def report(self, report: Report) -> list[str]:
        cause = leading_finding(report.checks)
        if self._verbose < 0:
            return self.answer(report.verdict, report.headline)
        if cause and cause.verdict is Verdict.INCONCLUSIVE:
            cause = None
        blocks = [
            self.answer(report.verdict, report.headline),
            self._cause(cause) if cause else [],
            self._remedy(cause) if cause else [],
            self._path(report.path),
            self._findings(report, cause),
            self._waived(report.checks),
            self._folded(report),
            self._about(report),
        ]
        lines = _joined(blocks)
        return lines if len(lines) <= _LONG else [*lines, "", *self._again(report)]

    def _again(self, report: Report) -> list[str]:
        """The first words once more, where they have left the screen."""
        return [*self.answer(report.verdict, report.headline), f"Exit code {report.run.exit_code}"]

    def summary(self, document: Document) -> list[str]:
        """The head of a document of several reports."""
        blocks = [self.answer(document.verdict, document.headline)]
        if isinstance(document, Merged):
            blocks += [self._difference(each.what, each.values, each.meaning) for each in document.differences]
        else:
            blocks += self._targets(reports_of(document))
        return _joined(blocks)

    def _targets(self, reports: Sequence[Report]) -> list[list[str]]:
        """Several targets: by cause where one has several, and each with its headline where there are few."""
        found = causes(reports)
        many = len(reports) > MOST_WHOLE
        blocks = []
        if many or any(len(cause.targets) > 1 for cause in found):
            rows = [(label(cause.verdict), self._cause_of_many(cause, len(reports))) for cause in found]
            blocks.append(self._table(rows, ("verdict", "cause")))
        if not many:
            each = [(label(one.verdict), plain(url_of(one)), plain(one.headline)) for one in worst_first(reports)]
            blocks.append(self._table(each, ("verdict", "target", "headline")))
        return blocks

    def _cause_of_many(self, cause: SharedCause, of: int) -> str:
        shown = cause.targets if self._verbose > 0 else cause.targets[:_NAMED]
        more = (
            f" and {len(cause.targets) - len(shown):,} more (-v names all)" if len(cause.targets) > len(shown) else ""
        )
        return "\n".join(map(plain, filter(None, (share(cause, of), cause.action, f"{', '.join(shown)}{more}"))))

    def answer(self, verdict: Verdict, headline: str) -> list[str]:
        lead = f"{GLYPHS[verdict]} {verdict.upper()}"
        first, *rest = self._wrap(f"{lead}  {plain(headline)}", later="  ")
        return [self._paint(lead, verdict) + first.removeprefix(lead), *rest]

    def labelled(self, name: str, text: str) -> list[str]:
        """A label in the margin with its text beside it, every line wrapped."""
        indent = " " * 12
        wrapped = [line for each in text.split("\n") for line in self._wrap(each, first=indent, later=indent)]
        return [f"{name:<12}{wrapped[0].strip()}", *wrapped[1:]] if wrapped else []

    def _cause(self, check: CheckResult) -> list[str]:
        pairs = [
            ("Root cause" if check.verdict is Verdict.FAIL else "Finding", check.id),
            ("Where", hop_of(check)),
            ("Owner", check.owner),
            ("Expected", check.expected),
            ("Seen", check.seen or check.summary),
        ]
        return [line for name, value in pairs if value for line in self.labelled(name, plain(value))]

    def _remedy(self, check: CheckResult) -> list[str]:
        told = self._advice(check.remedy) if check.remedy else []
        again = ["", "  Only this again:", f"      {plain(check.rerun)}"] if check.rerun else []
        return ["What to do", *told, *again] if told else []

    def _advice(self, remedy: Remedy) -> list[str]:
        lines = self._indented(remedy.text)
        shown = remedy.snippets if self._verbose > 0 else remedy.snippets[:_SNIPPETS]
        for snippet in shown:
            lines += ["", f"  For {plain(snippet.product)}:"]
            lines += [f"      {line}" for line in block(snippet.code).splitlines()]
        others = ", ".join(snippet.product for snippet in remedy.snippets[len(shown) :])
        return [*lines, "", *self._indented(f"With -v also for: {others}")] if others else lines

    def _indented(self, text: str) -> list[str]:
        return [f"  {line}" for line in self._wrap(plain(text), width=self._width - 2)]

    def _path(self, path: Sequence[Hop]) -> list[str]:
        """The way of a request on one or more lines, the first broken station marked."""
        first_broken = next((hop for hop in path if hop.state == "broken"), None)
        words = [f"{STATE_GLYPHS[hop.state]} {plain(hop.hop)}{_mark(hop, first_broken)}" for hop in path]
        return self.labelled("Path", "  >  ".join(words)) if words else []

    def _findings(self, report: Report, cause: CheckResult | None) -> list[str]:
        found = verdicts.findings(report.checks)
        groups = verdicts.with_one_reason(found)
        rows = [(label(group[0].verdict), _told(group, with_remedy=group[0] is not cause)) for group in groups]
        return self._table(rows, ("verdict", "finding")) + self._evidence(found)

    def _evidence(self, checks: Iterable[CheckResult]) -> list[str]:
        if self._verbose < 2:
            return []
        told: list[str] = []
        for check in checks:
            for evidence in check.evidence:
                told += [
                    "",
                    f"{plain(check.id)}: {plain(evidence.title)}",
                    *(f"  {each}" for each in evidence_lines(evidence)),
                ]
            told += [f"  Source: {plain(source)}" for source in check.sources]
        return told

    def _waived(self, checks: Iterable[CheckResult]) -> list[str]:
        accepted = [check for check in verdicts.by_severity(checks) if check.waived is not None]
        rows = [
            (f"{GLYPHS['waived']} accepted", f"{_told((check,))}\n({plain(check.waived or '')})") for check in accepted
        ]
        return self._table(rows, ("verdict", "accepted finding"))

    def _folded(self, report: Report) -> list[str]:
        quiet = [check for check in verdicts.not_waived(report.checks) if check.verdict in {Verdict.PASS, Verdict.SKIP}]
        waived = sum(check.waived is not None for check in report.checks)
        line = tally(report.counts, waived)
        if self._verbose < 1 or not quiet:
            return self._wrap(line + (" (-v lists all)" if quiet else ""))
        groups = verdicts.with_one_reason(verdicts.by_severity(quiet))
        rows = [(label(group[0].verdict), _told(group)) for group in groups]
        return [line, "", *self._table(rows, ("verdict", "check"))]

    def _about(self, report: Report) -> list[str]:
        pairs = run_lines(report)
        if self._verbose > 0:
            pairs += [("Options", options_in_words(report.run.options)), ("Redacted", _redacted(report))]
        told = [line for name, text in pairs if text for line in self.labelled(name, plain(text))]
        for number, text in enumerate(report.not_seen):
            told += self.labelled("" if number else "Not seen", f"- {plain(text)}")
        return told

    def _difference(self, what: str, values: Iterable[tuple[str, str]], meaning: str) -> list[str]:
        rows = [(plain(place), plain(seen)) for place, seen in values]
        return [*self._wrap(f"{plain(what)}: {plain(meaning)}"), *self._table(rows, ("from", "seen"))]

    def _table(self, rows: Sequence[tuple[str, ...]], headers: tuple[str, ...]) -> list[str]:
        """A table that fits: the last column gets the room that the others leave, at least 20 columns."""
        if not rows:
            return []
        taken = sum(max(len(row[column]) for row in (*rows, headers)) + 2 for column in range(len(headers) - 1))
        wrapped = [(*row[:-1], self._fill(row[-1], max(self._width - taken, 20))) for row in rows]
        shown = tabulate(wrapped, headers, tablefmt="simple", disable_numparse=True).splitlines()
        return [self._painted(line.rstrip()) for line in shown]

    def _fill(self, text: str, width: int) -> str:
        return "\n".join(line for each in text.split("\n") for line in self._wrap(each, width=width))

    def _wrap(self, text: str, *, width: int = 0, first: str = "", later: str = "") -> list[str]:
        return textwrap.wrap(
            text,
            width or self._width,
            initial_indent=first,
            subsequent_indent=later,
            break_on_hyphens=False,
            drop_whitespace=True,
        )

    def _painted(self, line: str) -> str:
        """The verdict at the beginning of a row, coloured."""
        for verdict in Verdict:
            if line.startswith(label(verdict)):
                return self._paint(label(verdict), verdict) + line.removeprefix(label(verdict))
        return line

    def _paint(self, text: str, state: str) -> str:
        code = _COLORS.get(state)
        return f"\x1b[1;{code}m{text}\x1b[0m" if self._color and code else text


def _told(group: Sequence[CheckResult], *, with_remedy: bool = False) -> str:
    first = group[0]
    remedy = f"\n=> {plain(first.remedy.text)}" if with_remedy and first.remedy else ""
    return f"{plain(verdicts.ids_of(group))}\n{plain(first.summary)}{remedy}"


def _mark(hop: Hop, first_broken: Hop | None) -> str:
    if hop is first_broken:
        return " (broken here)"
    return " (not reached)" if hop.state == "not reached" else ""


def _redacted(report: Report) -> str:
    return ", ".join(f"{count} by rule {rule}" for rule, count in sorted(report.redactions.items()))


def _joined(blocks: Iterable[Sequence[str]]) -> list[str]:
    """The blocks with an empty line between them, empty ones left out."""
    lines: list[str] = []
    for each in blocks:
        if each:
            lines += ["", *each] if lines else each
    return lines
