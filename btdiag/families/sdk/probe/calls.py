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
from btdiag.families.sdk.facts import ControlPlane, Login, Namesake, Organisation, SdkEnvironment, organisations, served
from btdiag.families.sdk.needs import CONTROL_ROUTES, DATA_ROUTES, LOGIN, SdkRoute
from btdiag.net.certificates import handshake_of
from btdiag.net.limits import HEALTH_ANSWER, LOGIN_ANSWER
from btdiag.net.names import resolve
from btdiag.net.retry import settled
from btdiag.net.reuse import Kept, kept_way
from btdiag.net.streams import DialError
from btdiag.net.wire import Wire

LONGEST_PAUSE = 3.0  # seconds to wait before a login that was answered 429 is asked for once more
_KEYED = "GET with the API key on those of the calls that are refused without it as a path that does not exist is"
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
        *([_KEYED] if target.api_key else []),
        f"GET /version at the api_url that login names, where that is another place on {target.host} (no key)",
        "A and AAAA queries for the host of that api_url, where it is another one, and, where it has an address of the "
        "target's, a TLS handshake with it under that name",
    ]


@measurement(
    budget=105,
    why="a login for as long as Python SDKs wait (20 s), a pause of 3 s and once more; beside it requests of 6 s, each "
    "at most four times; another host's name, 25 s; seven of them, and a few more where some fail, count towards the "
    "API server's outbound limit of 100 a minute",
    sends=_planned,
)
async def control_plane(serving_way: Way, wire: Wire, target: Target, sdk_environment: SdkEnvironment) -> ControlPlane:
    """What the target answers to the SDKs' calls."""
    async with kept_way(serving_way, wire) as asker:
        login, unknown, routes, data = await asyncio.gather(
            _login(serving_way, wire, target),
            asker.ask("POST", target.url_for(UNKNOWN_PATH), headers=(JSON,), body=b"{}"),
            _answers(asker, target, _asked(CONTROL_ROUTES, target), with_key=target.api_key is not None),
            _answers(asker, target, _asked(DATA_ROUTES, target), with_key=False),
        )
        known = await _with_key(asker, target, [one for one in (*routes, *data) if _tells_nothing(one, unknown)])
    found = served(login.organisations or (), sdk_environment)
    elsewhere, namesake = await asyncio.gather(
        _elsewhere(found, serving_way, wire, target), _namesake(found, serving_way, wire, target)
    )
    plane = ControlPlane(login=login, routes=routes, data=data, unknown=unknown, elsewhere=elsewhere, namesake=namesake)
    if known is None:
        return plane
    keyed_unknown, keyed_login, keyed = known
    return replace(plane, keyed_unknown=keyed_unknown, keyed_login=keyed_login, keyed=keyed)


def _tells_nothing(asked: tuple[SdkRoute, Exchange], unknown: Exchange) -> bool:
    """Whether a call without the key was turned down as a path that does not exist was."""
    route, seen = asked
    return not _is_safe(route) and seen.status in {401, 403} and seen.status == unknown.status


async def _with_key(
    asker: Kept, target: Target, open_: Sequence[tuple[SdkRoute, Exchange]]
) -> tuple[Exchange, Exchange, Answers] | None:
    """GET with the key where POST without it told nothing; it changes nothing. None where there is no key, or nothing
    left to tell."""
    if target.api_key is None or not open_:
        return None
    paths = dict.fromkeys(route.path for route, _ in open_)

    def ask(path: str) -> Awaitable[Exchange]:
        return asker.ask("GET", target.url_for(path), with_key=True)

    unknown, login, *found = await asyncio.gather(ask(UNKNOWN_PATH), ask(LOGIN.path), *(ask(path) for path in paths))
    by_path = dict(zip(paths, found, strict=True))
    return unknown, login, tuple((route, _without_body(by_path[route.path])) for route, _ in open_)


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


async def _namesake(found: Sequence[Organisation], way: Way, wire: Wire, target: Target) -> Namesake | None:
    """What the host of the api_url has in common with the target, where it is another name. Only an address that is the
    target's own is connected to."""
    told = found[0].api_url if found else None
    if told is None or way.route.address is None or target.scheme != "https":
        return None
    try:
        parts = url_parts(told)
    except ValueError:
        return None
    if parts.host == target.host or parts.scheme != "https" or parts.port != target.port:
        return None
    there = await resolve(replace(target, url=parts.normal, host=parts.host, path=parts.path, resolve=()))
    shared = (way.route.address,) if way.route.address in there.addresses else ()
    if not shared:
        return Namesake(host=parts.host, shared=())
    own, other = await asyncio.gather(_shown(way, wire, target.host), _shown(way, wire, parts.host))
    return Namesake(host=parts.host, shared=shared, same_certificate=None if None in (own, other) else own == other)


async def _shown(way: Way, wire: Wire, name: str) -> str | None:
    """The fingerprint of the certificate that is shown under a name and trusted for it; None without one."""
    try:
        stream = await wire.dial(way.route, tls=True, server_name=name)
    except DialError:
        return None
    agreed = handshake_of(stream.ssl_object) if stream.ssl_object else None
    await stream.close()
    return agreed.chain[0].sha256 if agreed and agreed.chain else None


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
