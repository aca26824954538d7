"""What to say of each cause: the hop and its owner, the reason in one clause, and what to change there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from btdiag.core import sender
from btdiag.core.finding import HopName, Owner, Remedy, Snippet
from btdiag.families.cors.causes import CorsCause, allowed_origin, answered_by_gateway, passes, twin
from btdiag.families.cors.facts import HEADERS, CorsSurvey, Purpose
from btdiag.families.cors.problems import Problem
from btdiag.families.cors.remedy import snippets
from btdiag.families.cors.remedy.advice import Advice, speaker
from btdiag.families.cors.remedy.contrast import cached, request_headers, to_http
from btdiag.families.cors.remedy.words import action

FETCH = "https://fetch.spec.whatwg.org/#http-cors-protocol"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """`what` is a clause that follows the observation; `proved` tells how the API server's own answer bears it out."""

    hop: HopName
    owner: Owner
    what: str
    remedy: Remedy
    proved: str = ""


def blame(problem: Problem, names: Sequence[str], survey: CorsSurvey, backend: CorsSurvey | None) -> Blame:
    """Hop, reason and remedy for a problem. `names` are the request headers at fault, where it is headers."""
    advice = _ADVICE[problem.cause](problem, names, survey)
    at_api, proved = advice.at_api, ""
    own = twin(problem.trial, backend)
    if own is not None:
        at_api = not passes(own)
        proved = (
            "asked directly, the API server answers in the same way"
            if at_api
            else "asked directly, the API server answers as it should, so it is a hop in front of it"
        )
    return Blame(
        hop=HopName.API if at_api else HopName.LOAD_BALANCER,
        owner=Owner.API if at_api else Owner.LOAD_BALANCER,
        what=advice.what,
        remedy=Remedy(
            text=advice.text, snippets=_nearest_first(advice.snippets, problem), action=action(problem, names, survey)
        ),
        proved=proved,
    )


def _nearest_first(found: tuple[Snippet, ...], problem: Problem) -> tuple[Snippet, ...]:
    """The snippets, those for a product seen on the way before all others."""
    who = sender.sender(problem.trial.exchange)
    seen = {word for name in (who.name, *who.passed) for word in name.lower().split() if len(word) > 3}
    server = (problem.trial.exchange.header("server") or "").lower()
    return tuple(
        sorted(
            found,
            key=lambda snippet: (
                not any(word in seen or word in server for word in snippet.product.lower().replace("(", "").split())
            ),
        )
    )


def _upstream(problem: Problem, _: Sequence[str], __: CorsSurvey) -> Advice:
    status = problem.trial.exchange.status
    return Advice(
        what=f"a gateway's own error ({speaker(problem)}), not a CORS fault: the browser reports CORS because the page "
        "that the gateway makes has no CORS headers",
        text=f"Find out why {problem.trial.path} is answered {status}: look at the backend behind this route. The CORS "
        "message of the browser is a symptom and goes away with it.",
        snippets=snippets.headers_on_errors_too(problem.trial.page.origin),
    )


def _doubled(problem: Problem, _: Sequence[str], __: CorsSurvey) -> Advice:
    return Advice(
        what="the API and a gateway in front of it both add the header, and browsers accept one value only",
        text="Let either the API or the gateway set Access-Control-Allow-Origin: remove it from the gateway, or hide "
        "the API's with proxy_hide_header.",
        snippets=snippets.one_allow_origin(problem.trial.page.origin),
    )


def _authentication(problem: Problem, _: Sequence[str], __: CorsSurvey) -> Advice:
    leads = sender.redirect(problem.trial.exchange)
    where = f", which leads to {leads.url}" if leads else ""
    return Advice(
        what=f"authentication in front of the API (auth proxy; {speaker(problem)}) asks for credentials{where}, and a "
        "browser sends none with a preflight",
        text="Exempt OPTIONS from authentication in the gateway; the API checks its key on the request that follows.",
        snippets=snippets.preflight_past_authentication(problem.trial.page.origin, HEADERS),
    )


def _redirect(problem: Problem, _: Sequence[str], __: CorsSurvey) -> Advice:
    leads = sender.redirect(problem.trial.exchange)
    url = leads.url if leads else "another URL"
    return Advice(
        what=f"a gateway redirects to {url} ({speaker(problem)}), and browsers follow no redirect of a preflight",
        text=f"Give the web app the final URL ({url}), or let the gateway redirect navigations only.",
        snippets=snippets.final_address(),
    )


