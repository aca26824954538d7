"""What the page asks for: method normalisation, the safelists, and the preflight request that a browser sends for it.

Source: Fetch standard, sections "Methods", "Headers" and "CORS-preflight fetch"; https://fetch.spec.whatwg.org/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from btdiag.families.cors.fetch.fields import Header, Headers, is_token, normalize_value

_NORMALIZED_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"})
_SAFELISTED_METHODS = frozenset({"GET", "HEAD", "POST"})
_FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
_UNSAFE_BYTES = frozenset('"():<>?@[\\]{}\x7f') | {chr(code) for code in range(0x20) if code != 0x09}
_LANGUAGE = re.compile(r"[0-9A-Za-z *,\-.;=]*")
_SIMPLE_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]*)")
_INT64_MAX = 2**63 - 1  # Chromium's; the standard sets no limit
_SAFELIST_VALUE_LIMIT = 128
_SAFELIST_TOTAL_LIMIT = 1024
_FORBIDDEN_NAMES = frozenset(
    {
        "accept-charset",
        "accept-encoding",
        "access-control-request-headers",
        "access-control-request-method",
        "access-control-request-private-network",
        "connection",
        "content-length",
        "cookie",
        "cookie2",
        "date",
        "dnt",
        "expect",
        "host",
        "keep-alive",
        "origin",
        "referer",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",  # not in the standard's list any more; Chromium never preflights it
        "via",
    }
)
_METHOD_OVERRIDES = frozenset({"x-http-method", "x-http-method-override", "x-method-override"})
_FORBIDDEN_METHODS = frozenset({"CONNECT", "TRACE", "TRACK"})
_CLIENT_HINTS = {  # Chromium's own: hints that carry one plain value
    "device-memory": re.compile(r"[0-9]+(\.[0-9]+)?"),
    "dpr": re.compile(r"[0-9]+(\.[0-9]+)?"),
    "save-data": re.compile(r"on", re.IGNORECASE),
    "viewport-width": re.compile(r"[0-9]+"),
    "width": re.compile(r"[0-9]+"),
}


class Credentials(StrEnum):
    """The credentials mode of a fetch to another origin: are cookies and client certificates sent?

    `same-origin`, the default of `fetch`, sends none to another origin: the CORS check takes it for `omit`.
    """

    OMIT = "omit"
    SAME_ORIGIN = "same-origin"
    INCLUDE = "include"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """One cross-origin `fetch` as the page's code writes it. `origin` is serialized ("https://www.braintrust.dev")."""

    origin: str
    method: str = "GET"
    headers: Headers = ()
    credentials: Credentials = Credentials.OMIT

    @property
    def with_credentials(self) -> bool:
        """Is the credentials mode "include"?"""
        return self.credentials is Credentials.INCLUDE


def normalize_method(method: str) -> str:
    """Upper-case for DELETE, GET, HEAD, OPTIONS, POST and PUT in any case; all others stay as they are, `patch` too.

    Fetch, "normalize a method".
    """
    return method.upper() if method.upper() in _NORMALIZED_METHODS else method


def is_cors_safelisted_method(method: str) -> bool:
    """GET, HEAD or POST (Fetch, "CORS-safelisted method")."""
    return method in _SAFELISTED_METHODS


def combine(headers: Iterable[Header] | Mapping[str, str]) -> dict[str, str]:
    """A page's headers as the Headers object keeps them: lower-case, sorted, repeated ones joined with ", "."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    combined: dict[str, str] = {}
    for name, value in pairs:
        key, text = name.lower(), normalize_value(value)
        combined[key] = f"{combined[key]}, {text}" if key in combined else text
    return dict(sorted(combined.items()))


def is_forbidden_request_header(name: str, value: str) -> bool:
    """May page code not set this header (Fetch, "forbidden request-header")? The browser drops or overwrites it."""
    lower = name.lower()
    if lower in _METHOD_OVERRIDES:
        return any(part.strip(" \t").upper() in _FORBIDDEN_METHODS for part in value.split(","))
    return lower in _FORBIDDEN_NAMES or lower.startswith(("proxy-", "sec-"))


def _is_safelisted_content_type(value: str) -> bool:
    essence = value.split(";", 1)[0].strip(" \t").lower()
    kind, slash, subtype = essence.partition("/")
    return bool(slash) and is_token(kind) and is_token(subtype) and essence in _FORM_TYPES


def _is_safelisted_range(value: str) -> bool:
    match = _SIMPLE_RANGE.fullmatch(value)
    if match is None:
        return False
    first, last = int(match[1]), int(match[2] or match[1])
    return first <= last < _INT64_MAX


def is_cors_safelisted_request_header(name: str, value: str) -> bool:
    """May the header go out without a preflight (Fetch, "CORS-safelisted request-header")?

    Chromium adds client hints (`dpr`, `save-data` ...) to the list; so does this.
    """
    lower = name.lower()
    if len(value) > _SAFELIST_VALUE_LIMIT:
        return False
    if lower == "accept":
        return not _UNSAFE_BYTES.intersection(value)
    if lower in ("accept-language", "content-language"):
        return _LANGUAGE.fullmatch(value) is not None
    if lower == "content-type":
        return not _UNSAFE_BYTES.intersection(value) and _is_safelisted_content_type(value)
    if lower == "range":
        return _is_safelisted_range(value)
    return lower in _CLIENT_HINTS and _CLIENT_HINTS[lower].fullmatch(value) is not None


def cors_unsafe_request_header_names(headers: Iterable[Header]) -> tuple[str, ...]:
    """The names that a preflight must ask for: lower-case and sorted (Fetch, "CORS-unsafe request-header names").

    The safelisted ones join them when their values are longer than 1024 bytes together.
    """
    page = {name: value for name, value in combine(headers).items() if not is_forbidden_request_header(name, value)}
    safe = {name for name, value in page.items() if is_cors_safelisted_request_header(name, value)}
    if sum(len(page[name]) for name in safe) > _SAFELIST_TOTAL_LIMIT:
        safe = set()
    return tuple(name for name in page if name not in safe)


def needs_preflight(request: PageRequest) -> bool:
    """Does the browser send a preflight first (Fetch, "HTTP fetch": "makeCORSPreflight")?"""
    method = normalize_method(request.method)
    return not is_cors_safelisted_method(method) or bool(cors_unsafe_request_header_names(request.headers))


def preflight_request(request: PageRequest) -> Headers:
    """The headers that make an OPTIONS request a preflight, as a browser writes them (Fetch, "CORS-preflight fetch").

    The names asked for are lower-case, sorted, joined with "," and no blank; the line is left out when there are none.
    """
    names = ",".join(cors_unsafe_request_header_names(request.headers))
    asked = (("Access-Control-Request-Headers", names),) if names else ()
    return (
        ("Accept", "*/*"),
        ("Access-Control-Request-Method", normalize_method(request.method)),
        *asked,
        ("Origin", request.origin),
    )
