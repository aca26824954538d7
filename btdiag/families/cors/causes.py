"""Who broke it: from a refused trial and its neighbours to the hop that must have caused the refusal.

What another question shows comes first: without a group of headers, past every cache. Then what each kind of hop leaves
behind: a login page, a firewall's own page, a cache that strips `Origin` and lets all CORS headers through but the one
that echoes it. The API server's own answer (--backend), where it is known, overrules every guess.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from btdiag.core import sender
from btdiag.core.exchange import Exchange
from btdiag.core.finding import HopName
from btdiag.families.cors.contrast import culprit
from btdiag.families.cors.facts import PROXY_PATH, CorsSurvey, CorsTrial, Group, Purpose, refusal_of
from btdiag.families.cors.fetch import CorsError, Refusal, cors_check
from btdiag.families.cors.fetch.check import ALLOW_CREDENTIALS, ALLOW_ORIGIN
from btdiag.families.cors.fetch.fields import field_value
from btdiag.families.cors.plan import refused_alike, refused_headers
from btdiag.families.cors.redirects import to_plain_http

_LISTS = (
    *(f"Access-Control-{name}" for name in ("Allow-Methods", "Allow-Headers", "Expose-Headers", "Max-Age")),
    ALLOW_CREDENTIALS,
)
_APP_MARKS = ("x-powered-by", "x-bt-internal-trace-id", "x-request-id", "etag")
_ACCESS_MARKS = ("cf-access-aud", "cf-access-domain", "www-authenticate", "x-auth-request-redirect")
_LOGIN_WORDS = ("sign in", "log in", "login", "oauth", "authenticate", "authorization required")


class CorsCause(StrEnum):
    """What went wrong on the way, named for the hop that does it."""

    REQUEST_HEADERS = "what the browser sends"  # the same request passes without a group of headers
    PACKED = "compression"  # and what comes cannot be unpacked
    CACHE = "cache"  # the same request passes with a query that no cache has seen
    UPSTREAM = "upstream"  # a gateway's own 5xx: no CORS matter at all
    DOUBLED = "doubled"
    AUTHENTICATION = "authentication"
    TO_HTTP = "redirect to http"
    REDIRECT = "redirect"
    NO_ROUTE = "no route"  # 404 to every method, from the front
    METHOD_FILTER = "method filter"
    FIREWALL = "firewall"
    TOO_LARGE = "too large"
    STRIPPED_REQUEST = "stripped request headers"
    ANSWERED_WITHOUT_CORS = "OPTIONS answered without CORS"
    HEADERS_DROPPED = "CORS headers dropped"
    FIXED_ORIGIN = "fixed origin"
    ORIGIN_REFUSED = "origin refused"
    METHOD_LIST = "method list"
    HEADER_LIST = "header list"
    BROKEN_LIST = "broken list"
    CREDENTIALS = "credentials"
    SILENCE = "no answer"


def is_doubled(seen: Exchange, name: str = ALLOW_ORIGIN) -> bool:
    """Does a response carry a one-value CORS header more than once, or several values in one line?"""
    return len(seen.header_values(name)) > 1 or "," in (seen.header(name) or "")


def passes(trial: CorsTrial) -> bool:
    """Would a browser let the page see this answer, without credentials?"""
    if trial.preflight:
        return refusal_of(trial) is None
    return cors_check(trial.page.origin, False, trial.exchange.headers) is None


def cause_of_refusal(trial: CorsTrial, refusal: Refusal, survey: CorsSurvey) -> CorsCause:
    """The cause of a refusal. `survey` holds the neighbours of the trial: the same address, asked otherwise."""
    seen = trial.exchange
    status = seen.status or 0
    contrasted = _by_contrast(trial, survey)
    if contrasted is not None:
        return contrasted
    if is_doubled(seen):
        return CorsCause.DOUBLED
    if status >= 500 and status != 501:
        return CorsCause.UPSTREAM
    if to_plain_http(trial) is not None:
        return CorsCause.TO_HTTP
    if refusal.error in _BY_ERROR:
        return _BY_ERROR[refusal.error]
    if sender.redirect(seen) is not None:
        return _redirect_cause(seen)
    if status >= 400:
        return _by_status(trial, survey)
    return _without_origin(trial, survey)


def _by_contrast(trial: CorsTrial, survey: CorsSurvey) -> CorsCause | None:
    """The cause where another question shows it: without a group of headers, or past every cache."""
    guilty = culprit(survey)
    status = trial.exchange.status
    alike = status is not None and status >= 400 and guilty is not None and guilty.refused.exchange.status == status
    if guilty is not None and (alike or guilty.refused == trial):
        spoiled = guilty.group is Group.ENCODINGS and guilty.refused.exchange.failure is not None
        return CorsCause.PACKED if spoiled else CorsCause.REQUEST_HEADERS
    return CorsCause.CACHE if not trial.preflight and is_cached(trial, survey) else None


def is_cached(trial: CorsTrial, survey: CorsSurvey) -> bool:
    """Is this a simple request whose like is refused every time, and passes with a query that no cache has seen?"""
    past = {(other.path, other.page) for other in survey.of(Purpose.FRESH) if passes(other)}
    alike = (trial.exchange.status, trial.exchange.header(ALLOW_ORIGIN))
    return any(
        (other.path, other.page) in past and (other.exchange.status, other.exchange.header(ALLOW_ORIGIN)) == alike
        for other in survey.of(Purpose.ACTUAL)
    )


_BY_ERROR = {
    CorsError.METHOD_DISALLOWED: CorsCause.METHOD_LIST,
    CorsError.HEADER_DISALLOWED: CorsCause.HEADER_LIST,
    CorsError.INVALID_ALLOW_METHODS: CorsCause.BROKEN_LIST,
    CorsError.INVALID_ALLOW_HEADERS: CorsCause.BROKEN_LIST,
    **dict.fromkeys(
        (
            CorsError.ALLOW_ORIGIN_MISMATCH,
            CorsError.INVALID_ALLOW_ORIGIN,
            CorsError.MULTIPLE_ALLOW_ORIGIN,
            CorsError.PREFLIGHT_ALLOW_ORIGIN_MISMATCH,
            CorsError.PREFLIGHT_INVALID_ALLOW_ORIGIN,
            CorsError.PREFLIGHT_MULTIPLE_ALLOW_ORIGIN,
        ),
        CorsCause.FIXED_ORIGIN,
    ),
    **dict.fromkeys(
        (
            CorsError.WILDCARD_ORIGIN,
            CorsError.PREFLIGHT_WILDCARD_ORIGIN,
            CorsError.INVALID_ALLOW_CREDENTIALS,
            CorsError.PREFLIGHT_INVALID_ALLOW_CREDENTIALS,
        ),
        CorsCause.CREDENTIALS,
    ),
}


def _redirect_cause(seen: Exchange) -> CorsCause:
    leads = sender.redirect(seen)
    marked = any(seen.header(name) for name in _ACCESS_MARKS)
    return CorsCause.AUTHENTICATION if marked or (leads is not None and leads.to_login) else CorsCause.REDIRECT


def _by_status(trial: CorsTrial, survey: CorsSurvey) -> CorsCause:
    """4xx and 501."""
    status = trial.exchange.status
    if _origin_is_unknown(trial, survey):
        return CorsCause.ORIGIN_REFUSED
    if status in (401, 407):
        return CorsCause.AUTHENTICATION
    if lacks_rule(trial, survey):
        return CorsCause.NO_ROUTE
    if status == 403:
        return _forbidden(trial, survey)
    if status in (413, 414, 431):
        return CorsCause.TOO_LARGE
    if trial.preflight and parts_at_fault(trial, survey):
        return CorsCause.HEADER_LIST
    return CorsCause.METHOD_FILTER if trial.preflight else CorsCause.HEADERS_DROPPED


def _origin_is_unknown(trial: CorsTrial, survey: CorsSurvey) -> bool:
    """Is every answer to this origin without CORS headers, successful ones too, and none of them a gateway's page?

    An API that does not know an origin treats OPTIONS as just another request: 404 here, 401 there.
    """
    served = [t for t in survey.of(Purpose.ACTUAL) if t.page.origin == trial.page.origin and t.exchange.status == 200]
    bare = [t for t in served if t.exchange.header(ALLOW_ORIGIN) is None]
    return bool(served) and len(bare) == len(served) and not is_gateway_page(trial.exchange)


def _forbidden(trial: CorsTrial, survey: CorsSurvey) -> CorsCause:
    seen = trial.exchange
    words = seen.body[:4096].lower()
    if any(seen.header(name) for name in _ACCESS_MARKS) or any(word in words for word in _LOGIN_WORDS):
        return CorsCause.AUTHENTICATION
    if _is_missing_route(seen):
        return CorsCause.METHOD_FILTER
    if trial.path == PROXY_PATH and seen.body.strip() == "Forbidden":
        return CorsCause.ORIGIN_REFUSED
    reachable = any(other.exchange.status == 200 for other in survey.of(Purpose.ACTUAL))
    known = sender.sender(seen)
    if not reachable and known.confidence is sender.Confidence.CERTAIN and known.name == "nginx":
        return CorsCause.AUTHENTICATION
    return CorsCause.FIREWALL


def _is_missing_route(seen: Exchange) -> bool:
    """API Gateway's answer to a route that was never deployed; it is not about tokens."""
    return seen.status == 403 and "Missing Authentication Token" in seen.body


