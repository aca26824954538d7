"""What a gateway may turn down: methods, a long URL, many headers, an encoded slash, a packed, an announced or a large
body. What is refused is asked again of the API server itself.

All go to a path that does not exist, without the key: for the API each of them is the same 404. Nothing over 8 MB.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from dataclasses import dataclass
from urllib.parse import quote

from btdiag.core.exchange import Exchange, Header
from btdiag.core.measurement import NotAsked, NotMeasured, PerAddress, measurement
from btdiag.core.packets import SMALL
from btdiag.core.product import JSON, UNKNOWN_PATH, origins
from btdiag.core.target import Mode, Target, Way
from btdiag.core.urls import other_host
from btdiag.families.gateway.facts.requests import (
    DirectTrials,
    ProductRequests,
    RequestTrial,
    Trait,
    is_unclear,
    silent_for_length,
)
from btdiag.families.gateway.plan import (
    DEEP_COUNT,
    DEEP_HEADERS,
    DEEP_URL,
    HEADER_BYTES,
    HEADER_COUNT,
    URL_BYTES,
    advertised_body,
    body_to_send,
    next_body,
    next_size,
    size,
)
from btdiag.families.gateway.probe.answers import MOST_ASKED, many_answers
from btdiag.net.endpoint import backend_way, get
from btdiag.net.limits import HEALTH_ANSWER, Limits
from btdiag.net.request import Shape
from btdiag.net.retry import settled
from btdiag.net.reuse import Kept, kept_way
from btdiag.net.sockets import Packing
from btdiag.net.streams import DialError
from btdiag.net.wire import Wire

UPLOAD = Limits(total=20.0)  # seconds; 6 MiB at 3 Mbit/s
AGAIN = 2  # uploads of the same size, where a connection broke: another one may have its answer in time
SDK_AGENTS = ("python-requests/2.32.3", "node")  # what the SDKs for Python and JavaScript are sent by
QUERY_TEXT = "select: * | from: project_logs('btdiag') | filter: input ILIKE '%union select%' | limit: 1"
METHODS = ("PATCH", "PUT", "DELETE")
_PACKED = gzip.compress(b"{}", mtime=0)
_BOUNDS = {Trait.URL: DEEP_URL, Trait.HEADERS: DEEP_HEADERS, Trait.COUNT: DEEP_COUNT}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """A request to the unknown path: with something after the path, headers and a body of its own."""

    trait: Trait
    what: str
    method: str = "GET"
    more: str = ""
    headers: tuple[Header, ...] = ()
    body: bytes = b""
    size: int = 0


def _planned(target: Target, mode: Mode) -> list[str]:
    url = target.url_for(UNKNOWN_PATH)
    return [
        f"GET, POST, {', '.join(METHODS)}, OPTIONS (a preflight) {url}",
        f"GET {url} with a query of {size(URL_BYTES)}; with {HEADER_COUNT} headers of {size(HEADER_BYTES)}"
        + ("; both with more, in halves where that is refused" if mode.deep else ""),
        f"GET {target.url_for(UNKNOWN_PATH)}%2Fencoded",
        f"POST {url} with a packed body; with Expect: 100-continue; with a chunked body; with the words of a query; as "
        + " and as ".join(SDK_AGENTS),
        f"GET {url} over HTTP/1.0, and with Host {other_host(url)}",
        f"POST {url} with a body of {size(body_to_send(None, mode))} (an empty object; less where /version allows "
        "less), again up to twice where the connection breaks"
        + ("" if mode.quick else "; with 1 MiB, and one byte more, where nginx refuses it")
        + ("; again in halves where it is refused" if mode.deep else ""),
        f"GET {url} up to {MOST_ASKED} times at once on one connection; where all that is long meets silence, or these "
        "answers stall, the same once more in small packets",
    ]


@measurement(
    budget=70,
    why="an upload of at most 20 s, where it is refused two smaller ones, with --deep six; at once mostly",
    sends=_planned,
)
async def product_requests(
    serving_way: Way, wire: Wire, target: Target, mode: Mode, version: PerAddress[Exchange] | NotMeasured
) -> ProductRequests:
    """How requests of every form that the product uses are answered, beside plain ones."""
    advertised = None if isinstance(version, NotMeasured) else advertised_body(_at(version, serving_way))
    url = target.url_for(UNKNOWN_PATH)
    large = body_to_send(advertised, mode)
    forms = _forms(target, wire.user_agent)
    async with kept_way(serving_way, wire) as asker:
        plain_get, plain_post, trials = await asyncio.gather(
            asker.ask("GET", url),
            asker.ask("POST", url, headers=(JSON,), body=b"{}"),
            asyncio.gather(
                *(_tried(asker, url, form) for form in forms),
                _upload(serving_way, wire, url, large),
            ),
        )
        silent = silent_for_length((plain_get, plain_post), trials)
        beyond = await _beyond(asker, url, plain_get) if mode.deep and not silent else ()
    unusual = await _unusual(serving_way, wire, url)
    for _ in range(AGAIN):
        if is_unclear(trials[-1], plain_post) and not trials[-1].timed_out:
            trials[-1] = await _upload(serving_way, wire, url, large)
    while not silent and (smaller := next_body(trials, plain_post, mode)) is not None:
        trials.append(await _upload(serving_way, wire, url, smaller))
    limited = any(seen.status in {None, 429} for seen in (plain_get, plain_post, *(one.exchange for one in trials)))
    return ProductRequests(
        plain_get=plain_get,
        plain_post=plain_post,
        trials=tuple(trials),
        beyond=beyond,
        advertised=advertised,
        answers=() if silent or limited else await many_answers(serving_way, wire, target, plain_get),
        in_small_packets=await _in_small_packets(serving_way, wire, silent[0].exchange) if silent else None,
        unusual=unusual,
    )


async def _unusual(way: Way, wire: Wire, url: str) -> tuple[RequestTrial, ...]:
    """What health checks and old proxies send, and no client of the product: HTTP/1.0, and the other form of Host."""
    host, asking = other_host(url), wire.provoking()
    old, named = await asyncio.gather(
        settled(lambda: asking.exchange(way, "GET", url, shape=Shape(old_http=True), limits=HEALTH_ANSWER)),
        settled(lambda: asking.exchange(way, "GET", url, headers=(("Host", host),), limits=HEALTH_ANSWER)),
    )
    return (
        RequestTrial(trait=Trait.HEADERS, what="HTTP/1.0", exchange=old),
        RequestTrial(trait=Trait.HEADERS, what=f"Host: {host}", exchange=named),
    )


async def _in_small_packets(way: Way, wire: Wire, seen: Exchange) -> Exchange | None:
    """A long GET once more, in packets that every path carries; None without a connection."""
    try:
        stream = await wire.dial(
            way.route, tls=seen.url.startswith("https"), verify=way.verify, packing=Packing(segment=SMALL)
        )
    except DialError:
        return None
    try:
        return await wire.send_on(stream, seen.method, seen.url, limits=HEALTH_ANSWER)
    finally:
        stream.abort()


def _as_the_product(wire_agent: str) -> list[_Form]:
    """Requests whose words a firewall may take exception to: SDKs name their library, exporters of OpenTelemetry do not
    know the length of what they send, and queries read like SQL."""
    agents = [(JSON, ("User-Agent", f"{agent} ({wire_agent})")) for agent in SDK_AGENTS]
    chunked, query = (JSON, ("Transfer-Encoding", "chunked")), "?query=" + quote(QUERY_TEXT)
    body = json.dumps({"query": QUERY_TEXT, "fmt": "json"}).encode()
    return [
        *(
            _Form(trait=Trait.AGENT, what=f"User-Agent {agent}", method="POST", headers=headers, body=b"{}")
            for agent, headers in zip(SDK_AGENTS, agents, strict=True)
        ),
        _Form(trait=Trait.CHUNKED, what="a chunked body", method="POST", headers=chunked, body=b"{}"),
        _Form(trait=Trait.QUERY, what="a query", method="POST", more=query, headers=(JSON,), body=body),
    ]


def _forms(target: Target, agent: str) -> list[_Form]:
    """Every trial but the large body."""
    preflight = (("Origin", origins(target)[0]), ("Access-Control-Request-Method", "POST"))
    packed, announced = (JSON, ("Content-Encoding", "gzip")), (JSON, ("Expect", "100-continue"))
    return [
        _Form(trait=Trait.METHOD, what="PATCH", method="PATCH", headers=(JSON,), body=b"{}"),
        _Form(trait=Trait.METHOD, what="PUT", method="PUT", headers=(JSON,), body=b"{}"),
        _Form(trait=Trait.METHOD, what="DELETE", method="DELETE"),
        _Form(trait=Trait.OPTIONS, what="OPTIONS", method="OPTIONS", headers=preflight),
        _sized(Trait.URL, URL_BYTES),
        _sized(Trait.HEADERS, HEADER_BYTES),
        _Form(trait=Trait.PATH, what="an encoded slash", more="%2Fencoded"),
        _Form(trait=Trait.CODING, what="a packed body", method="POST", headers=packed, body=_PACKED),
        _Form(trait=Trait.EXPECT, what="Expect: 100-continue", method="POST", headers=announced, body=b"{}"),
        *_as_the_product(agent),
    ]


def _sized(trait: Trait, count: int) -> _Form:
    """A URL or headers of so many bytes, or so many headers."""
    match trait:
        case Trait.URL:
            return _Form(trait=trait, what=f"a URL of {size(count)}", more=f"?filter={'a' * count}", size=count)
        case Trait.HEADERS:
            headers = _headers(HEADER_COUNT, count)
            return _Form(trait=trait, what=f"{size(count)} of headers", headers=headers, size=count)
        case _:
            return _Form(trait=trait, what=f"{count} headers", headers=_headers(count, 32 * count), size=count)


def _headers(count: int, total: int) -> tuple[Header, ...]:
    """So many headers of so many bytes in all, colons and line ends included."""
    value = "a" * max(1, total // count - len("X-Btdiag-Filler-000: \r\n"))
    return tuple((f"X-Btdiag-Filler-{number:03}", value) for number in range(count))


async def _tried(asker: Kept, url: str, form: _Form) -> RequestTrial:
    seen = await asker.ask(form.method, url + form.more, headers=form.headers, body=form.body)
    return RequestTrial(trait=form.trait, what=form.what, exchange=seen, size=form.size)


async def _upload(way: Way, wire: Wire, url: str, count: int) -> RequestTrial:
    """POST of that many bytes. A refusal may come before all is sent, and the connection break under the rest."""
    seen = await wire.provoking().exchange(way, "POST", url, headers=(JSON,), body=_spacious(count), limits=UPLOAD)
    return RequestTrial(trait=Trait.BODY, what=f"a body of {size(count)}", exchange=seen, size=count)


def _spacious(count: int) -> bytes:
    """An empty JSON object of so many bytes: a server that reads it finds nothing wrong with it."""
    return b"{" + b" " * max(0, count - 2) + b"}"


async def _beyond(asker: Kept, url: str, plain: Exchange) -> tuple[RequestTrial, ...]:
    """Sizes that the product does not need, until the limit of each is known."""
    found: list[RequestTrial] = []
    for trait, bounds in _BOUNDS.items():
        trials: list[RequestTrial] = []
        while (count := next_size(trials, plain, bounds)) is not None:
            trials.append(await _tried(asker, url, _sized(trait, count)))
        found += trials
    return tuple(found)


def _planned_again(target: Target, mode: Mode) -> list[str]:
    return [f"what is refused above, at {target.backend}{UNKNOWN_PATH}"] if target.backend else []


@measurement(budget=40, why="what was refused, once more, among it one upload of at most 20 s", sends=_planned_again)
async def direct_trials(wire: Wire, target: Target, product_requests: ProductRequests) -> DirectTrials:
    """How the API server itself answers what was refused in front: that tells who refuses."""
    refused = product_requests.refused
    if not refused:
        raise NotAsked("nothing was refused")
    way, url = await backend_way(target, wire), f"{target.backend}{UNKNOWN_PATH}"
    bodies = sorted(trial.size for trial in refused if trial.trait is Trait.BODY)
    again = {(trial.trait, trial.what) for trial in refused}
    forms = [form for form in _forms(target, wire.user_agent) if (form.trait, form.what) in again]
    async with kept_way(way, wire) as asker:
        small = await asyncio.gather(*(_tried(asker, url, form) for form in forms))
    return DirectTrials(trials=(*small, *[await _upload(way, wire, url, count) for count in bodies[-1:]]))


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
    return await settled(lambda: get(f"{target.backend}{UNKNOWN_PATH}", target, wire, HEALTH_ANSWER))


def _at(version: PerAddress[Exchange], way: Way) -> Exchange | None:
    return version.facts.get(way.route.label)
