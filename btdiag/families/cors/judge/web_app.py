"""The claim that all of the web app's calls depend on: its pages may call the API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from btdiag.core import evidence
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.families.cors.causes import CorsCause, is_absent_route, is_doubled, parts_at_fault, twin
from btdiag.families.cors.facts import HEADERS, CorsSurvey, CorsTrial, Purpose
from btdiag.families.cors.fetch import CorsError, cors_preflight_fetch
from btdiag.families.cors.fetch.check import ALLOW_CREDENTIALS, ALLOW_ORIGIN
from btdiag.families.cors.judge.by_turns import STEADILY, refused_by_turns
from btdiag.families.cors.judge.standing import BY_TURNS, ground, spoken, trial_proofs, where
from btdiag.families.cors.judge.too_loose import APART
from btdiag.families.cors.problems import Problem, problems
from btdiag.families.cors.remedy import snippets
from btdiag.families.cors.remedy.causes import FETCH, Blame, blame
from btdiag.families.cors.remedy.words import refused_in_words

NOT_DOUBLED = "cors.headers-not-doubled"
UNPACK = "gateway.compressed-answers-unpack"
PRESERVES = "gateway.preserves-headers"
ROUTES = "gateway.routes-reach-their-backend"
_RANK = {cause: number for number, cause in enumerate(CorsCause)}


def web_app_may_call(surveys: Mapping[str, CorsSurvey], origins: Sequence[str], backend: CorsSurvey | None) -> Finding:
    """The claim of cors.web-app-may-call: preflights and simple requests of each origin pass at every address."""
    base = ground(surveys)
    if base.stop is not None:
        return base.stop
    by_turns = refused_by_turns(base.alive)
    if by_turns is not None:
        return by_turns
    found = [problem for survey in base.alive.values() for problem in problems(survey, origins, backend)]
    strict = [problem for problem in found if not problem.with_credentials]
    if strict and all(problem.cause is CorsCause.DOUBLED for problem in strict):
        return _because_doubled(strict)
    blocking = [problem for problem in strict if problem.cause is not CorsCause.DOUBLED]
    elsewhere = {problem.cause for problem in blocking}
    if elsewhere == {CorsCause.PACKED} and (coding := _browsers_alone_ask_for(blocking[0].trial)):
        return _cannot_unpack(blocking[0].trial, coding)
    if len(elsewhere) == 1 and (judged := _JUDGED_ELSEWHERE.get(elsewhere.pop())) is not None:
        return _because(blocking[0].trial, *judged)
    if blocking and all(_flaps(problem, base.alive) for problem in blocking):
        return _because_flapping(blocking)
    if blocking:
        return _may_not(blocking, base.alive, backend)
    return _only_some_modes(found, base.alive, backend) or _may(base.alive, origins, backend)


def _because_doubled(found: Sequence[Problem]) -> Finding:
    first = found[0].trial
    return Finding(
        verdict=Verdict.SKIP,
        because=NOT_DOUBLED,
        summary=f"The answer to {spoken(first)} carries {ALLOW_ORIGIN} more than once, and browsers refuse it for that",
        evidence=trial_proofs(first, f"{ALLOW_ORIGIN}: {first.page.origin}"),
    )


_JUDGED_ELSEWHERE = {
    CorsCause.PACKED: (UNPACK, "in a coding that cannot be unpacked; without Accept-Encoding it passes"),
    CorsCause.CACHE: (APART, "from a cache with what was made for somebody else; past the cache it passes"),
    CorsCause.NO_ROUTE: (ROUTES, "in front of the API, whatever the method, so its preflight is too"),
    CorsCause.TO_HTTP: (PRESERVES, "with a redirect to plain http, which browsers block as mixed content"),
}
"""Causes that another claim is about, and the same in words."""


def _browsers_alone_ask_for(trial: CorsTrial) -> str:
    """The coding of the answer, where it is one that programs' libraries do not ask for by themselves; else ""."""
    coding = (trial.exchange.header("content-encoding") or "").strip().lower()
    return coding if coding in {"br", "zstd"} else ""


