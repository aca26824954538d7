"""The claims that the web app's calls depend on: may it call, can it read errors, is a header doubled, is it cached?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from btdiag.judge import cors_snippets as snippets
from btdiag.judge import evidence, gateway
from btdiag.judge.cors import CorsError, cors_check, cors_preflight_fetch, max_age
from btdiag.judge.cors.check import ALLOW_CREDENTIALS, ALLOW_ORIGIN
from btdiag.judge.cors_blame import FETCH, Blame, blame
from btdiag.judge.cors_ground import ground, proof, spoken, where
from btdiag.judge.cors_hops import Cause, Problem, is_absent_route, is_doubled, parts_at_fault, passes, problems, twin
from btdiag.judge.cors_survey import HEADERS, CorsSurvey, Purpose, Trial
from btdiag.judge.exchange import Exchange
from btdiag.model import Evidence, Finding, HopName, Owner, Remedy, Verdict

MAY_CALL = "cors.web-app-may-call"
NOT_DOUBLED = "cors.headers-not-doubled"
SHORTEST_MAX_AGE = 60  # seconds; below it a page that is used at a normal pace preflights every call again
_RANK = {cause: number for number, cause in enumerate(Cause)}


def web_app_may_call(surveys: Mapping[str, CorsSurvey], origins: Sequence[str], backend: CorsSurvey | None) -> Finding:
    """The claim of cors.web-app-may-call: preflights and simple requests of each origin pass at every address."""
    base = ground(surveys)
    if base.stop is not None:
        return base.stop
    found = [problem for survey in base.alive.values() for problem in problems(survey, origins)]
    strict = [problem for problem in found if not problem.with_credentials]
    if strict and all(problem.cause is Cause.DOUBLED for problem in strict):
        return _because_doubled(strict)
    blocking = [problem for problem in strict if problem.cause is not Cause.DOUBLED]
    if blocking:
        return _may_not(blocking, base.alive, backend)
    return _only_some_modes(found, base.alive, backend) or _may(base.alive, origins)


def _because_doubled(found: Sequence[Problem]) -> Finding:
    first = found[0].trial
    return Finding(
        verdict=Verdict.SKIP,
        because=NOT_DOUBLED,
        summary=f"The answer to {spoken(first)} carries {ALLOW_ORIGIN} more than once, and browsers refuse it for that",
        evidence=proof(first, f"{ALLOW_ORIGIN}: {first.page.origin}"),
    )


def _leading(found: Sequence[Problem]) -> list[Problem]:
    """The problems of the cause to name first: the one met most often."""
    counts = Counter(problem.cause for problem in found)
    cause = min(counts, key=lambda one: (-counts[one], _RANK[one]))
    return [problem for problem in found if problem.cause is cause]


def _names_at_fault(found: Sequence[Problem], alive: Mapping[str, CorsSurvey]) -> tuple[str, ...]:
    names: set[str] = set()
    for problem in found:
        if problem.cause in (Cause.HEADER_LIST, Cause.FIREWALL):
            names.update(parts_at_fault(problem.trial, alive[problem.trial.exchange.label]))
    return tuple(sorted(names))


def _observation(problem: Problem, names: Sequence[str]) -> str:
    """What was seen, in a clause."""
    trial, refusal = problem.trial, problem.refusal
    status = trial.exchange.status
    if names and problem.cause in (Cause.HEADER_LIST, Cause.FIREWALL):
        verb = "is" if len(names) == 1 else "are"
        return f"{', '.join(names)} {verb} not allowed in {spoken(trial)} (status {status}, {refusal.error})"
    if refusal.error is CorsError.METHOD_DISALLOWED:
        return f"{refusal.parameter} is not allowed in {spoken(trial)} ({refusal.error})"
    value = f" {refusal.parameter!r}" if refusal.parameter else ""
    return f"{spoken(trial)} is answered {status} and refused by browsers ({refusal.error}{value})"


def _may_not(found: Sequence[Problem], alive: Mapping[str, CorsSurvey], backend: CorsSurvey | None) -> Finding:
    group = _leading(found)
    first = group[0]
    names = _names_at_fault(group, alive)
    guilty = blame(first, names, alive[first.trial.exchange.label], backend)
    extent = where([problem.trial for problem in group], alive)
    others = sorted({problem.cause for problem in found} - {first.cause})
    more = f" (also: {', '.join(others)})" if others else ""
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"A page of {first.trial.page.origin} may not call the API: {_observation(first, names)} {extent}: "
        f"{guilty.what}{_proved(guilty)}{more}",
        hop=guilty.hop,
        owner=guilty.owner,
        expected=_expected(first),
        seen=_observation(first, names),
        evidence=_evidence(first, found, backend),
        remedy=guilty.remedy,
        sources=(FETCH, f"Fetch standard, {first.refusal.step}"),
    )


def _proved(guilty: Blame) -> str:
    return f"; {guilty.proved}" if guilty.proved else ""


def _expected(problem: Problem) -> str:
    page = problem.trial.page
    if not problem.trial.preflight:
        return f"{ALLOW_ORIGIN}: {page.origin}"
    names = ", ".join(name for name, _ in page.headers)
    return f"status 200 to 299, {ALLOW_ORIGIN}: {page.origin}, method {page.method} and the headers {names} allowed"


def _evidence(first: Problem, found: Sequence[Problem], backend: CorsSurvey | None) -> tuple[Evidence, ...]:
    rows = [
        (
            problem.trial.exchange.label,
            problem.trial.page.origin,
            spoken(problem.trial),
            problem.trial.exchange.status,
            f"{problem.refusal.error} {problem.refusal.parameter}".strip(),
            problem.cause,
        )
        for problem in found[:40]
    ]
    table = evidence.table(
        "What browsers refuse", ("address", "origin", "request", "status", "Chromium's reason", "cause"), rows
    )
    own = twin(first.trial, backend)
    direct = (evidence.exchange(own.exchange, "The API server's own answer (--backend)"),) if own else ()
    return (*proof(first.trial, _expected(first)), table, *direct)


def _only_some_modes(
    found: Sequence[Problem], alive: Mapping[str, CorsSurvey], backend: CorsSurvey | None
) -> Finding | None:
    """What breaks with `credentials: "include"` only, or passes only because Chromium is laxer than the standard."""
    modes = [p for p in found if p.with_credentials and not is_doubled(p.trial.exchange, ALLOW_CREDENTIALS)]
    wild = [trial for survey in alive.values() for trial in survey.of(Purpose.PREFLIGHT) if _by_wildcard(trial)]
    if modes:
        return _with_credentials(_leading(modes), alive, backend)
    return _authorization_by_wildcard(wild, alive) if wild else None


def _by_wildcard(trial: Trial) -> bool:
    return cors_preflight_fetch(
        trial.page, trial.exchange.status or 0, trial.exchange.headers
    ).authorization_by_wildcard


def _with_credentials(group: Sequence[Problem], alive: Mapping[str, CorsSurvey], backend: CorsSurvey | None) -> Finding:
    first = group[0]
    wildcard_list = first.cause in (Cause.HEADER_LIST, Cause.METHOD_LIST)
    names = tuple(name for name, _ in first.trial.page.headers) if wildcard_list else ()
    guilty = blame(first, names, alive[first.trial.exchange.label], backend)
    what = "a gateway's list is `*`, which counts only without credentials" if wildcard_list else guilty.what
    extent = where([problem.trial for problem in group], alive)
    return Finding(
        verdict=Verdict.WARN,
        summary=f"Calls of {first.trial.page.origin} pass without credentials, but with credentials: 'include' "
        f"{spoken(first.trial)} is refused ({first.refusal.error}) {extent}: {what}{_proved(guilty)}",
        hop=guilty.hop,
        owner=guilty.owner,
        expected=f"{ALLOW_ORIGIN}: {first.trial.page.origin}, {ALLOW_CREDENTIALS}: true, lists of names without `*`",
        seen=f"{first.refusal.error} {first.refusal.parameter}".strip(),
        evidence=_evidence(first, group, backend),
        remedy=guilty.remedy,
        sources=(FETCH,),
    )


def _authorization_by_wildcard(trials: Sequence[Trial], alive: Mapping[str, CorsSurvey]) -> Finding:
    first = trials[0]
    return Finding(
        verdict=Verdict.WARN,
        summary=f"authorization is allowed by `*` alone {where(trials, alive)}: Chromium 156 still lets it pass, the "
        "standard and Firefox do not promise it",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="Access-Control-Allow-Headers that names authorization",
        seen=f"Access-Control-Allow-Headers: {first.exchange.header('Access-Control-Allow-Headers')}",
        evidence=proof(first, "Access-Control-Allow-Headers that names authorization"),
        remedy=Remedy(
            text="Name authorization (and the other headers) in Access-Control-Allow-Headers instead of `*`.",
            snippets=snippets.headers_allowed(first.page.origin, HEADERS),
        ),
        sources=("Fetch standard, CORS non-wildcard request-header name",),
    )


def _may(alive: Mapping[str, CorsSurvey], origins: Sequence[str]) -> Finding:
    trials = [trial for survey in alive.values() for trial in survey.of(Purpose.PREFLIGHT)]
    absent = sorted({t.path for label in alive for t in alive[label].trials if is_absent_route(t, alive[label])})
    judged = {trial.path for trial in trials} - set(absent)
    if not judged:
        return Finding(
            verdict=Verdict.INCONCLUSIVE, summary="No preflight was answered (rate limited); run btdiag again later"
        )
    note = f"; not judged, for the data plane does not have them: {', '.join(absent)}" if absent else ""
    place = f"{len(alive)} addresses" if len(alive) > 1 else next(iter(alive))
    return Finding(
        verdict=Verdict.PASS,
        summary=f"Pages of {', '.join(origins)} may call the API: preflights for {len(judged)} routes with "
        f"{len(HEADERS)} request headers pass at {place}, without and with credentials{note}",
    )


def _is_error(trial: Trial) -> bool:
    """An error response to judge: not API Gateway's word for a route that was never deployed, and not a 5xx or 429."""
    status = trial.exchange.status or 0
    return 400 <= status < 500 and "Missing Authentication Token" not in trial.exchange.body


