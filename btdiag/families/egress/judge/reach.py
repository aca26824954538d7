"""May this place reach what it needs?"""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.core import evidence
from btdiag.core.exchange import Phase
from btdiag.core.finding import Evidence, Finding, Remedy, Snippet, Verdict
from btdiag.core.handshake import Connection
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.target import Target
from btdiag.families.connection.judge.clock import reading_of
from btdiag.families.connection.judge.diagnosis import CLOCK_DOUBT, diagnose
from btdiag.families.connection.remedy import TrustCause
from btdiag.families.dns.judge.doubts import SILENT
from btdiag.families.egress.facts import Egress, HostTrial
from btdiag.families.egress.judge.answers import own_words
from btdiag.families.egress.judge.reading import host_readings
from btdiag.families.egress.remedy import ADVICE, Block, HostReading

NOT_INTERCEPTED = "egress.tls-not-intercepted"
SOURCES = (
    "https://www.braintrust.dev/docs/admin/self-hosting (networking)",
    "https://github.com/braintrustdata/helm",
    "RFC 9110 section 9.3.6",
)

Connections = PerAddress[Connection] | NotMeasured


def required_hosts_reachable(egress: Egress, connections: Connections, target: Target) -> Finding:
    """The claim of egress.required-hosts-reachable."""
    if not egress.needed:
        return _nothing_needed(target)
    found = host_readings(egress.needed, target_reached=target_reached(connections), known={target.host})
    blocked = [reading for reading in found if reading.block is not None]
    elsewhere = [reading for reading in blocked if reading.block is not Block.INSPECTED]
    if blocked and not elsewhere:
        names = host_names(blocked)
        because = NOT_INTERCEPTED if any(weighs_as_failure(reading, target) for reading in blocked) else None
        return Finding(verdict=Verdict.SKIP, summary=f"TLS to {names} is intercepted", because=because)
    if elsewhere and _proxy_is_broken(elsewhere, connections):
        summary = f"the proxy {elsewhere[0].trial.proxy} lets nothing through, the target neither"
        return Finding(verdict=Verdict.SKIP, summary=summary, because="connection.proxy-lets-through")
    if elsewhere and (cause := shared_cause(elsewhere, connections)):
        return Finding(verdict=Verdict.SKIP, summary=f"{host_names(elsewhere)}: {_SHARED[cause]}", because=cause)
    if elsewhere:
        return _blocked(elsewhere, found, connections, target)
    noted = [reading for reading in found if reading.note]
    if noted:
        return _half_reached(noted, found)
    who = f"role {target.role}" if target.role else "any role"
    return Finding(
        verdict=Verdict.PASS,
        summary=f"{how_many(len(found))} that {who} needs answers: "
        f"{', '.join(reached_words(reading) for reading in found)}",
        evidence=(hosts_table(found),),
    )


_SHARED = {
    "dns.resolves": "the name servers that do not answer for the target do not answer for these hosts either",
    "connection.clocks-agree": "by this machine's clock their certificates are not valid, by their own clocks they are",
}


def shared_cause(blocked: Sequence[HostReading], connections: Connections) -> str | None:
    """The check that fails for the target by the same cause that keeps all of these hosts away: name servers that are
    dead, or a wrong clock; None where there is none."""
    if isinstance(connections, NotMeasured):
        dead = connections.by == "dns.resolves" and all(_met_dead_servers(reading) for reading in blocked)
        return "dns.resolves" if dead else None
    off = [
        one for one in connections.facts.values() if (reading := reading_of(one)) and abs(reading.skew) > CLOCK_DOUBT
    ]
    wrong = bool(off) and all(_by_clock(reading) for reading in blocked)
    return "connection.clocks-agree" if wrong else None


def _met_dead_servers(reading: HostReading) -> bool:
    views = reading.trial.resolution.views
    servers = views[0].servers if views else ()
    return reading.block is Block.NAME and bool(servers) and all(one.outcome in SILENT for one in servers)


def _by_clock(reading: HostReading) -> bool:
    distrusted = [one for one in reading.trial.connections if one.distrust is not None]
    causes = {diagnose(one, reading.trial.host.name).cause for one in distrusted}
    return reading.block is Block.UNTRUSTED and causes == {TrustCause.WRONG_CLOCK}


_PROXY = frozenset({Block.PROXY, Block.PROXY_LOGIN, Block.BEYOND_PROXY})


def _proxy_is_broken(blocked: Sequence[HostReading], connections: Connections) -> bool:
    """Whether the proxy is at fault for the target as well: then that is the one cause."""
    if isinstance(connections, NotMeasured) or not connections.facts:
        return False
    target_too = all(one.broke_at is Phase.PROXY for one in connections.facts.values())
    return target_too and all(reading.block in _PROXY for reading in blocked)


def _nothing_needed(target: Target) -> Finding:
    return Finding(
        verdict=Verdict.SKIP,
        summary=f"SDKs are constrained to {target.url}, and no other host was named"
        if target.role != "build"
        else "no host was named",
    )


def how_many(number: int) -> str:
    return "the host" if number == 1 else f"each of {number} hosts"


def reached_words(reading: HostReading) -> str:
    trial = reading.trial
    said = [part for part in (_answer(trial), reading.aside) if part]
    answer = f" ({'; '.join(said)})" if said else ""
    return f"{reading.name}{answer}{f' by proxy {trial.proxy}' if trial.proxy else ''}"


def host_names(found: Sequence[HostReading]) -> str:
    return ", ".join(dict.fromkeys(reading.name for reading in found))


