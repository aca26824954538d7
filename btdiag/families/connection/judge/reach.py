"""Do connections come about: TCP on every address, or the proxy that connects instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized

from btdiag.core import evidence
from btdiag.core.account import Dials
from btdiag.core.address import is_ipv6
from btdiag.core.exchange import Failure, Phase, Trouble
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.handshake import Connection, got_furthest
from btdiag.core.target import Target
from btdiag.core.urls import bracketed
from btdiag.families.connection.judge.dials import lossy_dials

NO_TLS_RECORD = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "UNKNOWN_PROTOCOL"})
"""OpenSSL's words for what came back in a handshake and is no TLS."""
_NO_ROUTE = frozenset({101, 51, 10051})  # ENETUNREACH on Linux, macOS and Windows

_ACTION_IPV6 = "Make IPv6 work, or remove the AAAA records until it does"
_TCP_ACTIONS = {
    Trouble.REFUSED: "Start the load balancer's listener on that address and port, or correct DNS or the URL",
    Trouble.TIMEOUT: "Open firewall, security group, route or VPN to that address, or remove it from DNS",
    Trouble.UNREACHABLE: "Check routes, VPN and firewall between this machine and the load balancer",
    Trouble.RESET: "Look at the health of the load balancer's targets, and at filters on the way",
}
_TCP_CAUSES = {
    Trouble.REFUSED: "Start the load balancer's listener on that address and port, or correct the record or the URL. "
    "A refusal means that the machine, or a firewall that rejects, answers and nothing listens.",
    Trouble.TIMEOUT: "Open the way to that address (firewall, security group, network policy, route, VPN), or remove "
    "it from DNS if nothing is there any more. Silence means that packets are dropped, or the machine is gone.",
    Trouble.UNREACHABLE: "Check routes, VPN and firewall between this machine and the load balancer: the network "
    "answers that there is no way, or forbids it (ICMP).",
    Trouble.RESET: "Look at the health of the load balancer's targets and at filters on the way: something accepts "
    "the connection and drops it at once.",
}


def tcp_connects(
    connections: Mapping[str, Connection], target: Target, misled: Sequence[str] = (), dials: Dials | None = None
) -> Finding:
    """The claim of connection.tcp-connects: every address takes TCP connections.

    `misled` are addresses that a DNS filter gave: that nobody listens there is explained by dns.addresses-are-usable.
    IPv6 alone failing is a warning, for clients fall back to IPv4 (RFC 8305). Addresses of a family that this machine
    has no route for tell nothing of the target as long as the other family works, be it IPv6 or IPv4. `dials` are all
    connections of the run: what one round of them does not show adds up there.
    """
    direct = {label: one for label, one in connections.items() if not one.proxied}
    if not direct:
        return _proxy_connects(connections)
    failed = {label: one.failure for label, one in direct.items() if one.failure and one.failure.phase is Phase.TCP}
    unroutable = without_route(failed, working=[label for label in direct if label not in failed])
    blamed = {label: failure for label, failure in failed.items() if label not in unroutable}
    if blamed and all(label in misled for label in blamed):
        summary = f"{', '.join(blamed)} is a DNS filter's answer and not the target"
        return Finding(verdict=Verdict.SKIP, summary=summary, because="dns.addresses-are-usable")
    if not blamed:
        lossy = lossy_dials(dials or Dials(), direct, target, phases(direct))
        return lossy or _tcp_works(direct, unroutable, target)
    if "SOCKS" in target.proxy_note and len(blamed) == len(direct):
        return _by_socks(blamed, direct, target)
    if all(failure.trouble is Trouble.LOCAL for failure in blamed.values()):
        return _local_trouble(blamed, direct)
    return _tcp_fails(blamed, direct, target)


def _by_socks(blamed: Mapping[str, Failure], direct: Mapping[str, Connection], target: Target) -> Finding:
    """Where programs are to go through a SOCKS proxy, a direct way that is closed is no fault."""
    said = "; ".join(f"{label}: {failure.detail}" for label, failure in blamed.items())
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"no address takes a TCP connection from here ({said}), and {target.proxy_note}: whether programs get "
        "through by that proxy this run cannot tell",
        hop=HopName.CLIENT,
        owner=Owner.CLIENT,
        expected="an HTTP proxy, or a direct way",
        seen=said,
        evidence=(phases(direct),),
        remedy=Remedy(
            text=f"Try curl -v {target.url_for('/')}, which speaks SOCKS. For btdiag name an HTTP proxy on the same "
            "way with --proxy, or start it where the way is direct.",
            action="Name an HTTP proxy with --proxy, or run btdiag where the way is direct",
        ),
        sources=("curl(1)", "RFC 1928"),
    )


