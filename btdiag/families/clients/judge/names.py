"""Do the clients find the name and an address that answers them in time: musl's way with AAAA, Node.js's 250 ms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest

from btdiag.core import evidence
from btdiag.core.address import is_ipv6
from btdiag.core.client_kinds import ClientKind
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.handshake import Connection
from btdiag.core.resolution import DnsAnswer, Resolution, ServerLookup
from btdiag.core.target import Target
from btdiag.families.clients.judge.counting import severity
from btdiag.families.connection.judge.reach import blocked
from btdiag.families.dns.judge.doubts import denied_to_musl_alone, half_denied

ATTEMPT_S = 0.25  # seconds; Node.js's autoSelectFamilyAttemptTimeout, for every address but the last
LOST_S = 1.0  # seconds; Linux sends a SYN again after that: what takes longer was lost once, and tells no distance
ALIKE = 0.8  # a TLS handshake takes a round trip at least, as the TCP connection does


def resolve_the_name(resolution: Resolution, connections: Mapping[str, Connection], target: Target) -> Finding:
    """The claim of clients.resolve-the-name."""
    if resolution.proxy:
        summary = "the proxy resolves the name: clients that use it need not"
        return Finding(verdict=Verdict.SKIP, summary=summary)
    if not any(one.broke_at is None for one in connections.values()):
        return blocked(connections)
    order = attempts(resolution.addresses)
    if too_slow(order, connections):
        return _too_slow(order, connections, target)
    half = half_denied(resolution.views[0]) if resolution.views else None
    if half is not None:
        return _musl(half[0], target) if denied_to_musl_alone(half[1]) else _left_to_dns(half)
    return Finding(verdict=Verdict.PASS, summary=_well(order, connections), evidence=(_table(order, connections),))


def attempts(addresses: Sequence[str]) -> tuple[str, ...]:
    """The addresses in the order in which Node.js 20 and later try them: the families by turns, that of the first
    address first (lib/net.js, lookupAndConnectMultiple)."""
    first = [address for address in addresses if is_ipv6(address) == is_ipv6(addresses[0])]
    second = [address for address in addresses if address not in first]
    return tuple(one for one in chain.from_iterable(zip_longest(first, second)) if one is not None)


def too_slow(order: Sequence[str], connections: Mapping[str, Connection]) -> bool:
    """Whether Node.js gives every address up: all but the last one after 250 ms, the last where nothing connects."""
    if len(order) < 2:
        return False
    tried = [connections.get(address) for address in order]
    if any(one is None for one in tried[:-1]):  # not all of a large pool are measured
        return False
    early = [one for one in tried[:-1] if one is not None]
    far = [one for one in early if _is_far(one)]
    others = [one for one in early if one not in far]
    last = tried[-1]
    return bool(far) and all(_unconnected(one) for one in others) and last is not None and _unconnected(last)


def _is_far(one: Connection) -> bool:
    took, tls = one.timing.tcp_s, one.timing.tls_s
    return took is not None and ATTEMPT_S <= took < LOST_S and (tls is None or tls >= ALIKE * ATTEMPT_S)


def _unconnected(one: Connection) -> bool:
    return one.timing.tcp_s is None


def _musl(server: ServerLookup, target: Target) -> Finding:
    rows = [(answer.qtype, answer.outcome, ", ".join(answer.addresses)) for answer in server.answers]
    return Finding(
        verdict=Verdict.WARN,
        summary=f"{server.server} has an A record of {server.name} and says NXDOMAIN to AAAA: glibc takes the address, "
        "musl (Alpine images) takes the name for one that does not exist",
        answer="Programs in Alpine images do not find the name: its server denies it for AAAA",
        hop=HopName.DNS,
        owner=Owner.DNS,
        expected="NOERROR without a record for a family that the name has none of (RFC 2308 section 2.2)",
        seen="A: addresses; AAAA: NXDOMAIN",
        evidence=(evidence.table(f"Answers of {server.server}", ("question", "answer", "addresses"), rows),),
        remedy=Remedy(
            text=f"Let the server of {target.host}'s zone, or the forwarder before it, answer AAAA questions with "
            "NOERROR and no record; until then use images with glibc.",
            action="Answer AAAA questions for the name with NOERROR and no record",
            snippets=(Snippet(product="shell", code=f"dig AAAA {target.host}"),),
        ),
        sources=("RFC 2308 section 2.2", "RFC 8020", "https://github.com/coredns/coredns/issues/779"),
    )


def _left_to_dns(half: tuple[ServerLookup, DnsAnswer]) -> Finding:
    """Who does not find the name because one address family is denied is the warning of dns.resolves already."""
    server, answer = half
    return Finding(
        verdict=Verdict.SKIP,
        summary=f"{server.server} says {answer.outcome} to the {answer.qtype} question: dns.resolves names the "
        "clients that find no address because of it",
    )


def _too_slow(order: Sequence[str], connections: Mapping[str, Connection], target: Target) -> Finding:
    slow = [address for address in order[:-1] if _is_far(connections[address])]
    took = ", ".join(f"{address} in {1000 * (connections[address].timing.tcp_s or 0):.0f} ms" for address in slow)
    rest = ", ".join(address for address in order if address not in slow)
    return Finding(
        verdict=severity((ClientKind.NODE,), target),
        summary=f"Node.js gives an address 250 ms before it goes on to the next, and none answers in that time: "
        f"{took}; {rest} not at all. By this arithmetic its fetch ends in ETIMEDOUT each time, while other "
        "programs connect",
        answer="The JavaScript SDK does not connect: the data plane is more than 250 ms away",
        hop=HopName.CLIENT,
        owner=Owner.CLIENT,
        expected="an address that answers within 250 ms, or a last one that connects",
        seen=f"{took}; {rest}: no connection",
        evidence=(_table(order, connections),),
        remedy=Remedy(
            text="Give Node.js more time for each address, or remove the addresses that cannot be reached from here "
            "from DNS.",
            action="Start Node.js with --network-family-autoselection-attempt-timeout=2000",
            snippets=(
                Snippet(
                    product="shell",
                    code="export NODE_OPTIONS=--network-family-autoselection-attempt-timeout=2000",
                ),
            ),
        ),
        sources=(
            "https://nodejs.org/api/net.html#netsetdefaultautoselectfamilyattempttimeoutvalue",
            "https://github.com/nodejs/node/issues/54359",
        ),
    )


def _well(order: Sequence[str], connections: Mapping[str, Connection]) -> str:
    taken = next((a for a in order[:-1] if a in connections and connections[a].timing.tcp_s is not None), order[-1:])
    if len(order) < 2 or not isinstance(taken, str):
        return "the name leads to one address, for which Node.js sets no limit of its own"
    took = connections[taken].timing.tcp_s or 0.0
    return f"Node.js, which gives an address 250 ms, connects: {taken} answers in {1000 * took:.0f} ms"


def _table(order: Sequence[str], connections: Mapping[str, Connection]) -> Evidence:
    rows = [
        (number, address, f"{1000 * one.timing.tcp_s:.0f}" if one and one.timing.tcp_s is not None else "")
        for number, address in enumerate(order, 1)
        for one in (connections.get(address),)
    ]
    return evidence.table("The addresses as Node.js tries them", ("try", "address", "TCP ms"), rows)
