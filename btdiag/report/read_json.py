"""Reads report.json strictly into the model: a key too many, one too few or a value of the wrong type is an error."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Hashable, Mapping
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from btdiag.core.finding import Remedy, Snippet, Verdict
from btdiag.core.report import Hop, MeasurementRecord, Report, ReportSet, Vantage
from btdiag.report.documents import Difference, Merged, ReportFileError

Made = TypeVar("Made")
HOP_STATES = ("ok", "warn", "broken", "unknown", "not reached")
LARGEST_NUMBER = 1e12
"""No count and no time (seconds) of a report comes near it; with all up to here the formats can calculate."""
LONGEST_TEXT = 200_000
"""Characters of one text beside evidence and facts; to lay out a word without end takes the square of its length."""
_LATER: Mapping[type, frozenset[str]] = {Vantage: frozenset({"pod"})}
"""Fields that reports of earlier versions lack."""
_LONGEST_QUOTE = 80


def read_report(data: Mapping[str, Any], place: str = "report") -> Report:
    """A report of kind "run"."""
    values = _object(data, place, {"schema_version", "kind", "tool", *_names(Report)} - {"tool_version"})
    tool = _object(values["tool"], f"{place}.tool", {"name", "version"})
    _object(values["counts"], f"{place}.counts", {verdict.value for verdict in Verdict})
    _value(_object(values["target"], f"{place}.target", None).get("url"), str, f"{place}.target.url")
    records = _object(values["measurements"], f"{place}.measurements", None)
    special = {"schema_version", "kind", "tool", "measurements"}
    rest = {name: value for name, value in values.items() if name not in special}
    return _build(
        Report,
        rest
        | {"tool_version": tool["version"], "measurements": [_record(name, item) for name, item in records.items()]},
        place,
    )


def read_set(data: Mapping[str, Any]) -> ReportSet:
    """The reports of several targets, kind "runs"."""
    values = _object(data, "report", {"schema_version", "kind", *_names(ReportSet)})
    return ReportSet(
        verdict=_verdict(values), headline=_value(values["headline"], str, "headline"), reports=_reports(values)
    )


def read_merged(data: Mapping[str, Any]) -> Merged:
    """One target from several places, kind "merge"."""
    values = _object(data, "report", {"schema_version", "kind", *_names(Merged)})
    differences = _list(values["differences"], "differences")
    return Merged(
        verdict=_verdict(values),
        headline=_value(values["headline"], str, "headline"),
        reports=_reports(values),
        differences=tuple(_difference(item, f"differences[{index}]") for index, item in enumerate(differences)),
    )


def _reports(values: Mapping[str, Any]) -> tuple[Report, ...]:
    items = _list(values["reports"], "reports")
    return tuple(read_report(_object(item, f"reports[{n}]", None), f"reports[{n}]") for n, item in enumerate(items))


def _verdict(values: Mapping[str, Any]) -> Verdict:
    found: Verdict = _value(values["verdict"], Verdict, "verdict")
    return found


def _difference(item: Any, place: str) -> Difference:
    values = _object(item, place, {"what", "values", "meaning"})
    pairs = [_object(pair, f"{place}.values", {"from", "seen"}) for pair in _list(values["values"], f"{place}.values")]
    named = {
        "what": values["what"],
        "meaning": values["meaning"],
        "values": [[pair["from"], pair["seen"]] for pair in pairs],
    }
    return _build(Difference, named, place)


def _record(name: str, item: Any) -> dict[str, Any]:
    place = f"measurements.{name}"
    return {"name": name, **_object(item, place, _names(MeasurementRecord) - {"name"})}


def _snippet(data: Any, place: str) -> Snippet:
    values = _object(data, place, {"for", "code"})
    return _build(Snippet, {"product": values["for"], "code": values["code"]}, place)


def _remedy(data: Any, place: str) -> Remedy:
    values = _object(data, place, {"text", "action", "snippets"})
    snippets = _list(values["snippets"], f"{place}.snippets")
    return Remedy(
        text=_value(values["text"], str, f"{place}.text"),
        action=_value(values["action"], str, f"{place}.action"),
        snippets=tuple(_snippet(item, f"{place}.snippets[{index}]") for index, item in enumerate(snippets)),
    )


def _hop(data: Any, place: str) -> Hop:
    values = _object(data, place, _names(Hop))
    if not isinstance(values["state"], str) or values["state"] not in HOP_STATES:
        raise ReportFileError(f"{place}.state: {shortly(values['state'])} is none of {', '.join(HOP_STATES)}")
    return _build(Hop, values, place)


_SPECIAL: Mapping[type, Callable[[Any, str], Any]] = {Remedy: _remedy, Hop: _hop}


@cache
def _hints(kind: Hashable) -> dict[str, Any]:
    return get_type_hints(cast(type, kind))


def _names(kind: type) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def shortly(data: object) -> str:
    """Any value of a file as an error message quotes it: enough to find the place, however much it is."""
    shown = "an object" if isinstance(data, dict) else "an array" if isinstance(data, list) else repr(data)
    return shown if len(shown) <= _LONGEST_QUOTE else f"{shown[:_LONGEST_QUOTE]}..."


def _object(data: Any, place: str, names: set[str] | None) -> dict[str, Any]:
    """The object `data` with these keys, which it must have; others, a later version's, are left out (None: all)."""
    if not isinstance(data, dict):
        raise ReportFileError(f"{place} is no object")
    if names is None:
        return data
    if missing := sorted(names - data.keys()):
        raise ReportFileError(f"{place}: the key {shortly(missing[0])} is missing")
    return {name: data[name] for name in names}


