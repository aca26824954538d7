"""Which headers of a browser's call make the difference: the same request without each group of them, asked again.

The web app's call carries more than a program's: the product's own headers, what the browser says of the page, client
hints, codings. A rule that looks at one of them refuses the web app and lets everybody's curl through. So a call that
is refused is asked once more bare, and if that passes once without each group; what makes it pass is at fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from btdiag.core.exchange import Trouble
from btdiag.core.product import UNKNOWN_PATH
from btdiag.families.cors.facts import WHOLE, CorsSurvey, CorsTrial, Group, Purpose, Question
from btdiag.families.cors.fetch import PageRequest
from btdiag.families.cors.mixed import Mixed, to_ask_again, would_be_refused

TIMES = 2  # how often the refused call and the one that passes are asked once more: three answers of each
_NOBODY = "00000000-0000-0000-0000-000000000000"
PRODUCT_HEADERS = (
    ("x-bt-org-name", "btdiag"),
    ("x-bt-parent", f"project_id:{_NOBODY}"),
    ("x-bt-project-id", _NOBODY),
    ("x-bt-stream-fmt", "none"),
    ("x-bt-use-cache", "auto"),
    ("x-bt-use-gateway", "true"),
)
"""The product's headers with harmless values: sent to paths that read none of them."""
SDK_HEADERS = (
    ("x-stainless-arch", "x64"),
    ("x-stainless-lang", "js"),
    ("x-stainless-os", "Linux"),
    ("x-stainless-package-version", "4.0.0"),
    ("x-stainless-runtime", "browser:chrome"),
    ("x-stainless-runtime-version", "156"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """What makes the difference between `refused` and `passes`: a group of headers, or the HTTP version.

    `names` are the headers of the group that are refused each by itself, () where none is. The refused request was
    refused `k` of `n` times, and the other one passed every time.
    """

    group: Group
    names: tuple[str, ...]
    refused: CorsTrial
    passes: CorsTrial
    k: int
    n: int


def call_questions(origin: str) -> tuple[Question, ...]:
    """A read and a write as the web app's page makes them; the write goes to a path that does not exist."""
    headers = (*PRODUCT_HEADERS, *SDK_HEADERS)
    json = (("content-type", "application/json"),)
    return (
        Question(
            purpose=Purpose.CALL,
            path="/version",
            page=PageRequest(origin=origin, headers=headers),
            sent=WHOLE,
            http2=True,
        ),
        Question(
            purpose=Purpose.CALL,
            path=UNKNOWN_PATH,
            page=PageRequest(origin=origin, method="POST", headers=(*json, *headers)),
            sent=WHOLE,
            http2=True,
        ),
    )


def is_bad(trial: CorsTrial) -> bool:
    """Is this no answer that the web app can use: none, a broken one, hidden by CORS, or an error but 401 and 404?"""
    status = trial.exchange.status
    if status is None:
        return trial.is_silent
    if status == 429:
        return False
    if trial.exchange.failure is not None or status >= 500 or (status >= 400 and status not in (401, 404)):
        return True
    return Group.ORIGIN in trial.sent and would_be_refused(trial)


def _contrasts(trial: CorsTrial, trials: Iterable[CorsTrial]) -> list[CorsTrial]:
    """What was asked in contrast to a trial."""
    kind = (trial.path, trial.page.origin, trial.page.method, trial.preflight)
    return [
        other
        for other in trials
        if other.purpose is Purpose.CONTRAST
        and (other.path, other.page.origin, other.page.method, other.preflight) == kind
    ]


def _suspects(trials: Sequence[CorsTrial]) -> list[CorsTrial]:
    """The refused calls, and the first refused preflight."""
    calls = [trial for trial in trials if trial.purpose is Purpose.CALL and is_bad(trial) and not _times_out(trial)]
    return [*calls, *(trial for trial in to_ask_again(trials) if trial.preflight and trial.answered)]


def _times_out(trial: CorsTrial) -> bool:
    """Did it take all of its time? To ask it in parts would take more than there is for the whole survey."""
    failure = trial.exchange.failure
    return failure is not None and failure.trouble is Trouble.TIMEOUT


def _bare(trial: CorsTrial) -> list[Question]:
    """Without all that can be left out, and over HTTP/1.1 where it went over HTTP/2."""
    base = trial.asked_again(Purpose.CONTRAST)
    found = [replace(base, sent=(Group.ORIGIN,))]
    if not trial.preflight:
        found.append(replace(base, sent=()))
    if trial.exchange.http_version == Group.VERSION:
        found.append(replace(base, http2=False))
    return found


def _droppable(trial: CorsTrial) -> list[Group]:
    """The groups that were really sent with a trial and can be left out."""
    names = {name.lower() for name, _ in trial.page.headers}
    own = {
        Group.ORIGIN: not trial.preflight,
        Group.PRODUCT: any(name.startswith("x-bt-") for name in names),
        Group.SDK: any(name.startswith("x-stainless-") for name in names),
        Group.BODY: "content-type" in names and not trial.preflight,
        Group.KEY: any(name.lower() == "authorization" for name, _ in trial.exchange.request_headers),
    }
    return [group for group in trial.sent if own.get(group, True)]


def _without(trial: CorsTrial, group: Group) -> tuple[Group, ...]:
    return tuple(one for one in trial.sent if one is not group)


def contrast_questions(trials: Sequence[CorsTrial]) -> list[Question]:
    """What to ask of a refused call next: bare, then without each group, then what made the difference once more. The
    next call is looked at only where nothing in the one before makes a difference."""
    for trial in _suspects(trials):
        asked = _contrasts(trial, trials)
        if not asked:
            return _bare(trial)
        if any(_is_better(other, trial) for other in asked):
            return _narrowed(trial, asked)
    return []


def _is_better(other: CorsTrial, trial: CorsTrial) -> bool:
    """Is it an answer that the web app could use? Without Origin there is no CORS to judge: another status then."""
    status = other.exchange.status
    if status is None or status == 429 or is_bad(other):
        return False
    return Group.ORIGIN in other.sent or status != trial.exchange.status


def _narrowed(trial: CorsTrial, asked: Sequence[CorsTrial]) -> list[Question]:
    base = trial.asked_again(Purpose.CONTRAST)
    suspect = _difference(trial, asked)
    if suspect is None:
        return [replace(base, sent=_without(trial, group)) for group in _droppable(trial)]
    again = replace(base, sent=suspect.sent, http2=suspect.http2)
    numbers = range(1, TIMES + 1)
    repeats = [replace(one, attempt=number) for number in numbers for one in (base, again)]
    group = _group_of(trial, suspect)
    if group not in (Group.PRODUCT, Group.SDK):
        return repeats
    prefix = group.value.removesuffix("*")
    alone = [pair for pair in trial.page.headers if pair[0].startswith(prefix)]
    return [
        *repeats,
        *(replace(base, page=replace(trial.page, headers=(pair,)), sent=(Group.ORIGIN, group)) for pair in alone),
    ]


def _difference(trial: CorsTrial, asked: Sequence[CorsTrial]) -> CorsTrial | None:
    """The first of the contrasts that differs in one thing and passes."""
    one_less = len(trial.sent) - 1
    for other in asked:
        if other.attempt or not _is_better(other, trial):
            continue
        by_version = other.sent == trial.sent and other.http2 != trial.http2
        if by_version or (other.page == trial.page and len(other.sent) == one_less and other.http2 == trial.http2):
            return other
    return None


def _group_of(trial: CorsTrial, other: CorsTrial) -> Group:
    missing = [group for group in trial.sent if group not in other.sent]
    return missing[0] if missing else Group.VERSION


def culprit(survey: CorsSurvey) -> Culprit | None:
    """What makes the difference on this way, if every answer bears it out; None where no call is refused for it."""
    for trial in _suspects(survey.trials):
        asked = _contrasts(trial, survey.trials)
        other = _difference(trial, asked)
        if other is None or (_group_of(trial, other) is Group.KEY):
            continue
        again = [one for one in asked if one.attempt and one.sent == trial.sent and one.http2 == trial.http2]
        passed = [one for one in asked if one.attempt and (one.sent, one.http2) == (other.sent, other.http2)]
        if not again or any(is_bad(one) for one in passed) or not all(is_bad(one) for one in again):
            continue
        names = [
            one.page.headers[0][0]
            for one in asked
            if len(one.page.headers) == 1 and one.page != trial.page and is_bad(one)
        ]
        return Culprit(
            group=_group_of(trial, other),
            names=tuple(sorted(names)),
            refused=trial,
            passes=other,
            k=1 + len(again),
            n=1 + len(again),
        )
    return None


def mixed_call(survey: CorsSurvey) -> Mixed | None:
    """A call that is refused (4xx) and answered by turns, as its repeats show; a 5xx is no matter of CORS."""
    for trial in _suspects(survey.trials):
        if trial.preflight or not 400 <= (trial.exchange.status or 0) < 500:
            continue
        asked = _contrasts(trial, survey.trials)
        again = [one for one in asked if one.attempt and (one.sent, one.http2) == (trial.sent, trial.http2)]
        passed = [one for one in again if _is_better(one, trial)]
        if passed:
            refused = 1 + sum(is_bad(one) for one in again)
            return Mixed(refused=trial, passed=passed[0], k=refused, n=1 + len(again), in_bursts=False)
    return None
