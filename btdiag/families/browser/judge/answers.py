"""What a real browser's page got from target, gateway and bucket: each refusal by the browser's own code. Pure.

What programs get and the browser refuses is a failure of its own. Where another check fails for the same reason, that
one tells it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from btdiag.core import evidence
from btdiag.core.finding import Evidence, Finding, Remedy, Snippet, Verdict
from btdiag.core.urls import port_of
from btdiag.families.browser import causes
from btdiag.families.browser.causes import CodeMeaning, Weight
from btdiag.families.lna.facts import BUCKET, GATEWAY, BrowserSurvey, PageVisit, SeenRequest
from btdiag.families.lna.judge.reading import about

WAITED_S = 6
_VERDICTS = {Weight.FAILS: Verdict.FAIL, Weight.ASKS: Verdict.WARN, Weight.UNKNOWN: Verdict.INCONCLUSIVE}


@dataclass(frozen=True, slots=True)
class _Refusal:
    """One request that the page got no answer to."""

    visit: PageVisit
    request: SeenRequest
    cause: CodeMeaning

    @property
    def verdict(self) -> Verdict:
        if _status(self.request) == 429:
            return Verdict.INCONCLUSIVE
        found = _VERDICTS[self.cause.weight]
        return Verdict.WARN if self.request.passed and found is Verdict.FAIL else found


def page_gets_its_answers(survey: BrowserSurvey) -> Finding:
    """The claim of browser.page-gets-its-answers: every call of every page got an answer that the page may read."""
    hosts = {urlsplit(visit.url).hostname for visit in survey.visits}
    refusals = [
        _Refusal(visit, request, _cause(visit, request, hosts)) for visit, request in _failed(survey) if visit.calls
    ]
    if not refusals:
        return Finding(verdict=Verdict.PASS, summary=_all_well(survey), evidence=_proof(survey), sources=causes.SOURCES)
    worst = min(refusals, key=lambda one: one.verdict.place)
    return _refused(worst, survey, sum(one.verdict is worst.verdict for one in refusals))


def _failed(survey: BrowserSurvey) -> Iterator[tuple[PageVisit, SeenRequest]]:
    for visit in survey.visits:
        for request in visit.calls.requests if visit.calls else ():
            if not (request.ok or hidden_only(visit, request)):
                yield visit, request


def _status(request: SeenRequest) -> int | None:
    """What was answered: to the request, or to the preflight where that was refused."""
    return request.status or (request.preflight_status if "Preflight" in request.cors_error else None)


def hidden_only(visit: PageVisit, request: SeenRequest) -> bool:
    """The AI gateway was reached, and CORS hides its answer: whether pages call it at all is not known."""
    return visit.what == GATEWAY and bool(request.cors_error) and not request.refused


def _cause(visit: PageVisit, request: SeenRequest, hosts: set[str | None]) -> CodeMeaning:
    if request.refused:
        return causes.PERMISSION
    if request.blocked_reason == "mixed-content":
        return causes.TO_HTTP if request.ended_at.startswith("http:") else causes.MIXED
    if request.ended_at and urlsplit(request.ended_at).hostname not in hosts and not request.cors_error:
        return causes.ELSEWHERE
    if request.cors_error and (_status(request) or 0) >= 500:
        return causes.ERROR_PAGE
    if request.cors_error:
        return causes.BUCKET_CORS if visit.what == BUCKET else causes.CORS
    if request.error == "timeout" and request.net_error in ("", "net::ERR_ABORTED", "net::ERR_FAILED"):
        return causes.SILENT
    return causes.cause_of_code(request.net_error) or causes.UNKNOWN_CODE


def _refused(one: _Refusal, survey: BrowserSurvey, count: int) -> Finding:
    visit, request, cause = one.visit, one.request, one.cause
    words = _words(one, survey)
    shown = request.what or "no answer"
    answered = _status(request)
    status = f", status {answered}" if answered else ""
    often = f" in {request.tries - request.passed} of {request.tries} tries" if request.passed else ""
    more = f"; {count} requests in all fail" if count > 1 else ""
    return Finding(
        verdict=one.verdict,
        summary=f"the page's {request.kind} to {visit.what} ({words['host']}) ends{often} with {shown}{status} in "
        f"{survey.browser.words}: {_filled(cause.meaning, words)}{more}",
        answer=_answer(one),
        hop=cause.hop,
        owner=cause.owner,
        expected="an answer that the web app's page may read",
        seen=f"{shown}{status}{often}",
        evidence=_proof(survey),
        remedy=_remedy(cause, words),
        sources=causes.SOURCES,
        unless=cause.unless,
    )


def _answer(one: _Refusal) -> str:
    if one.request.passed:
        return f"The web app reaches {one.visit.what} only now and then"
    return f"The web app cannot call {one.visit.what}: {one.cause.short}"


def _words(one: _Refusal, survey: BrowserSurvey) -> dict[str, str]:
    parts = urlsplit(one.visit.url or survey.url)
    managed = next((f" ({given.value}, by the policy {given.policy})" for given in survey.managed), "")
    return {
        "host": parts.hostname or "",
        "port": str(port_of(parts)),
        "url": one.request.ended_at or one.visit.url or survey.url,
        "code": one.request.what,
        "limit": str(WAITED_S),
        "managed": managed,
    }


def _filled(text: str, words: Mapping[str, str]) -> str:
    """The text with its values; braces of configuration in it stay."""
    for name, value in words.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _remedy(cause: CodeMeaning, words: Mapping[str, str]) -> Remedy:
    parts = [cause.text]
    parts += [f"Users: {cause.users}"] if cause.users else []
    parts += [f"Administrators of browsers: {cause.administrators}"] if cause.administrators else []
    return Remedy(
        text=_filled(" ".join(part if part.endswith(".") else f"{part}." for part in parts), words),
        action=_filled(cause.action, words),
        snippets=tuple(Snippet(product=one.product, code=_filled(one.code, words)) for one in cause.snippets),
    )


def _all_well(survey: BrowserSurvey) -> str:
    """What was tried where, and nothing more."""
    told = []
    for visit in survey.visits:
        made = visit.calls.requests if visit.calls else ()
        kinds = ", ".join(str(request.kind) for request in made if request.ok)
        hidden = [request for request in made if hidden_only(visit, request)]
        note = f", and is reached for {len(hidden)} more whose answers CORS hides" if hidden else ""
        told.append(f"{visit.what} ({kinds or 'no answer that it may read'}{note})")
    origins = ", ".join(dict.fromkeys(visit.origin for visit in survey.visits))
    return f"a page of {origins} in {survey.browser.words} gets its answers from {'; '.join(dict.fromkeys(told))}"


def _proof(survey: BrowserSurvey) -> tuple[Evidence, ...]:
    rows: list[Sequence[object]] = [
        (
            visit.origin,
            visit.what,
            urlsplit(visit.url or survey.url).hostname or "",
            request.kind,
            request.what,
            _status(request) or "",
            f"{request.tries - request.passed} of {request.tries}" if not request.ok else "",
            request.address or request.space,
        )
        for visit in survey.visits
        for request in (visit.calls.requests if visit.calls else ())
    ]
    heads = ("page", "what", "host", "request", "result", "status", "failed", "address")
    lines = dict.fromkeys(line for visit in survey.visits if visit.calls for line in visit.calls.console)
    shots = [
        Evidence(kind="image", title=f"Page of {visit.origin}, calling {visit.what}", data=visit.calls.screenshot)
        for visit in survey.visits
        if visit.calls and visit.calls.screenshot
    ]
    return (
        evidence.table("What the web app's page got", heads, rows),
        about(survey),
        *([evidence.text("Console of the page", "\n".join(lines))] if lines else []),
        *shots,
    )
