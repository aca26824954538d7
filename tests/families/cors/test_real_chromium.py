"""Chromium as the referee: the same fetches in a real browser and in the judge must end alike.

A page of the web app's origin fetches from a TLS server on loopback that answers as each case says; what the page got,
what the developer tools report, and what the server received are held against `judge.cors.http_fetch`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import ssl
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme
from playwright.sync_api import Page, sync_playwright

from btdiag.core.target import Route, Target, Way
from btdiag.families.cors.facts import HEADERS, Purpose, Question
from btdiag.families.cors.fetch import Credentials, PageRequest, RawResponse, http_fetch
from btdiag.families.cors.probe.asking import browser_headers
from btdiag.families.cors.questions import page_request
from btdiag.lab.scenario import scenarios
from btdiag.net.wire import Wire
from tests.support.labclient import process

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
    if (init.bytes) init.body = new Uint8Array([123, 125]);
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
        **({} if not body else body if typed else {"bytes": True}),
    }


@contextlib.contextmanager
def browser_page(port: int) -> Iterator[Page]:
    """A page of the web app's origin; its own host leads to the server here, all others to the lab's address."""
    rules = f"MAP www.braintrust.dev 127.0.0.1:{port}, MAP {HOST} 127.0.0.1:{port}, MAP *.lab.example 127.0.0.2"
    options = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--ignore-certificate-errors", "--no-proxy-server"]
    options += [f"--host-resolver-rules={rules}, MAP * ~NOTFOUND", "--disable-background-networking"]
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=options, env={"HOME": home})
        page = browser.new_page(ignore_https_errors=True)
        page.goto(ORIGIN + "/app")
        yield page
        browser.close()


def fetched(page: Page, asked: list[list[Any]]) -> tuple[list[Any], dict[str, Any]]:
    """What page code gets for each [url, init], and Chromium's CORS error by URL."""
    urls: dict[str, str] = {}
    codes: dict[str, Any] = {}
    tools = page.context.new_cdp_session(page)
    tools.on("Network.requestWillBeSent", lambda e: urls.__setitem__(e["requestId"], e["request"]["url"]))
    tools.on("Network.loadingFailed", lambda e: codes.__setitem__(e["requestId"], e.get("corsErrorStatus")))
    tools.send("Network.enable")
    got = page.evaluate(FETCH, asked)
    page.wait_for_timeout(200)
    tools.detach()
    return got, {urls[key]: code for key, code in codes.items() if key in urls and code is not None}


def outcomes(server: Server, port: int, cases: list[Case]) -> list[dict[str, Any]]:
    """What Chromium makes of each case."""
    server.cases, server.log = cases, {}
    asked = [[f"https://{HOST}/{number}", init_of(case.request)] for number, case in enumerate(cases)]
    with browser_page(port) as page:
        got, codes = fetched(page, asked)
    return [
        summary(answer, codes.get(f"https://{HOST}/{number}"), server.log.get(number, []))
        for number, answer in enumerate(got)
    ]


def summary(answer: Any, code: Any, log: list[tuple[str, str | None]]) -> dict[str, Any]:
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
    asked = outcome.preflights[0] if outcome.preflights else ()
    return {
        "allowed": outcome.allowed,
        "status": outcome.status,
        "readable": list(outcome.readable) if outcome.allowed else None,
        "cors_error": refusal.error.value if refusal else None,
        "failed_parameter": refusal.parameter if refusal else None,
        "asked": ",".join(asked) or None,
        "preflight_sent": bool(outcome.preflights),
        "actual_sent": outcome.actual_sent,
    }


def case(
    method: str = "GET",
    headers: tuple[tuple[str, str], ...] = (),
    mode: str = "omit",
    preflight: RawResponse | None = None,
    response: RawResponse | None = None,
) -> Case:
    """A case whose answers are good unless told otherwise."""
    good = (OK_ORIGIN, OK_CREDENTIALS)
    return Case(
        request=PageRequest(origin=ORIGIN, method=method, headers=headers, credentials=Credentials(mode)),
        preflight=preflight or RawResponse(status=204, headers=good),
        response=response or RawResponse(status=200, headers=good),
    )


