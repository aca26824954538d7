"""What the answers of the resolvers mean: does the name resolve, and do all who are asked agree?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from btdiag.core import evidence
from btdiag.core.address import space
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Verdict
from btdiag.core.handshake import Astray
from btdiag.core.resolution import (
    TESTED_ADDRESSES,
    AddressSource,
    Resolution,
    ServerLookup,
    View,
)
from btdiag.core.target import Target
from btdiag.core.wording import enumerated
from btdiag.families.dns.judge.detour import aside, led_elsewhere
from btdiag.families.dns.judge.doubts import SILENT, addresses_doubted, aside_of_loss, lookup_s, some
from btdiag.families.dns.remedy import why_unresolved


def resolves(resolution: Resolution) -> Finding:
    """The claim of dns.resolves: the first resolver, which this machine's programs use, gives an address."""
    if resolution.source is not AddressSource.RESOLVER:
        given = f"is given by --resolve as {some(resolution.addresses)}"
        how = "is an address itself" if resolution.source is AddressSource.LITERAL else given
        return Finding(verdict=Verdict.PASS, summary=f"{resolution.name} {how}: no DNS involved")
    if resolution.addresses:
        return _resolved(resolution)
    failure = why_unresolved(resolution)
    if resolution.proxy:
        note = f"{failure.summary}; this is no fault, for the proxy {resolution.proxy} resolves the name itself"
        return Finding(verdict=Verdict.SKIP, summary=note, evidence=(questions_table(resolution),))
    return Finding(
        verdict=failure.verdict,
        summary=failure.summary,
        answer="Nobody here can reach the data plane: its name does not resolve"
        if failure.verdict is Verdict.FAIL
        else "",
        hop=HopName.DNS,
        owner=failure.owner,
        expected=f"at least one A or AAAA record for {resolution.name}",
        seen=failure.seen,
        evidence=(questions_table(resolution),),
        remedy=failure.remedy,
        sources=failure.sources,
    )


def _resolved(resolution: Resolution) -> Finding:
    view = resolution.views[0]
    if not resolution.proxy and (doubt := addresses_doubted(resolution, questions_table(resolution))) is not None:
        return doubt
    return Finding(
        verdict=Verdict.PASS,
        summary=f"{resolution.name} resolves to "
        f"{some(resolution.addresses)}{_by(view, resolution.name)}{_cap(resolution)}{aside_of_loss(view)}",
        evidence=(questions_table(resolution),),
    )


def _cap(resolution: Resolution) -> str:
    count = len(resolution.addresses)
    return (
        f"; only the first {TESTED_ADDRESSES} of the {count} addresses are tested" if count > TESTED_ADDRESSES else ""
    )


def _by(view: View, name: str) -> str:
    """How the first resolver came to its answer: source, aliases, time to live, time taken."""
    if view.outside_dns:
        return ", answered by the system's hosts file or mDNS, not by DNS"
    server = next((server for server in view.servers if server.addresses), None)
    words = [f"in {1000 * lookup_s(view):.0f} ms"]
    if server is not None:
        chain = server.decisive.chain
        words += [f"as {server.name} by the search list"] if server.name != name else []
        words += [f"by alias {' -> '.join(chain)}"] if chain else []
        words += [f"TTL {server.decisive.ttl} s"] if server.decisive.ttl is not None else []
    return " (" + ", ".join(words) + ")"


def resolvers_agree(resolution: Resolution, target: Target, astray: Astray | None = None) -> Finding:
    """The claim of dns.resolvers-agree: whoever is asked gives addresses, and of the same address spaces.

    Different addresses of one space are what a load balancer's rotating pool gives, and no disagreement. `astray` is
    what came of going where programs here are led, and where DNS leads, where that differs.
    """
    found = led_elsewhere(astray, resolution, target, questions_table(resolution)) if astray is not None else None
    if found is not None:
        return found
    if resolution.source is not AddressSource.RESOLVER:
        return Finding(
            verdict=Verdict.SKIP, summary=f"no resolver was asked: the address comes from {resolution.source}"
        )
    opinions = _opinions(resolution)
    if not resolution.addresses:
        return _none_to_compare(resolution, opinions)
    if len(opinions) < 2:
        text = f"only one resolver was asked ({', '.join(opinions) or 'none'}); --nameserver adds another one"
        return Finding(verdict=Verdict.SKIP, summary=text)
    outsider = resolution.views[0].outside_dns and len(resolution.views) == 1
    without = [label for label, (addresses, _) in opinions.items() if not addresses]
    spaces = {label: _spaces(addresses, target) for label, (addresses, _) in opinions.items() if addresses}
    if without and not outsider:
        return _disagreement(resolution, opinions, _split_sentence(resolution, opinions, without))
    if len(set(spaces.values())) > 1:
        return _disagreement(resolution, opinions, _spaces_sentence(resolution, spaces))
    if outsider:
        return Finding(
            verdict=Verdict.PASS,
            summary=f"{resolution.name} is known to this machine alone{_by(resolution.views[0], resolution.name)}",
        )
    return Finding(
        verdict=Verdict.PASS,
        summary=_agreement(resolution, opinions, sorted(set().union(*spaces.values()))),
        evidence=(questions_table(resolution),),
    )


