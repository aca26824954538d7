"""May this place reach what it needs, is TLS left alone on the way, and does what must stay blocked stay so?"""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.judge import evidence
from btdiag.judge.answers import words
from btdiag.judge.egress_facts import Egress, HostTrial
from btdiag.judge.egress_reading import Block, Reading, interceptor, read
from btdiag.judge.exchange import Phase
from btdiag.judge.handshake import Connection
from btdiag.judge.tls import chains
from btdiag.judge.tls_names import short_name
from btdiag.measurement import NotMeasured, PerAddress
from btdiag.model import Evidence, Finding, HopName, Owner, Remedy, Snippet, Target, Verdict

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
    found = [read(trial) for trial in egress.needed]
    blocked = [reading for reading in found if reading.block is not None]
    elsewhere = [reading for reading in blocked if reading.block is not Block.INSPECTED]
    if blocked and not elsewhere:
        names = _names(blocked)
        because = NOT_INTERCEPTED if any(_fails(reading, target) for reading in blocked) else None
        return Finding(verdict=Verdict.SKIP, summary=f"TLS to {names} is intercepted", because=because)
    if elsewhere and _proxy_is_broken(elsewhere, connections):
        summary = f"the proxy {elsewhere[0].trial.proxy} lets nothing through, the target neither"
        return Finding(verdict=Verdict.SKIP, summary=summary, because="connection.proxy-lets-through")
    if elsewhere:
        return _blocked(elsewhere, found, connections, target)
    notes = [reading.note for reading in found if reading.note]
    if notes:
        return _half_reached(notes, found)
    who = f"role {target.role}" if target.role else "any role"
    return Finding(
        verdict=Verdict.PASS,
        summary=f"{_count(len(found))} that {who} needs {'answers' if len(found) == 1 else 'answer'}: "
        f"{', '.join(_reached(reading.trial) for reading in found)}",
        evidence=(_table(found),),
    )


def _proxy_is_broken(blocked: Sequence[Reading], connections: Connections) -> bool:
    """Whether the proxy is at fault for the target as well: then that is the one cause."""
    if isinstance(connections, NotMeasured) or not connections.facts:
        return False
    target_too = all(one.broke_at is Phase.PROXY for one in connections.facts.values())
    return target_too and all(reading.block is Block.PROXY for reading in blocked)


def _nothing_needed(target: Target) -> Finding:
    return Finding(
        verdict=Verdict.SKIP,
        summary=f"SDKs are constrained to {target.url}, and no other host was named"
        if target.role != "build"
        else "no host was named",
    )


def _count(number: int) -> str:
    return "the host" if number == 1 else f"each of {number} hosts"


def _reached(trial: HostTrial) -> str:
    answer = f" ({words(trial.answer)})" if trial.answer is not None else ""
    return f"{trial.host.name}{answer}{f' by proxy {trial.proxy}' if trial.proxy else ''}"


def _names(readings: Sequence[Reading]) -> str:
    return ", ".join(dict.fromkeys(reading.trial.host.name for reading in readings))


def _fails(reading: Reading, target: Target) -> bool:
    """Whether a block of this host is a failure: the place was declared to need it, and for more than an extra."""
    host = reading.trial.host
    return host.named or (target.role is not None and host.essential)


def _blocked(blocked: Sequence[Reading], found: Sequence[Reading], connections: Connections, target: Target) -> Finding:
    severe = [reading for reading in blocked if _fails(reading, target)]
    first = (severe or blocked)[0]
    verdict = Verdict.FAIL if severe else Verdict.WARN
    if all(reading.block is Block.LOCAL for reading in blocked):
        verdict = Verdict.INCONCLUSIVE
    told = "; ".join(reading.sentence for reading in blocked)
    return Finding(
        verdict=verdict,
        summary=f"{len(blocked)} of {len(found)} hosts that this place needs cannot be reached: {told}"
        f"{_twin(first, found, connections)}",
        hop=first.hop,
        owner=first.owner,
        expected=f"{_names(found)} reachable from here",
        seen=told,
        evidence=(_table(found), *first.proof),
        remedy=_remedy(first, blocked, target),
        sources=SOURCES,
    )


def _twin(first: Reading, found: Sequence[Reading], connections: Connections) -> str:
    """What works from here beside it: that turns "down" into "filtered", or the other way round."""
    if first.block not in {Block.REFUSED, Block.SILENCE, Block.NO_WAY, Block.RESET, Block.HANDSHAKE}:
        return ""
    reached = [reading.trial.host.name for reading in found if reading.block is None]
    target_works = not isinstance(connections, NotMeasured) and any(
        one.blocked_by is None for one in connections.facts.values()
    )
    reached += ["the target"] if target_works else []
    if reached:
        return f"; {reached[0]} is reached from here, so it is filtered on the way, or down"
    return "; nothing else is reached from here either, so this machine may have no way out at all"


