"""Name resolution: does the target's name lead to addresses that its users can connect to, whoever they ask?"""

from __future__ import annotations

from btdiag.core.finding import Finding, conclude
from btdiag.core.handshake import Astray, Connection
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.resolution import Resolution
from btdiag.core.target import Target
from btdiag.families.dns.judge import addresses, resolves


def check_resolves(resolution: Resolution) -> Finding:
    """The target's name resolves to an address.

    Without an address nothing else works: SDKs report a connection error, the web app shows that the data plane cannot
    be reached. A missing record, a private zone seen from outside, a broken DNSSEC signature and a dead name server
    look alike to programs; here they are told apart.

    Measured: getaddrinfo, as programs call it, and A and AAAA questions to every name server of this machine (or the
    one given with --nameserver) over UDP, over TCP where the answer is truncated or none comes; aliases, time to live
    and extended errors are read from the answers. Where one family has addresses and the question for the other one is
    answered with NXDOMAIN or SERVFAIL, some programs find none at all, which is a warning.

    Remedy: create or correct the record (A, AAAA or an alias of the load balancer), or let this machine ask the name
    server that knows the zone; the finding names the server and its answer.

    Sources: RFC 1034; RFC 2308; RFC 4074 section 4; RFC 8914
    """
    return conclude(resolves.resolves(resolution))


def check_resolvers_agree(resolution: Resolution, target: Target, astray: Astray | NotMeasured) -> Finding:
    """Every resolver that is asked gives addresses of the same kind, and programs here get what DNS says.

    If one resolver knows the name and another one does not, or one gives private and the other public addresses (split
    horizon), some users reach the data plane and others do not, depending on the network or VPN they are in.

    A stale line in the hosts file, or a search list that completes the name and meets a wildcard record, sends programs
    to another server: the certificate is wrong there, or nobody listens, though the load balancer is in order.

    Measured: the answers of the system's resolver, of each of its name servers and of those given with --nameserver are
    compared. Different addresses of the same kind are what a load balancer's pool gives, and count as agreement. Where
    programs get none of the addresses that DNS gives for the very same name, hosts file and search list are looked at,
    both are asked again, and one connection is made to either place: it fails where the target does not work where
    programs go, and does where DNS leads.

    Remedy: publish the same records everywhere; or, with a private and a public zone on purpose, give every network
    the resolver of its own zone. Remove the stale line from the hosts file, or the suffix from the search list.

    Sources: RFC 8499 section 6; hosts(5); resolv.conf(5)
    """
    led = None if isinstance(astray, NotMeasured) else astray
    return conclude(resolves.resolvers_agree(resolution, target, led))


def check_addresses_share_a_space(resolution: Resolution, target: Target) -> Finding:
    """The addresses of the target are all public or all local.

    Each client takes one of the addresses. With private ones among public ones, users outside fail now and then, and
    a browser asks for its Local Network Access permission for one address and not for the next.

    Measured: every address that the first resolver gives is put into the address space that Chromium puts it in.

    Remedy: publish one kind of address for the name; serve the other from a zone of its own.

    Sources: https://wicg.github.io/local-network-access/
    """
    return conclude(addresses.addresses_share_a_space(resolution, target))


def check_addresses_are_usable(
    resolution: Resolution, target: Target, connection: PerAddress[Connection] | NotMeasured
) -> Finding:
    """No address of the target is a sinkhole or leads to the client itself.

    DNS filters answer 0.0.0.0, :: or 127.0.0.1 for a name that they block. Programs then report a refused connection
    or a wrong certificate, and the search starts at the wrong end.

    Measured: the addresses that the first resolver gives are held against the registries of special addresses; a
    loopback address on which the target's own trusted certificate answers is a warning only.

    Remedy: allow the name in the DNS filter (Pi-hole, AdGuard, response-policy zone, security agent), or correct the
    record.

    Sources: RFC 1122 section 3.2.1.3; RFC 4291 section 2.5.2; RFC 6890
    """
    facts = {} if isinstance(connection, NotMeasured) else connection.facts
    working = [label for label, one in facts.items() if one.broke_at is None and one.distrust is None]
    return conclude(addresses.addresses_are_usable(resolution, target, working))
