"""All pages of a survey: one launch of the browser as users have it, and where a place is not public a second one whose
checks only warn; a context for each page, for a refusal in a headless browser is remembered by its context. Runs in the
browser's own process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Playwright, ProxySettings, async_playwright
from playwright.async_api import Error as PlaywrightError

from btdiag.families.lna.facts import TARGET_ITSELF, CalledHost, LaunchKind, PageTrial, Situation
from btdiag.families.lna.plan import WARN_ONLY, BrowserPlan
from btdiag.families.lna.probe.chromium.page import REQUEST_LIMIT, opened_frame, try_requests
from btdiag.families.lna.probe.trust import import_authorities

_SHOWN = (Situation.FRESH, Situation.ALLOWED, Situation.PERSON, Situation.CALLS)
AT_ONCE = 3  # places that pages call at the same time
LAUNCH_LIMIT = 15.0  # seconds
_CALLS = (LaunchKind.SIMPLE, LaunchKind.PREFLIGHTED, LaunchKind.POST, LaunchKind.STREAM)
_ALL_KINDS = (
    LaunchKind.SIMPLE,
    LaunchKind.PREFLIGHTED,
    LaunchKind.CREDENTIALS,
    LaunchKind.IMAGE,
    LaunchKind.WEBSOCKET,
)


async def survey(plan: BrowserPlan, folder: Path) -> dict[str, Any]:
    """Visit every place of the plan, the target from every origin; the fields of BrowserSurvey that only the browser
    knows."""
    trust = await import_authorities(plan.ca_file, plan.authorities, folder) if plan.ca_file or plan.authorities else ""
    async with async_playwright() as playwright:
        machine = _Machine(playwright, plan)
        two = any(place.guarded for place in plan.places)
        browsers = await asyncio.gather(machine.launched(), *([machine.launched(WARN_ONLY)] if two else []))
        visits = await _visits(plan, browsers[0], browsers[-1])
        version = browsers[0].version
        await asyncio.gather(*(browser.close() for browser in browsers))
        if plan.patience and two:
            place = next(place for place in plan.places if place.guarded)
            asked = next(visit for visit in visits if visit["what"] == place.what)
            asked["trials"] += [await _ask_a_person(machine, plan, place)]
        return {"visits": visits, "trust": trust, "version": version, "sandboxed": machine.sandboxed}


async def _visits(plan: BrowserPlan, as_users: Browser, beneath: Browser) -> list[dict[str, Any]]:
    """The target from each origin, one after the other; the other places beside the first one."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def visit(origin: str, place: CalledHost) -> list[PageTrial]:
        async with turns:
            return await _visit(plan, origin, place, as_users, beneath)

    found: list[dict[str, Any]] = []
    for number, origin in enumerate(plan.origins):
        places = [place for place in plan.places if number == 0 or place.what == TARGET_ITSELF]
        visits = await asyncio.gather(*(visit(origin, place) for place in places))
        found += [
            {"origin": origin, "what": place.what, "url": place.shown, "trials": trials}
            for place, trials in zip(places, visits, strict=True)
        ]
    return found


@dataclass(slots=True)
class _Machine:
    """Launches browsers, in their sandbox where the system permits one."""

    playwright: Playwright
    plan: BrowserPlan
    sandboxed: bool = not (hasattr(os, "geteuid") and os.geteuid() == 0)  # Chromium refuses to have one as root

    async def launched(self, *more: str, headed: bool = False) -> Browser:
        """A new browser; a second try without sandbox where it is the sandbox that does not start."""
        tried = self.sandboxed
        try:
            return await self._launch(more, headed)
        except PlaywrightError as error:
            if not (tried and "no usable sandbox" in str(error).lower()):
                raise
        self.sandboxed = False
        return await self._launch(more, headed)

    async def _launch(self, more: Sequence[str], headed: bool) -> Browser:
        return await self.playwright.chromium.launch(
            executable_path=self.plan.executable,
            headless=not headed,
            args=[*self.plan.switches, *more],
            chromium_sandbox=self.sandboxed,
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
            timeout=LAUNCH_LIMIT * 1000,
            proxy=_proxy(self.plan),
        )


def _proxy(plan: BrowserPlan) -> ProxySettings | None:
    """The login for the proxy; which requests go to it, the switches say."""
    if plan.proxy is None:
        return None
    server, user, password = plan.proxy
    return {"server": server, "username": user, "password": password} if user else {"server": server}


