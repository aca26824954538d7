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
from dataclasses import dataclass, replace

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.rcode

from btdiag.core.resolution import DnsAnswer, LookupOutcome
from btdiag.core.urls import bracketed
from btdiag.net.failures import legible
from btdiag.net.limits import TCP_TIMEOUT, UDP_TIMEOUT, UDP_TRIES

MOST_ADDRESSES = 100  # kept of one answer
PAYLOAD = 1232  # bytes; the DNS flag day's figure, which fits every path
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
    """What the server answers; never raises for anything that the network or the server does. At most 3 seconds."""
    started = time.monotonic()
    answer = await _ask_udp(server, name, qtype)
    return replace(answer, duration_s=round(time.monotonic() - started, 6))


async def _ask_udp(server: NameServer, name: str, qtype: str) -> DnsAnswer:
    query = dns.message.make_query(name, qtype, use_edns=0, payload=PAYLOAD)
    detail = ""
    for _ in range(UDP_TRIES):
        try:
            reply = await _udp(server, query)
        except TimeoutError as error:
            detail = str(error)
        except OSError as error:
            return _unsent(qtype, error)
        else:
            if reply.rcode() == dns.rcode.FORMERR and query.edns >= 0:  # a server from before EDNS
                query = dns.message.make_query(name, qtype, use_edns=False)
                continue
            return await _ask_tcp(server, query, qtype) if reply.flags & dns.flags.TC else _read(reply, qtype, "udp")
    if detail:
        return DnsAnswer(qtype=qtype, outcome=LookupOutcome.ERROR, detail=detail)
    return await _ask_tcp(server, query, qtype)


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


async def _udp(server: NameServer, query: dns.message.Message) -> dns.message.Message:
    """The reply. TimeoutError says what came instead, if anything did; OSError is the system's or an ICMP error."""
    loop = asyncio.get_running_loop()
    transport, inbox = await loop.create_datagram_endpoint(_Inbox, remote_addr=(server.host, server.port))
    junk: list[str] = []
    try:
        transport.sendto(query.to_wire())
        return await asyncio.wait_for(_first_reply(inbox, query, junk), UDP_TIMEOUT)
    except TimeoutError:
        raise TimeoutError(junk[0] if junk else "") from None
    finally:
        transport.close()


async def _first_reply(inbox: _Inbox, query: dns.message.Message, junk: list[str]) -> dns.message.Message:
    """The first datagram that answers the query: anything else may be forged, so it is no answer."""
    while True:
        item = await inbox.arrived.get()
        if isinstance(item, Exception):
            raise item
        try:
            reply = dns.message.from_wire(item, ignore_trailing=True, raise_on_truncation=False)
        except _BROKEN as error:
            junk.append(_said(error))
            continue
        if query.is_response(reply):
            return reply
        junk.append("a datagram that does not belong to the query")


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
