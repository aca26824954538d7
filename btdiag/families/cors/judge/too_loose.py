"""Too loose: origins that must be refused, and caches that give one origin's answer to another."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from btdiag.core import evidence
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Verdict
from btdiag.families.cors.caching import varies_by_origin
from btdiag.families.cors.causes import CorsCause, is_doubled, passes, twin
from btdiag.families.cors.facts import PROXY_PATH, CorsSurvey, CorsTrial, Purpose
from btdiag.families.cors.fetch import cors_check
from btdiag.families.cors.fetch.check import ALLOW_CREDENTIALS, ALLOW_ORIGIN
from btdiag.families.cors.judge.by_turns import steady_ground
from btdiag.families.cors.judge.standing import cors_headers, spoken, trial_proofs, where
from btdiag.families.cors.problems import Problem, problems
from btdiag.families.cors.remedy import snippets
from btdiag.families.cors.remedy.causes import FETCH, blame
from btdiag.families.cors.remedy.words import MOST_ACTION, MOST_ANSWER, cut_at_blank

APART = "cors.caches-keep-origins-apart"
_LAMBDA_MARKS = ("x-amzn-requestid", "x-amzn-trace-id")
_POISONED_BY = "https://fetch.spec.whatwg.org/#cors-protocol-and-http-caches"


def foreign_origins_are_refused(
    surveys: Mapping[str, CorsSurvey], origins: Sequence[str], backend: CorsSurvey | None
) -> Finding:
    """The claim of cors.foreign-origins-are-refused: no origin but the web app's is let in."""
    base = steady_ground(surveys)
    if base.stop is not None:
        return base.stop
    trials = [trial for survey in base.alive.values() for trial in survey.of(Purpose.FOREIGN)]
    if not trials:
        return Finding(
            verdict=Verdict.INCONCLUSIVE,
            summary="No request of a foreign origin was answered, so it is not known if they are refused",
        )
    let_in = [trial for trial in trials if cors_check(trial.page.origin, False, trial.exchange.headers) is None]
    by_design = [trial for trial in let_in if _is_lambda_default(trial, let_in)]
    open_ones = [trial for trial in let_in if trial not in by_design]
    if open_ones:
        return _too_loose(open_ones, origins[0], base.alive, backend)
    asked = len({trial.page.origin for trial in trials})
    note = "; the AI proxy on AWS Lambda echoes every origin, as its module sets it up" if by_design else ""
    return Finding(verdict=Verdict.PASS, summary=f"{asked} foreign origins were tried and none was let in{note}")


def _is_lambda_default(trial: CorsTrial, let_in: Sequence[CorsTrial]) -> bool:
    """The AI proxy as an AWS Lambda URL echoes any origin by its module's own default; the API must not do so too."""
    elsewhere = any(other.path != PROXY_PATH for other in let_in)
    return trial.path == PROXY_PATH and not elsewhere and any(trial.exchange.header(name) for name in _LAMBDA_MARKS)


def _with_credentials(trial: CorsTrial) -> bool:
    return cors_check(trial.page.origin, True, trial.exchange.headers) is None


def _too_loose(
    let_in: Sequence[CorsTrial], welcome: str, alive: Mapping[str, CorsSurvey], backend: CorsSurvey | None
) -> Finding:
    worst = [trial for trial in let_in if _with_credentials(trial)]
    group = worst or list(let_in)
    first = group[0]
    names = list(dict.fromkeys(trial.page.origin for trial in group))
    wildcard = (first.exchange.header(ALLOW_ORIGIN) or "").strip() == "*"
    how = "`*` lets every origin in" if wildcard else f"{_names(names)} {'is' if len(names) == 1 else 'are'} let in"
    risk = (
        f"with {ALLOW_CREDENTIALS}: true, so a hostile page can use a visitor's session"
        if worst
        else "without credentials, so a hostile page can read only what needs no key (keys are not sent by themselves)"
    )
    why = "the origin is not compared at all" if wildcard else _why(names)
    at_api = _api_does_it(first, backend)
    return Finding(
        verdict=Verdict.FAIL if worst else Verdict.WARN,
        answer=_answer(names, wildcard, bool(worst)),
        summary=f"{how} {where(group, alive)}, {risk}: {why}",
        hop=HopName.API if at_api else HopName.LOAD_BALANCER,
        owner=Owner.API if at_api else Owner.LOAD_BALANCER,
        expected=f"no {ALLOW_ORIGIN} for any origin but {welcome}",
        seen=f"{ALLOW_ORIGIN}: {first.exchange.header(ALLOW_ORIGIN)} to Origin: {first.page.origin}",
        evidence=(*trial_proofs(first, f"no {ALLOW_ORIGIN}"), _table(group)),
        remedy=Remedy(
            text=f"Allow {welcome} by comparing the whole origin, not by a pattern that is open at an end, and not by "
            "echoing what is asked.",
            action=cut_at_blank(
                f"Allow {welcome} by comparing the whole origin; never echo what is asked", MOST_ACTION
            ),
            snippets=snippets.origins_exact(welcome),
        ),
        sources=("https://portswigger.net/web-security/cors", FETCH),
    )


def _answer(names: Sequence[str], wildcard: bool, worst: bool) -> str:
    if wildcard:
        return "Pages of any site can read the API's answers to requests without a key"
    what = "act with a user's session" if worst else "read answers that need no key"
    return cut_at_blank(f"Pages of other sites can {what}: {names[0]} is let in", MOST_ANSWER)


def _api_does_it(trial: CorsTrial, backend: CorsSurvey | None) -> bool:
    own = twin(trial, backend)
    return own is not None and passes(own)


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"foreign origin{'s' if len(names) > 1 else ''} {', '.join(names[:3])}{more}"