def is_gateway_page(seen: Exchange) -> bool:
    """Did a gateway write this response itself, or is it HTML, which the API never sends?"""
    who = sender.sender(seen)
    known = who.confidence is sender.Confidence.CERTAIN and who.hop is not HopName.API
    return known or sender.page(seen) is not None


def parts_at_fault(trial: CorsTrial, survey: CorsSurvey) -> tuple[str, ...]:
    """The request headers that are refused each by itself, here or on a route that is refused alike."""
    parts, alike = survey.of(Purpose.PART), refused_alike(trial, survey.trials)
    names = {name for other in alike for name in refused_headers(parts, other.path, other.page.origin)}
    return tuple(sorted(names | set(refused_headers(survey.trials, trial.path, trial.page.origin))))


def _pages_are_served(survey: CorsSurvey) -> bool:
    """Did a simple request of the web app pass the CORS check?"""
    return any(passes(trial) for trial in survey.of(Purpose.ACTUAL))


def _without_origin(trial: CorsTrial, survey: CorsSurvey) -> CorsCause:
    """A 2xx answer without Access-Control-Allow-Origin: who left it out?"""
    seen = trial.exchange
    has_others = any(seen.header(name) is not None for name in _LISTS)
    if not trial.preflight:
        return _simple_without_origin(trial, survey, has_others)
    if parts_at_fault(trial, survey):
        return CorsCause.HEADER_LIST
    if has_others:
        return CorsCause.STRIPPED_REQUEST
    if _pages_are_served(survey):
        return CorsCause.STRIPPED_REQUEST if seen.header("allow") else CorsCause.ANSWERED_WITHOUT_CORS
    strips = trial.path == PROXY_PATH and seen.header("allow") is not None
    return CorsCause.STRIPPED_REQUEST if strips else CorsCause.ORIGIN_REFUSED


