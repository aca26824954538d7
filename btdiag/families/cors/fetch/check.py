"""The CORS check: may a page of this origin see this response?

Source: Fetch standard, section "CORS check"; https://fetch.spec.whatwg.org/#cors-check
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from btdiag.families.cors.fetch.fields import Header, field_value
from btdiag.families.cors.fetch.origin import is_valid_url

ALLOW_ORIGIN = "Access-Control-Allow-Origin"
ALLOW_CREDENTIALS = "Access-Control-Allow-Credentials"


class CorsError(StrEnum):
    """Why a browser refuses, in Chromium's words (CDP `Network.CorsError`)."""

    MISSING_ALLOW_ORIGIN = "MissingAllowOriginHeader"
    MULTIPLE_ALLOW_ORIGIN = "MultipleAllowOriginValues"
    INVALID_ALLOW_ORIGIN = "InvalidAllowOriginValue"
    ALLOW_ORIGIN_MISMATCH = "AllowOriginMismatch"
    WILDCARD_ORIGIN = "WildcardOriginNotAllowed"
    INVALID_ALLOW_CREDENTIALS = "InvalidAllowCredentials"
    PREFLIGHT_MISSING_ALLOW_ORIGIN = "PreflightMissingAllowOriginHeader"
    PREFLIGHT_MULTIPLE_ALLOW_ORIGIN = "PreflightMultipleAllowOriginValues"
    PREFLIGHT_INVALID_ALLOW_ORIGIN = "PreflightInvalidAllowOriginValue"
    PREFLIGHT_ALLOW_ORIGIN_MISMATCH = "PreflightAllowOriginMismatch"
    PREFLIGHT_WILDCARD_ORIGIN = "PreflightWildcardOriginNotAllowed"
    PREFLIGHT_INVALID_ALLOW_CREDENTIALS = "PreflightInvalidAllowCredentials"
    PREFLIGHT_INVALID_STATUS = "PreflightInvalidStatus"
    PREFLIGHT_REDIRECT = "PreflightDisallowedRedirect"
    INVALID_ALLOW_METHODS = "InvalidAllowMethodsPreflightResponse"
    INVALID_ALLOW_HEADERS = "InvalidAllowHeadersPreflightResponse"
    METHOD_DISALLOWED = "MethodDisallowedByPreflightResponse"
    HEADER_DISALLOWED = "HeaderDisallowedByPreflightResponse"
    REDIRECT_CONTAINS_CREDENTIALS = "RedirectContainsCredentials"
    CORS_DISABLED_SCHEME = "CorsDisabledScheme"
    NETWORK_ERROR = "NetworkError"  # no CORS matter: the redirect leads nowhere, or too far

    @property
    def in_preflight(self) -> CorsError:
        """The same refusal, met in the answer to a preflight."""
        return CorsError(f"Preflight{self.value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why and where a browser stops. `parameter` is the value or name at fault ("" where Chromium gives none); `step`
    is the section of the Fetch standard that says so."""

    error: CorsError
    parameter: str = ""
    step: str = "CORS check"


def _wrong_origin(value: str) -> CorsError:
    """Chromium's name for a value that is not the origin; the standard knows only "failure"."""
    if " " in value or "," in value:
        return CorsError.MULTIPLE_ALLOW_ORIGIN
    if value == "null" or is_valid_url(value):
        return CorsError.ALLOW_ORIGIN_MISMATCH
    return CorsError.INVALID_ALLOW_ORIGIN


def cors_check(origin: str, with_credentials: bool, headers: Iterable[Header]) -> Refusal | None:
    """None when a page of `origin` may see a response with these headers, else the reason.

    Byte for byte: no case folding, no default port, no list. `*` counts without credentials only, and with them
    `Access-Control-Allow-Credentials` must be `true` in lower case.
    """
    fields = tuple(headers)
    value = field_value(fields, ALLOW_ORIGIN)
    if value is None:
        return Refusal(error=CorsError.MISSING_ALLOW_ORIGIN)
    if value == "*":
        return Refusal(error=CorsError.WILDCARD_ORIGIN) if with_credentials else None
    if value != origin:
        return Refusal(error=_wrong_origin(value), parameter=value)
    permission = field_value(fields, ALLOW_CREDENTIALS)
    if with_credentials and permission != "true":
        return Refusal(error=CorsError.INVALID_ALLOW_CREDENTIALS, parameter=permission or "")
    return None
