"""Is the answer to one and the same question always the same? Asked again alone, before anything is made of a refusal.

One backend of several that is older, a limit by connections, a gateway that restarts: what refuses now and then says
nothing of routes, methods or header names, so nothing else is judged by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from btdiag.core.exchange import Trouble
from btdiag.families.cors.facts import CorsSurvey, CorsTrial, Purpose, Question, refusal_of
from btdiag.families.cors.fetch import cors_check
from btdiag.families.cors.fetch.check import ALLOW_ORIGIN
from btdiag.families.cors.fetch.fields import field_value

TRIES = 6  # one older backend of two is met in each of seven tries by chance once in 128 times
SLOW_TRIES = 2  # where an answer takes longer than SLOW_S
SLOW_S = 1.0
_FIRST = (Purpose.PREFLIGHT, Purpose.ACTUAL)
_QUICK_TO_FAIL = frozenset({Trouble.CLOSED, Trouble.RESET})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """A question with several answers: `refused` and `passed` are one trial of each kind, `k` of `n` were refused.

    `in_bursts`: alone it always passed, and was refused only among other requests at the same moment.
    """

    refused: CorsTrial
    passed: CorsTrial
    k: int
    n: int
    in_bursts: bool


def would_be_refused(trial: CorsTrial) -> bool:
    """Would a browser refuse this answer, without credentials?"""
    if trial.preflight:
        return refusal_of(trial) is not None
    return cors_check(trial.page.origin, False, trial.exchange.headers) is not None


def _judged(trial: CorsTrial) -> bool:
    """An answer, or a connection that was broken off at once; a rate limit's 429 is neither."""
    failure = trial.exchange.failure
    return trial.answered or (
        trial.exchange.status is None and failure is not None and failure.trouble in _QUICK_TO_FAIL
    )


def _kind(trial: CorsTrial) -> tuple[object, ...]:
    """Refusals of one kind: the same request, answered alike."""
    return (
        trial.preflight,
        trial.page.origin,
        trial.exchange.status,
        field_value(trial.exchange.headers, ALLOW_ORIGIN),
    )


def _is_error(trial: CorsTrial) -> bool:
    return not trial.preflight and 400 <= (trial.exchange.status or 0) < 500


def to_ask_again(trials: Iterable[CorsTrial]) -> list[CorsTrial]:
    """The first refused preflight and the first refused simple request (a 4xx is an error, and no refusal): to be asked
    again."""
    found: dict[bool, CorsTrial] = {}
    for trial in trials:
        if trial.purpose in _FIRST and _judged(trial) and would_be_refused(trial) and not _is_error(trial):
            found.setdefault(trial.preflight, trial)
    return list(found.values())


def repeat_questions(trials: Sequence[CorsTrial]) -> list[Question]:
    """The refused ones again, a bounded number of times."""
    return [
        trial.asked_again(Purpose.REPEAT, attempt=number)
        for trial in to_ask_again(trials)
        for number in range(1, 1 + (SLOW_TRIES if trial.exchange.timing.total_s > SLOW_S else TRIES))
    ]


def mixed(survey: CorsSurvey) -> Mixed | None:
    """The first question of a survey that is refused and allowed by turns; None where every answer stands."""
    for trial in to_ask_again(survey.trials):
        again = [
            other
            for other in survey.trials
            if other.purpose is Purpose.REPEAT
            and (other.path, other.page, other.http2) == (trial.path, trial.page, trial.http2)
            and other.preflight == trial.preflight
            and _judged(other)
        ]
        passed = [other for other in again if not would_be_refused(other)]
        if passed:
            refused = 1 + len(again) - len(passed)
            return Mixed(
                refused=trial,
                passed=passed[0],
                k=refused,
                n=1 + len(again),
                in_bursts=refused == 1 and _others_refused(trial, survey),
            )
    return None


def _others_refused(trial: CorsTrial, survey: CorsSurvey) -> bool:
    """Were others, asked at the same moment, refused in the same way?"""
    same = [other for other in survey.trials if other.purpose in _FIRST and would_be_refused(other) and _judged(other)]
    return sum(_kind(other) == _kind(trial) for other in same) > 2
