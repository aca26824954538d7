"""Can the addresses be connected to, and are they all of one kind: sinkholes, loopback, private beside public."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from btdiag.core.address import AddressKind, declared_space, described, kind, space
from btdiag.core.finding import Finding, HopName, Owner, Remedy, Verdict
from btdiag.core.resolution import AddressSource, Resolution, is_local_name
from btdiag.core.target import Target
from btdiag.families.dns.judge.doubts import some
from btdiag.families.dns.judge.resolves import questions_table

_NEVER = frozenset({AddressKind.UNSPECIFIED, AddressKind.MULTICAST})
_NOT_ROUTED = frozenset(
    {AddressKind.LINK_LOCAL, AddressKind.DOCUMENTATION, AddressKind.RESERVED, AddressKind.THIS_NETWORK}
)


def unusable(resolution: Resolution) -> tuple[str, ...]:
    """The addresses that a resolver gave and nobody can connect to: 0.0.0.0, ::, multicast. What the user wrote
    himself (a literal, --resolve) is taken as it is."""
    if resolution.source is not AddressSource.RESOLVER:
        return ()
    return tuple(address for address in resolution.addresses if kind(address) in _NEVER)


def misleading(resolution: Resolution, target: Target) -> tuple[str, ...]:
    """The loopback addresses that DNS gives for a name that is not this machine's: the mark of a DNS filter or of a
    record left from development. None for a lab, whose hosts are on loopback, nor where the hosts file says so."""
    local = target.lab_scenario is not None or is_local_name(resolution.name)
    if local or resolution.source is not AddressSource.RESOLVER:
        return ()
    by_dns = {address for server in resolution.views[0].servers for address in server.addresses}
    return tuple(
        address for address in resolution.addresses if address in by_dns and kind(address) is AddressKind.LOOPBACK
    )


def addresses_share_a_space(resolution: Resolution, target: Target) -> Finding:
    """The claim of dns.addresses-share-a-space: all addresses are public, or all are local, or all loopback."""
    if not resolution.addresses:
        return _nothing_to_judge(resolution)
    members: dict[str, list[str]] = {}
    for address in resolution.addresses:
        if address not in unusable(resolution):
            members.setdefault(space(address, target.address_spaces), []).append(address)
    if len(members) < 2:
        text = f"{some(resolution.addresses)}: {next(iter(members), 'no usable address')}"
        return Finding(verdict=Verdict.PASS, summary=text)
    parts = "; ".join(f"{name}: {', '.join(addresses)}" for name, addresses in members.items())
    return Finding(
        verdict=Verdict.WARN,
        summary=f"{resolution.name} resolves to addresses of {len(members)} address spaces ({parts})",
        answer="DNS mixes public and private addresses: some users cannot reach the one they get",
        hop=HopName.DNS,
        owner=Owner.DNS,
        expected="all addresses public, or all of the local network",
        seen=parts,
        evidence=(questions_table(resolution),),
        remedy=Remedy(
            action="Publish one kind of address for the name, and serve the other from a zone of its own",
            text=f"Publish only one kind of address for {resolution.name}, and serve the other from a zone of its own "
            "(split horizon). Each client takes any one of them: users outside cannot reach the local ones, and a "
            "browser asks for its Local Network Access permission for some and not for others.",
        ),
        sources=("https://wicg.github.io/local-network-access/",),
    )


def addresses_are_usable(resolution: Resolution, target: Target, working: Iterable[str] = ()) -> Finding:
    """The claim of dns.addresses-are-usable: no sinkhole, no loopback for a remote name, nothing that is not routed.

    `working` are the addresses on which a connection with all that the target needs was seen to work: a loopback or
    odd address among them is a warning only.
    """
    if not resolution.addresses:
        return _nothing_to_judge(resolution)
    bad = (
        *unusable(resolution),
        *(address for address in misleading(resolution, target) if address not in set(working)),
    )
    odd = [address for address in resolution.addresses if _is_odd(address, resolution, target)]
    if bad:
        return _filtered(resolution, bad)
    if odd:
        return _unrouted(resolution, odd)
    kinds = ", ".join(described(address, target.address_spaces) for address in resolution.addresses)
    return Finding(verdict=Verdict.PASS, summary=f"no address is of a kind that leads nowhere: {kinds}")


def _is_odd(address: str, resolution: Resolution, target: Target) -> bool:
    if resolution.source is not AddressSource.RESOLVER or declared_space(address, target.address_spaces) is not None:
        return False
    return kind(address) in _NOT_ROUTED or address in misleading(resolution, target)


def _filtered(resolution: Resolution, bad: Sequence[str]) -> Finding:
    all_bad = len(bad) == len(resolution.addresses)
    share = "only" if all_bad else f"{len(bad)} of {len(resolution.addresses)} addresses:"
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{resolution.name} resolves to an address that leads nowhere ({share} {', '.join(bad)}), as a DNS "
        "filter answers",
        answer="DNS leads nowhere: a filter, or a wrong record, gives an address that nobody can reach",
        hop=HopName.DNS,
        owner=Owner.DNS,
        expected="addresses of the data plane's load balancer",
        seen=", ".join(described(address) for address in resolution.addresses),
        evidence=(questions_table(resolution),),
        remedy=Remedy(
            action="Allow the name in the DNS filter of this network; without one, correct the record",
            text=f"Allow {resolution.name} in the DNS filter of this network or machine (Pi-hole, AdGuard, "
            "response-policy zone, security agent), for 0.0.0.0, :: and 127.0.0.1 are what filters give for a blocked "
            "name. If no filter is in use, the record itself is wrong: let it point to the load balancer.",
        ),
        sources=("RFC 1122 section 3.2.1.3", "RFC 4291 section 2.5.2"),
    )


def _unrouted(resolution: Resolution, odd: Sequence[str]) -> Finding:
    return Finding(
        verdict=Verdict.WARN,
        summary=f"{resolution.name} resolves to addresses that no other network can reach: "
        + ", ".join(described(address) for address in odd),
        answer="DNS gives addresses that no other network can reach",
        hop=HopName.DNS,
        owner=Owner.DNS,
        expected="addresses that are routed where the users are",
        seen=", ".join(described(address) for address in resolution.addresses),
        evidence=(questions_table(resolution),),
        remedy=Remedy(
            text=f"Let {resolution.name} point to the load balancer's routed addresses and remove {', '.join(odd)}."
        ),
        sources=("RFC 6890",),
    )


def _nothing_to_judge(resolution: Resolution) -> Finding:
    because = None if resolution.proxy else "dns.resolves"
    why = "there is no address" if because else f"the proxy {resolution.proxy} resolves the name itself"
    return Finding(verdict=Verdict.SKIP, summary=why, because=because)
