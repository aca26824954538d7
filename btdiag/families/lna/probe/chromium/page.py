"""One page of the web app's origin in a browser context, its requests to the target, and what the tools say of them.

The page is made up here: nothing is fetched for it. Its routes are removed before its first request, for Playwright
answers preflights itself while one is active. No code of the target is ever run: pages only fetch from it.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from playwright.async_api import BrowserContext, CDPSession, Frame, Page, Route
from playwright.async_api import Error as PlaywrightError

from btdiag.families.lna.facts import CalledHost, LaunchKind, PageTrial, Permissions, SeenRequest, Situation
from btdiag.families.lna.probe.chromium.events import TEXT_LIMIT, Event, ended, page_space, read_events

REQUEST_LIMIT = 6.0  # seconds; as long as the other probes wait for an answer
BODY_LIMIT = 64 * 1024  # bytes of a body that a page reads
SETTLE = 2.0  # seconds; the last event on a request follows the answer at once, except on a busy machine
TRIES = 3  # of a request that fails at once: one that passes now and then is another fault than one that never does
ENOUGH = 5.0  # seconds of one page, after which no further kind of request is begun
SLOW = 1.0  # seconds; a target that takes longer is asked only what the verdict needs
EMBEDDER = "https://portal.embedder.example"  # RFC 2606: a site that shows the web app in a frame
CONSOLE_LIMIT = 8
_SHUT = "local-network=(), loopback-network=(), local-network-access=()"
_EVENTS = (
    "Network.requestWillBeSent",
    "Network.requestWillBeSentExtraInfo",
    "Network.responseReceived",
    "Network.responseReceivedExtraInfo",
    "Network.loadingFinished",
    "Network.loadingFailed",
    "Network.webSocketCreated",
    "Network.webSocketHandshakeResponseReceived",
    "Network.webSocketFrameError",
    "Audits.issueAdded",
)

_STATES = """async (names) => Promise.all(names.map(
    (name) => navigator.permissions.query({name}).then((status) => status.state, () => "unsupported")))"""

_ABOUT = """() => ({secure: isSecureContext,
    features: document.featurePolicy ? document.featurePolicy.allowedFeatures() : null,
    known: document.featurePolicy ? document.featurePolicy.features() : null})"""

_FETCH = """async ({url, init, limit, most}) => {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), limit * 1000);
    try {
        const response = await fetch(url, {cache: "no-store", redirect: "manual", ...init, signal: stop.signal});
        const reader = response.body ? response.body.getReader() : null;
        for (let size = 0; reader && size <= most;) {
            const {done, value} = await reader.read();
            if (done) break;
            size += value.length;
        }
        if (reader) reader.cancel();
        return {ok: true, status: response.status, error: ""};
    } catch (error) {
        return {ok: false, status: 0, error: stop.signal.aborted ? "timeout" : String(error)};
    } finally { clearTimeout(timer); }
}"""

_IMAGE = """({url, limit}) => new Promise((resolve) => {
    const image = new Image();
    const end = (error) => { image.src = ""; resolve({ok: false, status: 0, error}); };
    image.onload = () => resolve({ok: true, status: 0, error: ""});
    image.onerror = () => end("error event");
    setTimeout(() => end("timeout"), limit * 1000);
    image.src = url;
})"""

_WEBSOCKET = """({url, limit}) => new Promise((resolve) => {
    let socket;
    const end = (ok, error) => { if (socket) socket.close(); resolve({ok, status: 0, error}); };
    try { socket = new WebSocket(url.replace(/^http/, "ws")); } catch (error) { return end(false, String(error)); }
    socket.onopen = () => end(true, "");
    socket.onclose = (event) => end(false, `closed with code ${event.code}`);
    setTimeout(() => end(false, "timeout"), limit * 1000);
})"""

_SCRIPTS = {LaunchKind.IMAGE: _IMAGE, LaunchKind.WEBSOCKET: _WEBSOCKET}
_INITS: dict[LaunchKind, dict[str, Any]] = {
    LaunchKind.PREFLIGHTED: {"headers": {"x-bt-parent": "btdiag"}},
    LaunchKind.CREDENTIALS: {"credentials": "include"},
    LaunchKind.POST: {
        "method": "POST",
        "headers": {"content-type": "application/json", "x-bt-parent": "btdiag"},
        "body": "{}",
    },
    LaunchKind.STREAM: {"headers": {"accept": "text/event-stream"}},
}
_FOLLOWS = frozenset({Situation.CALLS, Situation.UNGUARDED})
"""Where redirects are followed, as the web app's `fetch` does."""


