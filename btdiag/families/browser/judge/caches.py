"""The browser's own cache: answers that it keeps for one page and gives to another of the same site. Pure.

`private` keeps shared caches away and not the browser's; pages of one site (www and preview) have one cache, `fetch`
and `<img>` too. What shared caches may keep is judged by cors.caches-keep-origins-apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from btdiag.core import evidence
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.families.cors.caching import only_browsers_keep, varies_by_origin
from btdiag.families.cors.facts import CorsSurvey, CorsTrial, Purpose
from btdiag.families.cors.judge.standing import ground

_ALLOW = "access-control-allow-origin"
_SOURCES = (
    "https://fetch.spec.whatwg.org/#cors-protocol-and-http-caches",
    "RFC 9111 section 5.2.2.7 (private)",
    "RFC 9110 section 12.5.5 (Vary)",
)
_REMEDY = Remedy(
    text="Send Vary: Origin with every answer whose Access-Control-Allow-Origin depends on Origin, or Cache-Control: "
    "no-store. Users: until then, empty the browser's cache, or use one of the web app's addresses only.",
    action="Send Vary: Origin where Access-Control-Allow-Origin depends on Origin, or Cache-Control: no-store",
    snippets=(
        Snippet(product="nginx", code="add_header Vary Origin always;"),
        Snippet(product="HAProxy", code="http-after-response add-header vary origin"),
    ),
)


def browser_keeps_origins_apart(surveys: Mapping[str, CorsSurvey]) -> Finding:
    """The claim of browser.caches-keep-origins-apart: what a browser keeps does not hinder another page of the site."""
    base = ground(surveys)
    if base.stop is not None:
        return base.stop
    asked = sum(len(survey.of(Purpose.ACTUAL)) for survey in base.alive.values())
    kept = [(trial, survey) for survey in base.alive.values() for trial in _kept(survey)]
    mixed = [(trial, _other_page(trial, survey)) for trial, survey in kept if _depends(trial, survey)]
    if not mixed:
        what = "are kept by browsers alone, and serve every page alike" if kept else "are kept by browsers alone"
        number = f"{len(kept)} of {asked}" if kept else f"none of {asked}"
        return Finding(verdict=Verdict.PASS, summary=f"{number} simple answers {what}", sources=_SOURCES)
    trial, other = next(((trial, other) for trial, other in mixed if other is not None), mixed[0])
    return _mixed(trial, other, len(mixed), len(kept))


def _kept(survey: CorsSurvey) -> Iterator[CorsTrial]:
    for trial in survey.of(Purpose.ACTUAL):
        named = trial.exchange.header(_ALLOW)
        if only_browsers_keep(trial.exchange) and not varies_by_origin(trial.exchange) and named not in (None, "*"):
            yield trial


def _same_path(trial: CorsTrial, survey: CorsSurvey, *purposes: Purpose) -> list[CorsTrial]:
    return [one for one in survey.of(*purposes) if one.path == trial.path and not one.preflight]


def _depends(trial: CorsTrial, survey: CorsSurvey) -> bool:
    """Is another origin allowed, or none, for another page or for a request without Origin?"""
    asked = _same_path(trial, survey, Purpose.SIBLING, Purpose.FOREIGN, Purpose.PLAIN, Purpose.ACTUAL)
    others = [one for one in asked if one.page.origin != trial.page.origin] or survey.of(Purpose.FOREIGN)
    return any(one.exchange.header(_ALLOW) != trial.exchange.header(_ALLOW) for one in others)


def _other_page(trial: CorsTrial, survey: CorsSurvey) -> CorsTrial | None:
    """The same read by another page of the site that is let in, with an allowed origin of its own."""
    return next(
        (
            one
            for one in _same_path(trial, survey, Purpose.SIBLING, Purpose.ACTUAL)
            if one.page.origin != trial.page.origin
            and _site(one.page.origin) == _site(trial.page.origin)
            and one.exchange.header(_ALLOW) == one.page.origin
        ),
        None,
    )


def _site(origin: str) -> str:
    """The registrable domain, roughly: the last two labels."""
    return ".".join(origin.partition("://")[2].partition(":")[0].split(".")[-2:])


def _mixed(trial: CorsTrial, other: CorsTrial | None, mixed: int, kept: int) -> Finding:
    control = trial.exchange.header("cache-control")
    who = f"a page of {other.page.origin}" if other else "a request without Origin (an image, a typed URL)"
    return Finding(
        verdict=Verdict.FAIL if other else Verdict.WARN,
        summary=f"browsers keep GET {trial.path} (Cache-Control: {control}) with Access-Control-Allow-Origin: "
        f"{trial.exchange.header(_ALLOW)}, and without Vary: Origin they answer {who} from there, or the other way "
        f"round: AllowOriginMismatch until it expires ({mixed} of {kept} kept answers)",
        answer="The web app fails after another page of its site was used: the browser's cache"
        if other
        else "The web app may fail from the browser's own cache: answers lack Vary: Origin",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="Vary: Origin, or Cache-Control: no-store",
        seen=f"Cache-Control: {control}, Vary: {trial.exchange.header('vary') or 'none'}",
        evidence=(_answers(trial, other),),
        remedy=_REMEDY,
        sources=_SOURCES,
    )


def _answers(trial: CorsTrial, other: CorsTrial | None) -> Evidence:
    rows = [
        [
            one.page.origin or "none",
            one.exchange.header(_ALLOW) or "none",
            one.exchange.header("cache-control") or "none",
            one.exchange.header("vary") or "none",
        ]
        for one in (trial, other)
        if one is not None
    ]
    heads = ["Origin", "Access-Control-Allow-Origin", "Cache-Control", "Vary"]
    return evidence.table(f"GET {trial.path} by origin", heads, rows)