def _agreement(
    resolution: Resolution, opinions: Mapping[str, tuple[tuple[str, ...], str]], spaces: Sequence[str]
) -> str:
    if (detour := resolution.views[0].detour) is not None:
        return f"{resolution.name} leads to {some(resolution.addresses)}{aside(detour)}"
    same = len({frozenset(addresses) for addresses, _ in opinions.values()}) == 1
    kinds = enumerated(spaces)
    text = "the same addresses" if same else f"different addresses of the same kind ({kinds}), as a rotating pool does"
    return f"all {len(opinions)} resolvers give {text}"


def _opinions(resolution: Resolution) -> dict[str, tuple[tuple[str, ...], str]]:
    """By whom: the addresses, or the reason that there are none."""
    opinions: dict[str, tuple[tuple[str, ...], str]] = {}
    for view in resolution.views:
        if view.system is not None:
            opinions[f"{view.label} resolver"] = (view.system.addresses, view.system.error or "")
        for server in view.servers:
            opinions[_server_label(view, server)] = (server.addresses, server.outcome)
    return opinions


def _server_label(view: View, server: ServerLookup) -> str:
    return (
        server.server if view.system is not None or view.label == server.server else f"{view.label} ({server.server})"
    )


def _none_to_compare(resolution: Resolution, opinions: Mapping[str, tuple[tuple[str, ...], str]]) -> Finding:
    """The first resolver has no answer: dns.resolves tells that, and whether another one has."""
    knowing = [label for label, (addresses, _) in opinions.items() if addresses]
    note = f"{some(knowing)} resolves it" if knowing else "no resolver has an address to compare"
    because = None if resolution.proxy else "dns.resolves"
    return Finding(verdict=Verdict.SKIP, summary=note, because=because)


def _split_sentence(
    resolution: Resolution, opinions: Mapping[str, tuple[tuple[str, ...], str]], without: Sequence[str]
) -> str:
    failing = ", ".join(f"{label} ({opinions[label][1]})" for label in without)
    return f"{len(without)} of {len(opinions)} resolvers give no address for {resolution.name}: {failing}"


def _spaces_sentence(resolution: Resolution, spaces: Mapping[str, frozenset[str]]) -> str:
    seen = ", ".join(f"{label}: {' and '.join(sorted(names))}" for label, names in spaces.items())
    return f"{resolution.name} resolves to different address spaces depending on who is asked (split horizon): {seen}"


def _disagreement(resolution: Resolution, opinions: Mapping[str, tuple[tuple[str, ...], str]], summary: str) -> Finding:
    seen = "; ".join(f"{label}: {', '.join(addresses) or why}" for label, (addresses, why) in opinions.items())
    return Finding(
        verdict=Verdict.WARN,
        summary=summary,
        answer="Resolvers disagree: some users reach another data plane, or none",
        hop=HopName.DNS,
        owner=Owner.DNS,
        expected=f"every resolver gives addresses of the same kind for {resolution.name}",
        seen=seen,
        evidence=(questions_table(resolution),),
        remedy=Remedy(text=_advice(resolution)),
        sources=("RFC 8499 section 6 (split DNS)", "resolv.conf(5)"),
    )


def _advice(resolution: Resolution) -> str:
    silent = [server for view in resolution.views for server in view.servers if server.outcome in SILENT]
    if silent:
        names = ", ".join(server.server for server in silent)
        took = (
            f"; the system's lookup took {lookup_s(resolution.views[0]):.1f} s here"
            if resolution.views[0].system
            else ""
        )
        return (
            f"Repair name server {names} or remove it from the resolver configuration: a lookup that meets it waits "
            f"for its timeout{took}."
        )
    return (
        f"Publish the same records for {resolution.name} everywhere, or, if it is meant to have a private and a public "
        "face, give every network the name server of its own zone (VPN DNS, conditional forwarding). Until then users "
        "reach a different data plane, or none, depending on their resolver."
    )


def _spaces(addresses: Iterable[str], target: Target) -> frozenset[str]:
    return frozenset(space(address, target.address_spaces).value for address in addresses)


def questions_table(resolution: Resolution) -> Evidence:
    """Every question that was asked and what came back, as a table."""
    rows: list[Sequence[object]] = []
    for view in resolution.views:
        if view.system is not None:
            said = ", ".join(view.system.addresses) or f"{view.system.error} {view.system.detail}".strip()
            rows.append((view.label, "getaddrinfo", "", said, "", "", f"{1000 * view.system.duration_s:.1f}"))
        for server in view.servers:
            rows += [_row(view, server, number) for number in range(len(server.answers))]
    return evidence.table(
        f"Who says what about {resolution.name}",
        ("resolver", "asked", "type", "answer", "alias of", "TTL s", "ms"),
        rows,
    )


def _row(view: View, server: ServerLookup, number: int) -> Sequence[object]:
    answer = server.answers[number]
    reason = " ".join(part for part in (answer.outcome.value, answer.extended_error, answer.detail) if part)
    said = ", ".join(answer.addresses) or reason
    where = server.server + (" (tcp)" if answer.transport == "tcp" else "")
    return (
        view.label,
        where,
        answer.qtype,
        said,
        " -> ".join(answer.chain),
        "" if answer.ttl is None else answer.ttl,
        f"{1000 * answer.duration_s:.1f}",
    )
