"""Everything about a run in one zip file for a ticket: what goes into it can be looked at before it is written."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from tabulate import tabulate

from btdiag.core.finding import Json
from btdiag.core.target import Secret
from btdiag.report import json_
from btdiag.report.anonymize import anonymize as with_pseudonyms
from btdiag.report.documents import Context, Document, reports_of
from btdiag.report.formats import FORMATS, render
from btdiag.report.redact import redact

_REPORTS = ("json", "html", "markdown", "text")
MOST_EXCHANGES = 500
LONGEST_BODY = 4_096
"""Bounds on the raw exchanges: how many, and so many characters of each body."""
_EXCHANGE_KEYS = frozenset({"method", "url", "request_headers", "started_at"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledFile:
    """One file of a bundle."""

    name: str
    content: bytes
    about: str


def bundled_files(
    document: Document,
    *,
    secrets: Iterable[Secret] = (),
    anonymize: bool = False,
    environment: Mapping[str, Json] | None = None,
) -> tuple[BundledFile, ...]:
    """The files of a bundle, manifest first: the report in several formats, all exchanges, and `environment` (facts
    about the machine, which must hold no secrets of its own). Redacted again; with `anonymize` under pseudonyms too."""
    document = redact(document, secrets)
    pseudonyms: Mapping[str, int] = {}
    if anonymize:
        document, pseudonyms = with_pseudonyms(document)
    context = Context(verbose=2, width=100)
    files = [
        *(
            BundledFile(
                name=f"report.{FORMATS[name].extension}",
                content=render(document, name, context).encode(),
                about=f"the report as {name}",
            )
            for name in _REPORTS
        ),
        _json_entry("exchanges.json", exchanges(document), "requests and answers, bodies cut"),
    ]
    if environment:
        files.append(_json_entry("environment.json", dict(environment), "facts about the machine"))
    return (_manifest(document, files, pseudonyms if anonymize else None), *files)


def preview(entries: Iterable[BundledFile]) -> str:
    """What would be written, as a table of names and sizes."""
    rows = [(entry.name, len(entry.content), entry.about) for entry in entries]
    return tabulate(rows, ("file", "bytes", "what it holds"), tablefmt="simple") + "\n"


def pack(entries: Iterable[BundledFile]) -> bytes:
    """The zip file; the same entries always give the same bytes."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in entries:
            archive.writestr(zipfile.ZipInfo(entry.name), entry.content, zipfile.ZIP_DEFLATED)
    return written.getvalue()


def exchanges(document: Document) -> list[Json]:
    """Every exchange in evidence and facts, each with where it comes from, within the bounds."""
    found = (
        {"from": place, "exchange": _cut(exchange)}
        for report in reports_of(document)
        for place, data in [
            *((f"check {check.id}", item.data) for check in report.checks for item in check.evidence),
            *((f"measurement {record.name}", record.fact) for record in report.measurements),
        ]
        for exchange in _exchanges_in(data)
    )
    return list(islice(found, MOST_EXCHANGES))


def _exchanges_in(data: Json) -> Iterator[dict[str, Json]]:
    if isinstance(data, dict):
        if data.keys() >= _EXCHANGE_KEYS:
            yield data
            return
        data = list(data.values())
    if isinstance(data, list):
        for item in data:
            yield from _exchanges_in(item)


def _cut(exchange: dict[str, Json]) -> Json:
    body = exchange.get("body")
    return {**exchange, "body": body[:LONGEST_BODY]} if isinstance(body, str) else dict(exchange)


def _json_entry(name: str, data: Json | dict[str, Json], about: str) -> BundledFile:
    return BundledFile(name=name, content=json_.dumps(data).encode(), about=about)


def _manifest(document: Document, files: Iterable[BundledFile], pseudonyms: Mapping[str, int] | None) -> BundledFile:
    redactions: Counter[str] = Counter()
    for report in reports_of(document):
        redactions.update(report.redactions)
    data: dict[str, Json] = {
        "schema_version": 1,
        "kind": "bundle",
        "files": [
            {"name": each.name, "bytes": len(each.content), "sha256": hashlib.sha256(each.content).hexdigest()}
            for each in files
        ],
        "redactions": dict(sorted(redactions.items())),
        "anonymized": pseudonyms is not None,
        "pseudonyms": dict(pseudonyms or {}),
    }
    return _json_entry("manifest.json", data, "this list, with checksums and what was removed by which rule")
