"""What a browser refuses on one way to the API, each refusal with its cause."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from btdiag.core import sender
from btdiag.families.cors.causes import CorsCause, cause_of_refusal, is_absent_route
from btdiag.families.cors.contrast import culprit, is_bad
from btdiag.families.cors.facts import CorsSurvey, CorsTrial, Purpose, refusal_of
from btdiag.families.cors.fetch import CorsError, Refusal, cors_check
from btdiag.families.cors.redirects import to_plain_http


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One trial that a browser would refuse. `with_credentials`: only `credentials: "include"` breaks."""

    trial: CorsTrial
    refusal: Refusal
    cause: CorsCause
    with_credentials: bool = False


def problems(survey: CorsSurvey, origins: Iterable[str], backend: CorsSurvey | None = None) -> tuple[Problem, ...]:
    """Every preflight and simple request of the web app that a browser refuses, without or with credentials."""
    wanted = frozenset(origins)
    found = []
    for trial in survey.of(Purpose.PREFLIGHT, Purpose.ACTUAL):
        if trial.page.origin not in wanted or is_absent_route(trial, survey, backend) or _is_mere_error(trial):
            continue
        if not trial.preflight and meets_login(trial) and key_opens(survey):
            continue
        for with_credentials in (False, True):
            refusal = _refusal(trial, with_credentials)
            if refusal is not None:
                cause = cause_of_refusal(trial, refusal, survey)
                found.append(Problem(trial=trial, refusal=refusal, cause=cause, with_credentials=with_credentials))
                break
    return (*found, *_calls(survey), *_silences(survey, wanted))


def _calls(survey: CorsSurvey) -> tuple[Problem, ...]:
    """The call as the web app makes it that is refused for something in it."""
    guilty = culprit(survey)
    if guilty is None or guilty.refused.purpose is not Purpose.CALL:
        return ()
    trial = guilty.refused
    refusal = cors_check(trial.page.origin, False, trial.exchange.headers) if trial.answered else None
    none = Refusal(error=CorsError.NETWORK_ERROR, step="HTTP-network-or-cache fetch")
    stopped = refusal or none
    return (Problem(trial=trial, refusal=stopped, cause=cause_of_refusal(trial, stopped, survey)),)


def meets_login(trial: CorsTrial) -> bool:
    """Is the request shown the way to a login?"""
    leads = sender.redirect(trial.exchange)
    return (leads is not None and leads.to_login) or sender.page(trial.exchange) is sender.Page.LOGIN


def key_opens(survey: CorsSurvey) -> bool:
    """Does a call that carries the key read the API? What only bare requests meet is then no matter for the web app."""
    return any(
        trial.page.method == "GET"
        and not is_bad(trial)
        and 200 <= (trial.exchange.status or 0) < 300
        and any(name.lower() == "authorization" for name, _ in trial.exchange.request_headers)
        for trial in survey.of(Purpose.CALL)
    )


def reads(survey: CorsSurvey) -> tuple[CorsTrial, ...]:
    """The simple requests that read the API; where bare ones meet a login, the call that carries the key."""
    calls = [trial for trial in survey.of(Purpose.CALL) if trial.page.method == "GET" and key_opens(survey)]
    return tuple(calls) or survey.of(Purpose.ACTUAL)


def _is_mere_error(trial: CorsTrial) -> bool:
    """A 4xx to a simple request is judged as an error response."""
    return not trial.preflight and 400 <= (trial.exchange.status or 0) < 500


def _silences(survey: CorsSurvey, origins: frozenset[str]) -> tuple[Problem, ...]:
    """Preflights that got no answer at all where other requests do."""
    silent = Refusal(error=CorsError.NETWORK_ERROR, step="CORS-preflight fetch")
    return tuple(
        Problem(trial=trial, refusal=silent, cause=CorsCause.SILENCE)
        for trial in survey.trials
        if trial.purpose is Purpose.PREFLIGHT and trial.is_silent and trial.page.origin in origins
    )


def _refusal(trial: CorsTrial, with_credentials: bool) -> Refusal | None:
    if trial.preflight:
        return refusal_of(trial, with_credentials=with_credentials)
    refusal = cors_check(trial.page.origin, with_credentials, trial.exchange.headers)
    if refusal is None and (plain := to_plain_http(trial)) is not None:
        return Refusal(error=CorsError.NETWORK_ERROR, parameter=plain, step="HTTP-redirect fetch; Mixed Content")
    leads = sender.redirect(trial.exchange)
    if refusal is None and leads is not None and leads.to_login:
        return Refusal(error=CorsError.MISSING_ALLOW_ORIGIN, step="HTTP-redirect fetch")
    return refusal
