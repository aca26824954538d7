"""One question to one name server over sockets of our own: UDP, then TCP where that is due; bounded and classified.

The system's resolver hides what went wrong (EAI_AGAIN stands for SERVFAIL, REFUSED and silence alike); this tells it.
A connected UDP socket hears ICMP errors, so that a dead name server is known at once.
"""

from __future__ import annotations

import asyncio
import errno
import os
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.rcode

from btdiag.core.resolution import DnsAnswer, LookupOutcome, QueryLoss
from btdiag.core.urls import bracketed
from btdiag.net.failures import legible
from btdiag.net.limits import TCP_TIMEOUT, UDP_PATIENCE, UDP_TIMEOUT, UDP_TRIES

MOST_ADDRESSES = 100  # kept of one answer
PAYLOAD = 1232  # bytes; the DNS flag day's figure, which fits every path
SAMPLE = 5  # queries of each form: enough to tell one lost datagram from a line that loses a fifth
SAMPLE_PAUSE = 0.05  # seconds between them, so that a burst is not what is lost
_MAY_BE_EDNS = frozenset({LookupOutcome.SERVFAIL, LookupOutcome.REFUSED, LookupOutcome.ERROR})
_MUTE = frozenset({LookupOutcome.TIMEOUT, LookupOutcome.UNREACHABLE, LookupOutcome.LOCAL})
_UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})
_BROKEN = (dns.exception.DNSException, ValueError, IndexError, struct.error)
_RCODES = {
    dns.rcode.NXDOMAIN: LookupOutcome.NXDOMAIN,
    dns.rcode.SERVFAIL: LookupOutcome.SERVFAIL,
    dns.rcode.REFUSED: LookupOutcome.REFUSED,
    dns.rcode.NOTAUTH: LookupOutcome.REFUSED,
}


@dataclass(frozen=True, slots=True)
class NameServer:
    """Where a name server listens."""

    host: str
    port: int = 53

    @classmethod
    def parse(cls, text: str) -> NameServer:
        """From "IP:PORT", "[IPv6]:PORT" or a bare address."""
        if text.startswith("["):
            host, _, port = text[1:].partition("]")
            return cls(host, int(port.lstrip(":") or 53))
        if text.count(":") != 1:
            return cls(text)
        host, _, port = text.partition(":")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"


async def ask(server: NameServer, name: str, qtype: str) -> DnsAnswer:
    """What the server answers; never raises for anything that the network or the server does. At most UDP_PATIENCE
    seconds, and one over TCP.

    Asked with EDNS, which brings the server's own reasons (RFC 8914); where that is lost or turned down, plainly, as C
    libraries ask, so that nothing is blamed that programs never meet. An answer over TCP counts only after a truncated
    one over UDP, for neither glibc nor musl tries TCP where none comes over UDP.
    """
    started = time.monotonic()
    answer = await _ask(server, name, qtype)
    if answer.lost == 1:  # how long the question took that was answered
        started += UDP_TIMEOUT
    return replace(answer, duration_s=round(time.monotonic() - started, 6))


async def ask_by_tcp(server: NameServer, name: str, qtype: str) -> DnsAnswer:
    """What it answers over TCP, as programs ask with `options use-vc`; where nothing comes, the detail says of UDP."""
    started = time.monotonic()
    answer = await _ask_tcp(server, _query(name, qtype, edns=True), qtype)
    took = time.monotonic() - started
    if answer.outcome is LookupOutcome.TIMEOUT:
        known = (await ask(server, name, qtype)).outcome not in _MUTE
        detail = f"no answer over TCP{', while UDP answers' if known else ''}; programs here ask over TCP (use-vc)"
        answer = replace(answer, detail=detail)
    return replace(answer, transport="tcp", duration_s=round(took, 6))


async def sample(server: NameServer, name: str, qtype: str, patience: float) -> QueryLoss:
    """How many of SAMPLE queries of each form, with EDNS and without, stay unanswered for `patience` seconds."""

    async def answered(number: int, query: dns.message.Message) -> bool:
        await asyncio.sleep(number * SAMPLE_PAUSE)
        try:
            async with _Line(server) as line:
                return await line.ask(query, patience) is not None
        except OSError:
            return False

    forms = (_query(name, qtype, edns=True), _query(name, qtype, edns=False))
    seen = await asyncio.gather(*(answered(number, form) for form in forms for number in range(SAMPLE)))
    return QueryLoss(
        edns_asked=SAMPLE,
        edns_lost=seen[:SAMPLE].count(False),
        plain_asked=SAMPLE,
        plain_lost=seen[SAMPLE:].count(False),
    )