def errors_are_readable(
    surveys: Mapping[str, CorsSurvey], origins: Sequence[str], backend: CorsSurvey | None
) -> Finding:
    """The claim of cors.errors-are-readable: what the API or a gateway refuses reaches the page as an error."""
    base = ground(surveys)
    if base.stop is not None:
        return base.stop
    good = [t for s in base.alive.values() for t in s.of(Purpose.ACTUAL) if t.page.origin == origins[0]]
    if not any(passes(trial) or is_doubled(trial.exchange) for trial in good):
        return Finding(
            verdict=Verdict.SKIP,
            because=MAY_CALL,
            summary=f"Not even successful responses are readable for {origins[0]}, so errors are not either",
        )
    errors = [t for s in base.alive.values() for t in s.of(Purpose.ERROR) if _is_error(t)]
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
            evidence=proof(hidden[0], f"{ALLOW_ORIGIN}: {origins[0]}"),
        )
    if hidden:
        return _unreadable(hidden, errors, base.alive, backend)
    return Finding(
        verdict=Verdict.PASS,
        summary=f"{len(errors)} error responses ({_statuses(errors)}) are readable for {origins[0]}",
    )


def _statuses(trials: Sequence[Trial]) -> str:
    return ", ".join(str(status) for status in sorted({trial.exchange.status or 0 for trial in trials}))


