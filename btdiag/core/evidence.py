"""The shapes of evidence: one constructor for each kind that the renderers know how to show."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import PurePath
from urllib.parse import urlsplit

from btdiag.core.exchange import Exchange
from btdiag.core.finding import Evidence, Json
from btdiag.core.target import Secret
from btdiag.core.urls import bracketed, port_of

_PLAIN = frozenset({str, bool, int, float})


def to_json(value: object) -> Json:
    """A fact as plain JSON: dataclasses become objects, enums values, bytes escaped text; secrets never themselves."""
    if value is None or type(value) in _PLAIN:
        return value  # type: ignore[return-value]  # that is what _PLAIN says
    if isinstance(value, Enum):
        return to_json(value.value)
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, Secret):
        return "[withheld]"
    if isinstance(value, PurePath):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {name: to_json(getattr(value, name)) for name in _names(type(value))}
    if isinstance(seen := getattr(value, "extensions", {}), dict) and "exchange" in seen:  # a response of the client
        return to_json(seen["exchange"])
    if hasattr(value, "items"):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        return [to_json(item) for item in value]
    return str(value)


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def exchange(seen: Exchange, title: str = "") -> Evidence:
    """One request and its answer: data is the Exchange as an object."""
    return Evidence(kind="exchange", title=title or f"{seen.method} {seen.url} on {seen.label}", data=to_json(seen))


def table(title: str, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> Evidence:
    """Rows under headers: data is {"headers": [...], "rows": [[...]]}."""
    return Evidence(
        kind="table", title=title, data={"headers": list(headers), "rows": [to_json(list(row)) for row in rows]}
    )


def text(title: str, content: str) -> Evidence:
    """Text as it stands, shown in a fixed-width block: data is a string."""
    return Evidence(kind="text", title=title, data=content)


def curl(seen: Exchange) -> Evidence:
    """The request as a curl command that anybody can run: data is a string. It goes the way that the request went, to
    the same address, or through the same proxy (whose credentials are left out)."""
    words = ["curl", "-sv", "-o", "/dev/null", "-X", seen.method, *_way_of(seen)]
    for name, value in seen.request_headers:
        if name.lower() not in {"host", "user-agent", "connection", "accept-encoding", "content-length"}:
            words += ["-H", f"{name}: {value}"]
    return Evidence(kind="curl", title="The same request with curl", data=shlex.join([*words, seen.url]))


def _way_of(seen: Exchange) -> list[str]:
    proxied, _, proxy = seen.label.partition("proxy ")
    if not proxied and proxy:
        return ["-x", f"http://{proxy}"]
    parts = urlsplit(seen.url)
    if not seen.address or seen.address == parts.hostname:
        return []
    return ["--resolve", f"{bracketed(parts.hostname or '')}:{port_of(parts)}:{bracketed(seen.address)}"]


def facts(title: str, value: object) -> Evidence:
    """Any fact as an object: data is what to_json makes of it."""
    return Evidence(kind="facts", title=title, data=to_json(value))
