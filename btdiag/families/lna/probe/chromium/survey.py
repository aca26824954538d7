"""All pages of a survey: two launches of one browser (as users have it, and with checks that only warn), a context for
each page, for a refusal in a headless browser is remembered by its context. Runs in the browser's own process."""

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

from btdiag.families.lna.facts import LaunchKind, PageTrial, Situation
from btdiag.families.lna.plan import WARN_ONLY, BrowserPlan
from btdiag.families.lna.probe.chromium.page import REQUEST_LIMIT, opened, try_requests
from btdiag.families.lna.probe.trust import import_authorities

LAUNCH_LIMIT = 15.0  # seconds
_FETCHES = (LaunchKind.SIMPLE, LaunchKind.PREFLIGHTED, LaunchKind.CREDENTIALS)
_ALL_KINDS = (*_FETCHES, LaunchKind.IMAGE, LaunchKind.WEBSOCKET)


async def survey(plan: BrowserPlan, folder: Path) -> dict[str, Any]:
    """Visit every origin of the plan; the fields of BrowserSurvey that only the browser knows."""
    trust = await import_authorities(plan.ca_file, folder) if plan.ca_file else ""
    async with async_playwright() as playwright:
        machine = _Machine(playwright, plan)
        guarded, unguarded = await asyncio.gather(machine.launched(), machine.launched(WARN_ONLY))
        visits: list[dict[str, Any]] = [
            {"origin": origin, "trials": await _visit(plan, origin, guarded, unguarded)} for origin in plan.origins
        ]
        await asyncio.gather(guarded.close(), unguarded.close())
        if plan.patience:
            visits[0]["trials"] += [await _ask_a_person(machine, plan)]
        return {"visits": visits, "trust": trust, "version": guarded.version, "sandboxed": machine.sandboxed}


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


async def _visit(plan: BrowserPlan, origin: str, guarded: Browser, unguarded: Browser) -> list[PageTrial]:
    beneath, as_users = await asyncio.gather(
        _trial(unguarded, plan, origin, Situation.UNGUARDED, _FETCHES), _as_users(guarded, plan, origin)
    )
    return [beneath, *as_users]


async def _as_users(browser: Browser, plan: BrowserPlan, origin: str) -> list[PageTrial]:
    """A new profile, and where that is refused: after Allow, and in another site's frame."""
    fresh = await _trial(browser, plan, origin, Situation.FRESH, _ALL_KINDS)
    if not fresh.first.refused:
        return [fresh]
    allowed, framed = await asyncio.gather(_allowed(browser, plan, origin, fresh), _framed(browser, plan, origin))
    return [fresh, *allowed, *framed]


async def _allowed(browser: Browser, plan: BrowserPlan, origin: str, fresh: PageTrial) -> list[PageTrial]:
    """The page after Allow; nothing where that cannot be given, for it is no secure context."""
    return [await _trial(browser, plan, origin, Situation.ALLOWED, _ALL_KINDS)] if fresh.secure else []


async def _framed(browser: Browser, plan: BrowserPlan, origin: str) -> list[PageTrial]:
    """The page in another site's frame, without permission first: that refusal uses nothing up, so one context does."""
    async with _context(browser, plan) as context:
        situations = (Situation.FRAMED, Situation.FRAMED_WITH_ALLOW)
        return [await _page(context, plan, origin, situation, (LaunchKind.SIMPLE,)) for situation in situations]


async def _trial(
    browser: Browser,
    plan: BrowserPlan,
    origin: str,
    situation: Situation,
    kinds: Sequence[LaunchKind],
    limit: float = REQUEST_LIMIT,
) -> PageTrial:
    """One page in a context of its own."""
    async with _context(browser, plan) as context:
        if situation is Situation.ALLOWED:
            await context.grant_permissions(["local-network-access"], origin=origin)
        return await _page(context, plan, origin, situation, kinds, limit)


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
    situation: Situation,
    kinds: Sequence[LaunchKind],
    limit: float = REQUEST_LIMIT,
) -> PageTrial:
    page_kind = plan.page if situation is not Situation.UNGUARDED else ""
    async with opened(context, origin, situation, page_kind) as frame:
        shown = plan.screenshots and situation in (Situation.FRESH, Situation.ALLOWED, Situation.PERSON)
        return await try_requests(frame, situation, plan.url, kinds, limit=limit, screenshot=shown)


async def _ask_a_person(machine: _Machine, plan: BrowserPlan) -> PageTrial:
    """A browser with a window: the request waits until somebody answers the prompt, or as long as patience lasts."""
    browser = await machine.launched(headed=True)
    try:
        return await _trial(browser, plan, plan.origins[0], Situation.PERSON, (LaunchKind.SIMPLE,), plan.patience)
    finally:
        await browser.close()


def _user_agent(browser: Browser, plan: BrowserPlan) -> str:
    """As the browser with a window says it, for gateways turn headless ones away; and btdiag's own for the logs."""
    major = browser.version.partition(".")[0]
    return (
        f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 Safari/537.36 "
        f"{plan.user_agent}"
    )