async def _visit(
    plan: BrowserPlan, origin: str, place: CalledHost, as_users: Browser, beneath: Browser
) -> list[PageTrial]:
    calls = _CALLS if place.unknown else (LaunchKind.SIMPLE,)
    if not place.guarded:
        return [await _trial(beneath, plan, origin, place, Situation.CALLS, calls)]
    more = (LaunchKind.CREDENTIALS,) if place.what == TARGET_ITSELF else ()
    unguarded, guarded = await asyncio.gather(
        _trial(beneath, plan, origin, place, Situation.UNGUARDED, (*calls[:2], *more, *calls[2:])),
        _as_users(as_users, plan, origin, place),
    )
    return [unguarded, *guarded]


async def _as_users(browser: Browser, plan: BrowserPlan, origin: str, place: CalledHost) -> list[PageTrial]:
    """A new profile, and where that is refused: after Allow, and (the target) in another site's frame."""
    itself = place.what == TARGET_ITSELF
    kinds = _ALL_KINDS if itself else (LaunchKind.SIMPLE,)
    fresh = await _trial(browser, plan, origin, place, Situation.FRESH, kinds)
    if not fresh.first.refused:
        return [fresh]
    more = []
    if fresh.secure:  # else Allow cannot be given
        more.append(_allowed(browser, plan, origin, place, kinds))
    if itself:
        more.append(_framed(browser, plan, origin, place))
    return [fresh, *(trial for trials in await asyncio.gather(*more) for trial in trials)]


async def _allowed(
    browser: Browser, plan: BrowserPlan, origin: str, place: CalledHost, kinds: Sequence[LaunchKind]
) -> list[PageTrial]:
    """The page after Allow."""
    return [await _trial(browser, plan, origin, place, Situation.ALLOWED, kinds)]


async def _framed(browser: Browser, plan: BrowserPlan, origin: str, place: CalledHost) -> list[PageTrial]:
    """The page in another site's frame, without permission first: that refusal uses nothing up, so one context does."""
    async with _context(browser, plan) as context:
        situations = (Situation.FRAMED, Situation.FRAMED_WITH_ALLOW)
        return [await _page(context, plan, origin, place, situation, (LaunchKind.SIMPLE,)) for situation in situations]


async def _trial(
    browser: Browser,
    plan: BrowserPlan,
    origin: str,
    place: CalledHost,
    situation: Situation,
    kinds: Sequence[LaunchKind],
    limit: float = REQUEST_LIMIT,
) -> PageTrial:
    """One page in a context of its own."""
    async with _context(browser, plan) as context:
        if situation is Situation.ALLOWED:
            await context.grant_permissions(["local-network-access"], origin=origin)
        return await _page(context, plan, origin, place, situation, kinds, limit)


@asynccontextmanager
async def _context(browser: Browser, plan: BrowserPlan) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(user_agent=_user_agent(browser, plan))
    try:
        yield context
    finally:
        await context.close()


async def _page(
    context: BrowserContext,
    plan: BrowserPlan,
    origin: str,
    place: CalledHost,
    situation: Situation,
    kinds: Sequence[LaunchKind],
    limit: float = REQUEST_LIMIT,
) -> PageTrial:
    page_kind = plan.page if situation not in (Situation.UNGUARDED, Situation.CALLS) else ""
    async with opened_frame(context, origin, situation, page_kind) as frame:
        shown = plan.screenshots and situation in _SHOWN
        return await try_requests(frame, situation, place, kinds, limit=limit, screenshot=shown)


async def _ask_a_person(machine: _Machine, plan: BrowserPlan, place: CalledHost) -> PageTrial:
    """A browser with a window: the request waits until somebody answers the prompt, or as long as patience lasts."""
    browser = await machine.launched(headed=True)
    try:
        simple = (LaunchKind.SIMPLE,)
        return await _trial(browser, plan, plan.origins[0], place, Situation.PERSON, simple, plan.patience)
    finally:
        await browser.close()


def _user_agent(browser: Browser, plan: BrowserPlan) -> str:
    """As the browser with a window says it, for gateways turn headless ones away; and btdiag's own for the logs."""
    major = browser.version.partition(".")[0]
    return (
        f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 Safari/537.36 "
        f"{plan.user_agent}"
    )
