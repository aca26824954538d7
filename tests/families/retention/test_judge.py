"""Retention's routes reach the API, are not listed, are stopped, or cannot be told apart."""

from __future__ import annotations

import asyncio

import pytest

from btdiag.core.exchange import Exchange, Failure, Phase, Trouble
from btdiag.core.finding import Verdict
from btdiag.core.target import Way
from btdiag.families.retention.facts import PREFLIGHTS, RetentionRoutes
from btdiag.families.retention.judge import routes_reach_a_backend
from btdiag.families.retention.probe import retention_routes
from btdiag.net.wire import Wire
from tests import factories
from tests.support.serving import http_target, route_to, serving

JSON = (("content-type", "application/json"),)
GATEWAY = (*JSON, ("x-amzn-errortype", "MissingAuthenticationTokenException"), ("x-amz-apigw-id", "x="))
NGINX = (("server", "nginx"), ("content-type", "text/html"))
NGINX_PAGE = "<html><head><title>404 Not Found</title></head><body><center>nginx</center></body></html>"


def seen(status: int | None, headers: tuple[tuple[str, str], ...] = JSON, body: str = '{"error":"x"}') -> Exchange:
    failure = Failure(phase=Phase.HEADERS, trouble=Trouble.RESET, detail="reset") if status is None else None
    return factories.exchange(
        url="https://api.example.com/x",
        status=status,
        headers=headers,
        body=body,
        failure=failure,
    )


API_404, API_401, WELL = seen(404), seen(401), seen(204)
UNLISTED = seen(403, GATEWAY, '{"message":"Missing Authentication Token"}')
PAGE = seen(404, NGINX, NGINX_PAGE)
REFUSED = seen(403, NGINX, NGINX_PAGE.replace("404 Not Found", "403 Forbidden"))


def found(
    read: Exchange = API_401,
    unknown: Exchange | None = API_404,
    preflight: Exchange = WELL,
    known: Exchange | None = WELL,
) -> RetentionRoutes:
    return RetentionRoutes(
        read=read, unknown=unknown, known=known, preflights=tuple((path, preflight) for path in PREFLIGHTS)
    )


@pytest.mark.parametrize(
    ("routes", "verdict"),
    [
        (found(), Verdict.PASS),
        (found(unknown=None, known=None), Verdict.PASS),
        (found(read=API_404), Verdict.PASS),
        (found(unknown=UNLISTED), Verdict.PASS),
        (found(read=UNLISTED), Verdict.WARN),
        (found(read=UNLISTED, unknown=UNLISTED, preflight=UNLISTED), Verdict.WARN),
        (found(preflight=UNLISTED), Verdict.WARN),
        (found(preflight=seen(503)), Verdict.WARN),
        (found(preflight=seen(None)), Verdict.WARN),
        (found(read=REFUSED), Verdict.WARN),
        (found(read=seen(None)), Verdict.WARN),
        (found(preflight=REFUSED, known=REFUSED), Verdict.PASS),
        (found(read=PAGE, unknown=PAGE, preflight=REFUSED, known=REFUSED), Verdict.SKIP),
        (found(read=PAGE, unknown=PAGE), Verdict.PASS),
        (found(read=seen(429)), Verdict.INCONCLUSIVE),
    ],
)
def test_verdict(routes: RetentionRoutes, verdict: Verdict) -> None:
    finding = routes_reach_a_backend(routes)
    assert finding.verdict is verdict
    if verdict is Verdict.WARN:
        assert finding.remedy is not None
        assert len(finding.answer) <= 90
        assert len(finding.remedy.action) <= 140


def test_a_pass_names_only_what_was_told() -> None:
    assert "GET" in routes_reach_a_backend(found()).summary
    assert "GET" not in routes_reach_a_backend(found(read=PAGE, unknown=PAGE)).summary


def test_the_module_is_named_only_where_its_gateway_says_so() -> None:
    unlisted, stopped = routes_reach_a_backend(found(read=UNLISTED)), routes_reach_a_backend(found(read=REFUSED))
    assert unlisted.remedy is not None
    assert stopped.remedy is not None
    assert "v2.2.0" in unlisted.remedy.text
    assert "v2.2.0" not in stopped.remedy.text


def test_what_writes_is_never_asked_but_by_options() -> None:
    heads: list[str] = []

    async def look() -> RetentionRoutes:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

        async with serving(handler) as port:
            target = http_target(port)
            return await retention_routes(Way(route=route_to(port)), Wire(target, user_agent="x"), target)

    routes = asyncio.run(look())
    assert routes.read.status == 204
    assert sorted({head.split()[0] for head in heads}) == ["GET", "OPTIONS"]
    assert len(heads) == 1 + len(PREFLIGHTS)
    assert not any("authorization:" in head.lower() for head in heads)
    assert all(head.startswith("GET /service-token/btdiag") for head in heads if "service-token/btdiag" in head)


@pytest.mark.parametrize(("answer", "asked"), [(b"204 No Content", 2), (b"503 Service Unavailable", 4)])
def test_the_contrast_is_asked_for_where_it_is_needed(answer: bytes, asked: int) -> None:
    paths: set[tuple[str, str]] = set()

    async def look() -> RetentionRoutes:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            method, path, _ = (await reader.readuntil(b"\r\n\r\n")).decode().split(" ", 2)
            paths.add((method, path))
            writer.write(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 0\r\n\r\n")

        async with serving(handler) as port:
            target = http_target(port)
            return await retention_routes(Way(route=route_to(port)), Wire(target, user_agent="x"), target)

    asyncio.run(look())
    assert len(paths) == asked