def _query(name: str, qtype: str, *, edns: bool) -> dns.message.Message:
    if edns:
        return dns.message.make_query(name, qtype, use_edns=0, payload=PAYLOAD)
    return dns.message.make_query(name, qtype, use_edns=False)


async def _ask(server: NameServer, name: str, qtype: str) -> DnsAnswer:
    with_edns, plain = _query(name, qtype, edns=True), _query(name, qtype, edns=False)
    try:
        async with _Line(server) as line:
            reply = await line.ask(with_edns, UDP_TIMEOUT)
            if reply is None:
                return await _ask_again(server, line, with_edns, plain, qtype)
            answer = await _understood(server, reply, with_edns, qtype)
            if answer.outcome not in _MAY_BE_EDNS:
                return answer
            reply = await line.ask(plain, UDP_TIMEOUT)  # it may be from before EDNS, or fail on it
            other = await _understood(server, reply, plain, qtype) if reply is not None else answer
            return answer if other.outcome in _MAY_BE_EDNS else other
    except OSError as error:
        return _unsent(qtype, error)


async def _ask_again(
    server: NameServer, line: _Line, first: dns.message.Message, plain: dns.message.Message, qtype: str
) -> DnsAnswer:
    """After a silence: the plain question, for as long as glibc waits, and TCP beside it to tell a filter of UDP from
    a dead server."""
    over_tcp = asyncio.create_task(_tcp_later(server, plain, qtype))
    try:
        reply = await line.ask(plain, UDP_PATIENCE - UDP_TIMEOUT, first)
        if reply is not None:
            late = first.is_response(reply)
            return replace(await _understood(server, reply, first if late else plain, qtype), lost=0 if late else 1)
        if line.junk:
            return DnsAnswer(qtype=qtype, outcome=LookupOutcome.ERROR, detail=line.junk, lost=UDP_TRIES)
        answer = await over_tcp
    finally:
        over_tcp.cancel()
    if answer.outcome in {LookupOutcome.TIMEOUT, LookupOutcome.ERROR}:
        return replace(answer, lost=UDP_TRIES)
    detail = f"no answer to {UDP_TRIES} UDP queries, while TCP answers; programs ask over UDP"
    return DnsAnswer(qtype=qtype, outcome=LookupOutcome.TIMEOUT, detail=detail, lost=UDP_TRIES)


async def _tcp_later(server: NameServer, query: dns.message.Message, qtype: str) -> DnsAnswer:
    """Most late answers come within a second more: then TCP need not be tried."""
    await asyncio.sleep(UDP_TIMEOUT)
    return await _ask_tcp(server, query, qtype)


async def _understood(
    server: NameServer, reply: dns.message.Message, query: dns.message.Message, qtype: str
) -> DnsAnswer:
    return await _ask_tcp(server, query, qtype) if reply.flags & dns.flags.TC else _read(reply, qtype, "udp")


async def _ask_tcp(server: NameServer, query: dns.message.Message, qtype: str) -> DnsAnswer:
    try:
        return _read(await asyncio.wait_for(_tcp(server, query), TCP_TIMEOUT), qtype, "tcp")
    except TimeoutError:
        detail = f"no answer to {UDP_TRIES} UDP queries and one over TCP"
    except (OSError, asyncio.IncompleteReadError) as error:
        detail = f"no usable answer over UDP; over TCP: {_said(error)}"
    except _BROKEN as error:
        return DnsAnswer(qtype=qtype, outcome=LookupOutcome.ERROR, detail=_said(error), transport="tcp")
    return DnsAnswer(qtype=qtype, outcome=LookupOutcome.TIMEOUT, detail=detail)


