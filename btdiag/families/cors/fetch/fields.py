"""Header fields as Fetch reads them: "get", "extract header list values", and tokens (RFC 9110 section 5.6.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable

Header = tuple[str, str]
Headers = tuple[Header, ...]

HTTP_WHITESPACE = " \t\r\n"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def is_token(text: str) -> bool:
    """Does the text match `token` (RFC 9110 section 5.6.2)?"""
    return _TOKEN.fullmatch(text) is not None


def normalize_value(value: str) -> str:
    """The value without HTTP whitespace at both ends (Fetch, "normalize a byte sequence")."""
    return value.strip(HTTP_WHITESPACE)


def field_value(headers: Iterable[Header], name: str) -> str | None:
    """The value of a header, repeated ones joined with ", "; None when absent (Fetch, "get" on a header list)."""
    wanted = name.lower()
    values = [normalize_value(value) for key, value in headers if key.lower() == wanted]
    return ", ".join(values) if values else None


def extract_list(headers: Iterable[Header], name: str) -> tuple[str, ...] | None:
    """The tokens of a list header, () when it is absent or empty, None for a syntax error.

    Fetch, "extracting header list values", with the field syntax `#token`: empty elements count for nothing, anything
    in quotes or with a blank inside is an error that spoils the whole list.
    """
    value = field_value(headers, name)
    elements = [element.strip(" \t") for element in (value or "").split(",")]
    tokens = tuple(element for element in elements if element)
    return tokens if all(is_token(token) for token in tokens) else None
