"""The result in every format; each a pure function."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from btdiag import __version__
from btdiag.lint.catalogue import RULES
from btdiag.lint.house import Verdict
from btdiag.lint.judging import LEVELS, FileFinding, LintResult

_GLYPHS = {Verdict.FAIL: "✗", Verdict.WARN: "!"}
_COLORS = {Verdict.FAIL: "\x1b[31m", Verdict.WARN: "\x1b[33m", Verdict.PASS: "\x1b[32m"}
_LEVEL = {Verdict.FAIL: "error", Verdict.WARN: "warning"}


def render(result: LintResult, name: str, *, color: bool = False, fail_on: str = "fail") -> str:
    """The result as text, json, markdown, junit, html, sarif or openmetrics."""
    if name == "text":
        return _text(result, color)
    if name == "junit":
        return _junit(result, fail_on)
    return {"json": _json, "markdown": _markdown, "html": _html, "sarif": _sarif, "openmetrics": _openmetrics}[name](
        result
    )


def _where(finding: FileFinding) -> str:
    return f"{finding.file}:{finding.line}:{finding.column}"


def _text(result: LintResult, color: bool) -> str:
    paint = _COLORS.get(result.verdict, "") if color else ""
    reset = "\x1b[0m" if paint else ""
    lines = [f"{paint}{result.verdict.upper()}{reset}  {result.headline}", ""]
    for finding in result.findings:
        mark = "~" if finding.waived is not None else _GLYPHS[finding.verdict]
        tint = _COLORS[finding.verdict] if color and finding.waived is None else ""
        lines.append(f"{tint}{mark}{reset if tint else ''} {_where(finding)}  {finding.id}")
        lines.append(f"    {finding.summary}")
        lines += [f"    {name}: {text}" for name, text in _details(finding)]
        lines.append("")
    lines += [f"Assumed: {_assumed(result)}."] if result.assumed else []
    lines.append(f"{_files(result)}, {_tally(result)}.")
    return "\n".join(lines) + "\n"


def _details(finding: FileFinding) -> list[tuple[str, str]]:
    pairs = [
        ("key", finding.key),
        ("seen", finding.seen),
        ("expected", finding.expected),
        ("do", finding.remedy),
        ("accepted", finding.waived or ""),
    ]
    return [(name, text) for name, text in pairs if text]


def _assumed(result: LintResult) -> str:
    return ", ".join(f"{name} {version} (the newest known)" for name, version in result.assumed.items())


def _files(result: LintResult) -> str:
    return f"{len(result.files)} file{'s' * (len(result.files) != 1)}"


def _tally(result: LintResult) -> str:
    counts = {
        verdict: sum(one.verdict is verdict for one in result.counted) for verdict in (Verdict.FAIL, Verdict.WARN)
    }
    accepted = len(result.findings) - len(result.counted)
    return f"{counts[Verdict.FAIL]} fail, {counts[Verdict.WARN]} warn" + (f", {accepted} accepted" if accepted else "")


def _finding(finding: FileFinding) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": finding.id,
        "verdict": finding.verdict.value,
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "key": finding.key,
        "summary": finding.summary,
        "expected": finding.expected,
        "seen": finding.seen,
        "remedy": finding.remedy,
        "sources": list(finding.sources),
    }
    return shown | ({"waived": finding.waived} if finding.waived is not None else {})


def _json(result: LintResult) -> str:
    document = {
        "schema_version": 1,
        "kind": "lint",
        "tool": {"name": "btdiag", "version": __version__},
        "verdict": result.verdict.value,
        "headline": result.headline,
        "exit_code": result.exit_code,
        "files": list(result.files),
        "assumed": dict(result.assumed),
        "findings": [_finding(one) for one in result.findings],
    }
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def _cell(text: str) -> str:
    escaped = html.escape(text, quote=False).replace("\\", "\\\\").replace("|", "\\|")
    return "".join(f"\\{one}" if one in "*_`[]" else one for one in escaped)


def _markdown(result: LintResult) -> str:
    lines = [f"## {result.verdict.upper()}: {_cell(result.headline)}", ""]
    if result.findings:
        lines += ["| | Where | Rule | What | What to do |", "|---|---|---|---|---|"]
    for finding in result.findings:
        mark = "accepted" if finding.waived is not None else finding.verdict.value
        cells = (mark, _where(finding), finding.id, finding.summary, finding.waived or finding.remedy)
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    lines += ["", f"{_files(result)}, {_tally(result)}."]
    lines += [f"Assumed: {_cell(_assumed(result))}."] if result.assumed else []
    return "\n".join(lines) + "\n"


def _junit(result: LintResult, fail_on: str) -> str:
    suite = ElementTree.Element("testsuite", name="btdiag lint")
    failures = skipped = 0
    for name in result.rules:
        case = ElementTree.SubElement(suite, "testcase", classname=RULES[name].family, name=name, time="0.000")
        found = [one for one in result.findings if one.id == name]
        counted = [one for one in found if one.waived is None]
        text = "\n".join(f"{_where(one)}: {one.summary} {one.remedy}".rstrip() for one in found)
        worst = max((one.verdict for one in counted), key=lambda one: one.severity, default=None)
        if worst is not None and worst in LEVELS[fail_on]:
            failures += 1
            outcome = ElementTree.SubElement(case, "failure", message=counted[0].summary, type=worst.value)
            outcome.text = text
        elif found and not counted:
            skipped += 1
            ElementTree.SubElement(case, "skipped", message=f"accepted: {found[0].waived}")
        elif found:
            ElementTree.SubElement(case, "system-out").text = text
    counts = {"tests": str(len(result.rules)), "failures": str(failures), "errors": "0", "skipped": str(skipped)}
    for key, value in counts.items():
        suite.set(key, value)
    suite.set("time", "0.000")
    root = ElementTree.Element("testsuites", {"name": "btdiag", **counts, "time": "0.000"})
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'">
<title>btdiag lint: {verdict}</title></head><body>
<h1>{verdict}</h1><p>{headline}</p>
{findings}<p>{footer}</p></body></html>
"""


