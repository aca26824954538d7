"""CORS as a browser would try it: preflights and simple requests of the web app's origin and of foreign ones.

Sent are a browser's header names and values (only User-Agent is btdiag's own). Preflights and simple requests carry no
credentials; the two calls made as the web app makes them carry the key, where it may go. Few connections per address,
each used for many requests; what is asked again is asked alone, on a connection of its own; every answer is bounded.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from btdiag.core.exchange import Trouble
from btdiag.core.measurement import NotAsked, Scope, Unknown, measurement
from btdiag.core.product import UNKNOWN_PATH, origins
from btdiag.core.target import Mode, Target, Way
from btdiag.families.cors.facts import CLASSES, CorsSurvey, CorsTrial, Purpose, Question
from btdiag.families.cors.mixed import repeat_questions
from btdiag.families.cors.plan import (
    LARGE_BODY,
    bucket_questions,
    first_questions,
    foreign_origins,
    large_question,
    next_questions,
)
from btdiag.families.cors.probe.asking import ask_once, is_alone
from btdiag.net.endpoint import routes_to
from btdiag.net.streams import DialError, Stream
from btdiag.net.wire import Wire

CONNECTIONS = 4  # a browser opens six to a host; fewer handshakes make the whole survey shorter
ROUNDS = 14  # one asks again, up to five contrast, halving fifteen headers takes five
ENOUGH_S = 20.0  # seconds after which nothing new is asked: what is known by then is judged
_BUDGET = 30.0
_WHY = "about 35 small requests on four connections, 4 s each at worst (a firewall that drops OPTIONS: 17 of them)"


def _planned(target: Target, mode: Mode) -> list[str]:
    allowed = origins(target)
    foreign = len(foreign_origins(allowed[0]))
    return [
        *(f"OPTIONS {target.url_for(item.path)} (preflight, {len(allowed)} origins)" for item in CLASSES),
        f"GET {target.url_for('/')} ({len(allowed)} origins and {foreign} foreign ones)",
        f"OPTIONS {target.url_for('/v1/proxy/chat/completions')} ({foreign} foreign origins)",
        f"GET {target.url_for('/version')} and POST {target.url_for(UNKNOWN_PATH)} with the product's headers",
        f"GET {target.url_for('/version')} and three paths that answer 401 or 404",
        *([] if mode.quick else [f"POST {target.url_for(UNKNOWN_PATH)} ({LARGE_BODY} bytes to an unknown path)"]),
    ]


@measurement(budget=_BUDGET, why=_WHY, scope=Scope.ADDRESS, sends=_planned)
async def cors_survey(way: Way, target: Target, wire: Wire, mode: Mode) -> CorsSurvey:
    """What one address answers to preflights and requests of the web app's origin and of foreign origins."""
    allowed = origins(target)
    asked = first_questions(allowed) if mode.quick else (*first_questions(allowed), large_question(allowed))
    survey = await _survey(wire, way, target.origin + target.path, asked)
    return await _with_http2(wire, way, target.origin + target.path, survey, allowed)


@measurement(
    budget=_BUDGET,
    why=_WHY,
    sends=lambda target, mode: [f"the same preflights and requests at {target.backend}"] if target.backend else [],
)
async def cors_backend(target: Target, wire: Wire) -> CorsSurvey:
    """The same questions, asked of the API server itself (--backend): what the load balancer was given."""
    if target.backend is None:
        raise NotAsked("no --backend was given", "--backend http://HOST:8000")
    way = await _way_to(target.backend, target, wire)
    own = [question for question in first_questions(origins(target)) if question.purpose is not Purpose.FOREIGN]
    return _heard(await _survey(wire, way, target.backend.rstrip("/"), own), target.backend)


@measurement(
    budget=12,
    why="two small requests to the object store",
    sends=lambda target, mode: [f"GET and OPTIONS {target.bucket.partition('?')[0]}"] if target.bucket else [],
)
async def cors_bucket(target: Target, wire: Wire) -> CorsSurvey:
    """What the object store (--bucket) answers to the `Origin: null` that follows a redirect."""
    if target.bucket is None:
        raise NotAsked("no --bucket was given", "--bucket URL")
    parts = urlsplit(target.bucket)
    way = await _way_to(target.bucket, target, wire)
    asked = bucket_questions(parts.path or "/", parts.query)
    return _heard(await _survey(wire, way, f"{parts.scheme}://{parts.netloc}", asked), target.bucket)


