"""report.json: the complete result for machines, and the way back from it. Its shape is public (schema.json)."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from btdiag.model import CheckResult, Json, MeasurementRecord, Remedy, Report, ReportSet
from btdiag.report.documents import Difference, Document, Merged, ReportFileError
from btdiag.report.read_json import read_merged, read_report, read_set

SCHEMA_VERSION = 1
_SURROGATES = re.compile("[\ud800-\udfff]")


def render(document: Document) -> str:
    """The document as JSON in ASCII, keys always in the same order, with a line break at its end."""
    text = json.dumps(to_dict(document), indent=2, allow_nan=False)
    return text.replace("\x7f", "\\u007f") + "\n"


def load(text: str) -> Document:
    """The document that `render` wrote; raises ReportFileError for anything else, with the place of the first fault."""
    data = _parse(text)
    if not isinstance(data, dict) or "schema_version" not in data:
        raise ReportFileError("not a btdiag report: there is no schema_version")
    if data["schema_version"] != SCHEMA_VERSION:
        raise ReportFileError(
            f"schema_version {data['schema_version']!r} is not {SCHEMA_VERSION}: written by another btdiag"
        )
    readers: dict[str, Callable[[dict[str, Json]], Document]] = {
        "run": read_report,
        "runs": read_set,
        "merge": read_merged,
    }
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in readers:
        raise ReportFileError(f"kind {kind!r} is none of {', '.join(readers)}")
    return readers[kind](data)


def _parse(text: str) -> Json:
    try:
        parsed: Json = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ReportFileError(f"not JSON: {str(error) or 'nested too deeply'}") from None
    return parsed


def _no_constant(name: str) -> Json:
    raise ValueError(f"{name} is no JSON number")


def to_dict(document: Document) -> dict[str, Json]:
    """The document as the object that report.json holds."""
    if isinstance(document, Report):
        return _report(document)
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "runs" if isinstance(document, ReportSet) else "merge",
        "verdict": document.verdict.value,
        "headline": _clean(document.headline),
        **(
            {"differences": [_difference(each) for each in document.differences]}
            if isinstance(document, Merged)
            else {}
        ),
        "reports": [_report(report) for report in document.reports],
    }


def _report(report: Report) -> dict[str, Json]:
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "run",
        "tool": {"name": "btdiag", "version": _clean(report.tool_version)},
        "run": _plain(report.run),
        "target": _clean(report.target),
        "verdict": report.verdict.value,
        "root_cause": _clean(report.root_cause),
        "headline": _clean(report.headline),
        "counts": _clean(report.counts),
        "path": [_plain(hop) for hop in report.path],
        "checks": [_check(check) for check in report.checks],
        "not_seen": _clean(report.not_seen),
        "redactions": {_text(rule): count for rule, count in sorted(report.redactions.items(), key=_cleaned_key)},
        "measurements": {_text(record.name): _measurement(record) for record in report.measurements},
    }


def _check(check: CheckResult) -> dict[str, Json]:
    order = (
        "id",
        "family",
        "title",
        "why",
        "verdict",
        "summary",
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
    values = _plain(check) | {"remedy": _remedy(check.remedy) if check.remedy else None}
    return {name: values[name] for name in order}


def _remedy(remedy: Remedy) -> dict[str, Json]:
    snippets: list[Json] = [{"for": _text(each.product), "code": _text(each.code)} for each in remedy.snippets]
    return {"text": _text(remedy.text), "snippets": snippets}


def _measurement(record: MeasurementRecord) -> dict[str, Json]:
    values = _plain(record)
    del values["name"]
    return values


def _difference(difference: Difference) -> Json:
    values: list[Json] = [{"from": _text(place), "seen": _text(seen)} for place, seen in difference.values]
    return {"what": _text(difference.what), "values": values, "meaning": _text(difference.meaning)}


def _plain(value: Any) -> dict[str, Json]:
    """A dataclass of the model as an object, fields in their declared order."""
    return {field.name: _clean(getattr(value, field.name)) for field in dataclasses.fields(value)}


def _clean(value: Any) -> Json:
    """JSON that every parser takes: no lone surrogates, no NaN or infinity (they become strings)."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, bool | int):
        return value
    if dataclasses.is_dataclass(value):
        return _plain(value)
    if isinstance(value, Mapping):
        return {_text(str(key)): _clean(item) for key, item in value.items()}
    items: Iterable[Any] = value
    return [_clean(item) for item in items]


def _text(text: str) -> str:
    return _SURROGATES.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _cleaned_key(item: tuple[str, int]) -> str:
    return _text(item[0])
