"""Who may ask: requests under a name that is ours, from no other site's page, with headers that keep a page harmless.

A page of the web can make a browser on this machine ask a loopback address, and by a name whose address it changes
(DNS rebinding) read the answer: the Host header gives that away. Sources: https://www.rfc-editor.org/rfc/rfc9110
section 7.2; https://www.w3.org/TR/fetch-metadata/ (Sec-Fetch-Site); https://www.w3.org/TR/CSP3/.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]{2,45}]|[A-Za-z0-9_.-]{1,253})(?::\d{1,5})?")
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
MOST_HEADERS = 16 * 1024  # bytes
LONGEST_TARGET = 8 * 1024  # bytes of a path with its query; a URL that is watched has a hundred


class Guard:
    """Wraps an application; `names` are those under which it may be asked."""

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self._app = app
        self._names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if (refusal := self._refusal(scope)) is not None:
            await _hardened(refusal)(scope, receive, send)
            return
        await _hardened(self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        given = _HOST.fullmatch(headers.get("host", ""))
        if given is None or given["name"].lower() not in self._names or len(headers.getlist("host")) > 1:
            return PlainTextResponse("this Host is not served: start btdiag serve with --allow-host NAME\n", 421)
        if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
            return PlainTextResponse("pages of other sites may not ask\n", 403)
        if scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse("only GET and HEAD\n", 405, {"allow": "GET, HEAD"})
        if len(scope["path"]) + len(scope["query_string"]) > LONGEST_TARGET:
            return PlainTextResponse("too long\n", 414)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MOST_HEADERS:
            return PlainTextResponse("too long\n", 431)
        return None


def _hardened(app: ASGIApp) -> ASGIApp:
    """The application with our headers, unless it sets one itself."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def put(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await app(scope, receive, put)

    return answer
