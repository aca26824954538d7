"""How long the answers in a report took, each with the request that got it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from btdiag.core.finding import Json
from btdiag.core.report import MeasurementRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request ("GET /version") and the seconds from its last byte to the first of its answer."""

    request: str
    seconds: float
    started_at: str


def answer_times(records: Sequence[MeasurementRecord]) -> list[Asked]:
    """All answers that stand in the facts, each once: facts hand exchanges on."""
    found: dict[tuple[object, ...], Asked] = {}
    for record in records:
        for seen in _exchanges(record.fact):
            timing, url = seen["timing"], seen["url"]
            seconds = timing.get("first_byte_s") if isinstance(timing, dict) else None
            if isinstance(seconds, int | float) and isinstance(url, str) and seconds >= 0:
                path = "/" + url.partition("://")[2].partition("/")[2].partition("?")[0]
                key = (seen.get("method"), url, seen.get("started_at"), seen.get("local_port"), seconds)
                request, at = f"{seen.get('method')} {path}", str(seen.get("started_at"))
                found[key] = Asked(request=request, seconds=float(seconds), started_at=at)
    return list(found.values())


def _exchanges(value: Json) -> Iterator[dict[str, Json]]:
    if isinstance(value, dict):
        if {"method", "url", "timing", "status"} <= value.keys() and value["status"] is not None:
            yield value
        for item in value.values():
            yield from _exchanges(item)
    elif isinstance(value, list):
        for item in value:
            yield from _exchanges(item)