def _why(names: Sequence[str]) -> str:
    """What kind of rule lets in just these origins."""
    if "https://evil.example" in names:
        return "whatever origin asks is echoed"
    if names == ["null"]:
        return "`null` is allowed, which any sandboxed frame and any local file has"
    kinds = {
        r"\.evil\.example$": "the pattern is not anchored at its end",
        r"//evil": "the pattern is not anchored at its beginning",
        r"X": "a dot in the pattern is not escaped",
        r"il\.example$": "only the beginning is compared",
        r"^http:": "plain http is allowed, which anybody on the way can forge",
        r":8443$": "the port is not compared",
        r"^null$": "`null` is allowed, which any sandboxed frame has",
        r"^file:": "local files are allowed",
    }
    return "; ".join(text for pattern, text in kinds.items() if any(re.search(pattern, name) for name in names))


def _table(group: Sequence[CorsTrial]) -> Evidence:
    rows = [
        (
            trial.exchange.label,
            trial.page.origin,
            spoken(trial),
            trial.exchange.header(ALLOW_ORIGIN),
            trial.exchange.header(ALLOW_CREDENTIALS),
        )
        for trial in group[:40]
    ]
    return evidence.table(
        "Foreign origins let in", ("address", "origin", "request", ALLOW_ORIGIN, ALLOW_CREDENTIALS), rows
    )


def _is_cacheable(seen: Exchange) -> bool:
    """May a shared cache keep this answer (RFC 9111 section 3), or has one kept it already?"""
    control = (seen.header("cache-control") or "").lower()
    if re.search(r"no-store|private|no-cache|max-age=0\b|s-maxage=0\b", control):
        return False
    explicit = re.search(r"public|s-maxage=[1-9]|max-age=[1-9]", control) is not None
    return explicit or seen.from_cache


def caches_keep_origins_apart(surveys: Mapping[str, CorsSurvey], origins: Sequence[str]) -> Finding:
    """The claim of cors.caches-keep-origins-apart: no shared cache can hand one origin's answer to another."""
    base = steady_ground(surveys)
    if base.stop is not None:
        return base.stop
    served = cached_problems(base.alive, origins)
    if served:
        return _served_to_others(served[0], base.alive)
    poisonable = [
        trial
        for survey in base.alive.values()
        for trial in survey.of(Purpose.ACTUAL)
        if trial.page.origin == origins[0] and _depends_on_origin(trial, survey)
    ]
    exposed = [t for t in poisonable if _is_cacheable(t.exchange) and not varies_by_origin(t.exchange)]
    if not exposed:
        what = "depend on Origin and say so, or may not be cached" if poisonable else "do not depend on Origin"
        return Finding(verdict=Verdict.PASS, summary=f"Responses {what}, so a shared cache cannot mix origins up")
    first = exposed[0]
    return Finding(
        verdict=Verdict.WARN,
        answer="A shared cache may break the web app for some users: answers lack Vary: Origin",
        summary=f"{spoken(first)} may be cached and its CORS headers depend on Origin, but Vary: Origin is missing "
        f"{where(exposed, base.alive)}: a CDN or shared cache gives one origin's answer to another, so the web app "
        "works for some users and not for others",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="Vary: Origin, or Cache-Control: no-store",
        seen=cors_headers(first.exchange),
        evidence=trial_proofs(first, "Vary: Origin, or Cache-Control: no-store"),
        remedy=Remedy(
            text="Send Vary: Origin with every response, and keep API paths out of shared caches.",
            action="Send Vary: Origin with every response, and keep the API out of shared caches",
            snippets=snippets.caches_keep_apart(),
        ),
        sources=(_POISONED_BY, "RFC 9110 section 12.5.5"),
    )


def cached_problems(alive: Mapping[str, CorsSurvey], origins: Sequence[str]) -> list[Problem]:
    """The requests that a cache answers with what was made for another origin, or for none."""
    found = [problem for survey in alive.values() for problem in problems(survey, origins)]
    return [problem for problem in found if problem.cause is CorsCause.CACHE and not problem.with_credentials]


def _served_to_others(problem: Problem, alive: Mapping[str, CorsSurvey]) -> Finding:
    trial = problem.trial
    guilty = blame(problem, (), alive[trial.exchange.label], None)
    value = trial.exchange.header(ALLOW_ORIGIN) or "(missing)"
    marks = ", ".join(
        f"{name}: {trial.exchange.header(name)}" for name in ("Age", "X-Cache") if trial.exchange.header(name)
    )
    return Finding(
        verdict=Verdict.FAIL,
        answer="The web app cannot call the API for some users: a cache serves others' answers",
        summary=f"{spoken(trial)} of {trial.page.origin} is answered with {ALLOW_ORIGIN} {value}"
        f"{f' ({marks})' if marks else ''} {where([trial], alive)}: {guilty.what}",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected=f"{ALLOW_ORIGIN}: {trial.page.origin}",
        seen=f"{ALLOW_ORIGIN}: {value}",
        evidence=trial_proofs(trial, f"{ALLOW_ORIGIN}: {trial.page.origin}"),
        remedy=guilty.remedy,
        sources=(_POISONED_BY, "RFC 9110 section 12.5.5"),
    )


def _depends_on_origin(trial: CorsTrial, survey: CorsSurvey) -> bool:
    """Is the allowed origin another one, or none, for a foreign origin or without any?"""
    mine = trial.exchange.header(ALLOW_ORIGIN)
    others = [t for t in survey.of(Purpose.FOREIGN, Purpose.PLAIN) if t.path == trial.path and not t.preflight]
    same_path = others or [t for t in survey.of(Purpose.FOREIGN) if not t.preflight]
    return not is_doubled(trial.exchange) and any(t.exchange.header(ALLOW_ORIGIN) != mine for t in same_path)