class _Inbox(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.arrived: asyncio.Queue[bytes | Exception] = asyncio.Queue(maxsize=64)

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._put(data)

    def error_received(self, exc: Exception) -> None:
        self._put(exc)

    def _put(self, item: bytes | Exception) -> None:
        if not self.arrived.full():
            self.arrived.put_nowait(item)


class _Line:
    """A UDP socket to one name server. `junk` is what came that answers no question, "" for nothing."""

    def __init__(self, server: NameServer) -> None:
        self._server = server
        self.junk = ""

    async def __aenter__(self) -> _Line:
        self._transport, self._inbox = await asyncio.get_running_loop().create_datagram_endpoint(
            _Inbox, remote_addr=(self._server.host, self._server.port)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()

    async def ask(
        self, query: dns.message.Message, seconds: float, *earlier: dns.message.Message
    ) -> dns.message.Message | None:
        """The reply to the query, or to an earlier one; None where none comes in time. OSError is the system's word, or
        an ICMP error."""
        self._transport.sendto(query.to_wire())
        try:
            return await asyncio.wait_for(self._reply((query, *earlier)), seconds)
        except TimeoutError:
            return None

    async def _reply(self, queries: Sequence[dns.message.Message]) -> dns.message.Message:
        """The first datagram that answers a query: anything else may be forged, so it is no answer."""
        while True:
            item = await self._inbox.arrived.get()
            if isinstance(item, Exception):
                raise item
            try:
                reply = dns.message.from_wire(item, ignore_trailing=True, raise_on_truncation=False)
            except _BROKEN as error:
                self.junk = self.junk or _said(error)
                continue
            if any(query.is_response(reply) for query in queries):
                return reply
            self.junk = self.junk or "a datagram that does not belong to the query"


async def _tcp(server: NameServer, query: dns.message.Message) -> dns.message.Message:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        message = query.to_wire()
        writer.write(struct.pack("!H", len(message)) + message)
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        reply = dns.message.from_wire(await reader.readexactly(length), ignore_trailing=True)
    finally:
        writer.close()
    if not query.is_response(reply):
        raise ValueError("the answer does not belong to the query")
    return reply


def _unsent(qtype: str, error: OSError) -> DnsAnswer:
    """ECONNREFUSED and no route are the network's word; whatever else forbids to send is this machine's."""
    heard = isinstance(error, ConnectionError) or error.errno in _UNREACHABLE
    return DnsAnswer(
        qtype=qtype, outcome=LookupOutcome.UNREACHABLE if heard else LookupOutcome.LOCAL, detail=_said(error)
    )


def _read(reply: dns.message.Message, qtype: str, transport: str) -> DnsAnswer:
    """The reply in our terms. A chain that the server left unfinished counts as no data: the client would not go on."""
    extended = "; ".join(_extended_error(option) for option in reply.options if isinstance(option, dns.edns.EDEOption))
    rcode = reply.rcode()
    if rcode not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        outcome = _RCODES.get(rcode, LookupOutcome.ERROR)
        detail = dns.rcode.to_text(rcode)
        return DnsAnswer(qtype=qtype, outcome=outcome, detail=detail, extended_error=extended, transport=transport)
    try:
        if not isinstance(reply, dns.message.QueryMessage):
            raise ValueError(f"opcode {reply.opcode().name}")
        chaining = reply.resolve_chaining()
    except _BROKEN as error:
        return DnsAnswer(qtype=qtype, outcome=LookupOutcome.ERROR, detail=_said(error), transport=transport)
    addresses = tuple(record.to_text() for record in chaining.answer)[:MOST_ADDRESSES] if chaining.answer else ()
    chain = tuple(rrset[0].to_text().rstrip(".") for rrset in chaining.cnames)
    known = LookupOutcome.NXDOMAIN if rcode == dns.rcode.NXDOMAIN else LookupOutcome.NO_DATA
    return DnsAnswer(
        qtype=qtype,
        outcome=LookupOutcome.ADDRESSES if addresses else known,
        addresses=addresses,
        chain=chain,
        ttl=chaining.minimum_ttl if addresses or chain else None,
        extended_error=extended,
        transport=transport,
    )


def _extended_error(option: dns.edns.EDEOption) -> str:
    name = "unassigned" if option.code.name.isdigit() else option.code.name
    text = f": {legible(option.text)}" if option.text else ""
    return f"{int(option.code)} {name.replace('_', ' ').lower()}{text}"[:300]


def _said(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    return f"{type(error).__name__}: {error}"[:300]