def lacks_route(label: str, failure: Failure) -> bool:
    """Whether the system says that it has no IPv6 (route), which tells nothing of the target."""
    local = failure.trouble is Trouble.LOCAL or failure.errno in _NO_ROUTE
    return is_v6(label) and local


def without_route(failed: Mapping[str, Failure], working: Sequence[str]) -> list[str]:
    """The addresses of which nothing is known, for this machine has no route to their family: IPv6 ones by the error
    alone, IPv4 ones where an IPv6 one works, as on an IPv6-only machine. One IPv4 address that cannot be routed while
    another one can is the network's fault."""
    v6_only = any(is_v6(label) for label in working) and all(is_v6(label) for label in working)
    return [
        label
        for label, failure in failed.items()
        if lacks_route(label, failure) or (v6_only and _lacks_ipv4(label, failure))
    ]


def excused_by_family(label: str, failure: Failure, addresses: Sequence[str]) -> bool:
    """Whether this machine has no route to the address while the target has addresses of the other family too: nothing
    is asked there, and the others tell what the target does."""
    if not any(is_v6(other) != is_v6(label) for other in addresses):
        return False
    return lacks_route(label, failure) or _lacks_ipv4(label, failure)


def _lacks_ipv4(label: str, failure: Failure) -> bool:
    return not is_v6(label) and failure.errno in _NO_ROUTE and failure.icmp is None


def is_v6(label: str) -> bool:
    """Whether a route's label is an IPv6 address."""
    return ":" in label and is_ipv6(label)


def _proxy_connects(connections: Mapping[str, Connection]) -> Finding:
    if all(one.broke_at is Phase.PROXY for one in connections.values()):
        summary = "only the proxy connects to the target, and it opens no way to it"
        return Finding(verdict=Verdict.SKIP, summary=summary, because="connection.proxy-lets-through")
    return Finding(
        verdict=Verdict.PASS, summary="the proxy connects to the target; this machine connects to the proxy alone"
    )


def _tcp_works(direct: Mapping[str, Connection], unroutable: Sequence[str], target: Target) -> Finding:
    working = [label for label in direct if label not in unroutable]
    if not working:
        return Finding(
            verdict=Verdict.INCONCLUSIVE,
            summary=f"{target.host} has only IPv6 addresses and this machine has no IPv6 route: "
            f"{', '.join(unroutable)}",
            hop=HopName.CLIENT,
            owner=Owner.CLIENT,
            expected="a way to at least one address",
            seen="ENETUNREACH at once for every address",
            evidence=(phases(direct),),
            remedy=Remedy(
                text="Run from a machine with IPv6, or give the load balancer an IPv4 address too: IPv4-only clients "
                "cannot use it."
            ),
            sources=("RFC 8305", "connect(2)"),
        )
    family = "IPv6" if all(map(is_v6, unroutable)) else "IPv4"
    note = f"; not tested, for the system has no {family} route to {', '.join(unroutable)}" if unroutable else ""
    slowest = max((direct[label].timing.tcp_s or 0.0 for label in working), default=0.0)
    return Finding(
        verdict=Verdict.PASS,
        summary=f"{every(working)} takes TCP connections on port {target.port}, the slowest in {1000 * slowest:.0f} "
        f"ms{note}",
        evidence=(phases(direct),),
    )


def every(labels: Sequence[str]) -> str:
    """The subject of a sentence about all addresses: the one, or how many."""
    return labels[0] if len(labels) == 1 else f"each of {len(labels)} addresses"


def _local_trouble(blamed: Mapping[str, Failure], direct: Mapping[str, Connection]) -> Finding:
    said = "; ".join(f"{label}: {failure.detail}" for label, failure in blamed.items())
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"this machine itself could not connect to {len(blamed)} of {len(direct)} addresses ({said})",
        hop=HopName.CLIENT,
        owner=Owner.CLIENT,
        expected="this machine can open connections",
        seen=said,
        evidence=(phases(direct),),
        remedy=Remedy(
            text="A local firewall rule, a security agent or the limit of open files forbids it: allow it and run "
            "again."
        ),
        sources=("connect(2)",),
    )


