"""What each response must carry: CORS headers on errors too, each header once, and a memory for preflights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from btdiag.core import sender
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Finding, HopName, Owner, Remedy, Verdict
from btdiag.families.cors.causes import is_absent_route, is_doubled, is_gateway_page, passes, twin
from btdiag.families.cors.facts import CorsSurvey, CorsTrial, Purpose
from btdiag.families.cors.fetch import cors_check, max_age
from btdiag.families.cors.fetch.check import ALLOW_CREDENTIALS, ALLOW_ORIGIN
from btdiag.families.cors.judge.by_turns import steady_ground
from btdiag.families.cors.judge.standing import MAY_CALL, spoken, trial_proofs, where
from btdiag.families.cors.judge.too_loose import APART, cached_problems
from btdiag.families.cors.plan import LARGE_BODY
from btdiag.families.cors.problems import problems, reads
from btdiag.families.cors.remedy import snippets
from btdiag.families.cors.remedy.causes import FETCH

SHORTEST_MAX_AGE = 60  # seconds; below it a page that is used at a normal pace preflights every call again


def _is_error(trial: CorsTrial) -> bool:
    """An error response to judge: not API Gateway's word for a route that was never deployed, and not a 5xx or 429."""
    status = trial.exchange.status or 0
    return 400 <= status < 500 and "Missing Authentication Token" not in trial.exchange.body


def _errors(survey: CorsSurvey, origins: Sequence[str]) -> list[CorsTrial]:
    """The error responses to judge. A route that the data plane does not have, and a gateway's own 404 outside /v1, are
    what no page ever asks for."""
    absent = {trial.path for trial in survey.trials if is_absent_route(trial, survey)}
    asked = survey.of(Purpose.ERROR, Purpose.ACTUAL, Purpose.LARGE)
    if not any(_is_error(trial) for trial in asked):  # a login meets what carries no key
        asked = survey.of(Purpose.CALL)
    return [
        trial
        for trial in asked
        if trial.page.origin == origins[0]
        and _is_error(trial)
        and trial.path not in absent
        and (trial.purpose is not Purpose.LARGE or trial.exchange.status == 413)
        and (trial.exchange.status != 404 or trial.path.startswith("/v1/") or not is_gateway_page(trial.exchange))
    ]


def errors_are_readable(
    surveys: Mapping[str, CorsSurvey], origins: Sequence[str], backend: CorsSurvey | None
) -> Finding:
    """The claim of cors.errors-are-readable: what the API or a gateway refuses reaches the page as an error."""
    base = steady_ground(surveys)
    if base.stop is not None:
        return base.stop
    good = [t for s in base.alive.values() for t in reads(s) if t.page.origin == origins[0]]
    if not any(passes(trial) or is_doubled(trial.exchange) for trial in good):
        return Finding(
            verdict=Verdict.SKIP,
            because=MAY_CALL,
            summary=f"Not even successful responses are readable for {origins[0]}, so errors are not either",
        )
    if cached_problems(base.alive, origins):
        return Finding(
            verdict=Verdict.SKIP, because=APART, summary="A cache answers for the API, so its errors are not to be seen"
        )
    errors = [trial for survey in base.alive.values() for trial in _errors(survey, origins)]
    if not errors:
        return Finding(
            verdict=Verdict.SKIP,
            summary="None of the harmless requests was refused (no 401, 403 or 404), so there was no error to judge",
        )
    hidden = [t for t in errors if not passes(t) and not is_doubled(t.exchange)]
    refused = {p.trial.exchange.status for s in base.alive.values() for p in problems(s, origins)}
    if hidden and all(trial.exchange.status in refused for trial in hidden):
        return Finding(
            verdict=Verdict.SKIP,
            because=MAY_CALL,
            summary=f"Error responses ({_statuses(hidden)}) are not readable: what refuses preflights makes them too",
            evidence=trial_proofs(hidden[0], f"{ALLOW_ORIGIN}: {origins[0]}"),
        )
    if hidden:
        return _unreadable(hidden, errors, base.alive, backend)
    return Finding(
        verdict=Verdict.PASS,
        summary=f"{len(errors)} error responses ({_statuses(errors)}) are readable for {origins[0]}",
    )


