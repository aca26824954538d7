"""The web app's page in a real browser: what it gets from target, AI gateway and bucket, and who is asked for it.

Nothing but these is ever asked, and no key goes to the browser. It runs in a process of its own
(families/lna/probe/chromium), which ends when this one does, however it ends.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from btdiag.core.measurement import NotAsked, PerAddress, Unknown, Waits, measurement
from btdiag.core.product import origins
from btdiag.core.target import Mode, Route, Target, Way
from btdiag.families.lna.facts import (
    Browser,
    BrowserSurvey,
    CalledHost,
    LaunchKind,
    PageTrial,
    PageVisit,
    Permissions,
    SeenRequest,
    Situation,
    StoredDecision,
)
from btdiag.families.lna.plan import BrowserPlan, switches
from btdiag.families.lna.probe.find import HOW_TO_GET_ONE, find_browser, product_of
from btdiag.families.lna.probe.managed import managed_settings
from btdiag.families.lna.probe.places import PATH, way_for
from btdiag.families.lna.probe.process import BrowserProcess
from btdiag.families.lna.probe.profile import stored_decision
from btdiag.families.lna.probe.trust import can_import, own_authorities, verified_keys
from btdiag.net.failures import legible
from btdiag.net.wire import Wire

PATIENCE = 60.0  # seconds a person gets to answer the prompt (--headed)
MOST_ORIGINS = 3
_TURNS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
    WeakKeyDictionary()
)  # one target's browsers at a time


def _planned(target: Target, mode: Mode) -> list[str]:
    if mode.browser == "none" or target.client_cert is not None:
        return []
    pages = ", ".join(origins(target)[:MOST_ORIGINS])
    first = f"GET, OPTIONS and POST (an unknown path) {target.url_for(PATH)} from pages of {pages} in a browser"
    others = [url.partition("?")[0] for url in (target.gateway, target.bucket) if url]
    return [first, *(f"GET {url} from the same pages in a browser" for url in others)]


def _patience(_target: Target, mode: Mode) -> float:
    return PATIENCE if mode.headed else 0.0


@measurement(
    budget=90,
    why="two browsers, some pages whose requests may take 6 s each: 26 s at most; several targets take turns",
    idle=_patience,
    sends=_planned,
)
async def browser_survey(
    target: Target,
    mode: Mode,
    wire: Wire,
    waits: Waits,
    page_places: tuple[CalledHost, ...],
    routes: tuple[Route, ...],
    way: PerAddress[Way],
) -> BrowserSurvey:
    """What a browser makes of the web app's calls: answers, errors of its own, permissions and prompts."""
    places = _called(target, mode, page_places)
    executable = find_browser(mode.browser)
    if executable is None and mode.browser != "auto":
        raise Unknown(f"there is no program {mode.browser} (--browser)")
    if executable is None:
        raise NotAsked(f"no browser was found on this machine: {HOW_TO_GET_ONE}")
    stored = _stored(target, mode)
    used = way_for(target, routes, way)
    plan = await _plan(target, mode, wire, places, used, executable)
    async with _TURNS.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        answer = await _surveyed(plan, waits)
    wire.counts.requests += _sent(answer)
    return _read(answer, plan, target, verified=used.verify, stored=stored)


def _called(target: Target, mode: Mode, places: Sequence[CalledHost]) -> tuple[CalledHost, ...]:
    """The places that pages are to call: over https, or not public. Raises where no browser may be asked."""
    called = tuple(
        place for place in places if place.url.startswith("https:") or (place is places[0] and place.guarded)
    )
    if mode.browser == "none":
        raise NotAsked("--browser none: what the web app's page meets in a browser was not tried")
    if target.client_cert is not None:
        raise NotAsked("the browser cannot be given the client certificate that the target demands")
    if not called:
        raise NotAsked(f"{target.host} is called over http: what browsers make of that, scheme-is-secure tells")
    return called