def _html(result: LintResult) -> str:
    shown = html.escape
    parts = []
    for one in result.findings:
        mark = "accepted" if one.waived is not None else one.verdict.value
        details = "".join(f"<dt>{name}</dt><dd>{shown(text)}</dd>" for name, text in _details(one))
        parts.append(
            f"<section><h2>{mark}: {shown(_where(one))} <code>{shown(one.id)}</code></h2>"
            f"<p>{shown(one.summary)}</p><dl>{details}</dl></section>\n"
        )
    footer = f"{_files(result)}, {_tally(result)}."
    footer += f" Assumed: {_assumed(result)}." if result.assumed else ""
    return _PAGE.format(
        verdict=result.verdict.value, headline=shown(result.headline), findings="".join(parts), footer=shown(footer)
    )


def _sarif(result: LintResult) -> str:
    names = list(result.rules)
    rules = [
        {
            "id": name,
            "shortDescription": {"text": RULES[name].title},
            "help": {"text": RULES[name].why},
            "helpUri": RULES[name].sources[0],
            "properties": {"tags": [RULES[name].family]},
        }
        for name in names
    ]
    run = {
        "tool": {"driver": {"name": "btdiag", "version": __version__, "rules": rules}},
        "invocations": [{"executionSuccessful": True, "exitCode": result.exit_code}],
        "results": [_sarif_result(one, names.index(one.id)) for one in result.findings],
        "properties": {"verdict": result.verdict.value, "headline": result.headline, "assumed": dict(result.assumed)},
    }
    schema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _sarif_result(finding: FileFinding, index: int) -> Mapping[str, Any]:
    location = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(finding.file, safe="/")},
            "region": {"startLine": finding.line, "startColumn": finding.column},
        },
        "logicalLocations": [{"fullyQualifiedName": finding.key, "kind": "member"}],
    }
    shown: dict[str, Any] = {
        "ruleId": finding.id,
        "ruleIndex": index,
        "kind": "fail",
        "level": _LEVEL[finding.verdict],
        "message": {"text": f"{finding.summary}. {finding.remedy}".rstrip()},
        "locations": [location],
    }
    if finding.waived is not None:
        shown["suppressions"] = [{"kind": "external", "status": "accepted", "justification": finding.waived}]
    return shown


def _openmetrics(result: LintResult) -> str:
    lines = [
        "# TYPE btdiag_lint_findings gauge",
        "# HELP btdiag_lint_findings Findings by rule, verdict and acceptance.",
    ]
    counts: dict[tuple[str, str, str], int] = {}
    for one in result.findings:
        key = one.id, one.verdict.value, "no" if one.waived is None else "yes"
        counts[key] = counts.get(key, 0) + 1
    lines += [
        f'btdiag_lint_findings{{rule="{rule}",verdict="{verdict}",accepted="{accepted}"}} {count}'
        for (rule, verdict, accepted), count in counts.items()
    ]
    lines += ["# TYPE btdiag_lint_files gauge", "# HELP btdiag_lint_files Files that were read."]
    lines += [f"btdiag_lint_files {len(result.files)}", "# TYPE btdiag_lint_exit_code gauge"]
    lines += ["# HELP btdiag_lint_exit_code Exit code.", f"btdiag_lint_exit_code {result.exit_code}", "# EOF"]
    return "\n".join(lines) + "\n"
