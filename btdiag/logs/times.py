"""Time stamps as load balancers write them, to seconds since 1970. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

_MONTHS = {name: number for number, name in enumerate(
    (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"), 1
)}  # fmt: skip
_REMEMBERED = 8192
_LARGEST = 1e21  # nanoseconds since 1970 have 19 digits


@lru_cache(_REMEMBERED)
def clf_time(text: bytes) -> float | None:
    """`26/Nov/2026:08:41:40 +0000`, with a fraction of the second where there is one (HAProxy, without a zone: UTC)."""
    try:
        day, month, rest = text[:2], text[3:6], text[7:]
        seconds = _epoch(int(rest[:4]), _MONTHS[month], int(day), rest[5:13])
        if len(rest) == 13:
            return seconds
        fraction, _, zone = rest[13:].partition(b" ")
        return seconds + (float(b"0" + fraction) if fraction else 0.0) - _offset(zone)
    except (ValueError, KeyError, IndexError, OverflowError):
        return None


def iso(text: bytes) -> float | None:
    """`2026-11-26T08:47:18.065Z`, with a space for the T, and any zone; without one: UTC."""
    seconds = _iso_second(text[:19])
    if seconds is None:
        return None
    rest = text[19:]
    if rest in (b"Z", b""):
        return seconds
    return _with_rest(seconds, rest)


def _with_rest(seconds: float, rest: bytes) -> float | None:
    digits = 1
    if rest[:1] in (b".", b","):
        while digits < len(rest) and rest[digits : digits + 1].isdigit():
            digits += 1
        try:
            seconds += float(b"0." + rest[1:digits]) if digits > 1 else 0.0
        except ValueError:
            return None
        rest = rest[digits:]
    try:
        return seconds - _offset(rest.strip())
    except ValueError:
        return None


@lru_cache(_REMEMBERED)
def _iso_second(text: bytes) -> float | None:
    try:
        if text[4:5] not in (b"-", b"/") or len(text) != 19:
            return None
        return _epoch(int(text[:4]), int(text[5:7]), int(text[8:10]), text[11:19])
    except (ValueError, OverflowError):
        return None


@lru_cache(_REMEMBERED)
def ctime(text: bytes) -> float | None:
    """`Thu Nov 26 08:56:59.687629 2026`, as Apache's error log has it, in the server's own zone: read as UTC."""
    try:
        _, month, day, clock, year = text.split()
        second, _, fraction = clock.partition(b".")
        return _epoch(int(year), _MONTHS[month], int(day), second) + (float(b"0." + fraction) if fraction else 0.0)
    except (ValueError, KeyError, OverflowError):
        return None


def _epoch(year: int, month: int, day: int, clock: bytes) -> float:
    if clock[2:3] != b":" or clock[5:6] != b":":
        raise ValueError
    return datetime(year, month, day, int(clock[:2]), int(clock[3:5]), int(clock[6:8]), tzinfo=UTC).timestamp()


def _offset(zone: bytes) -> float:
    """Seconds east of Greenwich: `+0100`, `-05:30`, `Z`."""
    if zone in (b"", b"Z", b"UTC"):
        return 0.0
    digits = zone[1:].replace(b":", b"")
    if zone[:1] not in (b"+", b"-") or len(digits) != 4:
        raise ValueError
    seconds = int(digits[:2]) * 3600.0 + int(digits[2:]) * 60.0
    return -seconds if zone[:1] == b"-" else seconds


def logged_number(value: object) -> float | None:
    """A number as logs write it (`0.012`, `"12"`, `0.026s`); None for `-`, nothing, or what is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < _LARGEST else None
    if isinstance(value, str):
        value = value.encode("utf-8", "replace")
    if not isinstance(value, bytes) or not value or len(value) > 40:
        return None
    try:
        found = float(value[:-1] if value.endswith(b"s") else value)
    except ValueError:
        return None
    return found if abs(found) < _LARGEST else None


def shown(seconds: float) -> str:
    """A moment as RFC 3339 in UTC, milliseconds where it has them."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return moment.isoformat(timespec="milliseconds" if seconds % 1 else "seconds").replace("+00:00", "Z")
