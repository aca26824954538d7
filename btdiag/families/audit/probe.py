"""One read with the key that asks for audit headers. What they say of people and projects is not kept."""

from __future__ import annotations

from dataclasses import replace

from btdiag.core.credential import no_key
from btdiag.core.exchange import Exchange, Header
from btdiag.core.measurement import NotAsked, measurement
from btdiag.core.target import Mode, Target, Way
from btdiag.families.audit.facts import NAMES, PREFIX, REQUEST_HEADER, RESOURCES, Audit, is_broken
from btdiag.families.audit.judge import decode_resources
from btdiag.net.endpoint import routes_to
from btdiag.net.limits import HEALTH_ANSWER
from btdiag.net.retry import settled
from btdiag.net.wire import Wire

PATH = "/v1/project?limit=1"
MANY = "/v1/project?limit=100"
_ASK = (REQUEST_HEADER, "true")


def _planned(target: Target, mode: Mode) -> list[str]:
    reads = [target.url_for(path) for path in (PATH, MANY)]
    asked = [f"GET {url} (with the API key, {REQUEST_HEADER}: true)" for url in reads]
    return [*asked, "the one of them that is lost once more, without that header"] if target.api_key else []


@measurement(
    budget=50, why="three requests of at most 6 s, each up to three times more after a gateway's error", sends=_planned
)
async def audit(serving_way: Way, wire: Wire, target: Target) -> Audit:
    """Which audit headers arrive, whether the list of resources can be decoded, and if a long one still arrives."""
    if target.api_key is None:
        raise NotAsked(no_key(target))

    async def ask(path: str, *headers: Header) -> Exchange:
        url = target.url_for(path)
        return await settled(
            lambda: wire.exchange(serving_way, "GET", url, headers=headers, with_key=True, limits=HEALTH_ANSWER)
        )

    found = _read(await ask(PATH, _ASK))
    if is_broken(found.exchange):
        return replace(found, without=_nameless(await ask(PATH)))
    if not found.arrived:
        return found
    many = _nameless(await ask(MANY, _ASK))
    return replace(found, many=many, without=_nameless(await ask(MANY)) if is_broken(many) else None)


def _planned_direct(target: Target, mode: Mode) -> list[str]:
    asked = target.backend is not None and target.api_key is not None
    return [f"GET {target.backend}{PATH} (with the API key, where it may go)"] if asked else []


@measurement(
    budget=25,
    why="one request of at most 6 s, up to three times more after a gateway's error",
    sends=_planned_direct,
)
async def backend_audit(wire: Wire, target: Target) -> Audit:
    """The same asked of the API server itself, where the key may go."""
    if target.backend is None or target.api_key is None:
        raise NotAsked("no --backend URL or no API key was given", "--backend http://HOST:8000")
    way = Way(route=(await routes_to(target.backend, target))[0], verify=False)
    url = target.backend + PATH
    seen = await settled(lambda: wire.exchange(way, "GET", url, headers=(_ASK,), with_key=True, limits=HEALTH_ANSWER))
    if seen.key_withheld:
        raise NotAsked(f"the API key is not sent to --backend: {seen.key_withheld}")
    return _read(seen)


def _read(seen: Exchange) -> Audit:
    value = seen.header(RESOURCES)
    return Audit(
        exchange=_nameless(seen),
        arrived=tuple(name for name in NAMES if seen.header(name)),
        resources=decode_resources(value) if value else None,
    )


def _nameless(seen: Exchange) -> Exchange:
    """The answer without what it says of people and projects."""
    return replace(
        seen,
        headers=tuple(_without_value(header) for header in seen.headers),
        body="[withheld]" if seen.status == 200 and seen.body else seen.body,
    )


def _without_value(header: tuple[str, str]) -> tuple[str, str]:
    return (header[0], "[withheld]") if header[0].lower().startswith(PREFIX) else header