def weighs_as_failure(reading: HostReading, target: Target) -> bool:
    """Whether a block of this host is a failure: the place was declared to need it, and for more than an extra."""
    host = reading.trial.host
    return host.named or (target.role is not None and host.essential)


def _blocked(
    blocked: Sequence[HostReading], found: Sequence[HostReading], connections: Connections, target: Target
) -> Finding:
    severe = [reading for reading in blocked if weighs_as_failure(reading, target)]
    first = (severe or blocked)[0]
    verdict = Verdict.FAIL if severe else Verdict.WARN
    if all(reading.block is Block.LOCAL for reading in blocked):
        verdict = Verdict.INCONCLUSIVE
    told = "; ".join(reading.sentence for reading in blocked)
    return Finding(
        verdict=verdict,
        summary=f"{len(blocked)} of {len(found)} hosts that this place needs cannot be reached: {told}"
        f"{_twin(first, found, connections)}",
        answer=""
        if verdict is Verdict.INCONCLUSIVE
        else f"{len(blocked)} of {len(found)} hosts that this place needs cannot be reached from here",
        hop=first.hop,
        owner=first.owner,
        expected=f"{host_names(found)} reachable from here",
        seen=told,
        evidence=(hosts_table(found), *first.proof),
        remedy=_remedy(first, blocked),
        sources=SOURCES,
    )


# What a dead host looks like as well.
_AMBIGUOUS = frozenset({Block.REFUSED, Block.SILENCE, Block.NO_WAY, Block.RESET, Block.HANDSHAKE})


def _twin(first: HostReading, found: Sequence[HostReading], connections: Connections) -> str:
    """What works from here beside it: that turns "down" into "filtered", or the other way round."""
    if first.block not in _AMBIGUOUS:
        return ""
    reached = [reading.name for reading in found if reading.block is None]
    reached += ["the target"] if target_reached(connections) else []
    if reached:
        return f"; {reached[0]} is reached from here, so it is filtered on the way, or down"
    return "; nothing else is reached from here either, so this machine may have no way out at all"


def target_reached(connections: Connections) -> bool:
    return not isinstance(connections, NotMeasured) and any(
        one.blocked_by is None and one.distrust is None for one in connections.facts.values()
    )


def _remedy(first: HostReading, blocked: Sequence[HostReading]) -> Remedy:
    """What to do about each way of blocking, the finding's own first."""
    ways = dict.fromkeys(reading.block for reading in (first, *blocked))
    told = [_advice([reading for reading in blocked if reading.block is way]) for way in ways]
    needed = f"{first.name} is needed for {first.trial.host.why}."
    proxy = f" --proxy {first.trial.proxy}" if first.trial.proxy else ""
    curl = f"curl -sv -o /dev/null{proxy} {first.trial.host.url}"
    return Remedy(text=" ".join([*told, needed]), snippets=(Snippet(product="shell", code=curl),))


def _advice(same: Sequence[HostReading]) -> str:
    first = same[0]
    assert first.block is not None
    port = first.trial.connections[0].port if first.trial.connections else 443
    return ADVICE[first.block].format(names=host_names(same), port=port, proxy=first.trial.proxy)


def _half_reached(noted: Sequence[HostReading], found: Sequence[HostReading]) -> Finding:
    told = "; ".join(reading.note for reading in noted)
    advice = list(dict.fromkeys(reading.advice or _ADDRESSES for reading in noted))
    by_address = _ADDRESSES in advice
    return Finding(
        verdict=Verdict.WARN,
        summary=f"every host is reached, but {told}",
        answer="Hosts are reached, but not by every resolver, not at every address or not over IPv6"
        if by_address
        else "Hosts are reached, but slowly, or something else answers there",
        hop=noted[0].hop,
        owner=noted[0].owner,
        expected="every resolver, every address and both IP versions (or no IPv6 at all) lead there"
        if by_address
        else "the host's own answer, in time",
        seen=told,
        evidence=(hosts_table(found),),
        remedy=Remedy(
            text=" ".join(advice),
            action="Allow all addresses of the hosts in the firewall, and mend or switch off broken IPv6"
            if by_address
            else "Look for a filter, proxy or inspecting box that answers in place of the host, or late",
        ),
        sources=("RFC 8305",) if by_address else SOURCES,
    )


_ADDRESSES = (
    "Where a resolver denies a name, allow it there, or let programs use the other resolver. Where IPv6 is broken, "
    "mend its way out (route, firewall), or take it from this machine altogether: new connections may lose time before "
    "they fall back to IPv4. Where one address of several is lost, let the firewall allow them all, or the host: "
    "whoever takes that one waits, or fails."
)


def hosts_table(found: Sequence[HostReading]) -> Evidence:
    rows = [
        (
            reading.trial.host.url,
            reading.trial.host.why,
            f"{reading.trial.proxy} ({reading.trial.proxy_note})" if reading.trial.proxy else _direct(reading.trial),
            str(reading.block or "reached"),
            reading.hop if reading.block else "",
            reading.owner if reading.block else "",
            reading.detail or "; ".join(filter(None, (_answer(reading.trial), reading.note, reading.aside))),
        )
        for reading in found
    ]
    headers = ("host", "needed for", "way", "outcome", "layer", "owner", "seen")
    return evidence.table("Hosts tried from here", headers, rows)


def _direct(trial: HostTrial) -> str:
    return f"direct ({trial.proxy_note})" if trial.proxy_note else "direct"


def _answer(trial: HostTrial) -> str:
    return own_words(trial.answer) if trial.answer is not None else ""
