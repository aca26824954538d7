"""The answer to a preflight: status, CORS check, methods, headers, and how long a browser remembers it.

Source: Fetch standard, sections "CORS-preflight fetch" and "CORS-preflight cache"; https://fetch.spec.whatwg.org/#cors-preflight-fetch
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from btdiag.families.cors.fetch.check import CorsError, Refusal, cors_check
from btdiag.families.cors.fetch.fields import Header, extract_list, field_value
from btdiag.families.cors.fetch.request import (
    PageRequest,
    cors_unsafe_request_header_names,
    is_cors_safelisted_method,
    normalize_method,
)

DEFAULT_MAX_AGE = 5
CHROMIUM_MAX_AGE = 7200
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
_STEP = "CORS-preflight fetch"
_INTEGER = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightVerdict:
    """What a browser makes of a preflight's answer.

    `refusal` is None when the request may follow. `authorization_by_wildcard`: `authorization` is allowed by `*` alone;
    the standard refuses that, Chromium 156 still lets it pass with a deprecation (AuthorizationCoveredByWildcard).
    """

    refusal: Refusal | None
    authorization_by_wildcard: bool = False


def _refused(error: CorsError, parameter: str = "") -> PreflightVerdict:
    return PreflightVerdict(refusal=Refusal(error=error, parameter=parameter, step=_STEP))


def _status_and_origin(request: PageRequest, status: int, headers: tuple[Header, ...]) -> PreflightVerdict | None:
    if status in REDIRECT_STATUSES and field_value(headers, "Location") is not None:
        return _refused(CorsError.PREFLIGHT_REDIRECT)
    refusal = cors_check(request.origin, request.with_credentials, headers)
    if refusal is not None:
        return _refused(refusal.error.in_preflight, refusal.parameter)
    return None if 200 <= status <= 299 else _refused(CorsError.PREFLIGHT_INVALID_STATUS)


def missing_request_headers(request: PageRequest, headers: Iterable[Header]) -> tuple[str, ...]:
    """The names asked for that `Access-Control-Allow-Headers` does not cover, sorted; a broken list covers none."""
    allowed = {name.lower() for name in extract_list(headers, "Access-Control-Allow-Headers") or ()}
    if "*" in allowed and not request.with_credentials:
        return ()
    return tuple(name for name in cors_unsafe_request_header_names(request.headers) if name not in allowed)


def method_is_allowed(request: PageRequest, methods: Iterable[str]) -> bool:
    """Is the method safelisted, in the list (case-sensitive), or covered by `*` without credentials?"""
    method, allowed = normalize_method(request.method), set(methods)
    covered = "*" in allowed and not request.with_credentials
    return is_cors_safelisted_method(method) or method in allowed or covered


def _authorization_by_wildcard(request: PageRequest, allowed: Iterable[str]) -> bool:
    names = {name.lower() for name in allowed}
    wildcard = "*" in names and not request.with_credentials
    return wildcard and "authorization" not in names and any(k.lower() == "authorization" for k, _ in request.headers)


def cors_preflight_fetch(request: PageRequest, status: int, headers: Iterable[Header]) -> PreflightVerdict:
    """Judge the answer to a preflight, in the standard's order: CORS check, status, method list, header list.

    A redirect is never followed. Both lists must parse before either is looked at, as in Chromium.
    """
    fields = tuple(headers)
    early = _status_and_origin(request, status, fields)
    if early is not None:
        return early
    methods = extract_list(fields, "Access-Control-Allow-Methods")
    if methods is None:
        return _refused(CorsError.INVALID_ALLOW_METHODS)
    names = extract_list(fields, "Access-Control-Allow-Headers")
    if names is None:
        return _refused(CorsError.INVALID_ALLOW_HEADERS)
    if not method_is_allowed(request, methods):
        return _refused(CorsError.METHOD_DISALLOWED, normalize_method(request.method))
    missing = missing_request_headers(request, fields)
    if missing:
        return _refused(CorsError.HEADER_DISALLOWED, missing[0])
    return PreflightVerdict(refusal=None, authorization_by_wildcard=_authorization_by_wildcard(request, names))


def max_age(headers: Iterable[Header]) -> int:
    """Seconds for which Chromium remembers a preflight: 5 without a number, at least 0, at most 7200.

    Firefox caps at 86400 seconds, Safari at 600.
    """
    value = field_value(headers, "Access-Control-Max-Age")
    if value is None or not _INTEGER.fullmatch(value):
        return DEFAULT_MAX_AGE
    return min(max(int(value[:20]), 0), CHROMIUM_MAX_AGE)