def _cannot_unpack(first: CorsTrial, coding: str) -> Finding:
    failure = first.exchange.failure
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{spoken(first)} with Accept-Encoding: gzip, deflate, br, zstd is answered {first.exchange.status} "
        f"as {coding}, and is none ({failure.detail if failure else 'unreadable'}): browsers say "
        "net::ERR_CONTENT_DECODING_FAILED; without that header it passes",
        answer=f"The web app cannot read answers: what is marked {coding} is not",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected=f"a body in the coding that its Content-Encoding names ({coding}), or as it is",
        seen=f"Content-Encoding: {coding}, and a body that cannot be unpacked",
        evidence=trial_proofs(first, "a body that unpacks"),
        remedy=Remedy(
            text="Let one hop alone compress the API's answers, and name in Content-Encoding what it did; turn "
            f"{coding} off where the header is set for a body that is not.",
            action=f"Turn {coding} off at the hop that sets Content-Encoding, or let one hop alone compress",
            snippets=(Snippet(product="nginx", code="brotli off;\nzstd off;"),),
        ),
        sources=("RFC 9110 section 8.4", "https://fetch.spec.whatwg.org/#handle-content-codings"),
    )


def _because(first: CorsTrial, claim: str, how: str) -> Finding:
    return Finding(
        verdict=Verdict.SKIP,
        because=claim,
        summary=f"{spoken(first)} is answered {first.exchange.status} {how}",
        evidence=trial_proofs(first, f"{ALLOW_ORIGIN}: {first.page.origin}"),
    )


def _flaps(problem: Problem, alive: Mapping[str, CorsSurvey]) -> bool:
    """A gateway's own error to a simple request, at an address that answers `GET /`: a matter of readiness."""
    trial = problem.trial
    return problem.cause is CorsCause.UPSTREAM and not trial.preflight and trial.exchange.label in alive


def _because_flapping(found: Sequence[Problem]) -> Finding:
    first = found[0].trial
    return Finding(
        verdict=Verdict.SKIP,
        because=STEADILY,
        summary=f"{spoken(first)} is answered {first.exchange.status} by the gateway now and then; its error pages "
        "have no CORS headers, and browsers report that as a CORS error",
        evidence=trial_proofs(first, f"{ALLOW_ORIGIN}: {first.page.origin}"),
    )


def _leading(found: Sequence[Problem]) -> list[Problem]:
    """The problems of the cause to name first: the one met most often."""
    counts = Counter(problem.cause for problem in found)
    cause = min(counts, key=lambda one: (-counts[one], _RANK[one]))
    return [problem for problem in found if problem.cause is cause]


def _names_at_fault(found: Sequence[Problem], alive: Mapping[str, CorsSurvey]) -> tuple[str, ...]:
    names: set[str] = set()
    for problem in found:
        if problem.cause in (CorsCause.HEADER_LIST, CorsCause.FIREWALL):
            names.update(parts_at_fault(problem.trial, alive[problem.trial.exchange.label]))
    return tuple(sorted(names))


def _observation(problem: Problem, names: Sequence[str]) -> str:
    """What was seen, in a clause."""
    trial, refusal = problem.trial, problem.refusal
    status = trial.exchange.status
    if names and problem.cause in (CorsCause.HEADER_LIST, CorsCause.FIREWALL):
        verb = "is" if len(names) == 1 else "are"
        return f"{', '.join(names)} {verb} not allowed in {spoken(trial)} (status {status}, {refusal.error})"
    if refusal.error is CorsError.METHOD_DISALLOWED:
        return f"{refusal.parameter} is not allowed in {spoken(trial)} ({refusal.error})"
    if status is None:
        return f"{spoken(trial)} gets no answer"
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
        unless=BY_TURNS if first.cause is CorsCause.UPSTREAM else (),
        answer=refused_in_words(first, names, alive[first.trial.exchange.label]),
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
    return (*trial_proofs(first.trial, _expected(first)), table, *direct)


