"""The only door to the network: connections (TCP, CONNECT, TLS) and HTTP exchanges, every one bounded and counted."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import h11

from btdiag.core.credential import WITHHELD, headers_withheld, is_secret_header, key_withheld
from btdiag.core.exchange import Exchange, Header, Phase, Timing, Trouble
from btdiag.core.target import Route, Target, Way
from btdiag.net import http1
from btdiag.net.answer import Answer
from btdiag.net.deadline import Deadline
from btdiag.net.failures import EXPECTED, failure_of
from btdiag.net.ledger import Counts
from btdiag.net.limits import CONNECT_BUDGET, Limits
from btdiag.net.request import USUAL, Asked, Said, Shape, exchange_of, merged, protocol_of, unconnected
from btdiag.net.sockets import AS_IT_IS, Packing
from btdiag.net.streams import Dial, DialError, Stream, open_stream
from btdiag.net.trust import Contexts
from btdiag.net.tunnel import proxy_authorization


class Wire:
    """All network I/O of one target in one run, none of it beyond `deadline`. Every request says `user_agent`;
    `contexts` decides what is trusted, by default the target's own. `logins` are the labels of the routes where a login
    stands that lets the API key pass: there everything carries a bearer token, as clients do. `asker` is the
    measurement that the answers which are lost are put down to; none of a wire without one is. `own` tells that the
    target is the run's: its connections are counted."""

    def __init__(
        self,
        target: Target,
        *,
        user_agent: str,
        contexts: Contexts | None = None,
        deadline: Deadline | None = None,
        counts: Counts | None = None,
        logins: set[str] | None = None,
        asker: str = "",
        own: bool = True,
    ) -> None:
        self.user_agent = user_agent
        self.deadline = deadline or Deadline()
        self.counts = counts or Counts()
        self.logins = set[str]() if logins is None else logins
        self._asker = asker
        self._own = own
        self._target = target
        self._contexts = contexts or Contexts(target)

    def until(self, deadline: Deadline, asker: str = "") -> Wire:
        """The same wire, with the same counts, for one measurement (`asker`) with a deadline of its own."""
        return Wire(
            self._target,
            user_agent=self.user_agent,
            contexts=self._contexts,
            deadline=deadline,
            counts=self.counts,
            logins=self.logins,
            asker=asker,
            own=self._own,
        )

    def provoking(self) -> Wire:
        """The same wire for requests that are meant to meet errors: whoever sends them judges what comes, and nobody
        else has to explain it."""
        return self.until(self.deadline)

    async def dial(
        self,
        route: Route,
        *,
        tls: bool,
        server_name: str | None = None,
        verify: bool = True,
        alpn: Sequence[str] = ("http/1.1",),
        context: ssl.SSLContext | None = None,
        timeout: float = CONNECT_BUDGET,
        packing: Packing = AS_IT_IS,
    ) -> Stream:
        """Open a connection on a route (with CONNECT where it has a proxy); raises DialError, nothing else.

        `server_name` is what goes into SNI, into the certificate's check and into CONNECT: the target's host unless
        given; "" sends no SNI (give a context that checks no name then). `context` replaces verify, alpn and the CA.
        `packing` bounds packets and buffers."""
        host = self._target.host if server_name is None else server_name
        chosen = context or self._context(host, tls, verify, tuple(alpn))
        return await self._open(route, host, chosen if tls else None, timeout, packing=packing)

    def kept_context(self, key: tuple[object, ...], build: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        """A context for `dial` that all targets of a run share where `key`, all that it depends on, is the same; what
        `build` raises is raised."""
        return self._contexts.kept(key, build)

    async def dial_url(self, way: Way, url: str) -> Stream:
        """Open a connection as a URL wants it: TLS and the server's name are the URL's, whatever the way's address."""
        parts = urlsplit(url)
        return await self.dial(
            way.route, tls=parts.scheme == "https", server_name=parts.hostname or "", verify=way.verify
        )

    async def exchange(
        self,
        way: Way | Route,
        method: str,
        url: str,
        *,
        headers: Sequence[Header] = (),
        body: bytes = b"",
        with_key: bool = False,
        http2: bool = False,
        shape: Shape = USUAL,
        limits: Limits | None = None,
        keep: list[bytes] | None = None,
    ) -> Exchange:
        """Send one request on a connection of its own and read the answer within the limits. Never raises for anything
        that the network or the server does: see Exchange.failure; only OutOfTime, when the run ends. Never follows
        redirects.

        `http2` offers h2 first. Given headers replace the standard ones of the same name; `keep` gets the bytes of the
        body. SNI is the URL's, and so is the Host header where none is given.
        """
        route, verify = (way.route, way.verify) if isinstance(way, Way) else (way, True)
        bounds = limits or Limits()
        started, started_at = time.perf_counter(), _now()
        given = tuple(headers)
        asked = Asked(method=method, url=url, headers=given, body=body, with_key=with_key, shape=shape)
        try:
            stream = await self._dial_for(asked, route, verify, http2, bounds)
        except DialError as error:
            return unconnected(asked, route, started_at, error.timing, error.failure)
        try:
            remaining = bounds.total - (time.perf_counter() - started)
            closing = replace(asked, headers=(("Connection", "close"), *asked.headers))
            stream.writer.write(shape.before)
            seen = await self._converse(stream, closing, bounds, remaining, stream.timing, keep)
            if seen.failure is None:
                await stream.close()
            return self._noted(seen, len(body), reused=False)
        finally:
            stream.abort()

    async def send_on(
        self,
        stream: Stream,
        method: str,
        url: str,
        *,
        headers: Sequence[Header] = (),
        body: bytes = b"",
        with_key: bool = False,
        limits: Limits | None = None,
    ) -> Exchange:
        """Send one request on an open stream and read its answer, like `exchange`; the stream stays open.

        `stream.reusable` tells if another may follow. limits.total covers this request alone, and so does the timing.
        """
        asked = Asked(method=method, url=url, headers=tuple(headers), body=body, with_key=with_key)
        bounds = limits or Limits()
        return self._noted(await self._converse(stream, asked, bounds, bounds.total, Timing()), len(body), reused=True)

    def prepared(
        self, stream: Stream, method: str, url: str, *, headers: Sequence[Header] = (), body: bytes = b""
    ) -> bytes:
        """The bytes of an HTTP/1.1 request as `send_on` would write them on this stream, without the key; counted as
        sent. For a caller that needs to choose, and to know, the very moment of sending."""
        asked = Asked(method=method, url=url, headers=tuple(headers), body=body, with_key=False)
        _, merged = self._headers(stream, asked)
        self.counts.requests += 1
        return http1.encoded(h11.Connection(h11.CLIENT), asked.outgoing(stream, merged))

    async def _dial_for(self, asked: Asked, route: Route, verify: bool, http2: bool, limits: Limits) -> Stream:
        tls = asked.parts.scheme == "https"
        alpn = ("h2", "http/1.1") if http2 else ("http/1.1",)
        host, timeout = asked.parts.hostname or "", min(CONNECT_BUDGET, limits.total)
        return await self._open(route, host, self._context(host, tls, verify, alpn), timeout, tunnel=tls)

    def _context(self, host: str, tls: bool, verify: bool, alpn: tuple[str, ...]) -> ssl.SSLContext | None:
        try:
            return self._contexts.get(host, verify=verify, alpn=alpn) if tls else None
        except OSError as error:
            raise DialError(replace(failure_of(error, Phase.TLS), trouble=Trouble.LOCAL), Timing()) from error

    async def _open(
        self,
        route: Route,
        host: str,
        context: ssl.SSLContext | None,
        timeout: float,
        *,
        tunnel: bool = True,
        packing: Packing = AS_IT_IS,
    ) -> Stream:
        self.counts.connections += 1
        dial = Dial(
            route=route,
            host=host or self._target.host,
            server_name=host,
            context=context,
            proxy_context=lambda: self._contexts.get("", verify=True, alpn=("http/1.1",)),
            timeout=timeout,
            user_agent=self.user_agent,
            tunnel=tunnel or route.proxy is None,
            packing=packing,
            deadline=self.deadline,
        )
        if route.proxy is not None or host not in {"", self._target.host} or not self._own:
            return await open_stream(dial)
        try:
            stream = await open_stream(dial)
        except DialError as error:
            self.counts.not_made(error.failure, error.timing.total_s)
            raise
        stream.closed = self.counts.made(stream.timing.tcp_resent)
        return stream

    async def _converse(
        self,
        stream: Stream,
        asked: Asked,
        limits: Limits,
        seconds: float,
        connecting: Timing,
        keep: list[bytes] | None = None,
    ) -> Exchange:
        """One request and its answer on an open stream, within `seconds`; whatever breaks becomes the failure."""
        started, started_at = time.perf_counter(), _now()
        if stream.label in self.logins and asked.url.startswith(self._target.origin):
            asked = asked.as_clients_do()
        withheld, headers = self._headers(stream, asked)
        answer = Answer(limits=limits)
        self.counts.requests += 1
        try:
            async with self.deadline.within(min(seconds, limits.answer)):
                await protocol_of(stream)(stream, asked.outgoing(stream, headers), answer)
        except EXPECTED as error:
            limit = min(limits.total, limits.total - seconds + limits.answer)
            lasted = limits.total - seconds + time.perf_counter() - started
            answer.failure = failure_of(error, answer.phase, self.deadline.waited(error, lasted, limit))
            if isinstance(error, TimeoutError):
                answer.failure = replace(answer.failure, counters=stream.counters)
        stream.reusable = stream.reusable and answer.reusable and answer.failure is None
        total_s = connecting.total_s + time.perf_counter() - started
        took = replace(connecting, first_byte_s=answer.first_byte_s, total_s=total_s)
        sent = tuple(header for header in headers if header[0].lower() != "host")
        said = Said(at=started_at, headers=(("Host", asked.authority), *self._recorded(sent)), key_withheld=withheld)
        return exchange_of(asked, said, stream, answer, took, keep)

    def _noted(self, seen: Exchange, size: int, *, reused: bool) -> Exchange:
        """The exchange, put down where it was lost; of the target and its --backend only."""
        if self._asker and seen.url.startswith((self._target.origin, self._target.backend or self._target.origin)):
            self.counts.note(self._asker, seen, size, reused=reused)
        return seen

    def _headers(self, stream: Stream, asked: Asked) -> tuple[str | None, tuple[Header, ...]]:
        """Why the key is not sent, and all headers but Host and Content-Length."""
        own = [] if headers_withheld(self._target, asked.url, stream.verified) else self._target.headers
        peer = None if stream.proxied else stream.peer_address
        withheld = key_withheld(self._target, asked.url, stream.verified, peer) if asked.with_key else None
        key = self._target.api_key if asked.with_key and withheld is None else None
        standard = [("User-Agent", self.user_agent), ("Accept", "*/*"), ("Accept-Encoding", "identity")]
        return withheld, merged(
            standard,
            [(name, value.reveal()) for name, value in own],
            [asked.key(key)] if key else [],
            asked.headers,
            proxy_authorization(stream.plain_proxy) if stream.plain_proxy else [],
        )

    def _recorded(self, headers: Sequence[Header]) -> tuple[Header, ...]:
        return tuple((name, WITHHELD if is_secret_header(self._target, name) else value) for name, value in headers)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
