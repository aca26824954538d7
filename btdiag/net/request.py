"""One request as its caller wants it, and as it is written and recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, urlsplit

from btdiag.core.credential import MADE_UP, WITHHELD
from btdiag.core.exchange import Exchange, Failure, Header, Phase, Timing
from btdiag.core.target import Route, Secret
from btdiag.core.urls import default_port
from btdiag.net import http1
from btdiag.net.answer import Answer
from btdiag.net.failures import Broken, failure_of, legible
from btdiag.net.streams import Stream

PROXY_UNKNOWN = b"PROXY UNKNOWN\r\n"
"""A line of the PROXY protocol that says nothing of anybody
(https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt section 2.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is unusual about a request on a connection of its own: HTTP/1.0 (`old_http`), another header for the key,
    bytes that go `before` it on a plain connection, such as a line of the PROXY protocol, or a body that takes `over_s`
    seconds to send; `bare`: without a bearer token even where all others carry one."""

    key_header: str = "Authorization"
    old_http: bool = False
    before: bytes = b""
    over_s: float = 0.0
    bare: bool = False


USUAL = Shape()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as its caller wants it. A Host among `headers` takes the place of the URL's."""

    method: str
    url: str
    headers: tuple[Header, ...]
    body: bytes
    with_key: bool
    shape: Shape = USUAL

    def key(self, key: Secret) -> Header:
        """The header that carries the API key: a bearer token (RFC 6750 section 2.1), or the bare key in another."""
        name = self.shape.key_header
        bearer = name == "Authorization"
        return name, f"Bearer {key.reveal()}" if bearer else key.reveal()

    def as_clients_do(self) -> Asked:
        """The same as every client of the product asks it, with a bearer token: the key where nothing is written, else
        a made-up one. A preflight carries none, and what has one keeps it."""
        given = {name.lower() for name, _ in self.headers}
        if self.with_key or self.shape.bare or "authorization" in given or self.method == "OPTIONS":
            return self
        if self.method in {"GET", "HEAD"}:
            return replace(self, with_key=True)
        return replace(self, headers=(*self.headers, ("Authorization", MADE_UP)))

    @property
    def parts(self) -> SplitResult:
        """The URL taken apart."""
        return urlsplit(self.url)

    @property
    def authority(self) -> str:
        """Host header: the caller's, else as in the URL, without userinfo and without the scheme's own port (RFC 9110
        section 7.2)."""
        if given := [value for name, value in self.headers if name.lower() == "host"]:
            return given[0]
        authority = self.parts.netloc.rpartition("@")[2]
        return authority.removesuffix(f":{default_port(self.parts.scheme)}")

    @property
    def target(self) -> str:
        """Path and query."""
        return (self.parts.path or "/") + (f"?{self.parts.query}" if self.parts.query else "")

    def outgoing(self, stream: Stream, headers: tuple[Header, ...]) -> http1.Outgoing:
        """How it is written on this stream: to a proxy that no tunnel was asked of with its whole URL."""
        origin = f"{self.parts.scheme}://{self.authority}" if stream.plain_proxy else ""
        return http1.Outgoing(
            method=self.method,
            target=origin + self.target,
            authority=self.authority,
            headers=tuple(header for header in headers if header[0].lower() != "host"),
            body=self.body,
            old_http=self.shape.old_http,
            over_s=self.shape.over_s,
        )


def merged(*groups: Sequence[Header]) -> tuple[Header, ...]:
    """Headers of several sources; a later source replaces the names it has, repeats within one source stay."""
    found: list[Header] = []
    for group in groups:
        names = {name.lower() for name, _ in group}
        found = [header for header in found if header[0].lower() not in names] + list(group)
    return tuple(found)


def without_cookie(header: Header) -> Header:
    """A Set-Cookie header without the cookie's value: it may be a session, and only name and attributes are of use."""
    name, value = header
    if name.lower() != "set-cookie":
        return header
    cookie, separator, attributes = value.partition(";")
    return name, f"{cookie.partition('=')[0]}={WITHHELD}{separator}{attributes}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a report shows of a request that was sent: when, with which headers, and why without the key."""

    at: str
    headers: tuple[Header, ...]
    key_withheld: str | None


def exchange_of(
    asked: Asked, said: Said, stream: Stream, answer: Answer, took: Timing, keep: list[bytes] | None
) -> Exchange:
    """The exchange as the answer tells it."""
    content, truncated = _body(answer)
    if keep is not None:
        keep.append(content)
    return Exchange(
        method=asked.method,
        url=asked.url,
        label=stream.label,
        started_at=said.at,
        request_headers=said.headers,
        key_withheld=said.key_withheld,
        address=stream.peer_address,
        local_port=stream.local_port,
        http_version=answer.version,
        status=answer.status,
        reason=answer.reason,
        headers=tuple(without_cookie(header) for header in answer.headers),
        body=legible(content),
        body_bytes=answer.body_bytes,
        body_truncated=truncated,
        timing=took,
        interim=tuple(answer.interim),
        failure=answer.failure,
        tls_verified=stream.verified,
    )


def _body(answer: Answer) -> tuple[bytes, bool]:
    """The body and if there was more; one that cannot be unpacked is a failure of the answer."""
    try:
        return answer.content()
    except Broken as error:
        answer.failure = answer.failure or failure_of(error, Phase.BODY)
        return b"", True


def unconnected(asked: Asked, route: Route, started_at: str, timing: Timing, failure: Failure) -> Exchange:
    """The exchange that no connection was made for."""
    return Exchange(
        method=asked.method,
        url=asked.url,
        label=route.label,
        started_at=started_at,
        request_headers=(),
        address=route.address,
        timing=timing,
        failure=failure,
        key_withheld="no connection" if asked.with_key else None,
    )


def protocol_of(stream: Stream) -> Callable[[Stream, http1.Outgoing, Answer], Awaitable[None]]:
    """What asks and reads on this connection: HTTP/2 where it was agreed on, else HTTP/1.1."""
    if stream.alpn != "h2":
        return http1.converse
    from btdiag.net import http2

    return http2.converse
