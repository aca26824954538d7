"""What page code can read of a response that passed the CORS check.

Source: Fetch standard, sections "CORS filtered response" and "CORS-safelisted response-header name".
"""

from __future__ import annotations

from collections.abc import Iterable

from btdiag.families.cors.fetch.fields import Header, extract_list

SAFELISTED_RESPONSE_HEADERS = frozenset(
    {"cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma"}
)
FORBIDDEN_RESPONSE_HEADERS = frozenset({"set-cookie", "set-cookie2"})


def exposes(headers: Iterable[Header], name: str, with_credentials: bool) -> bool:
    """Would a response header of this name be readable, were it there?"""
    lower = name.lower()
    listed = {item.lower() for item in extract_list(headers, "Access-Control-Expose-Headers") or ()}
    covered = "*" in listed and not with_credentials
    return lower not in FORBIDDEN_RESPONSE_HEADERS and (
        covered or lower in listed or lower in SAFELISTED_RESPONSE_HEADERS
    )


def readable_headers(headers: Iterable[Header], with_credentials: bool) -> tuple[str, ...]:
    """The names of the response's headers that the page can read: lower-case, sorted, each once.

    A syntax error in `Access-Control-Expose-Headers` exposes nothing beyond the safelist; `*` counts without
    credentials only (with them it names a header called "*"); Set-Cookie is never readable.
    """
    fields = tuple(headers)
    present = {name.lower() for name, _ in fields}
    return tuple(sorted(name for name in present if exposes(fields, name, with_credentials)))
