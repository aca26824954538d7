"""The web app's page in a real browser: may it reach a target on a private network, and who is asked for it?

Only targets with an address that is not public are tried; nothing but the target is ever asked. The browser runs in a
process of its own (families/lna/probe/chromium), which ends when this one does, however it ends.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from btdiag.core.address import Space, space
from btdiag.core.measurement import NotAsked, PerAddress, Unknown, Waits, measurement
from btdiag.core.product import origins
from btdiag.core.resolution import AddressSource, Resolution
from btdiag.core.target import Mode, Route, Target, Way
from btdiag.families.lna.facts import (
    Browser,
    BrowserSurvey,
    LaunchKind,
    PageTrial,
    PageVisit,
    Permissions,
    SeenRequest,
    Situation,
    StoredDecision,
)
from btdiag.families.lna.plan import BrowserPlan, switches
from btdiag.families.lna.probe.find import HOW_TO_GET_ONE, find_browser
from btdiag.families.lna.probe.process import BrowserProcess
from btdiag.families.lna.probe.profile import stored_decision
from btdiag.families.lna.probe.trust import can_import, verified_keys
from btdiag.net.failures import legible
from btdiag.net.wire import Wire

PATIENCE = 60.0  # seconds a person gets to answer the prompt (--headed)
MOST_ORIGINS = 3
PATH = "/version"
_TURNS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
    WeakKeyDictionary()
)  # one target's browsers at a time


def _planned(target: Target, mode: Mode) -> list[str]:
    if mode.browser == "none" or target.client_cert is not None:
        return []
    pages = ", ".join(origins(target)[:MOST_ORIGINS])
    return [f"GET and OPTIONS {target.url_for(PATH)} from pages of {pages} in a browser (if an address is not public)"]


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
    resolution: Resolution,
    routes: tuple[Route, ...],
    way: PerAddress[Way],
) -> BrowserSurvey:
    """What a browser makes of requests from the web app's page to a private target: permission, prompt, errors."""
    _asked_for(target, mode, resolution)
    executable = find_browser(mode.browser)
    if executable is None and mode.browser != "auto":
        raise Unknown(f"there is no program {mode.browser} (--browser)")
    if executable is None:
        raise NotAsked(f"no browser was found on this machine: {HOW_TO_GET_ONE}")
    stored = _stored(target, mode)
    used = _way_for(target, routes, way)
    plan = await _plan(target, mode, wire, resolution, used, executable)
    async with _TURNS.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        answer = await _surveyed(plan, waits)
    wire.counts.requests += _sent(answer)
    return _read(answer, plan, target, _pinned(target, resolution, used), verified=used.verify, stored=stored)


def _asked_for(target: Target, mode: Mode, resolution: Resolution) -> None:
    """Raise where there is nothing to ask a browser, or none may be asked."""
    spaces = {space(address, target.address_spaces) for address in resolution.addresses}
    if spaces == {Space.PUBLIC}:
        raise NotAsked(f"{target.host} has public addresses only, and browsers ask no permission for those")
    if mode.browser == "none":
        raise NotAsked("--browser none: whether users are asked for a permission was not tried")
    if target.client_cert is not None:
        raise Unknown("the browser cannot be given the client certificate that the target demands")


def _way_for(target: Target, routes: Sequence[Route], ways: PerAddress[Way]) -> Way:
    """The way that the browser is sent: the first that works, not to a public address if there is another one."""
    working = [ways.facts[route.label] for route in routes if route.label in ways.facts]
    private = [way for way in working if not _is_public(way.route.address, target)]
    return (private or working)[0]


def _is_public(address: str | None, target: Target) -> bool:
    return address is not None and space(address, target.address_spaces) is Space.PUBLIC


async def _plan(
    target: Target, mode: Mode, wire: Wire, resolution: Resolution, used: Way, executable: Path
) -> BrowserPlan:
    importable = target.ca_file is not None and can_import(target.ca_file)
    keys = () if target.ca_file is None or importable else await verified_keys([used], wire)
    pinned = _pinned(target, resolution, used)
    login = target.proxy.credentials.reveal() if target.proxy and target.proxy.credentials else ":"
    user, _, password = login.partition(":")
    return BrowserPlan(
        executable=str(executable),
        url=target.url_for(PATH),
        origins=origins(target)[:MOST_ORIGINS],
        switches=switches(target, pinned, keys),
        user_agent=wire.user_agent,
        proxy=(target.proxy.url, user, password) if target.proxy else None,
        ca_file=str(target.ca_file) if importable else "",
        page=target.page,
        patience=_patience(target, mode),
        screenshots=mode.screenshots,
    )


def _pinned(target: Target, resolution: Resolution, used: Way) -> str:
    """The address that the browser is told, where it could not find it by itself: no system DNS gives it."""
    own = resolution.source is AddressSource.RESOLVER and target.resolvers[0].address is None
    return "" if own or resolution.source is AddressSource.LITERAL or target.proxy else used.route.address or ""


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
    pinned: str,
    *,
    verified: bool,
    stored: tuple[StoredDecision, ...],
) -> BrowserSurvey:
    """The fact that the answer of the browser's process makes."""
    keys = next((word for word in plan.switches if word.startswith("--ignore-certificate-errors-spki-list=")), "")
    by_key = f"exactly the key of the certificate that btdiag verified with {target.ca_file}" if keys else ""
    return BrowserSurvey(
        browser=Browser(
            name=_product(plan.executable),
            version=answer["version"],
            path=plan.executable,
            sandboxed=answer["sandboxed"],
        ),
        url=plan.url,
        visits=tuple(
            PageVisit(origin=visit["origin"], trials=tuple(_trial(trial) for trial in visit["trials"]))
            for visit in answer["visits"]
        ),
        pinned=pinned,
        proxy=target.proxy.url if target.proxy else "",
        trust=answer["trust"] or by_key,
        certificate_verified=verified,
        stored=stored,
    )


def _product(executable: str) -> str:
    lowered = executable.lower()
    names = {"edge": "Edge", "chromium": "Chromium", "playwright": "Chromium", "chrome": "Chrome"}
    return next((name for key, name in names.items() if key in lowered), "Chromium")


def _trial(given: Mapping[str, Any]) -> PageTrial:
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