async def _plan(
    target: Target, mode: Mode, wire: Wire, places: tuple[CalledHost, ...], used: Way, executable: Path
) -> BrowserPlan:
    importable = target.ca_file is not None and can_import(target.ca_file)
    keys = () if target.ca_file is None or importable else await verified_keys([used], wire)
    managed = managed_settings(product_of(str(executable)))
    login = target.proxy.credentials.reveal() if target.proxy and target.proxy.credentials else ":"
    user, _, password = login.partition(":")
    return BrowserPlan(
        executable=str(executable),
        places=places,
        origins=origins(target)[:MOST_ORIGINS],
        switches=switches(target, places, keys, managed.proxies or (() if managed.complete else None)),
        user_agent=wire.user_agent,
        proxy=(target.proxy.url, user, password) if target.proxy else None,
        ca_file=str(target.ca_file) if importable else "",
        authorities=() if target.lab_scenario else await own_authorities(Path.home()),
        page=target.page,
        patience=_patience(target, mode),
        screenshots=mode.screenshots,
    )


async def _surveyed(plan: BrowserPlan, waits: Waits) -> Mapping[str, Any]:
    """What the browser's process answers; raises Unknown when it comes to nothing."""
    process = BrowserProcess.started(plan)
    patience = asyncio.ensure_future(waits.idle(plan.patience, "a person's answer to the browser's prompt"))
    try:
        line = await process.answer()
    finally:
        patience.cancel()
        process.let_go()
    try:
        answer: dict[str, Any] = json.loads(line)
    except ValueError:
        raise Unknown(f"the browser's process ended without a result ({plan.executable})") from None
    if "error" in answer:
        raise Unknown(f"the browser {plan.executable} could not be used: {_in_short(answer['error'])}")
    return answer


def _in_short(error: str) -> str:
    """Playwright's error without the call's name, the browser's command line and its log."""
    return legible(error.partition("Browser logs:")[0].removeprefix("BrowserType.launch: ").strip())[:300]


def _stored(target: Target, mode: Mode) -> tuple[StoredDecision, ...]:
    """What a person's profile has stored; nothing without one. Raises Unknown when it cannot be read."""
    profile = mode.browser_profile or target.browser_profile
    return tuple(stored_decision(profile, origin) for origin in origins(target)[:MOST_ORIGINS]) if profile else ()


def _read(
    answer: Mapping[str, Any],
    plan: BrowserPlan,
    target: Target,
    *,
    verified: bool,
    stored: tuple[StoredDecision, ...],
) -> BrowserSurvey:
    """The fact that the answer of the browser's process makes."""
    keys = next((word for word in plan.switches if word.startswith("--ignore-certificate-errors-spki-list=")), "")
    managed = managed_settings(product_of(plan.executable))
    by_key = f"exactly the key of the certificate that btdiag verified with {target.ca_file}" if keys else ""
    return BrowserSurvey(
        browser=Browser(
            name=product_of(plan.executable),
            version=answer["version"],
            path=plan.executable,
            sandboxed=answer["sandboxed"],
        ),
        url=plan.places[0].shown,
        visits=tuple(
            PageVisit(**visit | {"trials": tuple(read_trial(trial) for trial in visit["trials"])})
            for visit in answer["visits"]
        ),
        pinned=plan.places[0].address,
        proxy=target.proxy.url if target.proxy else "",
        trust=answer["trust"] or by_key,
        certificate_verified=verified,
        managed=managed.proxies,
        policies=managed.networks,
        behind_login=any(place.bearer for place in plan.places),
        stored=stored,
    )


def read_trial(given: Mapping[str, Any]) -> PageTrial:
    """A trial as the browser's process tells it."""
    nested = {
        "situation": Situation(given["situation"]),
        "before": Permissions(**given["before"]),
        "after": Permissions(**given["after"]),
        "requests": tuple(SeenRequest(**entry | {"kind": LaunchKind(entry["kind"])}) for entry in given["requests"]),
        "console": tuple(given["console"]),
    }
    return PageTrial(**{**given, **nested})


def _sent(answer: Mapping[str, Any]) -> int:
    """How many requests reached the target, preflights left out."""
    return sum(
        bool(request["status"])
        for visit in answer["visits"]
        for trial in visit["trials"]
        for request in trial["requests"]
    )