_ADVICE = {
    Block.NAME: "Let the resolver of this place answer for {names}: add a forwarding rule, or allow the name there.",
    Block.SINKHOLE: "Allow {names} in the DNS filter (response-policy zone, Pi-hole, security agent).",
    Block.REFUSED: "Allow TCP to {names} on port {port} in the firewall that rejects it (a reject rule looks like a "
    "closed port).",
    Block.SILENCE: "Allow outgoing TCP to {names} on port {port}: security group, network policy, firewall, NAT route.",
    Block.NO_WAY: 'Give this place a route to {names} (NAT gateway, VPN), or lift the rule that answers "prohibited".',
    Block.RESET: "Look for a filter that accepts connections to {names} and resets them at once: allow the host.",
    Block.SNI: "Allow the server name {names} in the firewall that reads it from TLS (FQDN or URL filtering rule).",
    Block.HANDSHAKE: "Look for a filter that cuts TLS to {names}; allow the host by name, without inspection.",
    Block.PROXY: "Allow CONNECT to {names}:{port} at the proxy {proxy}, or exclude the host by NO_PROXY if there is a "
    "direct way.",
    Block.STRANGER: "Find what answers for {names}: a DNS filter's block page, a captive portal or a wrong record. "
    "Allow the host there.",
    Block.UNTRUSTED: "If a TLS inspecting firewall is in use, exempt {names} from it, or give its CA to all programs "
    "(SSL_CERT_FILE, REQUESTS_CA_BUNDLE, NODE_EXTRA_CA_CERTS).",
    Block.PAGE: "Allow {names} in the web filter that shows the page, or log in to the network's portal.",
    Block.PATH: "Allow all paths and methods of {names}, not only /: SDKs POST to /api.",
    Block.CUT: "Allow {names} without content inspection: the connection stands, and requests on it are cut off.",
    Block.LOCAL: "Allow this machine to send (local firewall, IPv6 route, resolver), then run again.",
    Block.INSPECTED: "Exempt {names} from TLS inspection, or give the inspecting CA to all programs.",
}


def _remedy(first: Reading, blocked: Sequence[Reading], target: Target) -> Remedy:
    assert first.block is not None
    same = [reading for reading in blocked if reading.block is first.block]
    port = first.trial.connections[0].port if first.trial.connections else 443
    text = _ADVICE[first.block].format(names=_names(same), port=port, proxy=first.trial.proxy)
    needed = f" {first.trial.host.name} is needed for {first.trial.host.why}."
    curl = f"curl -sv -o /dev/null {first.trial.host.url}"
    if first.block is Block.PROXY or first.trial.proxy:
        curl = f"curl -sv -o /dev/null --proxy {first.trial.proxy} {first.trial.host.url}"
    return Remedy(text=text + needed, snippets=(Snippet(product="shell", code=curl),))


def _half_reached(notes: Sequence[str], found: Sequence[Reading]) -> Finding:
    return Finding(
        verdict=Verdict.WARN,
        summary=f"every host is reached, but {'; '.join(notes)}: new connections may lose time before they fall back",
        hop=HopName.NETWORK,
        owner=Owner.NETWORK,
        expected="both IP versions, or no IPv6 at all",
        seen="; ".join(notes),
        evidence=(_table(found),),
        remedy=Remedy(text="Mend the IPv6 way out (route, firewall), or take IPv6 from this machine altogether."),
        sources=("RFC 8305",),
    )


def _table(found: Sequence[Reading]) -> Evidence:
    rows = [
        (
            reading.trial.host.url,
            reading.trial.host.why,
            f"{reading.trial.proxy} ({reading.trial.proxy_note})" if reading.trial.proxy else "direct",
            str(reading.block or "reached"),
            reading.detail or (words(reading.trial.answer) if reading.trial.answer else ""),
        )
        for reading in found
    ]
    return evidence.table("Hosts tried from here", ("host", "needed for", "way", "outcome", "seen"), rows)


def tls_not_intercepted(egress: Egress, target: Target) -> Finding:
    """The claim of egress.tls-not-intercepted."""
    spoken = [trial for trial in egress.needed if any(one.handshake for one in trial.connections)]
    if not spoken:
        return Finding(verdict=Verdict.SKIP, summary="no TLS connection to another host came about")
    vendors = {trial.host.name: vendor for trial in spoken if (vendor := interceptor(trial))}
    if not vendors:
        issuers = dict.fromkeys(_issuer(trial) for trial in spoken)
        return Finding(
            verdict=Verdict.PASS,
            summary=f"no certificate of {len(spoken)} {'host' if len(spoken) == 1 else 'hosts'} reads like a TLS "
            f"inspecting product's: issued by {', '.join(filter(None, issuers))}",
        )
    return _intercepted([trial for trial in spoken if trial.host.name in vendors], next(iter(vendors.values())), target)


