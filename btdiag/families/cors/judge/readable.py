"""What page code can read: the product's own response headers, and what an object store sends after a redirect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from btdiag.core.finding import Finding, HopName, Owner, Remedy, Verdict
from btdiag.families.cors.causes import passes, twin
from btdiag.families.cors.facts import EXPOSED, CorsSurvey, CorsTrial, Purpose
from btdiag.families.cors.fetch.check import ALLOW_ORIGIN
from btdiag.families.cors.fetch.fields import extract_list, field_value
from btdiag.families.cors.fetch.response import exposes
from btdiag.families.cors.judge.by_turns import steady_ground
from btdiag.families.cors.judge.standing import MAY_CALL, spoken, trial_proofs, where
from btdiag.families.cors.problems import reads
from btdiag.families.cors.remedy import snippets
from btdiag.families.cors.remedy.words import MOST_ACTION, MOST_ANSWER, cut_at_blank, names_that_fit

_EXPOSE = "Access-Control-Expose-Headers"
_FILTERED = "Fetch standard, CORS filtered response"


def exposed_headers_suffice(
    surveys: Mapping[str, CorsSurvey], origins: Sequence[str], backend: CorsSurvey | None
) -> Finding:
    """The claim of cors.exposed-headers-suffice: page code can read the x-bt-* response headers that the API exposes.

    A gateway that exposes none is no fault as long as no response is seen to carry one.
    """
    base = steady_ground(surveys)
    if base.stop is not None:
        return base.stop
    trials = [t for s in base.alive.values() for t in reads(s) if t.page.origin == origins[0] and passes(t)]
    if not trials:
        return Finding(
            verdict=Verdict.SKIP, because=MAY_CALL, summary="No response is readable at all, so no header is"
        )
    hidden = _hidden(trials, backend)
    if hidden:
        return _not_exposed(hidden, base.alive, backend)
    readable = [name for name in EXPOSED if all(exposes(t.exchange.headers, name, False) for t in trials)]
    if not readable:
        return Finding(
            verdict=Verdict.SKIP,
            summary="No response carried one of the product's headers and none is exposed: nothing to judge",
        )
    return Finding(verdict=Verdict.PASS, summary=f"Pages can read {', '.join(readable)} ({len(trials)} responses)")


def _hidden(trials: Sequence[CorsTrial], backend: CorsSurvey | None) -> dict[CorsTrial, tuple[str, ...]]:
    """The responses with the names that they, their own app or their twin at another address would let a page read."""
    listed = {(t.path, name) for t in trials for name in EXPOSED if exposes(t.exchange.headers, name, False)}
    found = {}
    for trial in trials:
        own = twin(trial, backend)
        wanted = [
            name
            for name in EXPOSED
            if trial.exchange.header(name) is not None
            or (trial.path, name) in listed
            or (own is not None and exposes(own.exchange.headers, name, False))
        ]
        missing = tuple(name for name in wanted if not exposes(trial.exchange.headers, name, False))
        if missing or extract_list(trial.exchange.headers, _EXPOSE) is None:
            found[trial] = missing
    return found


def _not_exposed(
    hidden: Mapping[CorsTrial, tuple[str, ...]], alive: Mapping[str, CorsSurvey], backend: CorsSurvey | None
) -> Finding:
    first = next(iter(hidden))
    names = sorted({name for missing in hidden.values() for name in missing}) or list(EXPOSED)
    own = twin(first, backend)
    kept = own is not None and all(exposes(own.exchange.headers, name, False) for name in names)
    proved = "; asked directly, the API server exposes them, so a hop in front of it drops them" if kept else ""
    broken = extract_list(first.exchange.headers, _EXPOSE) is None
    value = field_value(first.exchange.headers, _EXPOSE)
    why = f"{_EXPOSE} is no list of names ({value!r})" if broken else f"{_EXPOSE} is {value or 'missing'}"
    return Finding(
        verdict=Verdict.FAIL if kept else Verdict.WARN,
        answer=cut_at_blank(f"Pages of the web app cannot read {names_that_fit(names, 50)}", MOST_ANSWER),
        summary=f"Pages cannot read {', '.join(names)} in the answer to {spoken(first)} {where(list(hidden), alive)}: "
        f"{why}{proved}",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected=f"{_EXPOSE}: {', '.join(EXPOSED)}",
        seen=f"{_EXPOSE}: {value or '(missing)'}",
        evidence=trial_proofs(first, f"{_EXPOSE}: {', '.join(EXPOSED)}"),
        remedy=Remedy(
            text=f"Expose {', '.join(names)} where CORS headers are set, or leave them to the API.",
            action=cut_at_blank(
                f"Expose {names_that_fit(names, 60)} where CORS headers are set, or leave them to the API", MOST_ACTION
            ),
            snippets=snippets.exposed(EXPOSED),
        ),
        sources=(_FILTERED,),
    )


def bucket_lets_the_web_app_read(survey: CorsSurvey, origins: Sequence[str]) -> Finding:
    """The claim of cors.bucket-lets-the-web-app-read: the object store answers a page whose origin became `null`."""
    trials = survey.of(Purpose.ACTUAL, Purpose.PREFLIGHT)
    refused = [trial for trial in trials if not passes(trial) and not trial.preflight]
    if not [trial for trial in trials if not trial.preflight]:
        return Finding(
            verdict=Verdict.INCONCLUSIVE, summary="The object store gave no answer, so its CORS is not known"
        )
    if not refused:
        return Finding(
            verdict=Verdict.PASS,
            summary="The object store answers Origin: null with CORS headers, so large results arrive",
        )
    first = refused[0]
    value = first.exchange.header(ALLOW_ORIGIN)
    return Finding(
        verdict=Verdict.FAIL,
        answer="Large traces are not shown: the object store refuses the web app's pages (Origin: null)",
        summary=f"The object store answers Origin: null with {ALLOW_ORIGIN} {value or 'missing'} (status "
        f"{first.exchange.status}): results above some 4 MB are redirected there, and the page says 'Failed to fetch'",
        hop=HopName.API,
        owner=Owner.API,
        expected=f"{ALLOW_ORIGIN}: * (or null)",
        seen=f"{ALLOW_ORIGIN}: {value or '(missing)'}",
        evidence=trial_proofs(first, f"{ALLOW_ORIGIN}: * (or null)"),
        remedy=Remedy(
            text="Let the object store's CORS configuration allow every origin for GET: the URLs are presigned, and "
            "after a redirect across origins the browser sends `null` instead of the web app's origin.",
            action="Let the object store's CORS rules allow every origin for GET: its URLs are presigned",
            snippets=snippets.bucket(origins[0]),
        ),
        sources=(
            "Fetch standard, HTTP-redirect fetch",
            "Braintrust knowledge base, failed-to-fetch-full-trace-in-data-plane",
        ),
    )
