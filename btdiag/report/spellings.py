"""The spellings in which a known secret may turn up in a report: as it is, URL-encoded, JSON-escaped, base64."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

from btdiag.core.target import Secret

_LONG = 6
"""Known values of at least this many characters are removed wherever they occur; shorter ones only as whole words, lest
a password "api" empties the report."""
CUT = 8
"""So many leading characters of a known value are removed at the end of a text that was cut off within it."""


def parts_of_secret(secret: Secret) -> tuple[str, ...]:
    """The secret, and what is a secret of its own in it, the longest first: the password of "user:password"."""
    value = secret.reveal()
    return tuple(sorted({value, value.strip(), value.partition(":")[2]} - {""}, key=len, reverse=True))


def spellings(secrets: Iterable[Secret]) -> dict[str, str]:
    """Every spelling of every secret with its pseudonym."""
    found: dict[str, str] = {}
    for number, secret in enumerate(dict.fromkeys(secrets), start=1):
        for part in parts_of_secret(secret):
            for spelling in _of_one(part):
                found.setdefault(spelling, f"redacted-known-{number}")
    return found


def _of_one(value: str) -> set[str]:
    raw = value.encode("utf-8", "surrogatepass")
    encoded = {quote(raw, safe=""), quote(raw), quote_plus(raw)}
    lower = {re.sub(r"%[0-9A-F]{2}", lambda match: match.group().lower(), text) for text in encoded}
    escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    bytewise = {raw.decode("ascii", "backslashreplace"), raw.decode("latin-1")}
    return {value} | encoded | lower | escaped | bytewise | _base64(raw)


def _base64(raw: bytes) -> set[str]:
    """The value in base64: as a whole, and the part that is the same wherever it lies in a longer encoded text."""
    whole = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
    found = whole | {text.rstrip("=") for text in whole}
    if len(raw) >= CUT:
        for shift in range(3):
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                text = encode(b"\0" * shift + raw).decode().rstrip("=")
                found.add(text[(0, 2, 3)[shift] : (len(raw) + shift) // 3 * 4])
    return found


def pattern(known: Mapping[str, str]) -> re.Pattern[str]:
    """One pattern for all spellings, the longest first."""
    words = [
        re.escape(value) if len(value) >= _LONG else rf"(?<!\w){re.escape(value)}(?!\w)"
        for value in sorted(known, key=len, reverse=True)
    ]
    return re.compile("|".join(words) or r"(?!)")