def answered(*headers: tuple[str, str], status: int = 204) -> RawResponse:
    return RawResponse(status=status, headers=(OK_ORIGIN, OK_CREDENTIALS, *headers))


ORIGINS = (
    ORIGIN, "*", "* *", "*,", "null", "NULL", f"{ORIGIN}/", f"{ORIGIN}.", f"{ORIGIN}:443", f",{ORIGIN}", f"'{ORIGIN}'",
    "https://*.braintrust.dev", "*.braintrust.dev", "//www.braintrust.dev", "https://", "https:x", "https://[::1",
    "https://[::1]:70000", "https://1.2.3.999", "https://a b", "https://a%20b", "https://a%zz", "https://x:y", "https://x@",
    "file://", "file://a:80", "data:", "about:blank", "foo://x:99999", "foo:", "1foo:bar", "$http_origin", "", "é",
)  # fmt: skip
LISTS = (
    "", "*", "x-a", "X-A", "x-a,,", " x-a\t, ", "x-a x-b", '"x-a"', "x-a;q=1", "*, x-a", "x-b, x-a", "@", "é", "x-a\t",
)  # fmt: skip
REQUEST_HEADERS = (
    ("content-type", "text/plain"), ("content-type", "text/plain; x"), ("content-type", "text/ plain"),
    ("content-type", "text/plain,text/plain"), ("content-type", ""), ("content-type", 'text/plain; x="y"'),
    ("accept", "x" * 128), ("accept", "x" * 129), ("accept", "a\tb"), ("accept", "a@b"), ("accept-language", "en_US"),
    ("content-language", "de;q=0.5, *"), ("range", "bytes=0-"), ("range", "Bytes=0-1"), ("range", "bytes=5-1"),
    ("range", "bytes=0-9223372036854775807"), ("dpr", "1.5"), ("dpr", "1."), ("save-data", "ON"), ("width", "1.5"),
    ("user-agent", "x"), ("cookie", "a=b"), ("sec-x", "1"), ("x-http-method", "GET"), ("x-http-method", "TRACE"),
    ("priority", "u=1"), ("authorization", "b"), ("x-bt-use-gateway", "1"),
)  # fmt: skip
EXPOSED = (
    "", "*", "x-bt-cursor", "X-BT-CURSOR, ", "x-bt-cursor x-bt-span-id", '"x-bt-cursor"', "set-cookie, x-bt-cursor",
    "é, x-bt-cursor",
)  # fmt: skip
STATUSES = (200, 206, 299, 300, 301, 302, 304, 308, 400, 401, 403, 404, 405, 413, 429, 500, 502, 599)
READABLE = tuple((name, "1") for name in ("x-bt-cursor", "x-bt-span-id", "ETag", "Set-Cookie", "*", "Pragma"))


def corner_cases() -> list[Case]:
    """What servers and pages get wrong, in every combination with both credentials modes."""
    token = (("authorization", "b"),)
    allow = ("Access-Control-Allow-Headers", "authorization")
    found = []
    for mode in ("omit", "include"):
        for value in ORIGINS:
            wrong = (("Access-Control-Allow-Origin", value), OK_CREDENTIALS)
            found.append(case(mode=mode, response=RawResponse(status=200, headers=wrong)))
            found.append(case(headers=token, mode=mode, preflight=RawResponse(status=204, headers=(*wrong, allow))))
        for value in LISTS:
            found.append(case("GET", (("x-a", "1"),), mode, answered(("Access-Control-Allow-Headers", value))))
            found.append(case("x-a", (), mode, answered(("Access-Control-Allow-Methods", value))))
        for header in REQUEST_HEADERS:
            method = "POST" if header[0].startswith("content-") else "GET"
            found += [
                case(method, (header,), mode, answered()),
                case(method, (header,), mode, answered(("Access-Control-Allow-Headers", "*"))),
            ]
        for value in EXPOSED:
            found.append(
                case(mode=mode, response=answered(*READABLE, ("Access-Control-Expose-Headers", value), status=200))
            )
        for status in STATUSES:
            found.append(case(headers=token, mode=mode, preflight=answered(allow, ("Location", "/x"), status=status)))
        for method in ("patch", "PATCH", "put", "head", "OPTIONS", "Chicken"):
            found.append(case(method, (), mode, answered(("Access-Control-Allow-Methods", "PATCH, PUT, CHICKEN"))))
    return found


