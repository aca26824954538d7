"""What to ask again after a refusal: the smallest parts that show which method, header or origin is at fault."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from btdiag.core.product import UNKNOWN_PATH, WEB_APP
from btdiag.families.cors.caching import only_browsers_keep, varies_by_origin
from btdiag.families.cors.contrast import call_questions, contrast_questions
from btdiag.families.cors.facts import (
    API_PATH,
    CLASSES,
    HEADERS,
    PROXY_PATH,
    CorsSurvey,
    CorsTrial,
    Purpose,
    Question,
    refusal_of,
)
from btdiag.families.cors.fetch import (
    CorsError,
    PageRequest,
    needs_preflight,
)
from btdiag.families.cors.fetch.fields import extract_list, field_value
from btdiag.families.cors.fetch.preflight import missing_request_headers
from btdiag.families.cors.mixed import mixed, repeat_questions, to_ask_again
from btdiag.families.cors.redirects import redirected_within

OTHER_ORIGINS = ("https://www.braintrustdata.com", "https://braintrust.dev", "https://btdiag.preview.braintrust.dev")
SIBLING_ORIGIN = OTHER_ORIGINS[2]  # the product's own pattern allows previews (braintrust.dev's subdomains)
_JSON = "application/json"
READABLE_PATHS = ("/", "/version")
LARGE_BODY = 1_000_000  # bytes; just below nginx's default limit of 1 MiB
ERROR_PATHS = ("/ping", UNKNOWN_PATH, PROXY_PATH)  # 401 without a key, 404, and what the AI proxy says to a GET


def foreign_origins(allowed: str) -> tuple[str, ...]:
    """Origins that must be refused where `allowed` is welcome: each finds one kind of careless pattern."""
    scheme, _, host = allowed.partition("://")
    labels = host.partition(":")[0].split(".")
    domain, stem = ".".join(labels[-2:]), ".".join(labels[:-1])
    tricks = (
        "https://evil.example",
        f"{scheme}://{host}.evil.example",  # an unanchored end
        f"{scheme}://evil{domain}",  # an unanchored beginning
        f"{scheme}://{'X'.join((labels[0], domain))}",  # an unescaped dot
        f"{scheme}://{stem}.{labels[-1]}il.example",  # a prefix match
        f"http://{host}",  # a downgrade
        f"{scheme}://x.preview.{domain}.evil.example",
        "null",
        f"{scheme}://{host.partition(':')[0]}:8443",
        "file://",
    )
    return tuple(dict.fromkeys(trick for trick in tricks if trick != allowed))


def page_request(origin: str, method: str = "GET", names: Iterable[str] = ()) -> PageRequest:
    """What a page asks for; values do not matter beyond making each header one that needs permission."""
    return PageRequest(
        origin=origin, method=method, headers=tuple((n, _JSON if n == "content-type" else "-") for n in names)
    )


def first_questions(allowed: Sequence[str]) -> tuple[Question, ...]:
    """What is asked of every address: for each origin all classes, and for the first one errors and foreign origins."""
    main = allowed[0]
    preflights = [
        Question(purpose=Purpose.PREFLIGHT, path=item.path, page=page_request(origin, "POST", HEADERS), preflight=True)
        for origin in allowed
        for item in CLASSES
    ]
    actual = [
        Question(purpose=Purpose.ACTUAL, path=path, page=page_request(origin))
        for origin in allowed
        for path in READABLE_PATHS
    ]
    errors = [Question(purpose=Purpose.ERROR, path=path, page=page_request(main)) for path in ERROR_PATHS]
    foreign = [
        question
        for origin in foreign_origins(main)
        if origin not in allowed
        for question in (
            Question(purpose=Purpose.FOREIGN, path="/", page=page_request(origin)),
            Question(
                purpose=Purpose.FOREIGN,
                path=PROXY_PATH,
                page=page_request(origin, "POST", ("authorization",)),
                preflight=True,
            ),
        )
    ]
    plain = Question(purpose=Purpose.PLAIN, path="/", page=page_request(""))
    return (plain, *preflights, *call_questions(main), *actual, *errors, *foreign)


def bucket_questions(path: str, query: str) -> tuple[Question, ...]:
    """What is asked of the object store: a page that was redirected there has the origin `null`."""
    url = f"{path}?{query}" if query else path
    return (
        Question(purpose=Purpose.ACTUAL, path=url, page=page_request("null")),
        Question(purpose=Purpose.PREFLIGHT, path=url, page=page_request("null", "GET", ("range",)), preflight=True),
    )


def large_question(allowed: Sequence[str]) -> Question:
    """A body that a healthy gateway takes and a careful one may refuse: 413 must be readable as well."""
    return Question(purpose=Purpose.LARGE, path=UNKNOWN_PATH, page=page_request(allowed[0], "POST"))


MOST_FOLLOW_UPS = 32  # two broken headers among fifteen take some twenty questions


def next_questions(trials: Sequence[CorsTrial]) -> tuple[Question, ...]:
    """What to ask after these trials, () when all is known: methods not yet vouched for, and halves of what failed."""
    if any(trial.purpose is Purpose.REPEAT for trial in trials):
        if mixed(CorsSurvey(trials=tuple(trials))) is not None:
            return ()
    elif doubts := repeat_questions(trials):
        return tuple(doubts)
    asked = {_identity(trial) for trial in trials}
    wanted = [
        *_other_methods(trials),
        *_halves(trials),
        *_existence(trials),
        *_other_origins(trials),
        *_redirected(trials),
        *_siblings(trials),
    ]
    fresh = [question for question in dict.fromkeys(wanted) if _identity(question) not in asked]
    spent = sum(trial.purpose in (Purpose.PART, Purpose.EXISTS) for trial in trials)
    followed = [*fresh[: max(0, MOST_FOLLOW_UPS - spent)], *cache_questions(trials), *contrast_questions(trials)]
    return tuple(question for question in followed if _identity(question) not in asked)


def _identity(one: Question | CorsTrial) -> tuple[object, ...]:
    """What makes two questions one; a contrast is another question than what it is a contrast to."""
    contrast = one.purpose in (Purpose.CONTRAST, Purpose.FRESH)
    return (one.path, one.page, one.preflight, one.sent, one.attempt, one.http2, contrast and one.purpose)


MOST_HOPS = 6  # of all simple requests together; a browser follows 20, and a loop is a loop after three


def _redirected(trials: Sequence[CorsTrial]) -> list[Question]:
    """Where simple requests are sent on to within the same origin, as `fetch` follows: only the target is contacted."""
    actual = [trial for trial in trials if trial.purpose is Purpose.ACTUAL and trial.answered]
    hops = sum(trial.path not in READABLE_PATHS for trial in actual)
    found = [
        Question(purpose=Purpose.ACTUAL, path=path, page=trial.page)
        for trial in actual
        if (path := redirected_within(trial)) is not None
    ]
    return found[: max(0, MOST_HOPS - hops)]


def _siblings(trials: Sequence[CorsTrial]) -> list[Question]:
    """What browsers keep for themselves, asked as another page of the web app's site asks: those share a cache."""
    return [
        Question(purpose=Purpose.SIBLING, path=trial.path, page=page_request(SIBLING_ORIGIN))
        for trial in trials
        if trial.purpose is Purpose.ACTUAL and trial.answered and trial.page.origin == WEB_APP
        if only_browsers_keep(trial.exchange) and not varies_by_origin(trial.exchange)
    ]


