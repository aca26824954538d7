"""Single values as users write them, checked alike wherever they come from: flag, environment or profile."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from btdiag.config.options import Option, ValueKind
from btdiag.core.urls import url


class UsageError(Exception):
    """The command or its configuration is wrong; the text is one line that says what, and what to do."""


_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_UNIT = {"ms": 0.001, None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: str) -> float:
    """Seconds of "90", "90s", "1.5m", "500ms" or "1h"; ValueError for anything else, or nothing above zero."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise ValueError("a duration is a number with ms, s, m or h: 90, 90s, 5m, 500ms")
    seconds = float(match[1]) * _UNIT[match[2]]
    if not seconds > 0:
        raise ValueError("a duration must be above zero")
    return seconds


def read(option: Option, raw: Any, where: str) -> Any:
    """One value of an option, from whatever source, checked."""
    if option.repeatable:
        items = raw if isinstance(raw, list | tuple) else [raw]
        return tuple(_read_one(option, item, where) for item in items)
    return _read_one(option, raw, where)


def _read_one(option: Option, raw: Any, where: str) -> Any:
    try:
        match option.kind:
            case ValueKind.FLAG | ValueKind.SWITCH:
                if not isinstance(raw, bool):
                    raise ValueError("is true or false")
                return raw
            case ValueKind.DURATION:
                return duration(str(raw))
            case ValueKind.SECONDS:
                return _positive(float(raw))
            case ValueKind.NUMBER:
                return _count(raw)
            case ValueKind.CHOICE:
                if raw not in option.choices:
                    raise ValueError(f"is one of {', '.join(option.choices)}")
                return raw
            case ValueKind.PATH:
                return Path(_text(raw)).expanduser()
            case ValueKind.URL:
                return url(_text(raw))
            case _:
                return _text(raw)
    except (ValueError, UsageError) as error:
        raise UsageError(f"{where}: {printable(str(error))}") from None


def _text(raw: Any) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError("needs a text that is not empty")
    if any(ord(character) < 32 for character in raw):
        raise ValueError("must not contain control characters")
    return raw.strip()


def _positive(value: float) -> float:
    if not (math.isfinite(value) and value > 0):
        raise ValueError("must be a number of seconds above zero")
    return value


def _count(raw: Any) -> int:
    if isinstance(raw, bool) or not str(raw).strip().isdecimal() or not 1 <= int(raw) <= 100_000:
        raise ValueError("must be a whole number from 1 on")
    return int(raw)


def printable(text: str) -> str:
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text)[:300]


def target_name(text: str, where: str) -> str:
    if text.startswith("lab:"):
        return text
    try:
        return url(text)
    except ValueError as error:
        raise UsageError(f"{where}: {printable(str(error))}") from None
