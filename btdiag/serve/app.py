"""What a serving process answers: probes, metrics, health, and the pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from btdiag.config import Settings, UsageError
from btdiag.core.report import Report
from btdiag.report import html
from btdiag.report.escape import plain
from btdiag.serve.engine import BusyError, Engine
from btdiag.serve.guard import Guard
from btdiag.serve.metrics import exposition, of_all, of_probe
from btdiag.serve.modules import Modules
from btdiag.serve.pages import STYLE, Pages, Selection
from btdiag.serve.watch import NewestReports

TIMEOUT_HEADER = "x-prometheus-scrape-timeout-seconds"
"""How long Prometheus waits for an answer: a probe has to come before that."""
RESERVE_S = 0.5  # of it for the way there and back, as in blackbox_exporter
LEAST_S = 1.0
PAGES_AT_ONCE = 4  # each holds all that it shows, and more of them at a time are no sooner ready
GRACE_S = 5.0  # after the end of a budget; a run that is not back then never comes
_Made = TypeVar("_Made")
_REPORT_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What the answers are made from."""

    engine: Engine
    modules: Modules
    known: NewestReports
    pages: Pages
    default_module: str
    say: Callable[[str], None] = lambda text: None


def application(served: Served, names: Sequence[str]) -> Starlette:
    """The application, which answers under these names alone."""
    answers = _Answers(served)
    routes = [
        Route("/", answers.overview),
        Route("/target", answers.target),
        Route("/report", answers.newest),
        Route("/report/{number:int}", answers.report),
        Route("/style.css", answers.style),
        Route("/probe", answers.probe),
        Route("/metrics", answers.metrics),
        Route("/-/healthy", answers.healthy),
        Route("/-/ready", answers.ready),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, names=names)],
        exception_handlers={UsageError: _failed, Exception: answers.crashed},
    )


class _Answers:
    """One method a path."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._places = asyncio.Semaphore(PAGES_AT_ONCE)

    async def probe(self, request: Request) -> Response:
        """A run of one target, now, as metrics."""
        served = self._served
        module = request.query_params.get("module", served.default_module)
        try:
            settings, target = served.modules.target(request.query_params.get("target", ""), module)
            settings = _in_time(settings, request.headers.get(TIMEOUT_HEADER, ""))
            report = await _awaited(served.engine.run(module, settings, target), settings)
        except LookupError as error:
            return _said(_UNKNOWN[str(error.args[0])], 404 if error.args[0] == "module" else 403)
        except UsageError as error:
            return _said(str(error), 400)
        except BusyError:
            return _said("too many runs are on: ask again later", 503, {"retry-after": "10"})
        except TimeoutError:
            return _said("the run did not end in time", 504)
        except asyncio.CancelledError:
            return _said("btdiag serve is about to end", 503)
        content, media_type = exposition(of_probe(report, settings.output.fail_on), request.headers.get("accept", ""))
        return Response(content, media_type=media_type)

    def metrics(self, request: Request) -> Response:
        """The newest run of every target, and the process itself."""
        served = self._served
        families = of_all(served.known, served.engine.flying)
        content, media_type = exposition(families, request.headers.get("accept", ""), process=True)
        return Response(content, media_type=media_type)

    def healthy(self, request: Request) -> Response:
        """Is it alive?"""
        return _said(
            "healthy" if self._served.engine.alive else "the engine has ended",
            200 if self._served.engine.alive else 503,
        )

    def ready(self, request: Request) -> Response:
        """May it be asked?"""
        return self.healthy(request)

    async def overview(self, request: Request) -> Response:
        """All targets."""
        return await self._page(lambda: self._served.pages.overview(Selection.of(request.query_params)))

    async def target(self, request: Request) -> Response:
        """One target over time."""
        return await self._page(lambda: self._served.pages.target(request.query_params.get("url", "")))

    async def _page(self, make: Callable[[], str | None]) -> Response:
        page = await self._made(make)
        return HTMLResponse(page) if page is not None else _said("there is no such target", 404)

    async def _made(self, make: Callable[[], _Made]) -> _Made:
        """What is made in a thread, a few at a time."""
        async with self._places:
            return await run_in_threadpool(make)

    async def newest(self, request: Request) -> Response:
        """Where the newest report of a target is: for links in alerts."""
        number = await self._made(lambda: self._served.pages.newest(request.query_params.get("url", "")))
        if number is None:
            return _said("there is no report of this target", 404)
        return RedirectResponse(f"/report/{number}", 303)

    async def report(self, request: Request) -> Response:
        """The whole report of one run, as its file would be."""
        number = request.path_params["number"]
        page = await self._made(lambda: self._rendered(number))
        if page is None:
            return _said("there is no report of this run", 404)
        return HTMLResponse(page, headers={"content-security-policy": _REPORT_POLICY})

    def _rendered(self, number: int) -> str | None:
        found = self._served.pages.report(number)
        return None if found is None else html.render(found)

    def crashed(self, request: Request, error: Exception) -> Response:
        """A fault of btdiag itself, which ends nothing but this answer."""
        self._served.say(f"btdiag itself failed: {type(error).__name__}: {error}")
        return _said("btdiag itself failed", 500)

    def style(self, request: Request) -> Response:
        """How the pages look."""
        return Response(STYLE, media_type="text/css")


def _failed(request: Request, error: Exception) -> Response:
    return _said(str(error), 500)


_UNKNOWN = {
    "module": "there is no such module: see [modules.NAME] in the profile",
    "target": "this target is not in the list: see --targets, and --any-target",
}


def _said(text: str, status: int, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{plain(text)}\n", status, headers)


def _in_time(settings: Settings, given: str) -> Settings:
    """The settings with a budget that ends before whoever asked gives up."""
    try:
        limit = float(given) - RESERVE_S
    except ValueError:
        return settings
    if not LEAST_S <= limit < settings.mode.budget:
        return settings
    return replace(settings, mode=replace(settings.mode, budget=limit))


async def _awaited(running: Future[Report], settings: Settings) -> Report:
    """The report; a run that others asked for too goes on when one of them leaves."""
    waiting = asyncio.shield(asyncio.wrap_future(running))
    async with asyncio.timeout(settings.mode.budget + GRACE_S):
        return await waiting