def cache_questions(trials: Sequence[CorsTrial]) -> list[Question]:
    """Each refused simple request once more with a query that no cache has seen."""
    return [
        Question(purpose=Purpose.FRESH, path=trial.path, page=trial.page, fresh=True)
        for trial in to_ask_again(trials)
        if not trial.preflight and trial.answered
    ]


def _other_methods(trials: Sequence[CorsTrial]) -> list[Question]:
    """The methods of a class that its first preflight, though it passed, did not list: a server may echo one only."""
    questions = []
    for trial in trials:
        if trial.purpose is not Purpose.PREFLIGHT or not trial.answered or refusal_of(trial) is not None:
            continue
        methods = next((item.methods for item in CLASSES if item.path == trial.path), ())
        listed = extract_list(trial.exchange.headers, "Access-Control-Allow-Methods") or ()
        questions += [
            Question(
                purpose=Purpose.PREFLIGHT,
                path=trial.path,
                page=PageRequest(origin=trial.page.origin, method=method, headers=trial.page.headers),
                preflight=True,
            )
            for method in methods
            if trial.page.method == "POST" and method not in listed and "*" not in listed and method != "POST"
        ]
    return questions


def _list_tells(trial: CorsTrial) -> bool:
    """Does the answer itself say which headers are missing, so that nothing needs to be asked again?"""
    refusal = refusal_of(trial)
    return (
        refusal is not None
        and refusal.error in (CorsError.HEADER_DISALLOWED, CorsError.METHOD_DISALLOWED)
        and bool(field_value(trial.exchange.headers, "Access-Control-Allow-Headers"))
    )