def _tcp_fails(blamed: Mapping[str, Failure], direct: Mapping[str, Connection], target: Target) -> Finding:
    v4_works = any(not is_v6(label) and label not in blamed for label in direct)
    only_v6 = v4_works and all(is_v6(label) for label in blamed)
    groups: dict[Trouble, list[str]] = {}
    for label, failure in blamed.items():
        groups.setdefault(failure.trouble, []).append(label)
    did = "; ".join(f"{_VERBS.get(trouble, trouble.value)}: {', '.join(labels)}" for trouble, labels in groups.items())
    note = "IPv6 does not work where IPv4 does: " if only_v6 else ""
    advice = " ".join(_TCP_CAUSES[trouble] for trouble in groups if trouble in _TCP_CAUSES)
    aside = (
        " Until IPv6 works, remove the AAAA records: clients lose time on them, and those without fallback fail."
        if only_v6
        else ""
    )
    return Finding(
        verdict=Verdict.WARN if only_v6 else Verdict.FAIL,
        summary=f"{note}{_take_none(blamed, direct)} on port {target.port} ({did})",
        answer=_whom_it_hurts(only_v6, len(blamed), len(direct)),
        hop=HopName.NETWORK,
        owner=Owner.NETWORK,
        expected=f"every address takes TCP connections on port {target.port}",
        seen="; ".join(f"{label}: {failure.detail}" for label, failure in blamed.items()),
        evidence=(phases(direct),),
        remedy=Remedy(
            text=advice + aside,
            action=_ACTION_IPV6 if only_v6 else _TCP_ACTIONS.get(next(iter(groups)), ""),
            snippets=(_reach(next(iter(blamed)), target),),
        ),
        sources=("connect(2)", "RFC 9293 section 3.5", *(["RFC 8305"] if only_v6 else [])),
    )


def _whom_it_hurts(only_v6: bool, blamed: int, of: int) -> str:
    if only_v6:
        return "IPv6 does not work where IPv4 does: clients lose time, and some fail"
    if blamed == of:
        return "Nobody connects from here: the load balancer's port takes no TCP connection"
    return f"Some connections fail: {blamed} of {of} addresses take{'s' if blamed == 1 else ''} no TCP connection"


_VERBS = {
    Trouble.REFUSED: "refused",
    Trouble.TIMEOUT: "no answer",
    Trouble.UNREACHABLE: "unreachable",
    Trouble.RESET: "reset while connecting",
    Trouble.LOCAL: "not allowed by this machine",
}


def share_of(some: Sized, whole: Sized) -> str:
    """ "1 of 3 addresses", or "all 3 addresses"."""
    return f"all {len(whole)} addresses" if len(some) == len(whole) else f"{len(some)} of {len(whole)} addresses"


def _take_none(failed: Mapping[str, object], whole: Mapping[str, object]) -> str:
    subject = next(iter(whole)) if len(whole) == 1 else share_of(failed, whole)
    return f"{subject} take{'s' if len(failed) == 1 else ''} no TCP connection"


def blocked(connections: Mapping[str, Connection]) -> Finding:
    """The finding of a check that has nothing to judge, for no address got that far."""
    furthest = got_furthest(connections)
    summary = furthest.why_blocked if furthest else "no address was tried"
    return Finding(verdict=Verdict.SKIP, summary=summary, because=furthest.blocked_by if furthest else None)


def demands_certificate(one: Connection) -> bool:
    """Whether the handshake broke for want of a client certificate: the server said so, or was seen to ask for one."""
    failure = one.trouble
    if failure is None or failure.phase in {Phase.TCP, Phase.PROXY}:
        return False
    return one.asks_certificate or "CERTIFICATE_REQUIRED" in failure.detail.upper().replace(" ", "_")


def _reach(label: str, target: Target) -> Snippet:
    command = (
        f"curl -v --connect-timeout 5 --resolve {target.host}:{target.port}:{bracketed(label)} {target.url_for('/')}"
    )
    return Snippet(product="shell", code=command)


def phases(connections: Mapping[str, Connection]) -> Evidence:
    """How far each address got, with the time of each phase."""
    rows = [
        (
            label,
            _milliseconds(one.timing.tcp_s),
            _milliseconds(one.timing.proxy_s),
            _milliseconds(one.timing.tls_s),
            one.handshake.version if one.handshake else "",
            _outcome(one),
        )
        for label, one in connections.items()
    ]
    return evidence.table("Connections", ("address", "TCP ms", "proxy ms", "TLS ms", "version", "outcome"), rows)


def _outcome(one: Connection) -> str:
    failure = one.trouble
    if failure is None:
        return "certificate not trusted" if one.distrust else "ok"
    return f"{failure.phase} {failure.trouble}: {failure.detail}"


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:.1f}"