def test_the_judge_ends_every_corner_case_as_chromium_does(server: tuple[Server, int]) -> None:
    cases = corner_cases()
    seen = outcomes(*server, cases)
    wrong = [
        (one.request, one.preflight, one.response, judged(one), outcome)
        for one, outcome in zip(cases, seen, strict=True)
        if judged(one) != outcome
    ]
    assert wrong == []


def trials() -> list[PageRequest]:
    """What a page tries on a lab target: with and without headers, in both credentials modes."""
    pages = [page_request(ORIGIN), page_request(ORIGIN, "GET", HEADERS), page_request(ORIGIN, "PATCH", HEADERS)]
    return [replace(page, credentials=mode) for page in pages for mode in Credentials]


async def raw_answers(url: str, page: PageRequest) -> dict[bool, RawResponse]:
    """The lab's answers to the preflight (True) and the request itself (False), as the probe gets them."""
    parts = urlsplit(url)
    port = parts.port or 443
    wire = Wire(Target(url=url, scheme="https", host=parts.hostname or "", port=port), user_agent="btdiag/test")
    way = Way(route=Route(label="lab", address="127.0.0.2", port=port), verify=False)
    answers = {}
    for preflight in (True, False):
        question = Question(purpose=Purpose.ACTUAL, path="/version", page=page, preflight=preflight)
        headers = browser_headers(question) if preflight else (("Origin", ORIGIN), *page.headers)
        method = "OPTIONS" if preflight else page.method
        exchange = await wire.exchange(way, method, url + "/version", headers=headers)
        assert exchange.status is not None, exchange.failure
        answers[preflight] = RawResponse(status=exchange.status, headers=exchange.headers)
    return answers


def told_by_judge(page: PageRequest, known: dict[bool, RawResponse]) -> tuple[bool, str | None]:
    outcome = http_fetch(page, f"https://{HOST}/", lambda method, _: known[method.startswith("OPTIONS ")])
    return outcome.allowed, outcome.refusal.error.value if outcome.refusal else None


@pytest.fixture(scope="module")
def app_page(server: tuple[Server, int]) -> Iterator[Page]:
    with browser_page(server[1]) as page:
        yield page


NOT_BY_HEADERS = ("cors-options-dropped", "cors-one-replica", "cors-cache", "cors-cache-bare", "cors-hotlink")
"""Answers that hang on more than the page's request: on their turn, on the query, on what the browser adds."""
ANSWERED = [name for name in scenarios() if name.startswith("cors-") and name not in NOT_BY_HEADERS]


@pytest.mark.parametrize("name", ["healthy", *ANSWERED])
def test_the_judge_says_of_a_lab_scenario_what_chromium_says(name: str, app_page: Page) -> None:
    with process(name) as lab, ThreadPoolExecutor(max_workers=1) as aside:
        assert lab.stdout is not None
        target = json.loads(lab.stdout.readline())["target"]
        pages = trials()
        asked = [[f"{target['url']}/version?{number}", init_of(page)] for number, page in enumerate(pages)]
        got, codes = fetched(app_page, asked)
        answers = [aside.submit(asyncio.run, raw_answers(target["url"], page)).result() for page in pages]
    expected = [told_by_judge(page, known) for page, known in zip(pages, answers, strict=True)]
    named = [(codes.get(str(url)) or {}).get("corsError") for url, _ in asked]
    assert list(zip(map(bool, got), named, strict=True)) == expected
