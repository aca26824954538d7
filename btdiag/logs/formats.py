"""The result in every format; each a pure function. The page is in page.py."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from btdiag import __version__
from btdiag.logs import page, times
from btdiag.logs.house import CheckResult, Verdict, block, counts_at, details, plain
from btdiag.logs.judging import JudgedFile
from btdiag.logs.result import LogsResult
from btdiag.logs.rows import MOST_LINES, KindRow, quantiles

_GLYPHS = {Verdict.FAIL: "✗", Verdict.WARN: "!", Verdict.INCONCLUSIVE: "?", Verdict.PASS: "✓", Verdict.SKIP: "-"}
_COLORS = {
    Verdict.FAIL: "\x1b[31m",
    Verdict.WARN: "\x1b[33m",
    Verdict.PASS: "\x1b[32m",
    Verdict.INCONCLUSIVE: "\x1b[35m",
}
_LEVEL = {Verdict.FAIL: "error", Verdict.WARN: "warning", Verdict.INCONCLUSIVE: "note"}
_SNIPPETS = 2


def render(result: LogsResult, name: str, *, color: bool = False) -> str:
    """The result as text, json, markdown, junit, html, sarif or openmetrics."""
    if name == "text":
        return _text(result, color)
    formats = {"json": _json, "markdown": _markdown, "junit": _junit, "html": page.render, "sarif": _sarif,
               "openmetrics": _openmetrics}  # fmt: skip
    return formats[name](result)


def telling(result: LogsResult) -> list[CheckResult]:
    """The checks that say something: all but passes and what was not asked for."""
    return [check for check in result.checks if check.verdict not in (Verdict.PASS, Verdict.SKIP)]


def _text(result: LogsResult, color: bool) -> str:
    paint = _COLORS.get(result.verdict, "") if color else ""
    lines = [f"{paint}{result.verdict.upper()}{paint and chr(27) + '[0m'}  {plain(result.headline)}", ""]
    for check in telling(result):
        lines += [*_check_lines(check, result, color), ""]
    quiet = [check for check in result.checks if check not in telling(result)]
    for check in quiet:
        if check.verdict is Verdict.SKIP or check.id.endswith("closing-connection"):
            lines.append(f"{_GLYPHS[check.verdict]} {check.id}: {plain(check.summary)}")
    lines += ["", *(_file_line(one, result) for one in result.files)]
    tally = Counter(check.verdict for check in result.checks)
    lines.append(", ".join(f"{tally[verdict]} {verdict.value}" for verdict in _GLYPHS if tally[verdict]) + ".")
    return "\n".join(lines) + "\n"


def _check_lines(check: CheckResult, result: LogsResult, color: bool) -> list[str]:
    tint = _COLORS.get(check.verdict, "") if color else ""
    lines = [f"{tint}{_GLYPHS[check.verdict]}{tint and chr(27) + '[0m'} {check.id}", f"    {plain(check.summary)}"]
    if check.seen:
        lines.append(f"    seen: {plain(result.quoter.name(check.seen))}")
    for evidence in check.evidence:
        if evidence.kind == "text" and isinstance(evidence.data, str):
            lines += [f"    {line}" for line in block(evidence.data).splitlines()[:4]]
    if check.remedy:
        lines.append(f"    do: {plain(check.remedy.text)}")
        for snippet in check.remedy.snippets[:_SNIPPETS]:
            lines.append(f"    for {snippet.product}:")
            lines += [f"        {line}" for line in snippet.code.splitlines()]
    return lines


def _file_line(one: JudgedFile, result: LogsResult) -> str:
    account = one.account
    cut = f", {account.malformed:,} not read" if account.malformed else ""
    name = account.format or "no known format"
    return f"{plain(account.path)}: {name}, {account.lines:,} lines, {account.requests:,} requests{cut}"


def _json(result: LogsResult) -> str:
    document = {
        "schema_version": 1,
        "kind": "logs",
        "tool": {"name": "btdiag", "version": __version__},
        "verdict": result.verdict.value,
        "headline": result.headline,
        "exit_code": result.exit_code,
        "checks": [_check(check, result) for check in result.checks],
        "files": [_file(one) for one in result.files],
        "kinds": [_kind(row, result) for row in result.rows],
    }
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


def _check(check: CheckResult, result: LogsResult) -> dict[str, Any]:
    names = ("id", "family", "title", "why", "summary", "answer", "hop", "because", "expected")
    remedy = check.remedy
    return {
        **{name: getattr(check, name) for name in names},
        "verdict": check.verdict.value,
        "owner": str(check.owner),
        "seen": result.quoter.name(check.seen),
        "evidence": [
            {"kind": one.kind, "title": one.title, "data": _shown(one.data, result)} for one in check.evidence
        ],
        "remedy": {
            "text": remedy.text,
            "action": remedy.action,
            "snippets": [{"for": one.product, "code": one.code} for one in remedy.snippets],
        }
        if remedy
        else None,
        "sources": list(check.sources),
    }


def _shown(data: object, result: LogsResult) -> object:
    if isinstance(data, str):
        return result.quoter.name(data)
    if isinstance(data, list):
        return [_shown(one, result) for one in data]
    if isinstance(data, dict):
        return {key: _shown(one, result) for key, one in data.items()}
    return data


def _file(one: JudgedFile) -> dict[str, Any]:
    account = one.account
    return {
        "path": plain(account.path),
        "product": account.product,
        "format": account.format,
        "formats": account.formats,
        "node": account.node,
        "lines": account.lines,
        "requests": account.requests,
        "malformed": account.malformed,
        "malformed_lines": account.malformed_lines,
        "from": times.shown(account.first) if account.first is not None else None,
        "to": times.shown(account.last) if account.last is not None else None,
        "race": {"proved": one.proved, "likely": one.likely, "k_s": round(one.cluster.k_s, 3)} if one.cluster else None,
    }


def _kind(row: KindRow, result: LogsResult) -> dict[str, Any]:
    numbers = [event.line for event in row.events]
    return {
        "kind": row.kind,
        "count": row.count,
        "of": row.of,
        "sure": row.sure,
        "fits": list(row.fits),
        "file": plain(row.file),
        "first_line": min(numbers),
        "lines": sorted(numbers) if result.all_lines else sorted(numbers)[:MOST_LINES],
        "upstreams": {plain(result.quoter.name(name)): count for name, count in row.upstreams.items()},
        "methods": {plain(name): count for name, count in row.methods.items()},
        "since": times.shown(row.since),
        "until": times.shown(row.until),
        "idle_age_s": quantiles(row.ages),
        "k_s": round(row.k_s, 3) if row.k_s is not None else None,
    }


def _cell(text: str) -> str:
    escaped = html.escape(plain(text), quote=False).replace("\\", "\\\\").replace("|", "\\|")
    return "".join(f"\\{one}" if one in "*_`[]" else one for one in escaped)


def _markdown(result: LogsResult) -> str:
    lines = [
        f"## {result.verdict.upper()}: {_cell(result.headline)}",
        "",
        "| | Check | What | What to do |",
        "|---|---|---|---|",
    ]
    for check in result.checks:
        remedy = check.remedy.text if check.remedy else ""
        lines.append("| " + " | ".join(map(_cell, (check.verdict.value, check.id, check.summary, remedy))) + " |")
    lines += ["", "| What fits | Count | Sure | File | First line |", "|---|---|---|---|---|"]
    for row in result.rows:
        cells = (", ".join(row.fits), f"{row.count:,}", "yes" if row.sure else "no", row.file, str(row.events[0].line))
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return "\n".join([*lines, "", *(_cell(_file_line(one, result)) + "  " for one in result.files)]) + "\n"


def _junit(result: LogsResult) -> str:
    suite = ElementTree.Element("testsuite", name="btdiag logs")
    tags = Counter[str]()
    for check in result.checks:
        case = ElementTree.SubElement(suite, "testcase", classname=check.family, name=check.id, time="0.000")
        tag = _tag(check, result.fail_on)
        tags[tag] += 1
        if tag == "failure":
            outcome = ElementTree.SubElement(case, tag, message=plain(check.summary), type=check.verdict.value)
            outcome.text = result.quoter.name(details(check))
        elif tag == "skipped":
            ElementTree.SubElement(case, tag, message=plain(check.summary))
        elif check.verdict is not Verdict.PASS:
            ElementTree.SubElement(case, "system-out").text = result.quoter.name(details(check))
    counts = {"tests": str(len(result.checks)), "failures": str(tags["failure"]), "errors": "0",
              "skipped": str(tags["skipped"]), "time": "0.000"}  # fmt: skip
    for key, value in counts.items():
        suite.set(key, value)
    root = ElementTree.Element("testsuites", {"name": "btdiag", **counts})
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _tag(check: CheckResult, fail_on: str) -> str:
    if counts_at(check, fail_on):
        return "failure"
    return "skipped" if check.verdict in (Verdict.SKIP, Verdict.INCONCLUSIVE) else ""


def _sarif(result: LogsResult) -> str:
    shown = telling(result)
    rules = [
        {
            "id": check.id,
            "shortDescription": {"text": check.title},
            "help": {"text": check.why},
            "properties": {"tags": [check.family]},
        }
        for check in shown
    ]
    run = {
        "tool": {"driver": {"name": "btdiag", "version": __version__, "rules": rules}},
        "invocations": [{"executionSuccessful": True, "exitCode": result.exit_code}],
        "results": [_sarif_result(check, index, result) for index, check in enumerate(shown)],
        "properties": {"verdict": result.verdict.value, "headline": result.headline},
    }
    schema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _sarif_result(check: CheckResult, index: int, result: LogsResult) -> Mapping[str, Any]:
    from btdiag.logs.claims import CLAIM_OF

    rows = [row for group in result.groups for row in group.rows
            if (claim := CLAIM_OF.get(row.kind)) is not None and claim.id == check.id]  # fmt: skip
    places = [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": quote(plain(row.file), safe="/")},
                "region": {"startLine": row.events[0].line},
            }
        }
        for row in rows[:20]
    ]
    files = [{"physicalLocation": {"artifactLocation": {"uri": quote(plain(one.account.path), safe="/")},
                                   "region": {"startLine": (one.account.malformed_lines or [1])[0]}}}
             for one in result.files[:1]]  # fmt: skip
    remedy = f" {check.remedy.text}" if check.remedy else ""
    return {
        "ruleId": check.id,
        "ruleIndex": index,
        "kind": "open" if check.verdict is Verdict.INCONCLUSIVE else "fail",
        "level": "none" if check.verdict is Verdict.INCONCLUSIVE else _LEVEL[check.verdict],
        "message": {"text": f"{plain(check.summary)}.{remedy}"},
        "locations": places or files,
    }


def _openmetrics(result: LogsResult) -> str:
    kinds = Counter[tuple[str, str, str]]()
    for group in result.groups:
        for row in group.rows:
            kinds[row.kind, "yes" if row.sure else "no", group.product] += row.count
    lines = [
        "# TYPE btdiag_logs_failures gauge",
        "# HELP btdiag_logs_failures Failed requests by kind that fits first.",
    ]
    lines += [
        f'btdiag_logs_failures{{kind="{kind}",sure="{sure}",product="{product}"}} {count}'
        for (kind, sure, product), count in sorted(kinds.items())
    ]
    lines += ["# TYPE btdiag_logs_requests gauge", "# HELP btdiag_logs_requests Requests that were read."]
    lines += [f"btdiag_logs_requests {sum(group.requests or 0 for group in result.groups)}"]
    lines += ["# TYPE btdiag_logs_check gauge", "# HELP btdiag_logs_check 1 for the verdict of each check."]
    lines += [f'btdiag_logs_check{{check="{one.id}",verdict="{one.verdict.value}"}} 1' for one in result.checks]
    lines += ["# TYPE btdiag_logs_lines gauge", "# HELP btdiag_logs_lines Lines, and those that were not read."]
    lines += [f'btdiag_logs_lines{{read="{read}"}} {count}' for read, count in (
        ("yes", sum(one.account.lines - one.account.malformed for one in result.files)),
        ("no", sum(one.account.malformed for one in result.files)))]  # fmt: skip
    lines += ["# TYPE btdiag_logs_exit_code gauge", "# HELP btdiag_logs_exit_code Exit code."]
    return "\n".join([*lines, f"btdiag_logs_exit_code {result.exit_code}", "# EOF"]) + "\n"