def _why_unreadable(hidden: Sequence[Trial]) -> str:
    """The reason, from who wrote the page."""
    seen = hidden[0].exchange
    server = (seen.header("server") or "").lower()
    who = gateway.sender(seen)
    if gateway.page(seen) is not None or (who.confidence is gateway.Confidence.CERTAIN and who.hop is not HopName.API):
        return f"the gateway's own error page ({who.words}) has no CORS headers"
    if "nginx" in server or "openresty" in server:
        return "nginx adds its headers to 2xx and 3xx only, for `always` is missing from add_header"
    return "a gateway drops the CORS headers, or adds them to successful responses only"


def _unreadable(
    hidden: Sequence[Trial], errors: Sequence[Trial], alive: Mapping[str, CorsSurvey], backend: CorsSurvey | None
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
        summary=f"{len(hidden)} of {len(errors)} error responses ({_statuses(hidden)}) are hidden from the page "
        f"{where(hidden, alive)}: {cause}; users see 'Failed to fetch' instead of the reason{direct}",
        hop=HopName.API if at_api else HopName.LOAD_BALANCER,
        owner=Owner.API if at_api else Owner.LOAD_BALANCER,
        expected=f"{ALLOW_ORIGIN}: {first.page.origin} on every status, as on 200",
        seen=f"{first.exchange.status} to {spoken(first)}: {refusal.error if refusal else ''}",
        evidence=proof(first, f"{ALLOW_ORIGIN}: {first.page.origin}"),
        remedy=Remedy(
            text="Add the CORS headers to every status (nginx: `always`), and do not replace the API's error pages.",
            snippets=snippets.headers_on_errors_too(first.page.origin),
        ),
        sources=("https://nginx.org/en/docs/http/ngx_http_headers_module.html#add_header", FETCH),
    )


