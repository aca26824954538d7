"""The calls that SDKs make, and that a data plane answers or passes on: the login with the key, the others so that they
change nothing: a read with the key, and what would write without it, with an empty object."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import replace

from btdiag.core.answers import is_gateway_hiccup
from btdiag.core.credential import logs_in
from btdiag.core.exchange import Exchange
from btdiag.core.measurement import measurement
from btdiag.core.product import JSON, UNKNOWN_PATH
from btdiag.core.target import Mode, Target, Way
from btdiag.core.urls import same_place, url_parts
from btdiag.families.sdk.facts import ControlPlane, Login, Organisation, SdkEnvironment, organisations, served
from btdiag.families.sdk.needs import CONTROL_ROUTES, DATA_ROUTES, LOGIN, SdkRoute
from btdiag.net.limits import HEALTH_ANSWER, LOGIN_ANSWER
from btdiag.net.retry import settled
from btdiag.net.reuse import Kept, kept
from btdiag.net.wire import Wire

LONGEST_PAUSE = 3.0  # seconds to wait before a login that was answered 429 is asked for once more
Answers = tuple[tuple[SdkRoute, Exchange], ...]


def _planned(target: Target, mode: Mode) -> list[str]:
    key = "with the API key" if target.api_key else "without a key"
    control = [
        f"{one.method} {target.url_for(one.path)} ({key})"
        for one in (LOGIN, *_asked(CONTROL_ROUTES, target))
        if _is_safe(one)
    ]
    bare = [
        one
        for one in (*_asked(CONTROL_ROUTES, target), *_asked(DATA_ROUTES, target))
        if not (_is_safe(one) and one in CONTROL_ROUTES)
    ]
    return [
        *control,
        *(f"{one.method} {target.url_for(one.path)} (no key{', empty JSON' * (one.method == 'POST')})" for one in bare),
        f"POST {target.url_for(UNKNOWN_PATH)} (no key)",
        f"GET /version at the api_url that login names, where that is another place on {target.host} (no key)",
    ]


@measurement(
    budget=75,
    why="a login for as long as Python SDKs wait (20 s), a pause of 3 s and once more; beside it requests of 6 s, each "
    "at most four times; seven of them, and a few more where some fail, count towards the API server's outbound limit "
    "of 100 a minute",
    sends=_planned,
)
async def control_plane(serving_way: Way, wire: Wire, target: Target, sdk_environment: SdkEnvironment) -> ControlPlane:
    """What the target answers to the SDKs' calls."""
    async with kept(serving_way, wire) as asker:
        login, unknown, routes, data = await asyncio.gather(
            _login(serving_way, wire, target),
            asker.ask("POST", target.url_for(UNKNOWN_PATH), headers=(JSON,), body=b"{}"),
            _answers(asker, target, _asked(CONTROL_ROUTES, target), with_key=target.api_key is not None),
            _answers(asker, target, _asked(DATA_ROUTES, target), with_key=False),
        )
    elsewhere = await _elsewhere(served(login.organisations or (), sdk_environment), serving_way, wire, target)
    return ControlPlane(login=login, routes=routes, data=data, unknown=unknown, elsewhere=elsewhere)


async def _answers(asker: Kept, target: Target, routes: tuple[SdkRoute, ...], *, with_key: bool) -> Answers:
    def ask(route: SdkRoute) -> Awaitable[Exchange]:
        body, headers = (b"{}", (JSON,)) if route.method == "POST" else (b"", ())
        keyed = with_key and _is_safe(route)
        return asker.ask(route.method, target.url_for(route.path), headers=headers, body=body, with_key=keyed)

    found = await asyncio.gather(*(ask(route) for route in routes))
    return tuple((route, _without_body(seen)) for route, seen in zip(routes, found, strict=True))


async def _login(way: Way, wire: Wire, target: Target) -> Login:
    """The login, asked for once more where it stumbled: SDKs differ in whether they do so."""
    keyed = target.api_key is not None

    def ask() -> Awaitable[Exchange]:
        url = target.url_for(LOGIN.path)
        return wire.exchange(way, "POST", url, headers=(JSON,), body=b"{}", with_key=keyed, limits=LOGIN_ANSWER)

    first = seen = await ask()
    pause = _pause(first)
    if pause is not None:
        await asyncio.sleep(pause)
        seen = await ask()
    elif is_gateway_hiccup(first):
        seen = await settled(ask)
    found = organisations(seen.body) if seen.status == 200 and seen.failure is None else None
    return Login(
        exchange=seen if found is None else _without_body(seen),
        keyed=keyed and seen.key_withheld is None,
        organisations=found,
        first=None if first is seen else first,
    )


def _pause(seen: Exchange) -> float | None:
    """How long to wait before asking again after a 429; None where it says longer than we wait, or is none."""
    if seen.status != 429:
        return None
    told = (seen.header("retry-after") or "1").strip()
    return float(told) if told.isascii() and told.isdigit() and int(told[:6]) <= LONGEST_PAUSE else None


async def _elsewhere(found: Sequence[Organisation], way: Way, wire: Wire, target: Target) -> Exchange | None:
    """GET /version where the API of the SDKs' organisation is said to be, if that is on the target's own host."""
    told = found[0].api_url if found else None
    if told is None or same_place(told, target.url) or way.route.proxy is not None:
        return None
    try:
        parts = url_parts(told)
    except ValueError:
        return None
    if parts.host != target.host:
        return None
    there = replace(way, route=replace(way.route, port=parts.port))
    return await wire.exchange(there, "GET", f"{parts.normal}/version", limits=HEALTH_ANSWER)


def _asked(routes: tuple[SdkRoute, ...], target: Target) -> tuple[SdkRoute, ...]:
    """Those of the calls that may be made: none that writes where --header logs in every request."""
    return tuple(route for route in routes if _is_safe(route)) if logs_in(target) else routes


def _is_safe(route: SdkRoute) -> bool:
    """Whether the call only reads, so that the key may go with it."""
    return route is LOGIN or route.method == "GET"


def _without_body(seen: Exchange) -> Exchange:
    """The exchange without the data of a success in JSON: it names people and projects."""
    is_data = seen.status == 200 and seen.body.lstrip().startswith(("{", "["))
    return replace(seen, body="[withheld]") if is_data else seen