def _only_some_modes(
    found: Sequence[Problem], alive: Mapping[str, CorsSurvey], backend: CorsSurvey | None
) -> Finding | None:
    """What breaks with `credentials: "include"` only, or passes only because Chromium is laxer than the standard."""
    modes = [p for p in found if p.with_credentials and not is_doubled(p.trial.exchange, ALLOW_CREDENTIALS)]
    wild = [trial for survey in alive.values() for trial in survey.of(Purpose.PREFLIGHT) if _by_wildcard(trial)]
    if modes:
        return _with_credentials(_leading(modes), alive, backend)
    return _authorization_by_wildcard(wild, alive) if wild else None


def _by_wildcard(trial: CorsTrial) -> bool:
    return cors_preflight_fetch(
        trial.page, trial.exchange.status or 0, trial.exchange.headers
    ).authorization_by_wildcard


def _with_credentials(group: Sequence[Problem], alive: Mapping[str, CorsSurvey], backend: CorsSurvey | None) -> Finding:
    first = group[0]
    wildcard_list = first.cause in (CorsCause.HEADER_LIST, CorsCause.METHOD_LIST)
    names = tuple(name for name, _ in first.trial.page.headers) if wildcard_list else ()
    guilty = blame(first, names, alive[first.trial.exchange.label], backend)
    what = "a gateway's list is `*`, which counts only without credentials" if wildcard_list else guilty.what
    extent = where([problem.trial for problem in group], alive)
    return Finding(
        verdict=Verdict.WARN,
        answer="Calls of the web app with cookies would be refused; without them they pass",
        summary=f"Calls of {first.trial.page.origin} pass without credentials, but with them (fetch's mode include) "
        f"{spoken(first.trial)} is refused ({first.refusal.error}) {extent}: {what}{_proved(guilty)}",
        hop=guilty.hop,
        owner=guilty.owner,
        expected=f"{ALLOW_ORIGIN}: {first.trial.page.origin}, {ALLOW_CREDENTIALS}: true, lists of names without `*`",
        seen=f"{first.refusal.error} {first.refusal.parameter}".strip(),
        evidence=_evidence(first, group, backend),
        remedy=guilty.remedy,
        sources=(FETCH,),
    )


def _authorization_by_wildcard(trials: Sequence[CorsTrial], alive: Mapping[str, CorsSurvey]) -> Finding:
    first = trials[0]
    return Finding(
        verdict=Verdict.WARN,
        answer="The web app's key passes preflights in Chromium only: authorization is not named",
        summary=f"authorization is allowed by `*` alone {where(trials, alive)}: Chromium 156 still lets it pass, the "
        "standard does not",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="Access-Control-Allow-Headers that names authorization",
        seen=f"Access-Control-Allow-Headers: {first.exchange.header('Access-Control-Allow-Headers')}",
        evidence=trial_proofs(first, "Access-Control-Allow-Headers that names authorization"),
        remedy=Remedy(
            text="Name authorization (and the other headers) in Access-Control-Allow-Headers instead of `*`.",
            action="Name authorization in Access-Control-Allow-Headers instead of `*`",
            snippets=snippets.headers_allowed(first.page.origin, HEADERS),
        ),
        sources=("Fetch standard, CORS non-wildcard request-header name",),
    )


def _may(alive: Mapping[str, CorsSurvey], origins: Sequence[str], backend: CorsSurvey | None) -> Finding:
    trials = [trial for survey in alive.values() for trial in survey.of(Purpose.PREFLIGHT)]
    absent = sorted(
        {t.path for label in alive for t in alive[label].trials if is_absent_route(t, alive[label], backend)}
    )
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