def _statuses(trials: Sequence[CorsTrial]) -> str:
    return ", ".join(str(status) for status in sorted({trial.exchange.status or 0 for trial in trials}))


def _why_unreadable(hidden: Sequence[CorsTrial]) -> str:
    """The reason, from who wrote the page."""
    seen = hidden[0].exchange
    if seen.status == 413:
        return f"the gateway itself refuses a body of {LARGE_BODY} bytes (nginx: client_max_body_size)"
    server = (seen.header("server") or "").lower()
    who = sender.sender(seen)
    if sender.page(seen) is not None or (who.confidence is sender.Confidence.CERTAIN and who.hop is not HopName.API):
        return f"the gateway's own error page ({who.words}) has no CORS headers"
    if "nginx" in server or "openresty" in server:
        return "nginx adds its headers to 2xx and 3xx only, for `always` is missing from add_header"
    return "a gateway drops the CORS headers, or adds them to successful responses only"


def _unreadable(
    hidden: Sequence[CorsTrial],
    errors: Sequence[CorsTrial],
    alive: Mapping[str, CorsSurvey],
    backend: CorsSurvey | None,
) -> Finding:
    first = hidden[0]
    refusal = cors_check(first.page.origin, False, first.exchange.headers)
    own = twin(first, backend)
    at_api = own is not None and _is_error(own) and not passes(own)
    direct = (
        ""
        if own is None
        else f"; asked directly, the API server's own answer is {'the same' if at_api else 'readable'}"
    )
    cause = "the API sends errors without CORS headers" if at_api else _why_unreadable(hidden)
    return Finding(
        verdict=Verdict.FAIL,
        answer="Users of the web app see 'Failed to fetch' instead of the API's errors",
        summary=f"{len(hidden)} of {len(errors)} error responses ({_statuses(hidden)}) are hidden from the page "
        f"{where(hidden, alive)}: {cause}; users see 'Failed to fetch' instead of the reason{direct}",
        hop=HopName.API if at_api else HopName.LOAD_BALANCER,
        owner=Owner.API if at_api else Owner.LOAD_BALANCER,
        expected=f"{ALLOW_ORIGIN}: {first.page.origin} on every status, as on 200",
        seen=f"{first.exchange.status} to {spoken(first)}: {refusal.error if refusal else ''}",
        evidence=trial_proofs(first, f"{ALLOW_ORIGIN}: {first.page.origin}"),
        remedy=Remedy(
            text="Add the CORS headers to every status (nginx: `always`), and do not replace the API's error pages.",
            action="Add the CORS headers to every status (nginx: `always`), and keep the API's own error pages",
            snippets=snippets.headers_on_errors_too(first.page.origin),
        ),
        sources=("https://nginx.org/en/docs/http/ngx_http_headers_module.html#add_header", FETCH),
    )


def headers_not_doubled(
    surveys: Mapping[str, CorsSurvey], origins: Sequence[str], backend: CorsSurvey | None
) -> Finding:
    """The claim of cors.headers-not-doubled: the headers that may have one value have one."""
    base = steady_ground(surveys)
    if base.stop is not None:
        return base.stop
    purposes = (Purpose.PREFLIGHT, Purpose.ACTUAL, Purpose.ERROR)
    trials = [t for s in base.alive.values() for t in s.of(*purposes) if t.page.origin in origins]
    origin = [trial for trial in trials if is_doubled(trial.exchange)]
    credentials = [trial for trial in trials if is_doubled(trial.exchange, ALLOW_CREDENTIALS)]
    if origin or credentials:
        return _doubled(origin or credentials, ALLOW_ORIGIN if origin else ALLOW_CREDENTIALS, base.alive, backend)
    return Finding(
        verdict=Verdict.PASS,
        summary=f"{ALLOW_ORIGIN} and {ALLOW_CREDENTIALS} come at most once in {len(trials)} responses",
    )


