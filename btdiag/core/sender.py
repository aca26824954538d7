"""Who sent this response? Told from its headers and body by products' signatures; "unknown" where they are silent."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from urllib.parse import SplitResult, urljoin, urlsplit

from btdiag.core.exchange import Exchange, Header
from btdiag.core.finding import HopName, Json, Owner
from btdiag.core.signatures import MAKERS, PASSERS, REQUEST_IDS, Signature
from btdiag.core.urls import port_of

_REMEMBERED = 64  # answers: every judgement of a target asks who sent the same ones


class Confidence(StrEnum):
    """How sure a statement about the sender is."""

    CERTAIN = "certain"
    LIKELY = "likely"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who wrote a response.

    `name` is "unknown" with Confidence.UNKNOWN; `hop` and `owner` are the best place to look then. `passed` names the
    products that the response came through, in no order.
    """

    name: str
    hop: HopName
    owner: Owner
    confidence: Confidence
    why: str
    passed: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The sender as the subject of a sentence: "nginx", "an unknown sender behind Cloudflare"."""
        if self.confidence is not Confidence.UNKNOWN:
            return self.name
        return f"an unknown sender behind {', '.join(self.passed)}" if self.passed else "an unknown sender"

    @property
    def origin(self) -> str:
        """The end of a phrase such as "502 from nginx": " from nginx", ", probably from the API server"."""
        if self.confidence is Confidence.LIKELY:
            return f", probably from {self.name}"
        if self.confidence is Confidence.CERTAIN:
            return f" from {self.name}"
        return f" from behind {', '.join(self.passed)}" if self.passed else ""


class Page(StrEnum):
    """What an HTML body is."""

    LOGIN = "a login page"
    APP = "a single-page app"
    BLOCK = "a block page"
    PORTAL = "a captive portal"
    CHALLENGE = "a bot challenge"
    OTHER = "an HTML page"


def sender(seen: Exchange) -> Sender:
    """Who wrote this response.

    An answer that a known product writes itself is certain or likely; a JSON body without such a mark is likely the
    API's own; anything else is unknown.
    """
    return _sender(seen.status, tuple(seen.headers), seen.body)


@lru_cache(maxsize=_REMEMBERED)
def _sender(status: int | None, headers: tuple[Header, ...], body: str) -> Sender:
    names = frozenset(name.lower() for name, _ in headers)
    passers = (row for row in PASSERS if row.names <= names and row.matches(status, headers, ""))
    passed = tuple(dict.fromkeys(row.product for row in passers))
    for row in MAKERS:
        if row.names <= names and row.matches(status, headers, body):
            return _from_row(row, passed)
    if _json(body) is not None:
        return _likely_api("a JSON body with no gateway's mark", passed)
    return Sender(
        name="unknown",
        hop=HopName.LOAD_BALANCER if passed else HopName.API,
        owner=Owner.LOAD_BALANCER if passed else Owner.API,
        confidence=Confidence.UNKNOWN,
        why="no known product's mark in headers or body",
        passed=passed,
    )


def _from_row(row: Signature, passed: tuple[str, ...]) -> Sender:
    confidence = Confidence.CERTAIN if row.certain else Confidence.LIKELY
    return Sender(name=row.product, hop=row.hop, owner=row.owner, confidence=confidence, why=row.why, passed=passed)


def _likely_api(why: str, passed: tuple[str, ...]) -> Sender:
    return Sender(
        name="the API server", hop=HopName.API, owner=Owner.API, confidence=Confidence.LIKELY, why=why, passed=passed
    )


def request_ids(seen: Exchange) -> dict[str, str]:
    """The vendors' request ids in a response, by header name: what an operator searches the logs for."""
    return {name: value for name in REQUEST_IDS if (value := seen.header(name))}


def json_body(seen: Exchange) -> Json:
    """The body as JSON when it is an object or a list, whatever Content-Type says; None otherwise."""
    return _json(seen.body)


def _json(body: str) -> Json:
    if not body.lstrip().startswith(("{", "[")):
        return None
    try:
        parsed: Json = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed


def page(seen: Exchange) -> Page | None:
    """What kind of HTML page the body is; None when it is no HTML.

    Content-Type does not decide: Express sends a plain "Hello, World!" as text/html.
    """
    if not _HTML.search(seen.body[:4096]):
        return None
    return next((kind for kind, pattern in _PAGES if pattern.search(seen.body)), Page.OTHER)


def is_app(seen: Exchange) -> bool:
    """Whether the body bears the mark of a single-page app, whatever words else are in it."""
    return page(seen) is not None and dict(_PAGES)[Page.APP].search(seen.body) is not None