def headers_not_doubled(
    surveys: Mapping[str, CorsSurvey], origins: Sequence[str], backend: CorsSurvey | None
) -> Finding:
    """The claim of cors.headers-not-doubled: the headers that may have one value have one."""
    base = ground(surveys)
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
    trials: Sequence[Trial], name: str, alive: Mapping[str, CorsSurvey], backend: CorsSurvey | None
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
        summary=f"{name} is doubled ({' and '.join(map(repr, values))}) in the answer to {spoken(first)} "
        f"{where(trials, alive)}: {source}, and {effect}",
        hop=HopName.API if by_api else HopName.LOAD_BALANCER,
        owner=Owner.API if by_api else Owner.LOAD_BALANCER,
        expected=f"{name} once",
        seen=f"{name}: {first.exchange.header(name)}",
        evidence=proof(first, f"{name} once"),
        remedy=Remedy(
            text=f"Let either the API or the gateway set {name}, not both.",
            snippets=snippets.one_allow_origin(first.page.origin),
        ),
        sources=(FETCH, "Fetch standard, CORS check"),
    )


def _who_doubles(own: Trial | None, by_api: bool) -> str:
    if by_api:
        return "the API server itself sends it so"
    return "the API and a gateway in front of it both add it" + (
        "; asked directly, the API server sends it once" if own is not None else ""
    )


def preflight_is_cached(
    surveys: Mapping[str, CorsSurvey], origins: Sequence[str], backend: CorsSurvey | None
) -> Finding:
    """The claim of cors.preflight-is-cached: browsers may remember a preflight long enough to be of use."""
    base = ground(surveys)
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


def _not_cached(short: Sequence[Trial], alive: Mapping[str, CorsSurvey], backend: CorsSurvey | None) -> Finding:
    first = min(short, key=lambda trial: max_age(trial.exchange.headers))
    value = _max_age_value(first.exchange)
    own = twin(first, backend)
    at_api = own is not None and max_age(own.exchange.headers) < SHORTEST_MAX_AGE
    seconds = max_age(first.exchange.headers)
    return Finding(
        verdict=Verdict.WARN,
        summary=f"Access-Control-Max-Age is {value} {where(short, alive)}, so Chromium remembers a preflight for "
        f"{seconds} s: almost every call of the web app costs a second round trip",
        hop=HopName.API if at_api else HopName.LOAD_BALANCER,
        owner=Owner.API if at_api else Owner.LOAD_BALANCER,
        expected="Access-Control-Max-Age: 600 to 7200 (browsers cap it at 600 to 86400)",
        seen=f"Access-Control-Max-Age: {value}",
        evidence=proof(first, "Access-Control-Max-Age: 600 or more"),
        remedy=Remedy(
            text="Send Access-Control-Max-Age: 7200 with every preflight; the API's own value is 86400.",
            snippets=snippets.remembered(),
        ),
        sources=("Fetch standard, CORS-preflight cache",),
    )


def _max_age_value(seen: Exchange) -> str:
    value = seen.header("Access-Control-Max-Age")
    return "missing" if value is None else repr(value)
