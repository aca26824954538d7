"""The first words on a refusal: what it means for the web app's users, and what to do, each short enough to lead."""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.families.cors.causes import CorsCause, allowed_origin
from btdiag.families.cors.contrast import culprit
from btdiag.families.cors.facts import CorsSurvey
from btdiag.families.cors.problems import Problem
from btdiag.families.cors.remedy.contrast import named

MOST_ANSWER = 90
MOST_ACTION = 140
_CANNOT = "The web app cannot call the API"

_WHY = {
    CorsCause.UPSTREAM: "its requests end in a gateway's own error",
    CorsCause.DOUBLED: "answers name its origin twice",
    CorsCause.AUTHENTICATION: "its preflights are asked to log in",
    CorsCause.TO_HTTP: "it redirects to plain http",
    CorsCause.REDIRECT: "its requests are redirected",
    CorsCause.METHOD_FILTER: "OPTIONS is refused",
    CorsCause.FIREWALL: "a firewall refuses OPTIONS",
    CorsCause.TOO_LARGE: "its preflights are found too large",
    CorsCause.STRIPPED_REQUEST: "its Origin does not get through",
    CorsCause.ANSWERED_WITHOUT_CORS: "OPTIONS is answered without CORS",
    CorsCause.HEADERS_DROPPED: "answers come without CORS headers",
    CorsCause.BROKEN_LIST: "a list in preflights is malformed",
    CorsCause.CREDENTIALS: "calls with cookies are refused",
    CorsCause.SILENCE: "OPTIONS gets no answer",
    CorsCause.CACHE: "a cache serves answers made for others",
}

_DO = {
    CorsCause.UPSTREAM: "Find out why these requests fail behind the gateway; the browser's CORS message is a symptom",
    CorsCause.DOUBLED: "Let either the API or the gateway set Access-Control-Allow-Origin, not both",
    CorsCause.AUTHENTICATION: "Exempt OPTIONS from authentication in the gateway",
    CorsCause.TO_HTTP: "Let the hop that ends TLS send X-Forwarded-Proto: https to the API",
    CorsCause.REDIRECT: "Give the web app the final URL, or let the gateway redirect navigations only",
    CorsCause.METHOD_FILTER: "Route OPTIONS to the API like the other methods",
    CorsCause.FIREWALL: "Let OPTIONS and the product's request headers pass the firewall's rules",
    CorsCause.TOO_LARGE: "Raise the gateway's limit on request headers",
    CorsCause.STRIPPED_REQUEST: "Forward Origin and Access-Control-Request-* to the API",
    CorsCause.ANSWERED_WITHOUT_CORS: "Let OPTIONS pass to the API, or add all CORS headers where it is answered",
    CorsCause.HEADERS_DROPPED: "Add the CORS headers to every response, or leave them to the API",
    CorsCause.BROKEN_LIST: "Write the list as names with commas between, without quotes",
    CorsCause.SILENCE: "Let OPTIONS pass the firewall and the gateway like the other methods",
    CorsCause.CACHE: "Keep the API out of shared caches, and empty the cache",
}


def cut_at_blank(text: str, most: int) -> str:
    """The text, shortened at a blank where it is longer than that."""
    return text if len(text) <= most else text[: most - 4].rsplit(" ", 1)[0] + " ..."


def names_that_fit(names: Sequence[str], most: int) -> str:
    """As many of the names as there is room for, and how many more there are."""
    for count in range(len(names), 0, -1):
        more = f" and {len(names) - count} more" if count < len(names) else ""
        text = ", ".join(names[:count]) + more
        if len(text) <= most:
            return text
    return f"{len(names)} headers"


def refused_in_words(problem: Problem, names: Sequence[str], survey: CorsSurvey) -> str:
    """What does not work for users, with the header, method or origin that is refused."""
    room = MOST_ANSWER - len(_CANNOT) - 2
    return cut_at_blank(f"{_CANNOT}: {_reason(problem, names, survey, room)}", MOST_ANSWER)


def _reason(problem: Problem, names: Sequence[str], survey: CorsSurvey, room: int) -> str:
    if problem.cause in (CorsCause.REQUEST_HEADERS, CorsCause.PACKED):
        guilty = culprit(survey)
        return f"requests with {named(guilty)} are refused" if guilty else "its requests are refused"
    if names:
        return "preflights refuse " + names_that_fit(names, room - len("preflights refuse "))
    if problem.cause is CorsCause.METHOD_LIST:
        return f"preflights refuse {problem.refusal.parameter}"
    if problem.cause is CorsCause.FIXED_ORIGIN:
        return f"only {allowed_origin(problem.trial)} is allowed"
    if problem.cause is CorsCause.ORIGIN_REFUSED:
        return f"{problem.trial.page.origin} is not allowed"
    if problem.cause is CorsCause.NO_ROUTE:
        return f"{problem.trial.path} is not routed to it"
    return _WHY.get(problem.cause, "preflights refuse its headers")


def action(problem: Problem, names: Sequence[str], survey: CorsSurvey) -> str:
    """What to do, in one clause."""
    origin = problem.trial.page.origin
    if problem.cause in (CorsCause.REQUEST_HEADERS, CorsCause.PACKED):
        guilty = culprit(survey)
        what = named(guilty) if guilty else "what browsers send"
        return cut_at_blank(f"Find the gateway's rule on {what} and leave the API's host out of it", MOST_ACTION)
    if problem.cause is CorsCause.HEADER_LIST:
        room = MOST_ACTION - len("Add  to Access-Control-Allow-Headers, or leave that list to the API")
        return f"Add {names_that_fit(names, room)} to Access-Control-Allow-Headers, or leave that list to the API"
    if problem.cause is CorsCause.METHOD_LIST:
        return f"Add {problem.refusal.parameter} to Access-Control-Allow-Methods"[:MOST_ACTION]
    if problem.cause in (CorsCause.FIXED_ORIGIN, CorsCause.ORIGIN_REFUSED):
        return cut_at_blank(f"Allow {origin} where CORS is answered (at the API: WHITELISTED_ORIGINS)", MOST_ACTION)
    if problem.cause is CorsCause.CREDENTIALS:
        return cut_at_blank(
            f"Send {origin} as the allowed origin, and Access-Control-Allow-Credentials: true", MOST_ACTION
        )
    if problem.cause is CorsCause.NO_ROUTE:
        return cut_at_blank(
            f"Route {problem.trial.path} to the API in the load balancer, like the other paths", MOST_ACTION
        )
    return _DO[problem.cause]