def _halves(trials: Sequence[CorsTrial]) -> list[Question]:
    """The parts of refused preflights: first without any special header, then, if that passes, halves of the rest.

    Of routes that are refused alike only the first is taken apart.
    """
    bare = {
        (t.path, t.page.origin): refusal_of(t) is None
        for t in trials
        if t.purpose is Purpose.PART and not t.page.headers
    }
    chosen = {(t.path, t.page.origin) for t in _unlike_refusals(trials)}
    questions = []
    for trial in trials:
        place = (trial.path, trial.page.origin)
        if place not in chosen or not _is_divisible(trial):
            continue
        if place not in bare:
            questions.append(_part(trial, ()))
        elif bare[place] and len(trial.page.headers) > 1:
            middle = len(trial.page.headers) // 2
            questions += [_part(trial, trial.page.headers[:middle]), _part(trial, trial.page.headers[middle:])]
    return questions


def _is_divisible(trial: CorsTrial) -> bool:
    asks = trial.purpose in (Purpose.PREFLIGHT, Purpose.PART) and trial.answered and trial.page.method == "POST"
    return asks and bool(trial.page.headers) and refusal_of(trial) is not None and not _list_tells(trial)


def refused_alike(trial: CorsTrial, trials: Iterable[CorsTrial]) -> tuple[CorsTrial, ...]:
    """The first preflights of all routes that are refused with the same status for the same reason as this one."""
    same = (trial.exchange.status, refusal_of(trial), trial.page.origin)
    return tuple(
        other
        for other in trials
        if other.purpose is Purpose.PREFLIGHT
        and other.page.method == "POST"
        and (other.exchange.status, refusal_of(other), other.page.origin) == same
    )


def _unlike_refusals(trials: Sequence[CorsTrial]) -> list[CorsTrial]:
    """One refused preflight for each way of being refused."""
    refused = [t for t in trials if t.purpose is Purpose.PREFLIGHT and t.answered and refusal_of(t) is not None]
    return [trial for trial in refused if trial.page.method == "POST" and refused_alike(trial, trials)[0] is trial]


def _part(trial: CorsTrial, headers: tuple[tuple[str, str], ...]) -> Question:
    page = PageRequest(origin=trial.page.origin, method="POST", headers=headers)
    return Question(purpose=Purpose.PART, path=trial.path, page=page, preflight=True)


def _existence(trials: Sequence[CorsTrial]) -> list[Question]:
    """A plain GET for each route whose OPTIONS is answered 404: is the route not there at all?"""
    return [
        Question(purpose=Purpose.EXISTS, path=trial.path, page=page_request(trial.page.origin))
        for trial in trials
        if trial.purpose is Purpose.PREFLIGHT and trial.exchange.status == 404
    ]


def _other_origins(trials: Sequence[CorsTrial]) -> list[Question]:
    """Where the web app's origin is not allowed: is an older or a barer one?"""
    refused = [
        trial
        for trial in trials
        if trial.purpose is Purpose.PREFLIGHT
        and trial.path == API_PATH
        and trial.answered
        and field_value(trial.exchange.headers, "Access-Control-Allow-Origin") is None
    ]
    return [
        Question(
            purpose=Purpose.OTHER,
            path=API_PATH,
            page=PageRequest(origin=origin, method="POST", headers=trial.page.headers),
            preflight=True,
        )
        for trial in refused
        for origin in OTHER_ORIGINS
        if trial.page.origin == WEB_APP
    ]


def refused_headers(trials: Iterable[CorsTrial], path: str, origin: str) -> tuple[str, ...]:
    """The header names that are refused on a path, each known by itself: from the lists, or by asking one at a time."""
    names: set[str] = set()
    for trial in trials:
        if trial.path != path or trial.page.origin != origin or not trial.preflight or not trial.answered:
            continue
        refusal = refusal_of(trial)
        if refusal is None:
            continue
        if refusal.error is CorsError.HEADER_DISALLOWED:
            names.update(missing_request_headers(trial.page, trial.exchange.headers))
        elif trial.purpose is Purpose.PART and len(trial.page.headers) == 1 and needs_preflight(trial.page):
            names.add(trial.page.headers[0][0])
    return tuple(sorted(names))