def _doubled(
    trials: Sequence[CorsTrial], name: str, alive: Mapping[str, CorsSurvey], backend: CorsSurvey | None
) -> Finding:
    first = trials[0]
    values = first.exchange.header_values(name)
    own = twin(first, backend)
    by_api = own is not None and is_doubled(own.exchange, name)
    source = _who_doubles(own, by_api)
    blocks = name == ALLOW_ORIGIN
    effect = "browsers refuse every such response" if blocks else "browsers refuse it with credentials: 'include' only"
    return Finding(
        verdict=Verdict.FAIL if blocks else Verdict.WARN,
        answer="The web app cannot call the API: answers name the allowed origin twice"
        if blocks
        else "Calls of the web app with cookies would be refused: a CORS header comes twice",
        summary=f"{name} is doubled ({' and '.join(map(repr, values))}) in the answer to {spoken(first)} "
        f"{where(trials, alive)}: {source}, and {effect}",
        hop=HopName.API if by_api else HopName.LOAD_BALANCER,
        owner=Owner.API if by_api else Owner.LOAD_BALANCER,
        expected=f"{name} once",
        seen=f"{name}: {first.exchange.header(name)}",
        evidence=trial_proofs(first, f"{name} once"),
        remedy=Remedy(
            text=f"Let either the API or the gateway set {name}, not both.",
            action=f"Let either the API or the gateway set {name}, not both",
            snippets=snippets.one_allow_origin(first.page.origin),
        ),
        sources=(FETCH, "Fetch standard, CORS check"),
    )


def _who_doubles(own: CorsTrial | None, by_api: bool) -> str:
    if by_api:
        return "the API server itself sends it so"
    return "the API and a gateway in front of it both add it" + (
        "; asked directly, the API server sends it once" if own is not None else ""
    )


def preflight_is_cached(
    surveys: Mapping[str, CorsSurvey], origins: Sequence[str], backend: CorsSurvey | None
) -> Finding:
    """The claim of cors.preflight-is-cached: browsers may remember a preflight long enough to be of use."""
    base = steady_ground(surveys)
    if base.stop is not None:
        return base.stop
    trials = [
        t for s in base.alive.values() for t in s.of(Purpose.PREFLIGHT) if t.page.origin == origins[0] and passes(t)
    ]
    if not trials:
        return Finding(
            verdict=Verdict.SKIP, because=MAY_CALL, summary="No preflight passes, so there is nothing to remember"
        )
    short = [trial for trial in trials if max_age(trial.exchange.headers) < SHORTEST_MAX_AGE]
    if short:
        return _not_cached(short, base.alive, backend)
    shortest = min(max_age(trial.exchange.headers) for trial in trials)
    return Finding(
        verdict=Verdict.PASS,
        summary=f"Browsers remember preflights for at least {shortest} s ({len(trials)} preflights)",
    )


def _not_cached(short: Sequence[CorsTrial], alive: Mapping[str, CorsSurvey], backend: CorsSurvey | None) -> Finding:
    first = min(short, key=lambda trial: max_age(trial.exchange.headers))
    value = _max_age_value(first.exchange)
    own = twin(first, backend)
    at_api = own is not None and max_age(own.exchange.headers) < SHORTEST_MAX_AGE
    seconds = max_age(first.exchange.headers)
    return Finding(
        verdict=Verdict.WARN,
        answer="The web app is slower than it need be: browsers forget its preflights at once",
        summary=f"Access-Control-Max-Age is {value} {where(short, alive)}, so Chromium remembers a preflight for "
        f"{seconds} s: almost every call of the web app costs a second round trip",
        hop=HopName.API if at_api else HopName.LOAD_BALANCER,
        owner=Owner.API if at_api else Owner.LOAD_BALANCER,
        expected="Access-Control-Max-Age: 600 to 7200 (browsers cap it at 600 to 86400)",
        seen=f"Access-Control-Max-Age: {value}",
        evidence=trial_proofs(first, "Access-Control-Max-Age: 600 or more"),
        remedy=Remedy(
            text="Send Access-Control-Max-Age: 7200 with every preflight; the API's own value is 86400.",
            action="Send Access-Control-Max-Age: 7200 with every preflight",
            snippets=snippets.remembered(),
        ),
        sources=("Fetch standard, CORS-preflight cache",),
    )


def _max_age_value(seen: Exchange) -> str:
    value = seen.header("Access-Control-Max-Age")
    return "missing" if value is None else repr(value)