@dataclass(slots=True)
class Recorder:
    """The developer tools' events of a page, in order, and its console."""

    events: list[Event] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self, page: Page, frame: Frame) -> None:
        """Follow the page; a frame of another site has tools of its own."""
        session = await _tools(page, frame)
        for name in _EVENTS:
            session.on(name, self._keep(name))
        page.on("console", lambda message: self.console.append(message.text[:TEXT_LIMIT]))
        await asyncio.gather(session.send("Network.enable"), session.send("Audits.enable"))

    def _keep(self, name: str) -> Callable[[dict[str, Any]], None]:
        def keep(event: dict[str, Any]) -> None:
            self.events.append((name, event))
            self.changed.set()

        return keep

    async def settled(self, since: int, url: str) -> list[Event]:
        """The events from `since` on, as soon as the request to the URL has its last one, or after a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE):
                while not ended(self.events[since:], url):
                    self.changed.clear()
                    await self.changed.wait()
        return self.events[since:]


async def _tools(page: Page, frame: Frame) -> CDPSession:
    try:
        return await page.context.new_cdp_session(frame if frame is not page.main_frame else page)
    except PlaywrightError:  # the frame shares its parent's process, and so its tools
        return await page.context.new_cdp_session(page)


@asynccontextmanager
async def opened_frame(
    context: BrowserContext, origin: str, situation: Situation, page_kind: str
) -> AsyncIterator[Frame]:
    """The frame of the web app, in its own tab or in another site's page; nothing leaves the browser for it."""
    framed = situation in (Situation.FRAMED, Situation.FRAMED_WITH_ALLOW) or page_kind == "framed"
    allow = ' allow="local-network-access; local-network; loopback-network"'
    permitted = allow if situation is Situation.FRAMED_WITH_ALLOW else ""
    shut = {"permissions-policy": _SHUT} if page_kind == "restricted" else {}

    async def fulfil(route: Route) -> None:
        outer = route.request.url.startswith(EMBEDDER)
        body = f'<iframe src="{origin}/app"{permitted}></iframe>' if outer else ""
        headers = {"content-type": "text/html", "content-security-policy": "treat-as-public-address"}
        page = f'<!doctype html><link rel=icon href="data:,"><title>btdiag</title>{body}'
        await route.fulfill(status=200, body=page, headers=headers | ({} if outer else shut))

    await context.route("**/*", fulfil)
    page = await context.new_page()
    page.set_default_timeout(REQUEST_LIMIT * 1000)
    await page.goto(f"{EMBEDDER}/" if framed else f"{origin}/app")
    await context.unroute_all()
    yield page.frames[1] if framed else page.main_frame
    await page.close()


async def permissions(frame: Frame) -> Permissions:
    """The states of both permissions now."""
    local, loopback, both = await frame.evaluate(_STATES, ["local-network", "loopback-network", "local-network-access"])
    return Permissions(
        local=both if local == "unsupported" else local, loopback=both if loopback == "unsupported" else loopback
    )


async def try_requests(
    frame: Frame,
    situation: Situation,
    place: CalledHost,
    kinds: Sequence[LaunchKind],
    *,
    limit: float,
    screenshot: bool,
) -> PageTrial:
    """Make the requests one after the other. Where no permission stands in the way: none after one that took all its
    time, or when this page has had enough; else none after a first one that failed, two if that one was slow."""
    recorder, started = Recorder(), time.monotonic()
    await recorder.listen(frame.page, frame)
    about, before = await asyncio.gather(frame.evaluate(_ABOUT), permissions(frame))
    requests: list[SeenRequest] = []
    for kind in kinds:
        asking = _Asking(kind, place.unknown if kind is LaunchKind.POST else place.url, situation in _FOLLOWS, limit)
        requests.append(await _tried(frame, recorder, asking))
        if is_enough(requests, time.monotonic() - started, follows=asking.follows):
            break
    after = await permissions(frame)
    return PageTrial(
        situation=situation,
        secure=bool(about["secure"]),
        allowed_by_page=_allowed(about),
        space=page_space(recorder.events),
        before=before,
        after=after,
        requests=tuple(requests),
        console=tuple(recorder.console[:CONSOLE_LIMIT]),
        duration_s=round(time.monotonic() - started, 4),
        screenshot=await _screenshot(frame, requests) if screenshot else "",
    )


def _allowed(about: dict[str, Any]) -> bool | None:
    """Does the document's permissions policy let it use the feature? None where the browser does not know it."""
    names = {"local-network", "local-network-access"}
    if about["known"] is None or not names & set(about["known"]):
        return None
    return bool(names & set(about["features"]))


def is_enough(requests: Sequence[SeenRequest], elapsed_s: float, *, follows: bool) -> bool:
    """Whether nothing more is asked after these: see try_requests. `follows`: no permission stands in the way."""
    first = requests[0]
    if follows:
        return requests[-1].error == "timeout" or elapsed_s > ENOUGH
    return not first.ok or (len(requests) == 2 and first.duration_s > SLOW)


@dataclass(frozen=True, slots=True)
class _Asking:
    """One request as it is to be made."""

    kind: LaunchKind
    url: str
    follows: bool
    limit: float


async def _tried(frame: Frame, recorder: Recorder, asking: _Asking) -> SeenRequest:
    """The request; where no permission stands in the way and it fails at once, up to three tries of it."""
    seen = [await _request(frame, recorder, asking)]
    while asking.follows and not seen[-1].ok and seen[-1].duration_s < SLOW and len(seen) < TRIES:
        seen.append(await _request(frame, recorder, asking))
    told = next((one for one in reversed(seen) if not one.ok), seen[-1])
    return replace(told, tries=len(seen), passed=sum(one.ok for one in seen))


async def _request(frame: Frame, recorder: Recorder, asking: _Asking) -> SeenRequest:
    kind, url = asking.kind, asking.url
    since, started = len(recorder.events), time.monotonic()
    init = _INITS.get(kind, {}) | ({"redirect": "follow"} if asking.follows else {})
    asked = {"url": url, "init": init, "limit": asking.limit, "most": BODY_LIMIT}
    answer = await frame.evaluate(_SCRIPTS.get(kind, _FETCH), asked)
    took = time.monotonic() - started
    seen_url = url.replace("http", "ws", 1) if kind is LaunchKind.WEBSOCKET else url
    return read_events(kind, answer, await recorder.settled(since, seen_url), seen_url, took)


async def _screenshot(frame: Frame, requests: Sequence[SeenRequest]) -> str:
    """The page with its results written into it, as base64 of a PNG."""
    lines = [f"{request.kind}: {request.what}" for request in requests]
    await frame.evaluate("(lines) => { document.body.innerText = lines.join('\\n'); }", lines)
    shot = await frame.page.screenshot(clip={"x": 0, "y": 0, "width": 640, "height": 200})
    return base64.b64encode(shot).decode()
