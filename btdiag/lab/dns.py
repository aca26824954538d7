"""The lab's DNS servers, over UDP and TCP: a small zone in which each server may say something else of one name."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from btdiag.lab.plan import HOST, LabResolver

SOA = "ns.lab.example. hostmaster.lab.example. 1 3600 600 86400 60"
TCP_IDLE = 10.0
_TYPES = {4: dns.rdatatype.A, 6: dns.rdatatype.AAAA}


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """What a server knows: the target's name as `resolver` has it, and the addresses of all `other` names."""

    resolver: LabResolver
    addresses: tuple[str, ...]
    others: Mapping[str, tuple[str, ...]]

    def reply(self, wire: bytes, *, udp: bool) -> bytes | None:
        """The response to a query as it goes on the wire; None where the server stays silent."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        if not query.question or (self._is_target(query) and self._swallows(query, udp=udp)):
            return None
        response = dns.message.make_response(query, recursion_available=True)
        if udp and self.resolver.truncates:
            response.flags |= dns.flags.TC
        else:
            self._fill(response, query)
        return response.to_wire()

    def _swallows(self, query: dns.message.Message, *, udp: bool) -> bool:
        filtered = udp and (not self.resolver.udp or (query.edns >= 0 and not self.resolver.edns))
        return self.resolver.silent or filtered

    def _is_target(self, query: dns.message.Message) -> bool:
        name = _text(query.question[0].name)
        return name in (HOST, *self.resolver.chain) or self._asks_for_record(query)

    def _asks_for_record(self, query: dns.message.Message) -> bool:
        """The name that the HTTPS record of a port has (RFC 9460 section 9.1)."""
        own = _text(query.question[0].name).endswith(f"._https.{HOST}")
        return query.question[0].rdtype == dns.rdatatype.HTTPS and own

    def _fill(self, response: dns.message.Message, query: dns.message.Message) -> None:
        if self._is_target(query):
            self._fill_target(response, query)
            return
        name = query.question[0].name
        known = self.others.get(_text(name))
        if known is None:
            self._deny(response, dns.rcode.NXDOMAIN)
        else:
            self._add_addresses(response, name, known, query.question[0].rdtype)

    def _fill_target(self, response: dns.message.Message, query: dns.message.Message) -> None:
        plan, question = self.resolver, query.question[0]
        rcode = plan.rcode6 if question.rdtype == dns.rdatatype.AAAA and plan.rcode6 != "NOERROR" else plan.rcode
        if rcode != "NOERROR":
            self._deny(response, dns.rcode.from_text(rcode))
            return
        if self._asks_for_record(query):
            self._add_record(response, question.name)
            return
        last = self._follow(response, question.name)
        if plan.dangling:
            self._deny(response, dns.rcode.NXDOMAIN)
        else:
            self._add_addresses(response, last, self.addresses, question.rdtype)

    def _add_record(self, response: dns.message.Message, name: dns.name.Name) -> None:
        if self.resolver.https:
            response.answer.append(dns.rrset.from_text(name, self.resolver.ttl, "IN", "HTTPS", self.resolver.https))
        else:
            response.authority.append(dns.rrset.from_text("lab.example.", 60, "IN", "SOA", SOA))

    def _follow(self, response: dns.message.Message, name: dns.name.Name) -> dns.name.Name:
        """Add the aliases from the name on; the name at their end."""
        names = (HOST, *self.resolver.chain)
        for alias in names[names.index(_text(name)) + 1 :]:
            record = dns.rrset.from_text(name, self.resolver.ttl, "IN", "CNAME", alias + ".")
            response.answer.append(record)
            name = dns.name.from_text(alias)
        return name

    def _add_addresses(
        self,
        response: dns.message.Message,
        name: dns.name.Name,
        known: tuple[str, ...],
        rdtype: dns.rdatatype.RdataType,
    ) -> None:
        families = [family for family in self.resolver.families if _TYPES[family] == rdtype]
        wanted = [address for address in known if any((":" in address) == (family == 6) for family in families)]
        if wanted:
            # One set for each: dnspython shuffles within a set, and the lab's answers come in a fixed order.
            response.answer.extend(dns.rrset.from_text(name, self.resolver.ttl, "IN", rdtype, text) for text in wanted)
        else:
            response.authority.append(dns.rrset.from_text("lab.example.", 60, "IN", "SOA", SOA))

    def _deny(self, response: dns.message.Message, rcode: dns.rcode.Rcode) -> None:
        response.set_rcode(rcode)
        if rcode == dns.rcode.NXDOMAIN:
            response.authority.append(dns.rrset.from_text("lab.example.", 60, "IN", "SOA", SOA))
        if self.resolver.extended_error is not None and response.edns >= 0:
            option = dns.edns.EDEOption(dns.edns.EDECode.make(self.resolver.extended_error))
            response.use_edns(0, options=[option])


class DnsServer(asyncio.DatagramProtocol):
    """One server: the datagram protocol for UDP, and `serve` for TCP connections."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where replies go out."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one query, after the zone's delay."""
        reply = self._zone.reply(data, udp=True)
        if reply is not None and self._transport is not None:
            asyncio.get_running_loop().call_later(self._zone.resolver.delay, self._transport.sendto, reply, addr)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the queries of one TCP connection (RFC 1035 section 4.2.2: a length before each message)."""
        while True:
            async with asyncio.timeout(TCP_IDLE):
                size = int.from_bytes(await reader.readexactly(2))
                query = await reader.readexactly(size)
            reply = self._zone.reply(query, udp=False)
            if reply is None:
                continue
            await asyncio.sleep(self._zone.resolver.delay)
            writer.write(len(reply).to_bytes(2) + reply)
            await writer.drain()


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()
