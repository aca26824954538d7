"""The CORS protocol as a browser applies it: the steps of the Fetch standard, one file for each of its sections.

Where Chromium (156) and the standard differ, Chromium is followed, because it is what users have; docstrings say where.
"""

from btdiag.families.cors.fetch.check import CorsError, Refusal, cors_check
from btdiag.families.cors.fetch.http_fetch import FetchOutcome, RawResponse, http_fetch
from btdiag.families.cors.fetch.preflight import PreflightVerdict, cors_preflight_fetch, max_age
from btdiag.families.cors.fetch.request import (
    Credentials,
    PageRequest,
    cors_unsafe_request_header_names,
    needs_preflight,
    normalize_method,
    preflight_request,
)
from btdiag.families.cors.fetch.response import readable_headers

__all__ = [
    "CorsError",
    "Credentials",
    "FetchOutcome",
    "PageRequest",
    "PreflightVerdict",
    "RawResponse",
    "Refusal",
    "cors_check",
    "cors_preflight_fetch",
    "cors_unsafe_request_header_names",
    "http_fetch",
    "max_age",
    "needs_preflight",
    "normalize_method",
    "preflight_request",
    "readable_headers",
]
