"""Packets above a size that get lost on the way, told from what the system counted; and what to change then."""

from __future__ import annotations

from btdiag.core.exchange import Failure, Trouble
from btdiag.core.finding import Remedy, Snippet

SOURCES = ("RFC 8899", "RFC 2923 section 2.1", "tcp(7), TCP_INFO")
SMALL = 536  # bytes of a segment that every path carries (RFC 9293 section 3.7.1)
MTU_ADVICE = (
    "Find the link with the smaller MTU (VPN, tunnel, overlay network, PPPoE) and let it be known: let ICMP "
    '"fragmentation needed" (IPv6: "packet too big") pass the firewalls, clamp the MSS of TCP on that link, or lower '
    "the MTU of the interfaces on both sides. As a stopgap Linux finds the size by itself with tcp_mtu_probing."
)
"""What to do where a path loses large packets and nobody is told."""


def lost_on_the_way(failure: Failure | None) -> str:
    """What the system's counters say of a silence: that what was sent, or what was sent back, got lost on the way; ""
    where they say neither, or the system does not count."""
    seen = failure.counters if failure is not None and failure.trouble is Trouble.TIMEOUT else None
    if seen is not None and seen.lost_down:
        return "later packets of the answer came, an earlier one never did"
    if seen is not None and seen.lost_up:
        return f"what was sent was never acknowledged, though sent again {seen.resent} times"
    return ""


def mtu_remedy() -> Remedy:
    """What to change where packets above a size are lost."""
    return Remedy(
        text=MTU_ADVICE,
        action='Let ICMP "fragmentation needed" pass, or clamp the MSS at the VPN or tunnel on the way',
        snippets=(
            Snippet(product="shell", code="ping -M do -s 1400 HOST\ntracepath HOST"),
            Snippet(
                product="nftables",
                code="nft add rule inet filter forward tcp flags syn tcp option maxseg size set rt mtu",
            ),
            Snippet(product="Linux", code="sysctl -w net.ipv4.tcp_mtu_probing=1"),
        ),
    )
