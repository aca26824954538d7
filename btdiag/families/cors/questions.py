"""What is asked of every address, before anything is known: all that the web app asks, and what must be refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from btdiag.core.product import UNKNOWN_PATH
from btdiag.families.cors.contrast import call_questions
from btdiag.families.cors.facts import CLASSES, HEADERS, PROXY_PATH, Purpose, Question
from btdiag.families.cors.fetch import PageRequest

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