def _no_route(problem: Problem, _: Sequence[str], __: CorsSurvey) -> Advice:
    head = "/" + problem.trial.path.strip("/").split("/")[0]
    return Advice(
        what=f"the load balancer ({speaker(problem)}) has no rule for {problem.trial.path}: it answers 404 to GET too, "
        "while other routes reach the API",
        text=f"Route {head}/* to the API, or to the backend that serves it, like the other paths.",
        snippets=snippets.path_reaches_the_api(head),
    )


def _method_filter(problem: Problem, _: Sequence[str], __: CorsSurvey) -> Advice:
    return Advice(
        what=f"a method filter or a route that knows no OPTIONS in the gateway ({speaker(problem)}) refuses preflights",
        text="Route OPTIONS to the API like the other methods, or answer it in the gateway with all CORS headers.",
        snippets=snippets.options_reaches_the_api(problem.trial.page.origin, HEADERS),
    )


def _firewall(problem: Problem, names: Sequence[str], __: CorsSurvey) -> Advice:
    why = f"preflights because of {_joined(names)}" if names else "OPTIONS"
    return Advice(
        what=f"a web application firewall (WAF) or an access rule ({speaker(problem)}) forbids {why}",
        text=f"Let OPTIONS, and the request headers {_joined(names) or 'x-bt-*'}, pass the gateway's rules.",
        snippets=(
            *snippets.firewall_lets_preflights_pass(names),
            *snippets.options_reaches_the_api(problem.trial.page.origin, HEADERS),
        ),
    )


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names)


def _too_large(problem: Problem, _: Sequence[str], __: CorsSurvey) -> Advice:
    return Advice(
        what=f"the gateway ({speaker(problem)}) finds the request or its header too large",
        text="Raise the gateway's limit on request headers (nginx large_client_header_buffers, HAProxy tune.bufsize).",
    )


def _stripped(problem: Problem, _: Sequence[str], __: CorsSurvey) -> Advice:
    return Advice(
        what=f"the answer has other CORS headers but none that names the origin: Origin or Access-Control-Request-* do "
        f"not reach the API, as a CDN or proxy strips them ({speaker(problem)})",
        text="Forward Origin, Access-Control-Request-Method and Access-Control-Request-Headers to the API, and cache "
        "none of its answers.",
        snippets=snippets.request_headers_forwarded(),
    )


def _answered(problem: Problem, _: Sequence[str], __: CorsSurvey) -> Advice:
    return Advice(
        what=f"something in front of the API ({speaker(problem)}) answers OPTIONS itself, without CORS headers; the "
        "API does send them with other methods",
        text="Let OPTIONS pass to the API, or add all CORS headers where it is answered.",
        snippets=snippets.options_reaches_the_api(problem.trial.page.origin, HEADERS),
    )


def _dropped(problem: Problem, _: Sequence[str], __: CorsSurvey) -> Advice:
    return Advice(
        what="preflights carry CORS headers and the responses after them do not: the gateway answers preflights itself "
        f"and forgets or drops the headers afterwards ({speaker(problem)})",
        text="Add the CORS headers to every response, or leave them to the API on both.",
        snippets=snippets.headers_on_errors_too(problem.trial.page.origin),
    )


def _fixed(problem: Problem, _: Sequence[str], __: CorsSurvey) -> Advice:
    origin, value = problem.trial.page.origin, allowed_origin(problem.trial)
    return Advice(
        what=f"the origin that is allowed is fixed to {value!r} in a gateway or in WHITELISTED_ORIGINS, and a browser "
        f"wants exactly {origin}",
        text=f"Allow {origin} instead of {value!r}, or pass Origin through and let the API answer.",
        snippets=snippets.origin_allowed(origin),
    )


def _refused(problem: Problem, _: Sequence[str], survey: CorsSurvey) -> Advice:
    origin = problem.trial.page.origin
    known = [trial.page.origin for trial in survey.of(Purpose.OTHER) if passes(trial)]
    instead = f"; it does allow {', '.join(known)}" if known else ""
    text = (
        f"Allow {origin}: set WHITELISTED_ORIGINS at the API server, or the origin in the gateway that answers for it."
    )
    return Advice(
        what=f"no CORS header comes back for {origin}: it is not among the origins that the API allows{instead}",
        text=text if known else text + " If the API allows it already, a gateway drops the headers: --backend tells.",
        snippets=snippets.origin_allowed(origin),
        at_api=True,
    )