def _simple_without_origin(trial: CorsTrial, survey: CorsSurvey, has_others: bool) -> CorsCause:
    """A simple request: dropped after good preflights, or bare for the reason that the preflights tell."""
    if sender.page(trial.exchange) is sender.Page.LOGIN:
        return CorsCause.AUTHENTICATION
    preflights = survey.of(Purpose.PREFLIGHT)
    if any(passes(other) for other in preflights):
        return CorsCause.HEADERS_DROPPED
    bare = [other.exchange for other in preflights if other.exchange.header(ALLOW_ORIGIN) is None]
    lists = any(seen.header(name) is not None for seen in bare for name in _LISTS)
    return CorsCause.STRIPPED_REQUEST if has_others or lists else CorsCause.ORIGIN_REFUSED


def is_absent_route(trial: CorsTrial, survey: CorsSurvey, backend: CorsSurvey | None = None) -> bool:
    """Is this a route that the data plane does not have: 404 to OPTIONS and to GET, while other routes pass?

    Not where the API server itself (`backend`) has it, nor where a gateway's own page says 404: it lacks a rule.
    """
    if not trial.preflight or not _says_no_route(trial.exchange):
        return False
    others = [t for t in survey.of(Purpose.PREFLIGHT) if t.page.origin == trial.page.origin and t.path != trial.path]
    there = [t for t in survey.of(Purpose.EXISTS) if t.path == trial.path]
    gone = all(_says_no_route(t.exchange) for t in there)
    own = twin(trial, backend)
    lacks_rule = passes(own) if own is not None else _is_fronts_404(trial.exchange)
    return gone and not lacks_rule and any(passes(other) for other in others)


def _says_no_route(seen: Exchange) -> bool:
    return seen.status == 404 or _is_missing_route(seen)


def _is_fronts_404(seen: Exchange) -> bool:
    """Does a load balancer's own page say 404? API Gateway says so of routes that were never deployed there."""
    return seen.status == 404 and is_gateway_page(seen) and "API Gateway" not in sender.sender(seen).name


def lacks_rule(trial: CorsTrial, survey: CorsSurvey) -> bool:
    """Does the front answer 404 to the path, whatever the method, while it lets preflights of other routes through?"""
    there = [t for t in survey.of(Purpose.EXISTS) if t.path == trial.path]
    others = [t for t in survey.of(Purpose.PREFLIGHT) if t.path != trial.path]
    missing = bool(there) and all(_says_no_route(t.exchange) for t in there)
    return trial.preflight and _says_no_route(trial.exchange) and missing and any(passes(t) for t in others)


def answered_by_gateway(trial: CorsTrial, survey: CorsSurvey) -> bool | None:
    """Did a gateway answer this preflight itself, without the marks that the app leaves? None where nothing tells."""
    others = survey.of(Purpose.ACTUAL, Purpose.ERROR)
    marks = [name for name in _APP_MARKS[:3] if any(other.exchange.header(name) for other in others)]
    if not marks:
        return None
    return not any(trial.exchange.header(name) for name in marks)


def twin(trial: CorsTrial, backend: CorsSurvey | None) -> CorsTrial | None:
    """The same question, answered by the API server itself (from its lists, where only the method is another one)."""
    if backend is None:
        return None
    kind = (trial.path, trial.page.origin, trial.preflight)
    alike = [t for t in backend.of(*Purpose) if (t.path, t.page.origin, t.preflight) == kind]
    same = next((t for t in alike if t.page == trial.page), None)
    listed = next((t for t in alike if t.purpose is Purpose.PREFLIGHT), None)
    return same or (replace(listed, page=trial.page) if listed else None)


def allowed_origin(trial: CorsTrial) -> str:
    """The value that was sent, "" for none."""
    return field_value(trial.exchange.headers, ALLOW_ORIGIN) or ""
