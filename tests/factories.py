"""Facts as probes record them, for tests on plain data: what a test does not say is as of an ordinary answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from btdiag.core.exchange import Exchange, Header

STARTED = "2030-01-01T00:00:00.000Z"


def exchange(**fields: Any) -> Exchange:
    """A GET that was answered 200 at 192.0.2.1, with these fields of its own."""
    ordinary = {
        "method": "GET",
        "url": "https://api.example.com/",
        "label": "192.0.2.1",
        "started_at": STARTED,
        "request_headers": (),
        "status": None if fields.get("failure") else 200,
    }
    return Exchange(**{**ordinary, **fields})


def named(headers: Mapping[str, str]) -> tuple[Header, ...]:
    """Headers given as keywords: their names are written with underscores."""
    return tuple((name.replace("_", "-"), value) for name, value in headers.items())