def _issuer(trial: HostTrial) -> str:
    return next((short_name(one.leaf.issuer) for one in trial.connections if one.leaf), "")


def _intercepted(trials: Sequence[HostTrial], vendor: str, target: Target) -> Finding:
    readings = [read(trial) for trial in trials]
    untrusted = [reading for reading in readings if reading.block is not None]
    severe = [reading for reading in untrusted if _fails(reading, target)]
    names = _names(readings)
    issuer = _issuer(trials[0])
    effect = (
        "and this machine does not trust it: every SDK here fails"
        if untrusted
        else "which this machine's store trusts; Python packages that bring certificates of their own (requests, "
        "certifi) and Node.js do not"
    )
    at_proxy = bool(trials[0].proxy)
    shown = {f"{trial.host.name} {one.label}": one for trial in trials for one in trial.connections}
    return Finding(
        verdict=Verdict.FAIL if severe else Verdict.WARN,
        summary=f"TLS to {names} is intercepted by what looks like {vendor} (issuer {issuer}), {effect}",
        hop=HopName.PROXY if at_proxy else HopName.NETWORK,
        owner=Owner.PROXY if at_proxy else Owner.NETWORK,
        expected="the host's own certificate, from a public CA",
        seen=f"issuer {issuer}",
        evidence=chains(shown),
        remedy=Remedy(
            text=f"Exempt {names} from TLS inspection; where that cannot be, give the inspecting CA, beside the public "
            "ones, to every program.",
            snippets=(
                Snippet(
                    product="shell",
                    code="export SSL_CERT_FILE=/path/to/bundle.pem REQUESTS_CA_BUNDLE=/path/to/bundle.pem\n"
                    "export NODE_EXTRA_CA_CERTS=/path/to/inspecting-ca.pem",
                ),
                Snippet(product="Helm (chart 6.11.0 and later)", code="api:\n  customCA:\n    enabled: true"),
            ),
        ),
        sources=("https://www.braintrust.dev/docs (SSL certificate verification behind a proxy)", "RFC 5280 section 6"),
    )


# Ways in which the host itself answered after all, though a client would not be content with it.
_ANSWERS_ALL_THE_SAME = frozenset({Block.UNTRUSTED, Block.PATH})


def blocked_hosts_stay_blocked(egress: Egress, connections: Connections) -> Finding:
    """The claim of egress.blocked-hosts-stay-blocked."""
    if not egress.unwanted:
        return Finding(verdict=Verdict.SKIP, summary="no host was named that must stay blocked: --expect-blocked URL")
    found = [read(trial) for trial in egress.unwanted]
    open_ = [reading for reading in found if reading.block is None or reading.block in _ANSWERS_ALL_THE_SAME]
    if open_:
        return _open(open_, found)
    local = [reading for reading in found if reading.block is Block.LOCAL]
    if local or not _has_twin(egress, connections):
        return _not_proved(found)
    return Finding(
        verdict=Verdict.PASS,
        summary=f"{_count(len(found))} stays blocked: {'; '.join(reading.sentence for reading in found)}",
        evidence=(_table(found),),
    )


def _has_twin(egress: Egress, connections: Connections) -> bool:
    """Whether anything at all was reached from here."""
    if any(read(trial).block is None for trial in egress.needed):
        return True
    return not isinstance(connections, NotMeasured) and any(
        one.blocked_by is None for one in connections.facts.values()
    )


def _open(open_: Sequence[Reading], found: Sequence[Reading]) -> Finding:
    told = ", ".join(_reached(reading.trial) for reading in open_)
    shown = open_[0].trial
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{len(open_)} of {len(found)} hosts that must stay blocked can be reached from here: {told}",
        hop=HopName.NETWORK,
        owner=Owner.NETWORK,
        expected=f"no answer from {_names(found)}",
        seen=told,
        evidence=(_table(found), *((evidence.exchange(shown.answer),) if shown.answer else ())),
        remedy=Remedy(
            text=f"Close the way from this place to {_names(open_)}: firewall, security group, proxy rule, or the "
            "name in DNS.",
            snippets=(Snippet(product="shell", code=f"curl -sv -o /dev/null {shown.host.url}"),),
        ),
        sources=SOURCES,
    )


def _not_proved(found: Sequence[Reading]) -> Finding:
    told = "; ".join(reading.sentence for reading in found)
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"{_names(found)} cannot be reached, but nothing else was reached from here either, so that proves no "
        "block: name a host that must be reachable with --allow URL",
        hop=HopName.CLIENT,
        owner=Owner.CLIENT,
        expected="another host that is reached on the same way",
        seen=told,
        evidence=(_table(found),),
    )