def _list(data: Any, place: str) -> list[Any]:
    if not isinstance(data, list):
        raise ReportFileError(f"{place} is no array")
    return data


def _build(kind: type[Made], data: Any, place: str) -> Made:
    """A dataclass of the model out of an object with exactly its fields, each of its declared type."""
    later = _LATER.get(kind, frozenset())
    values = _object(data, place, _names(kind) - (later - set(data) if isinstance(data, dict) else set()))
    hints = _hints(cast(Hashable, kind))
    return kind(**{name: _value(value, hints[name], f"{place}.{name}") for name, value in values.items()})


def _value(data: Any, hint: Any, place: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        return _union(data, arguments, place)
    if origin is tuple:
        return _tuple(_list(data, place), arguments, place)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: _value(item, arguments[1], f"{place}.{key}") for key, item in _object(data, place, None).items()}
    if hint in _SPECIAL:
        return _SPECIAL[hint](data, place)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, data, place)
    return _scalar(data, hint, place)


def _tuple(items: list[Any], arguments: tuple[Any, ...], place: str) -> tuple[Any, ...]:
    hints = [arguments[0]] * len(items) if Ellipsis in arguments else list(arguments)
    return tuple(
        _value(item, hint, f"{place}[{index}]") for index, (item, hint) in enumerate(zip(items, hints, strict=True))
    )


def _union(data: Any, arguments: tuple[Any, ...], place: str) -> Any:
    """`X | None`, or Json: whatever JSON may hold, which needs no look."""
    if len(arguments) > 2 or data is None:
        return data
    return _value(data, next(each for each in arguments if each is not types.NoneType), place)


def _scalar(data: Any, hint: Any, place: str) -> Any:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        if isinstance(data, str) and data in {member.value for member in hint}:
            return hint(data)
        raise ReportFileError(f"{place}: {shortly(data)} is no {hint.__name__.lower()}")
    allowed: tuple[type, ...] = (int, float) if hint is float else (hint,)
    if (isinstance(data, bool) and hint is not bool) or not isinstance(data, allowed):
        raise ReportFileError(f"{place}: {shortly(data)} is no {hint.__name__}")
    if isinstance(data, str) and len(data) > LONGEST_TEXT:
        raise ReportFileError(f"{place} has {len(data):,} characters")
    if isinstance(data, int | float) and not 0 <= data <= LARGEST_NUMBER:
        raise ReportFileError(f"{place}: {shortly(data)} is no count and no time")
    return data