async def _way_to(url: str, target: Target, wire: Wire) -> Way:
    """The first address of a URL's host that takes a connection; its certificate may be made out to another name."""
    for route in await routes_to(url, target):
        for verify in (True, False):
            way = Way(route=route, verify=verify)
            try:
                stream = await wire.dial_url(way, url)
            except DialError as error:
                if error.failure.trouble is Trouble.UNTRUSTED:
                    continue
                break
            await stream.close()
            return way
    raise Unknown(f"no connection to {urlsplit(url).hostname} for {url}")


def _heard(survey: CorsSurvey, url: str) -> CorsSurvey:
    if not survey.of(*Purpose):
        failure = survey.trials[0].exchange.failure
        raise Unknown(f"{urlsplit(url).hostname} gave no answer: {failure.detail if failure else 'rate limited (429)'}")
    return survey


async def _survey(wire: Wire, way: Way, base: str, questions: Sequence[Question]) -> CorsSurvey:
    """Ask, then ask again in parts what was refused, until nothing is left to find out.

    Whoever gives no answer at all to the first question is not asked the others: each would take its whole time.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    stream = await _opened(wire, way, base, None)
    trials = [await ask_once(wire, way, base, questions[0], stream)]
    wanted = tuple(questions[1:]) if trials[0].exchange.failure is None else ()
    if not wanted and stream is not None:
        await stream.close()
    for _ in range(ROUNDS):
        if not wanted:
            break
        trials += await _ask_all(wire, way, base, [one for one in wanted if not is_alone(one)], stream)
        stream = None
        for one in filter(is_alone, wanted):
            if loop.time() - started < ENOUGH_S:
                trials.append(await ask_once(wire, way, base, one))
        if loop.time() - started > ENOUGH_S:
            break
        wanted = next_questions(trials)
    return CorsSurvey(trials=tuple(trials))


async def _ask_all(
    wire: Wire, way: Way, base: str, questions: Sequence[Question], stream: Stream | None
) -> list[CorsTrial]:
    """All answers in the order of the questions; the connections (`stream` is one of them) take them from one queue."""
    queue = deque(enumerate(questions))
    answers: dict[int, CorsTrial] = {}
    async with asyncio.TaskGroup() as group:
        for number in range(min(CONNECTIONS, len(questions))):
            group.create_task(_work(wire, way, base, queue, answers, None if number else stream))
    return [answers[number] for number in sorted(answers)]


async def _work(
    wire: Wire,
    way: Way,
    base: str,
    queue: deque[tuple[int, Question]],
    answers: dict[int, CorsTrial],
    stream: Stream | None,
) -> None:
    """Take questions until none is left, on one connection as long as it lasts."""
    try:
        while queue:
            number, question = queue.popleft()
            if question.http2:
                answers[number] = await ask_once(wire, way, base, question)
                continue
            if stream is None or not stream.reusable:
                stream = await _opened(wire, way, base, stream)
            answers[number] = await ask_once(wire, way, base, question, stream)
    finally:
        if stream is not None:
            await stream.close()


async def _opened(wire: Wire, way: Way, base: str, spent: Stream | None) -> Stream | None:
    """A fresh connection; None where there is none, or where only whole exchanges work (http through a proxy)."""
    if spent is not None:
        await spent.close()
    if way.route.proxy is not None and base.startswith("http:"):
        return None
    try:
        return await wire.dial_url(way, base)
    except DialError:
        return None


async def _with_http2(wire: Wire, way: Way, base: str, survey: CorsSurvey, allowed: Sequence[str]) -> CorsSurvey:
    """The first preflight once more over HTTP/2, which browsers prefer, where a call has met it."""
    if not any(trial.exchange.http_version == "HTTP/2" for trial in survey.trials):
        return survey
    question = next(one for one in first_questions(allowed) if one.purpose is Purpose.PREFLIGHT)
    trials = [*survey.trials, await ask_once(wire, way, base, replace(question, http2=True))]
    for doubt in repeat_questions(trials):
        if doubt.http2:
            trials.append(await ask_once(wire, way, base, doubt))
    return CorsSurvey(trials=tuple(trials))
