"""SARIF 2.1.0 for code scanning: one run per report, one rule per check, one result per finding.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/ (3.27.9 kind, 3.27.10 level: other than "none" only for "fail";
3.35 suppressions; 3.20 invocation).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from urllib.parse import quote

from btdiag.core.finding import Json, Verdict
from btdiag.core.report import CheckResult, Report
from btdiag.report import json_, verdicts
from btdiag.report.documents import Document, reports_of, url_of
from btdiag.report.escape import plain
from btdiag.report.junit import details
from btdiag.report.path import hop_of

_KINDS = {Verdict.FAIL: ("fail", "error"), Verdict.WARN: ("fail", "warning"), Verdict.INCONCLUSIVE: ("open", "none")}
_LINK = re.compile(r"https://[^\s<>\"]*[^\s<>\".,;:)]")
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def render(document: Document) -> str:
    """The document as a SARIF log in ASCII; passes and skips are rules without a result."""
    log: dict[str, Json] = {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [_run(report) for report in reports_of(document)],
    }
    return json_.dumps(log, unfolded=4)


def _run(report: Report) -> Json:
    rules = list({check.id: check for check in report.checks}.values())
    index = {check.id: number for number, check in enumerate(rules)}
    found = [check for check in verdicts.by_severity(report.checks) if check.verdict in _KINDS]
    return {
        "tool": {
            "driver": {
                "name": "btdiag",
                "version": plain(report.tool_version),
                "rules": [_rule(check) for check in rules],
            }
        },
        "automationDetails": {"id": f"btdiag/{plain(url_of(report))}/{plain(report.run.id)}"},
        "invocations": [_invocation(report)],
        "results": [_result(check, report, index[check.id]) for check in found],
        "properties": {
            "verdict": report.verdict.value,
            "headline": plain(report.headline),
            "target": plain(url_of(report)),
        },
    }


def _invocation(report: Report) -> Json:
    times: dict[str, Json] = {"startTimeUtc": report.run.started_at} if _UTC.fullmatch(report.run.started_at) else {}
    return {
        "executionSuccessful": not verdicts.nothing_known(report.checks) and not report.run.interrupted,
        "exitCode": report.run.exit_code,
        "machine": plain(report.run.vantage.hostname),
        **times,
    }


def _rule(check: CheckResult) -> Json:
    links = [found.group() for source in check.sources if (found := _LINK.match(source))]
    rule: dict[str, Json] = {
        "id": plain(check.id),
        "shortDescription": {"text": plain(check.title) or plain(check.id)},
        "help": {"text": plain(check.why) or f"btdiag explain {plain(check.id)}"},
        "properties": {"tags": [plain(check.family)]},
    }
    return rule | ({"helpUri": uri(links[0])} if links else {})


def _result(check: CheckResult, report: Report, index: int) -> Json:
    kind, level = _KINDS[check.verdict]
    result: dict[str, Json] = {
        "ruleId": plain(check.id),
        "ruleIndex": index,
        "kind": kind,
        "level": level,
        "message": {"text": details(check)},
        "locations": [_location(check, report)],
        "partialFingerprints": {"checkAndTarget/v1": _fingerprint(check, report)},
    }
    if check.waived is not None:
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": plain(check.waived)}]
    return result


def _location(check: CheckResult, report: Report) -> Json:
    """The hop of the target, and the file that describes the target where there is one: code scanning takes no
    other address than a path in the repository (https://github.com/github/codeql-action/issues/754)."""
    names: dict[str, Json] = {"name": plain(hop_of(check)), "kind": "resource"}
    location: dict[str, Json] = {
        "logicalLocations": [{**names, "fullyQualifiedName": f"{plain(url_of(report))} {plain(hop_of(check))}"}]
    }
    if file := _file(report.run.options):
        location["physicalLocation"] = {"artifactLocation": {"uri": uri(file)}}
    return location


def _file(options: Mapping[str, Json]) -> str:
    """The first relative path among the profile and the files of --config; "" without one."""
    config = options.get("config")
    named = [options.get("profile"), *(config if isinstance(config, list | tuple) else ())]
    return next((path for path in named if isinstance(path, str) and not path.startswith(("/", "\\"))), "")


def _fingerprint(check: CheckResult, report: Report) -> str:
    """The same for the same check on the same target, so that a scanner knows a finding again."""
    return hashlib.sha256(f"{plain(check.id)} {plain(url_of(report))}".encode()).hexdigest()[:32]


def uri(text: str) -> str:
    """Any text as a URI reference (RFC 3986): what may not stand in one is percent-encoded."""
    return quote(plain(text), safe=":/?#@!$&'()*+,;=%~-._")