def _methods(problem: Problem, _: Sequence[str], survey: CorsSurvey) -> Advice:
    listed = problem.trial.exchange.header("Access-Control-Allow-Methods") or "(none)"
    return Advice(
        what=f"the list of methods ({listed}) lacks {problem.refusal.parameter}",
        text=f"Add {problem.refusal.parameter} to Access-Control-Allow-Methods wherever preflights are answered.",
        snippets=snippets.methods_allowed(problem.trial.page.origin),
        at_api=answered_by_gateway(problem.trial, survey) is False,
    )


def _headers(problem: Problem, names: Sequence[str], survey: CorsSurvey) -> Advice:
    stale = "x-bt-" in (problem.trial.exchange.header("Access-Control-Allow-Headers") or "").lower()
    by_gateway = answered_by_gateway(problem.trial, survey)
    whose = "the gateway's own list" if by_gateway else "the list (the API's, or one that a gateway puts in its place)"
    age = "is older than the web app" if stale else "does not know the product's headers"
    return Advice(
        what=f"{whose} {age}",
        text=f"Add {_joined(names)} to Access-Control-Allow-Headers where preflights are answered: stop overriding the "
        "API's list in the gateway, or upgrade the API or its Terraform module.",
        snippets=snippets.headers_allowed(problem.trial.page.origin, HEADERS),
        at_api=by_gateway is False and stale,
    )


def _broken(problem: Problem, _: Sequence[str], __: CorsSurvey) -> Advice:
    methods = "Methods" in problem.refusal.error.value
    name = f"Access-Control-Allow-{'Methods' if methods else 'Headers'}"
    value = problem.trial.exchange.header(name) or ""
    return Advice(
        what=f"{name} is no list of names separated by commas ({value!r}), and one error spoils all of it",
        text=f"Write {name} as names with commas between, without quotes.",
        snippets=snippets.headers_allowed(problem.trial.page.origin, HEADERS),
    )


def _silence(problem: Problem, _: Sequence[str], __: CorsSurvey) -> Advice:
    failure = problem.trial.exchange.failure
    how = failure.trouble if failure else "no answer"
    return Advice(
        what=f"a firewall or gateway drops OPTIONS ({how}) while GET is answered",
        text="Let OPTIONS pass the firewall and the gateway like the other methods.",
        snippets=(
            *snippets.firewall_lets_preflights_pass(()),
            *snippets.options_reaches_the_api(problem.trial.page.origin, HEADERS),
        ),
    )


def _credentials(problem: Problem, _: Sequence[str], __: CorsSurvey) -> Advice:
    origin = problem.trial.page.origin
    value = problem.trial.exchange.header("Access-Control-Allow-Credentials")
    wildcard = allowed_origin(problem.trial) == "*"
    what = (
        "a gateway allows the origin with a fixed `*`, which counts only without credentials"
        if wildcard
        else f"Access-Control-Allow-Credentials is {'missing' if value is None else repr(value)}, not `true`"
    )
    return Advice(
        what=what,
        text=f"Send Access-Control-Allow-Origin: {origin} and Access-Control-Allow-Credentials: true.",
        snippets=snippets.origin_allowed(origin),
    )


_ADVICE = {
    CorsCause.REQUEST_HEADERS: request_headers,
    CorsCause.PACKED: request_headers,
    CorsCause.CACHE: cached,
    CorsCause.TO_HTTP: to_http,
    CorsCause.UPSTREAM: _upstream,
    CorsCause.DOUBLED: _doubled,
    CorsCause.AUTHENTICATION: _authentication,
    CorsCause.REDIRECT: _redirect,
    CorsCause.NO_ROUTE: _no_route,
    CorsCause.METHOD_FILTER: _method_filter,
    CorsCause.FIREWALL: _firewall,
    CorsCause.TOO_LARGE: _too_large,
    CorsCause.STRIPPED_REQUEST: _stripped,
    CorsCause.ANSWERED_WITHOUT_CORS: _answered,
    CorsCause.HEADERS_DROPPED: _dropped,
    CorsCause.FIXED_ORIGIN: _fixed,
    CorsCause.ORIGIN_REFUSED: _refused,
    CorsCause.METHOD_LIST: _methods,
    CorsCause.HEADER_LIST: _headers,
    CorsCause.BROKEN_LIST: _broken,
    CorsCause.CREDENTIALS: _credentials,
    CorsCause.SILENCE: _silence,
}
