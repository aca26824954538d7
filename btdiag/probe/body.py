"""What a gateway may turn down: methods, a long URL, many headers, an encoded slash, a large body.

All go to a path that does not exist, without the key: for the API each of them is the same 404. Nothing over 8 MB.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from btdiag.judge.cors_survey import UNKNOWN_PATH
from btdiag.judge.exchange import Exchange
from btdiag.judge.limits import (
    HEADER_BYTES,
    HEADER_COUNT,
    URL_BYTES,
    ProductRequests,
    Trait,
    Trial,
    advertised_body,
    body_to_send,
    next_size,
    size,
)
from btdiag.measurement import NotAsked, NotMeasured, PerAddress, measurement
from btdiag.model import Mode, Target, Way
from btdiag.probe.endpoint import get
from btdiag.probe.failures import Header
from btdiag.probe.health import HEALTH, settled
from btdiag.probe.kept import kept
from btdiag.probe.wire import Limits, Wire

UPLOAD = Limits(total=20.0)  # seconds; 6 MiB at 3 Mbit/s
METHODS = ("PATCH", "PUT", "DELETE")
JSON: Header = ("Content-Type", "application/json")


def _planned(target: Target, mode: Mode) -> list[str]:
    url = target.url_for(UNKNOWN_PATH)
    return [
        f"GET, POST, {', '.join(METHODS)} {url}",
        f"GET {url} with a query of {size(URL_BYTES)}; with {HEADER_COUNT} headers of {size(HEADER_BYTES)}",
        f"GET {target.url_for(UNKNOWN_PATH)}%2Fencoded",
        f"POST {url} with a body of {size(body_to_send(None, mode))} (spaces; less where /version allows less)"
        + ("; again in halves where it is refused" if mode.deep else ""),
    ]


@measurement(budget=60, why="an upload of at most 20 s, with --deep up to six more where it is refused", sends=_planned)
async def product_requests(
    serving_way: Way, wire: Wire, target: Target, mode: Mode, version: PerAddress[Exchange] | NotMeasured
) -> ProductRequests:
    """How requests of every form that the product uses are answered, beside plain ones."""
    advertised = None if isinstance(version, NotMeasured) else advertised_body(_at(version, serving_way))

    def ask(method: str, path: str = UNKNOWN_PATH, headers: tuple[Header, ...] = ()) -> Awaitable[Exchange]:
        body, more = (b"{}", (JSON,)) if method in {"POST", "PATCH", "PUT"} else (b"", ())
        url = target.url_for(path)
        return asker.ask(method, url, headers=(*more, *headers), body=body)

    async def trial(trait: Trait, what: str, asking: Awaitable[Exchange]) -> Trial:
        return Trial(trait=trait, what=what, exchange=await asking)

    def asked() -> list[Awaitable[Trial]]:
        return [
            *(trial(Trait.METHOD, method, ask(method)) for method in METHODS),
            trial(Trait.URL, f"a URL of {size(URL_BYTES)}", ask("GET", f"{UNKNOWN_PATH}?filter={'a' * URL_BYTES}")),
            trial(Trait.HEADERS, f"{size(HEADER_BYTES)} of headers", ask("GET", headers=_many_headers())),
            trial(Trait.PATH, "an encoded slash", ask("GET", f"{UNKNOWN_PATH}%2Fencoded")),
            _upload(serving_way, wire, target, body_to_send(advertised, mode)),
        ]

    async with kept(serving_way, wire) as asker:
        plain_get, plain_post, trials = await asyncio.gather(ask("GET"), ask("POST"), _all(asked()))
    while mode.deep and (smaller := next_size(trials, plain_post)) is not None:
        trials.append(await _upload(serving_way, wire, target, smaller))
    return ProductRequests(plain_get=plain_get, plain_post=plain_post, trials=tuple(trials), advertised=advertised)


def _planned_direct(target: Target, mode: Mode) -> list[str]:
    return [f"GET {target.backend}{UNKNOWN_PATH}"] if target.backend else []


@measurement(
    budget=25,
    why="up to four addresses, each the health checks' 5 s and one more; most answer at once",
    sends=_planned_direct,
)
async def backend_unknown(wire: Wire, target: Target) -> Exchange:
    """GET of the same unknown path at the API server itself: the headers it sends, before any hop could change them."""
    if target.backend is None:
        raise NotAsked("no --backend URL was given", "--backend http://HOST:8000")
    return await settled(lambda: get(f"{target.backend}{UNKNOWN_PATH}", target, wire, HEALTH))


async def _all(asked: Sequence[Awaitable[Trial]]) -> list[Trial]:
    return list(await asyncio.gather(*asked))


async def _upload(way: Way, wire: Wire, target: Target, count: int) -> Trial:
    """POST of that many spaces. A refusal may come before all is sent, and the connection break under the rest."""
    url = target.url_for(UNKNOWN_PATH)
    seen = await wire.exchange(way, "POST", url, headers=(JSON,), body=b" " * count, limits=UPLOAD)
    return Trial(trait=Trait.BODY, what=f"a body of {size(count)}", exchange=seen, size=count)


def _many_headers() -> tuple[Header, ...]:
    value = "a" * (HEADER_BYTES // HEADER_COUNT - 20)
    return tuple((f"X-Btdiag-Filler-{number:02}", value) for number in range(HEADER_COUNT))


def _at(version: PerAddress[Exchange], way: Way) -> Exchange | None:
    return version.facts.get(way.route.label)