_HTML = re.compile(r"<!doctype html|<html[\s>]|<head[\s>]|<body[\s>]", re.IGNORECASE)
_PAGES: tuple[tuple[Page, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE | re.DOTALL))
    for kind, pattern in (
        (Page.CHALLENGE, r"cf-challenge|challenge-platform|just a moment\.\.\.|captcha"),
        (Page.PORTAL, r"captive portal|wispaccessgatewayparam|(?:guest|public) (?:wi-?fi|network|internet)|hotspot"),
        (Page.LOGIN, r"""type\s*=\s*["']?password|<title>[^<]*(?:sign in|signin|log ?in|single sign-on|sso)"""),
        (
            Page.BLOCK,
            r"(?:access|request|page|site|url)[^<]{0,60}(?:denied|blocked|forbidden|rejected)|policy violation",
        ),
        (Page.APP, r"""<div id=["']?(?:root|app|__next)["']?[ >]|__next_data__|<script[^>]+type=["']module"""),
    )
)

_LOGIN_HOST = re.compile(
    r"(?:^|\.)(?:login\.microsoftonline\.(?:com|us)|accounts\.google\.com|cloudflareaccess\.com|okta(?:preview|-emea)?\.com"
    r"|auth0\.com|onelogin\.com|amazoncognito\.com|duosecurity\.com|pingidentity\.com|pingone\.(?:com|eu))$"
)
_LOGIN_PATH = re.compile(
    r"/(?:log-?in|sign-?in|sso|saml2?|oauth2?|auth|authorize|openid-connect|cdn-cgi/access)(?:[/?]|$)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """Where a 3xx answer leads. `url` is absolute and without its query, which may hold a token."""

    url: str
    same_host: bool
    to_login: bool
    to_https: bool
    to_itself: bool = False


def redirect(seen: Exchange) -> Redirect | None:
    """The redirect that a response is, None when it is none (RFC 9110 section 15.4)."""
    location = seen.header("location")
    if seen.status not in {301, 302, 303, 307, 308} or not location:
        return None
    asked = urlsplit(seen.url)
    try:
        leads = urlsplit(urljoin(seen.url, location))
        host = leads.hostname or ""
    except ValueError:
        return Redirect(url=location.partition("?")[0], same_host=False, to_login=False, to_https=False)
    return Redirect(
        url=leads._replace(query="", fragment="", netloc=leads.netloc.rpartition("@")[2]).geturl(),
        same_host=host == asked.hostname,
        to_login=bool(_LOGIN_HOST.search(host) or _LOGIN_PATH.search(leads.path.lower())),
        to_https=host == asked.hostname and (asked.scheme, leads.scheme) == ("http", "https"),
        to_itself=_same_place(asked, leads),
    )


def sent_on(seen: Exchange) -> str | None:
    """Where the answer sends the caller on to, with method, body and key (307 and 308, RFC 9110 sections 15.4.8 and
    15.4.9), at the same scheme, host and port: SDKs and browsers follow that, and nothing is lost."""
    leads = redirect(seen)
    if leads is None or seen.status not in {307, 308} or leads.to_login or leads.to_itself:
        return None
    try:
        here, there = urlsplit(seen.url), urlsplit(leads.url)
        same = (here.scheme, here.hostname, port_of(here)) == (there.scheme, there.hostname, port_of(there))
    except ValueError:  # a port that is no number
        return None
    return leads.url if same else None


def _same_place(one: SplitResult, other: SplitResult) -> bool:
    """Whether two URLs name one resource, its fragment and the port that goes without saying left out."""

    def place(url: SplitResult) -> tuple[str, str | None, int, str, str]:
        return url.scheme, url.hostname, port_of(url), url.path or "/", url.query

    try:
        return place(one) == place(other)
    except ValueError:  # a port that is no number
        return False


_ESCAPED = re.compile(r"\\x(?:0[0-8bcef]|1[0-9a-f]|7f)")


def has_control_characters(seen: Exchange) -> bool:
    """Control characters in the reason phrase, a header (invalid there, RFC 9110 section 5.5) or the body of an answer:
    terminal escapes, or binary data. They were escaped on arrival."""
    return any(_ESCAPED.search(text) for text in (seen.reason, seen.body, *(value for _, value in seen.headers)))


def retry_after(seen: Exchange) -> str:
    """What a 429 or 503 says about when to come back: "60 s", an HTTP date, or "" (RFC 9110 section 10.2.3)."""
    value = (seen.header("retry-after") or "").strip()
    return f"{value} s" if value.isdigit() else value
