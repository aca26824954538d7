"""The control-plane calls that a data plane passes on for SDKs: the login with the key, the others so that they change
nothing: a read with the key, and what would write without it, with an empty object."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace

from btdiag.judge.cors_survey import UNKNOWN_PATH
from btdiag.judge.credential import logs_in
from btdiag.judge.exchange import Exchange
from btdiag.judge.sdk_facts import LOGIN, ROUTES, ControlPlane, Login, SdkRoute, organisations
from btdiag.measurement import measurement
from btdiag.model import Mode, Target, Way
from btdiag.probe.body import JSON
from btdiag.probe.kept import kept
from btdiag.probe.wire import Wire


def _planned(target: Target, mode: Mode) -> list[str]:
    key = "with the API key" if target.api_key else "without a key"
    reads = [f"{route.method} {target.url_for(route.path)} ({key})" for route in (LOGIN, *ROUTES) if _is_safe(route)]
    return [
        *reads,
        *(f"POST {target.url_for(route.path)} (no key, empty JSON)" for route in _asked(target) if not _is_safe(route)),
        f"POST {target.url_for(UNKNOWN_PATH)} (no key)",
    ]


@measurement(
    budget=26,
    why="each request at most four times, together two rounds of 6 s and more; six requests count towards the API "
    "server's outbound limit of 100 a minute",
    sends=_planned,
)
async def control_plane(serving_way: Way, wire: Wire, target: Target) -> ControlPlane:
    """What the target answers to the SDKs' control-plane calls."""

    def ask(method: str, path: str, *, with_key: bool) -> Awaitable[Exchange]:
        body, headers = (b"{}", (JSON,)) if method == "POST" else (b"", ())
        return asker.ask(method, target.url_for(path), headers=headers, body=body, with_key=with_key)

    keyed = target.api_key is not None
    async with kept(serving_way, wire) as asker:
        login, unknown, *others = await asyncio.gather(
            ask(LOGIN.method, LOGIN.path, with_key=keyed),
            ask("POST", UNKNOWN_PATH, with_key=False),
            *(ask(route.method, route.path, with_key=keyed and _is_safe(route)) for route in _asked(target)),
        )
    return ControlPlane(
        login=_read(login, keyed=keyed and login.key_withheld is None),
        routes=tuple((route, _without_body(seen)) for route, seen in zip(_asked(target), others, strict=True)),
        unknown=unknown,
    )


def _asked(target: Target) -> tuple[SdkRoute, ...]:
    """The calls that may be made: none that writes where --header logs in every request."""
    return tuple(route for route in ROUTES if _is_safe(route)) if logs_in(target) else ROUTES


def _is_safe(route: SdkRoute) -> bool:
    """Whether the call only reads, so that the key may go with it."""
    return route is LOGIN or route.method == "GET"


def _read(seen: Exchange, *, keyed: bool) -> Login:
    found = organisations(seen.body) if seen.status == 200 else None
    return Login(exchange=seen if found is None else _without_body(seen), keyed=keyed, organisations=found)


def _without_body(seen: Exchange) -> Exchange:
    """The exchange without the data of a success in JSON: it names people and projects."""
    is_data = seen.status == 200 and seen.body.lstrip().startswith(("{", "["))
    return replace(seen, body="[withheld]") if is_data else seen
