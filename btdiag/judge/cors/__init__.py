"""The CORS protocol as a browser applies it: the steps of the Fetch standard, one file for each of its sections.

Where Chromium (156) and the standard differ, Chromium is followed, because it is what users have; docstrings say where.
"""

from btdiag.judge.cors.check import CorsError, Refusal, cors_check
from btdiag.judge.cors.fetch import Outcome, RawResponse, http_fetch
from btdiag.judge.cors.preflight import (
    PreflightVerdict,
    cors_preflight_fetch,
    max_age,
)
from btdiag.judge.cors.request import (
    Credentials,
    PageRequest,
    cors_unsafe_request_header_names,
    needs_preflight,
    normalize_method,
    preflight_request,
)
from btdiag.judge.cors.response import readable_headers

__all__ = [
    "CorsError",
    "Credentials",
    "Outcome",
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
