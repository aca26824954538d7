"""Whether browsers connect to the ports of the hosts that the web app calls."""

from __future__ import annotations

from btdiag.core import evidence
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Verdict
from btdiag.core.target import Target
from btdiag.families.browser.plan import PageHost, page_hosts
from btdiag.families.browser.remedy import PORT_SOURCES, move_port

_EXPECTED = "443, or any port that is not on the Fetch standard's list of bad ports"

BAD_PORTS = frozenset(
    {
        *(0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95),
        *(101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179),
        *(389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636),
        *(989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566),
        *(6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080),
    }
)
"""The ports that fetch refuses by the standard, whatever listens there: a page could speak other protocols there."""


ALLOWED_BY_CHROMIUM = frozenset({4190, 6679})
"""Bad ports by the standard that Chromium 156 was seen to connect to all the same."""


def port_is_allowed(target: Target) -> Finding:
    """The claim of browser.port-is-allowed: none of the hosts is at a bad port of the Fetch standard. One that only
    Chromium allows is a warning."""
    hosts = page_hosts(target)
    rows = [(host.role, host.shown, _standing(host)) for host in hosts]
    table = evidence.table("The ports, and what browsers say to them", ("host", "URL", "browser"), rows)
    bad = sorted((host for host in hosts if host.port in BAD_PORTS), key=lambda host: host.port in ALLOWED_BY_CHROMIUM)
    if not bad:
        ports = ", ".join(str(port) for port in sorted({host.port for host in hosts}))
        return Finding(verdict=Verdict.PASS, summary=f"no bad port by the Fetch standard: {ports}", evidence=(table,))
    return _partly(bad[0], table) if bad[0].port in ALLOWED_BY_CHROMIUM else _refused(bad[0], table)


def _standing(host: PageHost) -> str:
    if host.port in ALLOWED_BY_CHROMIUM:
        return "bad by the standard, allowed in Chromium 156"
    return "net::ERR_UNSAFE_PORT" if host.port in BAD_PORTS else "allowed"


def _refused(host: PageHost, table: Evidence) -> Finding:
    return Finding(
        verdict=Verdict.FAIL,
        answer=f"The web app cannot call {host.role}: browsers refuse port {host.port}",
        summary=f"{host.shown} ({host.told_by}) is at a port that browsers never connect to, although programs do",
        hop=HopName.BROWSER,
        owner=Owner.LOAD_BALANCER,
        expected=_EXPECTED,
        seen=f"port {host.port}: net::ERR_UNSAFE_PORT in Chrome and Edge",
        evidence=(table,),
        remedy=move_port(host),
        sources=PORT_SOURCES,
    )


def _partly(host: PageHost, table: Evidence) -> Finding:
    return Finding(
        verdict=Verdict.WARN,
        answer=f"The web app may not reach {host.role} in every browser: port {host.port} is unusual",
        summary=f"{host.shown} ({host.told_by}) is at a port that is bad by the Fetch standard; Chromium 156 connects "
        "to it, others may not",
        hop=HopName.BROWSER,
        owner=Owner.LOAD_BALANCER,
        expected=_EXPECTED,
        seen=f"port {host.port}",
        evidence=(table,),
        remedy=move_port(host),
        sources=PORT_SOURCES,
    )
