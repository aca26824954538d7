"""One cross-origin fetch from beginning to end: preflight, request, redirects, and what the page gets.

Source: Fetch standard, sections "HTTP fetch" and "HTTP-redirect fetch"; https://fetch.spec.whatwg.org/#http-fetch
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias
from urllib.parse import urljoin, urlsplit

from btdiag.core.urls import port_of
from btdiag.families.cors.fetch.check import CorsError, Refusal, cors_check
from btdiag.families.cors.fetch.fields import Header, field_value
from btdiag.families.cors.fetch.preflight import REDIRECT_STATUSES, PreflightVerdict, cors_preflight_fetch
from btdiag.families.cors.fetch.request import (
    PageRequest,
    cors_unsafe_request_header_names,
    needs_preflight,
    normalize_method,
)
from btdiag.families.cors.fetch.response import readable_headers

_MOST_REDIRECTS = 20
_BODY_HEADERS = frozenset({"content-encoding", "content-language", "content-location", "content-type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RawResponse:
    """An answer as it came: header lines in order, repeated ones kept apart."""

    status: int
    headers: tuple[Header, ...] = ()


Answers: TypeAlias = Callable[[str, str], RawResponse]
"""What a server answers: (method, absolute URL) -> response; the method of a preflight is "OPTIONS" and its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOutcome:
    """What becomes of a fetch.

    `refusal` is None when it resolves; `status` and `readable` are then what the page sees. `preflights` holds the
    header names that each preflight sent asked for; `actual_sent` tells if the request itself reached the server.
    `authorization_by_wildcard` is Chromium's deprecation, see PreflightVerdict.
    """

    refusal: Refusal | None
    status: int | None = None
    readable: tuple[str, ...] = ()
    preflights: tuple[tuple[str, ...], ...] = ()
    actual_sent: bool = False
    authorization_by_wildcard: bool = False

    @property
    def allowed(self) -> bool:
        """Does the fetch resolve?"""
        return self.refusal is None


@dataclass(frozen=True, slots=True)
class _Leg:
    """Where a fetch stands between two redirects. `sender` is the origin that the next request names."""

    request: PageRequest
    url: str
    sender: str
    redirects: int
    so_far: FetchOutcome


def _origin_of(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), port_of(parts)


def _same_origin(url: str, other: str) -> bool:
    return _origin_of(url) == _origin_of(other)


def _stop(outcome: FetchOutcome, error: CorsError, parameter: str = "") -> FetchOutcome:
    return replace(outcome, refusal=Refusal(error=error, parameter=parameter, step="HTTP-redirect fetch"))


def _after_redirect(request: PageRequest, status: int) -> PageRequest:
    """The next request: 301 and 302 turn POST, 303 all but GET and HEAD, into a GET without the body's headers."""
    method = normalize_method(request.method)
    turns = (status in (301, 302) and method == "POST") or (status == 303 and method not in ("GET", "HEAD"))
    if not turns:
        return request
    kept = tuple((name, value) for name, value in request.headers if name.lower() not in _BODY_HEADERS)
    return replace(request, method="GET", headers=kept)


def _without_authorization(request: PageRequest) -> PageRequest:
    return replace(request, headers=tuple(pair for pair in request.headers if pair[0].lower() != "authorization"))


def _redirected(leg: _Leg, response: RawResponse, outcome: FetchOutcome) -> _Leg | FetchOutcome:
    """The next leg after a redirect whose response passed the CORS check (Fetch, "HTTP-redirect fetch")."""
    url = urljoin(leg.url, field_value(response.headers, "Location") or "")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return _stop(outcome, CorsError.CORS_DISABLED_SCHEME)
    if leg.redirects >= _MOST_REDIRECTS:
        return _stop(outcome, CorsError.NETWORK_ERROR)
    if parts.username or parts.password:
        return _stop(outcome, CorsError.REDIRECT_CONTAINS_CREDENTIALS)
    crosses = not _same_origin(url, leg.url)
    request = _after_redirect(leg.request, response.status)
    return _Leg(
        request=_without_authorization(request) if crosses else request,
        url=url,
        sender="null" if crosses and not _same_origin(leg.url, leg.request.origin) else leg.sender,
        redirects=leg.redirects + 1,
        so_far=outcome,
    )


def _preflighted(leg: _Leg, answers: Answers) -> tuple[PageRequest, FetchOutcome]:
    request, outcome = replace(leg.request, origin=leg.sender), leg.so_far
    if not needs_preflight(request):
        return request, outcome
    answer = answers("OPTIONS " + normalize_method(request.method), leg.url)
    verdict: PreflightVerdict = cors_preflight_fetch(request, answer.status, answer.headers)
    return request, replace(
        outcome,
        refusal=verdict.refusal,
        preflights=(*outcome.preflights, cors_unsafe_request_header_names(request.headers)),
        authorization_by_wildcard=outcome.authorization_by_wildcard or verdict.authorization_by_wildcard,
    )


def _one_leg(leg: _Leg, answers: Answers) -> _Leg | FetchOutcome:
    request, outcome = _preflighted(leg, answers)
    if outcome.refusal is not None:
        return outcome
    response = answers(normalize_method(request.method), leg.url)
    refusal = cors_check(request.origin, request.with_credentials, response.headers)
    outcome = replace(outcome, actual_sent=True, refusal=refusal)
    if refusal is not None:
        return outcome
    if response.status in REDIRECT_STATUSES and field_value(response.headers, "Location") is not None:
        return _redirected(leg, response, outcome)
    return replace(
        outcome, status=response.status, readable=readable_headers(response.headers, request.with_credentials)
    )


def http_fetch(request: PageRequest, url: str, answers: Answers) -> FetchOutcome:
    """Judge a whole cross-origin fetch to an absolute URL, given what the server answers.

    The CORS check applies to every response, redirects included. A redirect from one foreign origin to another makes
    the origin `null`, and drops Authorization. A URL of the page's own origin within a chain is not expected here.
    """
    leg = _Leg(request, url, request.origin, 0, FetchOutcome(refusal=None))
    while True:
        step = _one_leg(leg, answers)
        if isinstance(step, FetchOutcome):
            return step
        leg = step
