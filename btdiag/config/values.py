"""Single values as users write them, checked alike wherever they come from: flag, environment or profile."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from btdiag.config.options import BRAINSTORE_ROLES, Option, ValueKind
from btdiag.core.urls import url


class UsageError(Exception):
    """The command or its configuration is wrong; the text is one line that says what, and what to do."""


LONGEST_S = 366 * 86_400.0  # seconds of any duration: what is longer, or infinite, is a slip of the hand
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_UNIT = {"ms": 0.001, None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def duration(text: str) -> float:
    """Seconds of "90", "90s", "1.5m", "500ms", "1h" or "90d"; ValueError for anything else, nothing above zero, or more
    than a year."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise ValueError("a duration is a number with ms, s, m, h or d: 90, 90s, 5m, 500ms")
    seconds = float(match[1]) * _UNIT[match[2]]
    if not seconds > 0:
        raise ValueError("a duration must be above zero")
    if seconds > LONGEST_S:
        raise ValueError("a duration may be a year at most")
    return seconds


def value_of(option: Option, raw: Any, where: str) -> Any:
    """One value of an option, from whatever source, checked. UsageError, which begins with `where` and repeats nothing
    of the value: it may hold a secret."""
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
                return duration(_written(raw))
            case ValueKind.SECONDS:
                return _positive(_written(raw))
            case ValueKind.NUMBER:
                return _count(raw)
            case ValueKind.CHOICE:
                if raw not in option.choices:
                    raise ValueError(f"is one of {', '.join(option.choices)}")
                return raw
            case ValueKind.PATH:
                return path_of_text(_text(raw))
            case ValueKind.URL:
                return url(_text(raw))
            case ValueKind.ANY_URL:
                return any_url(_text(raw))
            case ValueKind.ROLE_URL:
                return role_url(_text(raw))
            case _:
                return _text(raw)
    except ValueError as error:
        raise UsageError(f"{where}: {printable(_own_words(error))}") from None


def _own_words(error: ValueError) -> str:
    return "has more digits than any number here" if "integer string conversion" in str(error) else str(error)


def path_of_text(text: str) -> Path:
    """A path with ~ put in; ValueError where nobody knows whose home that is."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError("~ stands for a home folder that is not known here: write the path in full") from None


def any_url(text: str) -> str:
    """A URL in normal form, that of a WebSocket (RFC 6455 section 3) among them."""
    match = re.match(r"ws(s?)://", text, re.IGNORECASE)
    if match is None:
        return url(text)
    secure = "s" if match[1] else ""
    return f"ws{secure}{url(f'http{secure}://{text[match.end() :]}').removeprefix(f'http{secure}')}"


def role_url(text: str) -> str:
    """ROLE=URL or URL in normal form; ValueError for a role that Brainstore does not have."""
    match = re.match(r"([A-Za-z_-]{1,20})=", text)
    if match is None:
        return url(text)
    if match[1] not in BRAINSTORE_ROLES:
        raise ValueError(f"the role is one of {', '.join(BRAINSTORE_ROLES)}, as in writer=http://HOST:4000")
    return f"{match[0]}{url(text[match.end() :])}"


def _written(raw: Any) -> str:
    """A number as it was typed on a command line, or stands in a profile."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise ValueError("needs a number")
    return str(raw)  # ValueError where an integer has thousands of digits


def _text(raw: Any) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError("needs a text that is not empty")
    if any(ord(character) < 32 for character in raw):
        raise ValueError("must not contain control characters")
    return raw.strip()


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= LONGEST_S:
        raise ValueError("must be a number of seconds above zero, a year at most")
    return value


def _count(raw: Any) -> int:
    if not re.fullmatch(r"0*[0-9]{1,6}", _written(raw).strip()) or not 1 <= int(raw) <= 100_000:
        raise ValueError("must be a whole number from 1 on, 100,000 at most")
    return int(raw)


def printable(text: str) -> str:
    """At most 300 characters of a text, and none that a terminal would obey."""
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text[:300])[
        :300
    ]


def target_name(text: str, where: str) -> str:
    """A target in normal form, so that two spellings of one URL are the same: "lab:SCENARIO" or a URL."""
    if text.startswith("lab:"):
        if not re.fullmatch(r"lab:[a-z0-9][a-z0-9.-]{0,99}", text):
            raise UsageError(
                f"{where}: a scenario's name is made of small letters, digits, - and .: see btdiag lab --list"
            )
        return text
    try:
        return url(text)
    except ValueError as error:
        raise UsageError(f"{where}: {printable(str(error))}") from None
