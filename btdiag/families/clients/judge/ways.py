"""Do the clients go the way that this run goes: proxies as each of them reads the variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from btdiag.core import evidence
from btdiag.core.client_kinds import ClientKind
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Verdict
from btdiag.core.handshake import Connection
from btdiag.core.proxy_rules import ValueFault
from btdiag.core.target import Target
from btdiag.core.wording import enumerated
from btdiag.families.clients.facts import ClientReading, ClientWays, Surroundings
from btdiag.families.clients.judge.counting import severity
from btdiag.families.clients.remedy import way_remedy
from btdiag.families.connection.judge.reach import blocked

SOURCES = (
    "https://nodejs.org/api/http.html#built-in-proxy-support",
    "https://requests.readthedocs.io/en/latest/user/advanced/#proxies",
    "https://pkg.go.dev/golang.org/x/net/http/httpproxy",
    "curl(1)",
)


def take_the_same_way(
    here: Surroundings, ways: ClientWays, connections: Mapping[str, Connection], target: Target
) -> Finding:
    """The claim of clients.take-the-same-way."""
    table = (readings_table(here.readings),) if here.readings else ()
    if not here.variables:
        return _unset(target)
    socks = [one for one in here.readings if one.fault is ValueFault.SOCKS]
    if socks:
        summary = f"{socks[0].reading.variable} names a SOCKS proxy, which this run cannot ask"
        return Finding(verdict=Verdict.SKIP, summary=summary, evidence=table)
    apart = [one for one in here.readings if one.fault is None and one.proxy != ways.own]
    stuck = [one for one in apart if (trial := ways.trial(one.proxy)) is not None and not trial.works]
    if stuck and any(one.broke_at is None for one in connections.values()):
        return _stuck(stuck, here, ways, target, table)
    if stuck:
        return blocked(connections)
    own = f"through {ways.own}" if ways.own else "directly"
    if not apart:
        text = f"curl, Python, Go and Node.js read the proxy variables alike: all go {own}"
        return Finding(verdict=Verdict.PASS, summary=text, evidence=table)
    text = f"this run goes {own}; {_told(apart)}: a connection comes about on that way too"
    return Finding(verdict=Verdict.PASS, summary=text, evidence=table)


def _unset(target: Target) -> Finding:
    if target.proxy is not None:
        summary = f"the proxy comes from {target.proxy.source}: how other programs are told of it is not known here"
        return Finding(verdict=Verdict.SKIP, summary=summary)
    summary = "no proxy variable is set: curl, Python, Go and Node.js all go directly, as this run does"
    return Finding(verdict=Verdict.PASS, summary=summary)


def _stuck(
    stuck: Sequence[ClientReading], here: Surroundings, ways: ClientWays, target: Target, table: tuple[Evidence, ...]
) -> Finding:
    kinds = [one.kind for one in stuck]
    own = f"through the proxy {ways.own}" if ways.own else "directly"
    seen = "; ".join(dict.fromkeys(_outcome(ways, one) for one in stuck))
    return Finding(
        verdict=severity(kinds, target),
        summary=f"{_told(stuck)}, and {'does' if len(stuck) == 1 else 'do'} not get through ({seen}); this run does, "
        f"{own}",
        answer=_ANSWERS.get(kinds[0], "Some clients read the proxy variables otherwise, and do not get through"),
        hop=HopName.CLIENT,
        owner=Owner.CLIENT,
        expected=f"every client goes {own}",
        seen=seen,
        evidence=table,
        remedy=way_remedy(stuck, ways.own),
        sources=SOURCES,
    )


_ANSWERS = {
    ClientKind.NODE: "The JavaScript SDK does not get through: Node.js goes past the proxy",
    ClientKind.PYTHON: "The Python SDK does not get through: it reads the proxy variables otherwise",
}


def _outcome(ways: ClientWays, one: ClientReading) -> str:
    trial = ways.trial(one.proxy)
    how = f"through {one.proxy}" if one.proxy else "directly"
    if trial is None or trial.connection is None:
        return f"{how} the name does not resolve"
    failure = trial.connection.failure
    return f"{how}: {failure.detail if failure else 'no connection'}"


def _told(readings: Sequence[ClientReading]) -> str:
    """ "the JavaScript SDK (Node.js) goes directly (it reads no proxy variable); Go programs ..."."""
    groups: dict[str, list[ClientKind]] = {}
    for one in readings:
        groups.setdefault(_why(one), []).append(one.kind)
    return "; ".join(
        f"{enumerated(kinds)} {'goes' if len(kinds) == 1 else 'go'} {why}" for why, kinds in groups.items()
    )


def _why(one: ClientReading) -> str:
    if one.proxy:
        return f"through {one.proxy} ({one.reading.variable})"
    if one.reading.exempted_by:
        return f"directly, by {one.reading.exempted_by} in NO_PROXY"
    if one.kind is ClientKind.NODE:
        return "directly (Node.js reads no proxy variable by itself)"
    return "directly (it reads none of the variables that are set)"


def readings_table(readings: Sequence[ClientReading]) -> Evidence:
    """How each client reads the proxy variables for the target."""
    rows = [
        (one.kind, one.proxy or "directly", one.reading.variable, one.reading.exempted_by, one.fault or "")
        for one in readings
    ]
    return evidence.table(
        "Proxy variables as each client reads them", ("client", "goes", "variable", "NO_PROXY", "wrong with it"), rows
    )
