"""A name server whose answers depend on the name asked for: a program of its own, for namespaces.

`python -m tests.support.odd_resolver ADDRESS GOOD OTHER`: names lead to GOOD, but for what their first label says:
"nx6", "fail6" and "mute6" deny, fail on or swallow AAAA questions, "slow" takes its time, "edns" swallows queries with
an OPT record, "filtered" is empty by policy, "private" an alias into a zone that is not
there, "tcp" is answered over TCP alone. Below "corp.test" there is a wildcard that leads to
OTHER, of which the names above are exempt to save time.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any, cast

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

SLOW = 1.5  # seconds


def reply(query: dns.message.Message, good: str, other: str, *, udp: bool = True) -> bytes | None:
    """The response as it goes on the wire, None for silence."""
    question = query.question[0]
    name = question.name.to_text(omit_final_dot=True).lower()
    label, six = name.split(".")[0], question.rdtype == dns.rdatatype.AAAA
    response = dns.message.make_response(query, recursion_available=True)
    corporate = name.endswith(".corp.test")
    if corporate and label != "search" and not label.startswith("btdiag-"):
        response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()
    if (label == "mute6" and six) or (label == "edns" and query.edns >= 0) or (label == "tcp" and udp):
        return None
    if label == "nx6" and six:
        response.set_rcode(dns.rcode.NXDOMAIN)
    elif label == "fail6" and six:
        response.set_rcode(dns.rcode.SERVFAIL)
    elif label == "filtered":
        if query.edns >= 0:
            response.use_edns(0, options=[dns.edns.EDEOption(dns.edns.EDECode.BLOCKED)])
    elif label == "private":
        response.answer.append(dns.rrset.from_text(question.name, 60, "IN", "CNAME", "lb.privatelink.test."))
        response.set_rcode(dns.rcode.NXDOMAIN)
    elif not six:
        response.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", other if corporate else good))
    return response.to_wire()


class OddResolver(asyncio.DatagramProtocol):
    """Answers over UDP."""

    def __init__(self, good: str, other: str) -> None:
        self._good, self._other = good, other

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        query = dns.message.from_wire(data)
        answer = reply(query, self._good, self._other)
        delay = (
            SLOW
            if query.question[0].name.labels[:2] == (b"slow", b"api") and b"corp" not in query.question[0].name.labels
            else 0.0
        )
        if answer is not None:
            asyncio.get_running_loop().call_later(delay, self._transport.sendto, answer, addr)


async def _serve(address: str, good: str, other: str) -> None:
    async def over_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:  # glibc puts both questions into one connection
                query = dns.message.from_wire(await reader.readexactly(int.from_bytes(await reader.readexactly(2))))
                answer = reply(query, good, other, udp=False)
                if answer is not None:
                    writer.write(len(answer).to_bytes(2) + answer)
        writer.close()

    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: OddResolver(good, other), local_addr=(address, 53))
    async with await asyncio.start_server(over_tcp, address, 53) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
