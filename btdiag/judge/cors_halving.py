"""What to ask again after a refusal: the smallest parts that show which method, header or origin is at fault."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from btdiag.judge.cors import CorsError, PageRequest, needs_preflight
from btdiag.judge.cors.fields import extract_list, get
from btdiag.judge.cors.preflight import missing_request_headers
from btdiag.judge.cors_survey import (
    API_PATH,
    CLASSES,
    OTHER_ORIGINS,
    WEB_APP,
    Purpose,
    Question,
    Trial,
    page_request,
    refusal_of,
)

MOST_FOLLOW_UPS = 32  # two broken headers among fifteen take some twenty questions


def next_questions(trials: Sequence[Trial]) -> tuple[Question, ...]:
    """What to ask after these trials, () when all is known: methods not yet vouched for, and halves of what failed."""
    asked = {(trial.path, trial.page, trial.preflight) for trial in trials}
    wanted = [*_other_methods(trials), *_halves(trials), *_existence(trials), *_other_origins(trials)]
    fresh = [
        question
        for question in dict.fromkeys(wanted)
        if (question.path, question.page, question.preflight) not in asked
    ]
    spent = sum(trial.purpose in (Purpose.PART, Purpose.EXISTS) for trial in trials)
    return tuple(fresh[: max(0, MOST_FOLLOW_UPS - spent)])


def _other_methods(trials: Sequence[Trial]) -> list[Question]:
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


def _list_tells(trial: Trial) -> bool:
    """Does the answer itself say which headers are missing, so that nothing needs to be asked again?"""
    refusal = refusal_of(trial)
    return (
        refusal is not None
        and refusal.error in (CorsError.HEADER_DISALLOWED, CorsError.METHOD_DISALLOWED)
        and bool(get(trial.exchange.headers, "Access-Control-Allow-Headers"))
    )


def _halves(trials: Sequence[Trial]) -> list[Question]:
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


def _is_divisible(trial: Trial) -> bool:
    asks = trial.purpose in (Purpose.PREFLIGHT, Purpose.PART) and trial.answered and trial.page.method == "POST"
    return asks and bool(trial.page.headers) and refusal_of(trial) is not None and not _list_tells(trial)


def refused_alike(trial: Trial, trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """The first preflights of all routes that are refused with the same status for the same reason as this one."""
    same = (trial.exchange.status, refusal_of(trial), trial.page.origin)
    return tuple(
        other
        for other in trials
        if other.purpose is Purpose.PREFLIGHT
        and other.page.method == "POST"
        and (other.exchange.status, refusal_of(other), other.page.origin) == same
    )


def _unlike_refusals(trials: Sequence[Trial]) -> list[Trial]:
    """One refused preflight for each way of being refused."""
    refused = [t for t in trials if t.purpose is Purpose.PREFLIGHT and t.answered and refusal_of(t) is not None]
    return [trial for trial in refused if trial.page.method == "POST" and refused_alike(trial, trials)[0] is trial]


def _part(trial: Trial, headers: tuple[tuple[str, str], ...]) -> Question:
    page = PageRequest(origin=trial.page.origin, method="POST", headers=headers)
    return Question(purpose=Purpose.PART, path=trial.path, page=page, preflight=True)


def _existence(trials: Sequence[Trial]) -> list[Question]:
    """A plain GET for each route whose OPTIONS is answered 404: is the route not there at all?"""
    return [
        Question(purpose=Purpose.EXISTS, path=trial.path, page=page_request(trial.page.origin))
        for trial in trials
        if trial.purpose is Purpose.PREFLIGHT and trial.exchange.status == 404
    ]


def _other_origins(trials: Sequence[Trial]) -> list[Question]:
    """Where the web app's origin is not allowed: is an older or a barer one?"""
    refused = [
        trial
        for trial in trials
        if trial.purpose is Purpose.PREFLIGHT
        and trial.path == API_PATH
        and trial.answered
        and get(trial.exchange.headers, "Access-Control-Allow-Origin") is None
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


def refused_headers(trials: Iterable[Trial], path: str, origin: str) -> tuple[str, ...]:
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
