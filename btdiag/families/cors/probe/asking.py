"""One question on the wire: the headers that a browser sends with it, and the answer as a trial."""

from __future__ import annotations

import secrets

from btdiag.core.exchange import Exchange, Header, Trouble
from btdiag.core.target import Way
from btdiag.families.cors.facts import CorsTrial, Group, Purpose, Question
from btdiag.families.cors.fetch import preflight_request
from btdiag.families.cors.plan import LARGE_BODY
from btdiag.net.limits import CORS_ANSWER
from btdiag.net.streams import Stream
from btdiag.net.wire import Wire

_MAY_BE_STALE = frozenset({Trouble.CLOSED, Trouble.RESET})  # a kept connection closed under us: ask once more alone
_ALONE = frozenset({Purpose.REPEAT, Purpose.CONTRAST, Purpose.FRESH})
_GROUPS: dict[Group, tuple[Header, ...]] = {
    Group.SEC_FETCH: (("Sec-Fetch-Dest", "empty"), ("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Site", "cross-site")),
    Group.LANGUAGE: (("Accept-Language", "en-US,en;q=0.9"),),
    Group.HINTS: (
        ("sec-ch-ua", '"Chromium";v="156", "Not-A.Brand";v="24"'),
        ("sec-ch-ua-mobile", "?0"),
        ("sec-ch-ua-platform", '"Linux"'),
    ),
    Group.ENCODINGS: (("Accept-Encoding", "gzip, deflate, br, zstd"),),
}
_PREFIXES = {Group.PRODUCT: "x-bt-", Group.SDK: "x-stainless-", Group.BODY: "content-type"}


def is_alone(question: Question) -> bool:
    """Is it asked when nothing else is?"""
    return question.purpose in _ALONE


def browser_headers(question: Question) -> tuple[Header, ...]:
    """What a browser sends with it: the preflight's own headers or Origin and the page's, and what it says of the
    page."""
    origin = question.page.origin
    if not origin:
        return ()
    own = preflight_request(question.page) if question.preflight else _of_request(question)
    told = tuple(header for group in question.sent for header in _GROUPS.get(group, ()))
    refers = Group.REFERER in question.sent and origin.startswith(("http:", "https:"))
    return (*own, *told, *((("Referer", f"{origin}/"),) if refers else ()))


def _of_request(question: Question) -> tuple[Header, ...]:
    origin = (("Origin", question.page.origin),) if Group.ORIGIN in question.sent else ()
    prefixes = tuple(prefix for group, prefix in _PREFIXES.items() if group in question.sent)
    page = tuple(pair for pair in question.page.headers if prefixes and pair[0].startswith(prefixes))
    return (("Accept", "*/*"), *origin, *page)


def _body(question: Question) -> bytes:
    if question.purpose is Purpose.LARGE:
        return b" " * LARGE_BODY
    return b"{}" if question.page.method == "POST" and not question.preflight else b""


async def ask_once(wire: Wire, way: Way, base: str, question: Question, stream: Stream | None = None) -> CorsTrial:
    """The answer to one question, on an open connection where one is given, else on one of its own."""
    url = base + question.path + (_unseen(question.path) if question.fresh else "")
    exchange = await _exchange(wire, way, url, question, stream)
    return question.answered_by(exchange)


def _unseen(path: str) -> str:
    """A query that no cache has an answer for."""
    return f"{'&' if '?' in path else '?'}btdiag={secrets.token_hex(6)}"


async def _exchange(wire: Wire, way: Way, url: str, question: Question, stream: Stream | None) -> Exchange:
    method = "OPTIONS" if question.preflight else question.page.method
    headers, body = browser_headers(question), _body(question)
    if stream is not None:
        seen = await wire.send_on(stream, method, url, headers=headers, body=body, limits=CORS_ANSWER)
        if seen.failure is None or seen.failure.trouble not in _MAY_BE_STALE:
            return seen
    return await wire.exchange(
        way,
        method,
        url,
        headers=headers,
        body=body,
        with_key=Group.KEY in question.sent and not question.preflight,
        http2=question.http2 and url.startswith("https:"),
        limits=CORS_ANSWER,
    )
