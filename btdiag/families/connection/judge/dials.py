"""All connections of a run added up: some that nobody answers, or only when asked again, beside others that work."""

from __future__ import annotations

from collections.abc import Mapping

from btdiag.core.account import Dials
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Verdict
from btdiag.core.handshake import Connection
from btdiag.core.target import Target

RESENT = 3  # connections whose first packet was sent again; one or two may be lost anywhere
SHARE = 0.02  # of all connections
SOURCES = ("RFC 9293 section 3.8.1", "RFC 6298 section 2", "tcp(7), TCP_INFO")


def lossy_dials(dials: Dials, connections: Mapping[str, Connection], target: Target, shown: Evidence) -> Finding | None:
    """The finding about connections that were lost beside others that were answered; None where there were none."""
    if dials.unanswered:
        return _unanswered(dials, target, shown)
    late = [label for label, one in connections.items() if one.timing.tcp_resent]
    if dials.resent >= max(RESENT, SHARE * dials.asked) or (late and len(late) == len(connections) > 1):
        return _resent(dials, target, shown)
    return None


def is_capped(dials: Dials) -> bool:
    """Whether connections were refused an answer only while so many stood open as never more were answered at."""
    return dials.least_open is not None and dials.least_open >= max(2, dials.most_open)


def _unanswered(dials: Dials, target: Target, shown: Evidence) -> Finding:
    capped = is_capped(dials)
    count = f"{dials.unanswered} of {dials.asked} connections to {target.host} got no answer"
    while_open = f" while {dials.least_open} and more were open, and none with fewer" if capped else ""
    aside = "" if capped else f" (up to {dials.most_open} were open at once when others were answered)"
    return Finding(
        verdict=Verdict.FAIL if capped or dials.unanswered > 1 else Verdict.WARN,
        summary=f"{count}{while_open}{aside}, though every address takes connections: something on the way, or the "
        f"load balancer, drops them",
        answer=f"New connections hang: no more than about {dials.least_open} at once are let through"
        if capped
        else f"Some connections hang: {dials.unanswered} of {dials.asked} got no answer",
        hop=HopName.NETWORK,
        owner=Owner.NETWORK,
        expected="an answer to every connection",
        seen=count + while_open,
        evidence=(shown,),
        remedy=_remedy(capped),
        sources=SOURCES,
    )


def _remedy(capped: bool) -> Remedy:
    if capped:
        return Remedy(
            text="Raise the limit of connections for each client at the firewall, NAT or load balancer (connection "
            "table, connlimit, maxconn, listen backlog): a browser opens six connections at once, SDKs and several "
            "users behind one address many more.",
            action="Raise the limit of connections at the firewall, NAT or load balancer",
        )
    return Remedy(
        text="Look for what drops packets between this machine and the load balancer: a line or link that loses, a "
        "full connection table (nf_conntrack: table full), exhausted NAT ports, a full listen queue (nstat "
        "TcpExtListenDrops on the load balancer).",
        action="Look for lossy links, full connection tables, NAT ports and listen queues on the way",
    )


def _resent(dials: Dials, target: Target, shown: Evidence) -> Finding:
    told = f"{dials.resent} of {dials.asked} connections to {target.host} were answered only when asked again"
    return Finding(
        verdict=Verdict.WARN,
        summary=f"{told}: their first packet (SYN) was lost, which costs a second and more each time",
        answer=f"Connecting takes seconds now and then: {dials.resent} of {dials.asked} first packets were lost",
        hop=HopName.NETWORK,
        owner=Owner.NETWORK,
        expected="an answer to the first packet of a connection",
        seen=told,
        evidence=(shown,),
        remedy=_remedy(capped=False),
        sources=SOURCES,
    )
