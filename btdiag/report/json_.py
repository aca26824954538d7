"""report.json: the complete result for machines, and the way back from it. Its shape is public (schema.json)."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from btdiag.core.finding import Json, Remedy
from btdiag.core.report import CheckResult, MeasurementRecord, Report, ReportSet
from btdiag.report.causes import causes
from btdiag.report.documents import Difference, Document, Merged, ReportFileError, reports_of
from btdiag.report.parse_json import parsed_json
from btdiag.report.read_json import read_merged, read_report, read_set, shortly

SCHEMA_VERSION = 1
_SURROGATES = re.compile("[\ud800-\udfff]")


def render(document: Document) -> str:
    """The document as JSON in ASCII, keys always in the same order, with a line break at its end."""
    return dumps(to_dict(document), unfolded=2 if isinstance(document, Report) else 4)


def json_lines(document: Document) -> str:
    """Each report of the document as JSON on one line."""
    return "".join(dumps(_report(report), unfolded=0) for report in reports_of(document))


def dumps(data: Any, *, unfolded: int = 2) -> str:
    """Any data as JSON that every parser takes, in ASCII: lone surrogates, NaN and infinity become text. The outermost
    `unfolded` levels get a line for each value, what lies deeper stands on one: long facts stay quick to write."""
    return _laid_out(_clean(data), unfolded, "\n").replace("\x7f", "\\u007f") + "\n"


def _laid_out(data: Json, unfolded: int, line: str) -> str:
    if not unfolded or not data or not isinstance(data, dict | list):
        return json.dumps(data, allow_nan=False)
    inner = line + " "
    if isinstance(data, list):
        return "[" + ",".join(inner + _laid_out(item, unfolded - 1, inner) for item in data) + line + "]"
    items = (f"{json.dumps(key)}: {_laid_out(item, unfolded - 1, inner)}" for key, item in data.items())
    return "{" + ",".join(inner + item for item in items) + line + "}"


def load(text: str) -> Document:
    """The document that `render` wrote; raises ReportFileError for anything else, with the place of the first fault."""
    data = parsed_json(text)
    if not isinstance(data, dict) or "schema_version" not in data:
        raise ReportFileError("not a btdiag report: there is no schema_version")
    version = data["schema_version"]
    if isinstance(version, bool) or version != SCHEMA_VERSION:
        raise ReportFileError(f"schema_version {shortly(version)} is not {SCHEMA_VERSION}: written by another btdiag")
    readers: dict[str, Callable[[dict[str, Json]], Document]] = {
        "run": read_report,
        "runs": read_set,
        "merge": read_merged,
    }
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in readers:
        raise ReportFileError(f"kind {shortly(kind)} is none of {', '.join(readers)}")
    return readers[kind](data)


def to_dict(document: Document) -> dict[str, Any]:
    """The document as the object that report.json holds, its values still those of the model (see `dumps`)."""
    if isinstance(document, Report):
        return _report(document)
    differences = [_difference(each) for each in document.differences] if isinstance(document, Merged) else []
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "runs" if isinstance(document, ReportSet) else "merge",
        "verdict": document.verdict,
        "headline": document.headline,
        **({"differences": differences} if isinstance(document, Merged) else {}),
        **({"causes": causes(document.reports)} if isinstance(document, ReportSet) else {}),
        "reports": [_report(report) for report in document.reports],
    }


def _report(report: Report) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "run",
        "tool": {"name": "btdiag", "version": report.tool_version},
        "run": report.run,
        "target": report.target,
        "verdict": report.verdict,
        "root_cause": report.root_cause,
        "headline": report.headline,
        "counts": report.counts,
        "path": report.path,
        "checks": [_check(check) for check in report.checks],
        "not_seen": report.not_seen,
        "redactions": dict(sorted(report.redactions.items(), key=lambda item: _text(item[0]))),
        "measurements": {record.name: _measurement(record) for record in report.measurements},
    }


_CHECK_KEYS = (
    "id",
    "family",
    "title",
    "why",
    "verdict",
    "summary",
    "answer",
    "hop",
    "owner",
    "because",
    "expected",
    "seen",
    "rerun",
    "evidence",
    "remedy",
    "sources",
    "measurements",
    "duration_s",
    "waived",
)


def _check(check: CheckResult) -> dict[str, Any]:
    values = {name: getattr(check, name) for name in _CHECK_KEYS}
    return values | {"remedy": _remedy(check.remedy) if check.remedy else None}


def _remedy(remedy: Remedy) -> dict[str, Any]:
    snippets = [{"for": each.product, "code": each.code} for each in remedy.snippets]
    return {"text": remedy.text, "action": remedy.action, "snippets": snippets}


def _measurement(record: MeasurementRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in ("started_s", "duration_s", "fact", "missing")}


def _difference(difference: Difference) -> dict[str, Any]:
    values = [{"from": place, "seen": seen} for place, seen in difference.values]
    return {"what": difference.what, "values": values, "meaning": difference.meaning}


def _clean(value: Any) -> Json:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, bool | int):
        return value
    if dataclasses.is_dataclass(value):
        return {field.name: _clean(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {_text(str(key)): _clean(item) for key, item in value.items()}
    items: Iterable[Any] = value
    return [_clean(item) for item in items]


def _text(text: str) -> str:
    return _SURROGATES.sub(lambda match: f"\\u{ord(match.group()):04x}", str(text))
