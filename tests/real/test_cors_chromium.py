"""Chromium as the referee: the same fetches in a real browser and in the judge must end alike.

A page of the web app's origin fetches from a TLS server on loopback that answers as each case says; what the page got,
what the developer tools report, and what the server received are held against `judge.cors.http_fetch`.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pytest
import trustme

from btdiag.judge.cors import CorsError, Credentials, PageRequest, RawResponse, http_fetch

pytestmark = pytest.mark.real

ORIGIN = "https://www.braintrust.dev"
HOST = "api.referee.example"
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
OK_ORIGIN = ("Access-Control-Allow-Origin", ORIGIN)
OK_CREDENTIALS = ("Access-Control-Allow-Credentials", "true")


@dataclass(frozen=True)
class Case:
    """A fetch and the answers that it meets."""

    request: PageRequest
    preflight: RawResponse
    response: RawResponse
    label: str = ""


@dataclass
class Server:
    """Answers /N as case N says, and notes what it was asked."""

    cases: list[Case] = field(default_factory=list)
    log: dict[int, list[tuple[str, str | None]]] = field(default_factory=dict)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                writer.write(self.answer(*await self.parse(head, reader)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    @staticmethod
    async def parse(head: bytes, reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]]:
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        await reader.readexactly(int(fields.get("content-length", "0")))
        method, path, _ = first.split(" ")
        return method, path, fields

    def answer(self, method: str, path: str, fields: dict[str, str]) -> bytes:
        if not path[1:].isdigit():
            page = b"<!doctype html><link rel=icon href='data:,'>"
            return b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page)
        number = int(path[1:])
        asks = method == "OPTIONS" and "access-control-request-method" in fields
        self.log.setdefault(number, []).append(
            ("preflight" if asks else method, fields.get("access-control-request-headers"))
        )
        case = self.cases[number]
        reply = case.preflight if asks else case.response
        lines = [f"HTTP/1.1 {reply.status} X", *(f"{name}: {value}" for name, value in reply.headers)]
        bodiless = reply.status in (204, 304)
        lines += [] if bodiless else ["Content-Length: 2"]
        body = "" if bodiless or method == "HEAD" else "ok"
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Server, int]]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "www.braintrust.dev").configure_cert(context)
    state, started = Server(), Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]]()

    async def run() -> None:
        stop = asyncio.Event()
        listener = await asyncio.start_server(state.serve, "127.0.0.1", 0, ssl=context)
        started.set_result((asyncio.get_running_loop(), stop, listener.sockets[0].getsockname()[1]))
        await stop.wait()
        listener.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    loop, stop, port = started.result(10)
    yield state, port
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)


FETCH = """async (cases) => Promise.all(cases.map(async ([url, init]) => {
    try {
        const response = await fetch(url, init);
        return {status: response.status, readable: [...response.headers.keys()].sort()};
    } catch { return null; }
}))"""


def init_of(request: PageRequest) -> dict[str, Any]:
    body = {"body": "{}"} if request.method.upper() in ("POST", "PUT", "PATCH", "DELETE") else {}
    typed = any(name.lower() == "content-type" for name, _ in request.headers)
    return {
        "method": request.method,
        "headers": [list(pair) for pair in request.headers],
        "credentials": request.credentials.value,
        "cache": "no-store" if not body else "default",
        **({} if not body else {"body": "{}"} if typed else {"bytes": True}),
    }


def outcomes(server: Server, port: int, cases: list[Case]) -> list[dict[str, Any]]:
    """What Chromium makes of each case."""
    from playwright.sync_api import sync_playwright

    server.cases, server.log = cases, {}
    failures: dict[str, dict[str, Any]] = {}
    urls: dict[str, str] = {}
    options = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--ignore-certificate-errors", "--no-proxy-server"]
    options += [f"--host-resolver-rules=MAP * 127.0.0.1:{port}", "--disable-background-networking"]
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=options, env={"HOME": home})
        page = browser.new_page(ignore_https_errors=True)
        tools = page.context.new_cdp_session(page)
        tools.on("Network.requestWillBeSent", lambda e: urls.__setitem__(e["requestId"], e["request"]["url"]))
        tools.on("Network.loadingFailed", lambda e: failures.__setitem__(e["requestId"], e))
        tools.send("Network.enable")
        page.goto(ORIGIN + "/app")
        asked = [[f"https://{HOST}/{number}", init_of(case.request)] for number, case in enumerate(cases)]
        got = page.evaluate(
            "async (cases) => { for (const [_, init] of cases) if (init.bytes) "
            f"init.body = new Uint8Array([123, 125]); return await ({FETCH})(cases); }}",
            asked,
        )
        page.wait_for_timeout(200)
        browser.close()
    codes = {
        urls[key]: event["corsErrorStatus"]
        for key, event in failures.items()
        if key in urls and "corsErrorStatus" in event
    }
    return [
        summary(number, answer, codes.get(f"https://{HOST}/{number}"), server.log.get(number, []))
        for number, answer in enumerate(got)
    ]


def summary(number: int, answer: Any, code: Any, log: list[tuple[str, str | None]]) -> dict[str, Any]:
    preflights = [asked for kind, asked in log if kind == "preflight"]
    return {
        "allowed": answer is not None,
        "status": answer["status"] if answer else None,
        "readable": answer["readable"] if answer else None,
        "cors_error": code["corsError"] if code else None,
        "failed_parameter": code["failedParameter"] if code else None,
        "asked": preflights[0] if preflights else None,
        "preflight_sent": bool(preflights),
        "actual_sent": any(kind != "preflight" for kind, _ in log),
    }


def judged(case: Case) -> dict[str, Any]:
    """The judge's outcome in the same words."""

    def answers(method: str, url: str) -> RawResponse:
        reply = case.preflight if method.startswith("OPTIONS ") else case.response
        length = () if reply.status in (204, 304) else (("Content-Length", "2"),)
        return RawResponse(status=reply.status, headers=(*reply.headers, *length))

    outcome = http_fetch(case.request, f"https://{HOST}/x", answers)
    refusal = outcome.refusal
    named = refusal is not None and refusal.error is not CorsError.PREFLIGHT_REDIRECT
    asked = outcome.preflights[0] if outcome.preflights else ()
    return {
        "allowed": outcome.allowed,
        "status": outcome.status,
        "readable": list(outcome.readable) if outcome.allowed else None,
        "cors_error": refusal.error.value if refusal and named else None,
        "failed_parameter": refusal.parameter if refusal and named else None,
        "asked": ",".join(asked) or None,
        "preflight_sent": bool(outcome.preflights),
        "actual_sent": outcome.actual_sent,
    }
