"""How a host is blocked, if it is: from what was seen to the way of blocking, its layer and who can lift it.

Each way has look-alikes, so that an error number alone decides nothing: a refusal may be a firewall's or a dead
service's, silence a filter's or a dead host's. What proves more is named: an ICMP message and its sender, another
server name in TLS that works on the same address, another resolver's answer, a proxy's own answer, a page, an issuer,
and what else is reached from the same place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from btdiag.core import evidence
from btdiag.core.address import AddressKind, kind
from btdiag.core.answers import in_words
from btdiag.core.certificate_names import speaks_for
from btdiag.core.exchange import Failure, Phase, Trouble
from btdiag.core.finding import HopName, Owner, Verdict
from btdiag.core.handshake import Connection, got_furthest
from btdiag.core.resolution import Resolution, View
from btdiag.core.target import Proxy, Target
from btdiag.families.connection.judge.diagnosis import diagnose
from btdiag.families.connection.judge.handshake import is_alert, speaks_plain
from btdiag.families.connection.judge.proxy import kind_of_refusal, proxy_lets_through
from btdiag.families.connection.judge.reach import lacks_route, phases
from btdiag.families.connection.judge.trust import chains
from btdiag.families.connection.remedy import TrustCause
from btdiag.families.dns.judge.resolves import questions_table
from btdiag.families.dns.remedy import why_unresolved
from btdiag.families.egress.facts import HostTrial
from btdiag.families.egress.judge.answers import answered, is_block_page
from btdiag.families.egress.judge.redirects import led_on
from btdiag.families.egress.judge.trust import interceptor, is_doubtful, issuer
from btdiag.families.egress.remedy import Block, HostReading

_NOWHERE = frozenset({AddressKind.UNSPECIFIED, AddressKind.MULTICAST, AddressKind.LOOPBACK})
_ENETUNREACH = 101  # on Linux


def host_readings(
    trials: Sequence[HostTrial], *, target_reached: bool, known: Collection[str] = ()
) -> list[HostReading]:
    """Every host understood, each in the light of the others and of the target; `known` are names of hosts that are
    looked at elsewhere."""
    found = [host_reading(trial) for trial in trials]
    reached = [reading for reading in found if reading.block is None]
    names = {*known, *(trial.host.name for trial in trials)}
    return [led_on(_beside(reading, reached, target_reached), names) for reading in found]


def host_reading(trial: HostTrial) -> HostReading:
    """What became of one host, by itself."""
    reading = _read(trial)
    if reading.block is not None and trial.other_way:
        return replace(reading, detail=f"{reading.detail}, {_other_way(trial)}")
    return reading


def _read(trial: HostTrial) -> HostReading:
    if not trial.proxy and not trial.resolution.addresses:
        return _unresolved(trial)
    if not trial.connections:
        return _sunk(trial)
    working = [one for one in trial.connections if one.blocked_by is None]
    trusted = [one for one in working if one.distrust is None]
    if trusted:
        reading = answered(trial, trusted)
        withheld = _withheld(trial.resolution)
        if not withheld or reading.block is not None or reading.note:
            return reading
        return replace(reading, note=withheld, hop=HopName.DNS, owner=Owner.DNS)
    return _distrusted(trial, working[0]) if working else _unconnected(trial)


def _beside(reading: HostReading, reached: Sequence[HostReading], target_reached: bool) -> HostReading:
    """What the other hosts add: a path beside another one that gets through, and that not everything is led astray."""
    if reading.block is Block.PAGE:
        place = urlsplit(reading.trial.host.url)[:2]
        well = [one.trial.host.url for one in reached if urlsplit(one.trial.host.url)[:2] == place]
        if well:
            return replace(reading, block=Block.PATH, detail=f"{well[0]} gets through, here comes {reading.detail}")
    if reading.block is Block.STRANGER and (reached or target_reached) and not reading.trial.proxy:
        return replace(reading, hop=HopName.DNS, owner=Owner.DNS)
    return reading


def _other_way(trial: HostTrial) -> str:
    if trial.other is None:
        return f"{trial.other_way} its name does not resolve"
    well = trial.other.blocked_by is None and trial.other.distrust is None
    return f"{trial.other_way} {'a connection comes about' if well else 'neither'}"


def _unresolved(trial: HostTrial) -> HostReading:
    reason = why_unresolved(trial.resolution)
    local = reason.verdict is Verdict.INCONCLUSIVE
    known = any(_usable(view) for view in trial.resolution.views[1:])
    block = Block.LOCAL if local else Block.FILTERED if known else Block.NAME
    return HostReading(
        trial=trial,
        block=block,
        detail=reason.summary,
        hop=HopName.CLIENT if local else HopName.DNS,
        owner=reason.owner,
        proof=(questions_table(trial.resolution),),
    )


def _sunk(trial: HostTrial) -> HostReading:
    elsewhere = [f"{view.label} answers {', '.join(_usable(view))}" for view in _others(trial.resolution)]
    return HostReading(
        trial=trial,
        block=Block.SINKHOLE,
        detail=", ".join([*trial.misled, *elsewhere]),
        hop=HopName.DNS,
        owner=Owner.DNS,
        proof=(questions_table(trial.resolution),) if trial.resolution.views else (),
    )


def _usable(view: View) -> tuple[str, ...]:
    return tuple(address for address in view.addresses if kind(address) not in _NOWHERE)


def _others(resolution: Resolution) -> list[View]:
    """The resolvers that were asked for comparison and give an address that can be connected to."""
    return [view for view in resolution.views[1:] if _usable(view)]


def _withheld(resolution: Resolution) -> str:
    """A resolver asked for comparison that does not give the name which the first one gives."""
    if not resolution.views or not _usable(resolution.views[0]):
        return ""
    for view in resolution.views[1:]:
        denied = not view.addresses and any(server.outcome.denies for server in view.servers)
        if denied or (view.addresses and not _usable(view)):
            told = f"gives {', '.join(view.addresses)} for" if view.addresses else "denies that there is"
            first = resolution.views[0].label
            return f"the resolver {view.label} {told} {resolution.name}, unlike {first} (a filter, or another zone)"
    return ""


_BY_TROUBLE = {
    Trouble.REFUSED: Block.REFUSED,
    Trouble.TIMEOUT: Block.SILENCE,
    Trouble.UNREACHABLE: Block.NO_WAY,
    Trouble.RESET: Block.RESET,
    Trouble.CLOSED: Block.RESET,
    Trouble.LOCAL: Block.LOCAL,
}
_CUTS = frozenset({Trouble.RESET, Trouble.CLOSED, Trouble.TIMEOUT})


def _unconnected(trial: HostTrial) -> HostReading:
    seen = {one.label: one for one in trial.connections}
    furthest = got_furthest(seen) or trial.connections[0]
    if furthest.broke_at is Phase.PROXY:
        return _proxy(trial, seen)
    proof = (phases(seen),)
    told = ", ".join(f"{label}: {_seen(one)}" for label, one in seen.items())
    if furthest.broke_at is Phase.TLS and furthest.hangs_up:
        told += ", before anything was sent as well"
        return HostReading(trial=trial, block=Block.RESET, detail=told, proof=proof)
    if furthest.broke_at is Phase.TLS:
        block, detail = _handshake(furthest, told)
        return HostReading(trial=trial, block=block, detail=detail, hop=HopName.TLS, proof=proof)
    block, hop, owner = _unconnected_block(furthest)
    if all(one.failure and not one.failure.icmp and lacks_route(one.label, one.failure) for one in seen.values()):
        block, hop, owner = Block.LOCAL, HopName.CLIENT, Owner.CLIENT
    return HostReading(trial=trial, block=block, detail=told, hop=hop, owner=owner, proof=proof)


def _unconnected_block(one: Connection) -> tuple[Block, str, str]:
    failure = one.trouble
    if failure is None:
        return Block.CUT, HopName.NETWORK, Owner.NETWORK
    if failure.icmp is not None and failure.icmp.rejects:
        own = failure.icmp.own
        return Block.REJECTED, *((HopName.CLIENT, Owner.CLIENT) if own else (HopName.NETWORK, Owner.NETWORK))
    block = _BY_TROUBLE.get(failure.trouble, Block.CUT)
    if block is Block.LOCAL or _has_no_route(failure):
        return block, HopName.CLIENT, Owner.CLIENT
    return block, HopName.NETWORK, Owner.NETWORK


def _has_no_route(failure: Failure) -> bool:
    """Whether this machine itself has no route: the same error from the network comes with an ICMP message."""
    return failure.errno == _ENETUNREACH and failure.icmp is None


def _seen(one: Connection) -> str:
    if one.trouble is None:
        return "no TLS"
    if one.trouble.icmp is not None:
        return one.trouble.icmp.words
    return "this machine has no route to it" if _has_no_route(one.trouble) else one.trouble.detail


def _handshake(one: Connection, told: str) -> tuple[Block, str]:
    """A filter by name is proved where the same address completes the handshake without the name. An alert, and plain
    HTTP on the port, are a server's own words: the URL may be wrong as well."""
    if speaks_plain(one, one.trouble):
        return Block.NO_TLS, f"{told}, and HEAD in plain HTTP is answered {one.plain_status}"
    if is_alert(one.trouble):
        wants = ", and it asks for a client certificate" if one.asks_certificate else ""
        return Block.ALERT, f"after the ClientHello: {told}{wants}"
    cut = one.trouble is not None and one.trouble.trouble in _CUTS
    if cut and one.without_sni == "succeeded":
        return Block.SNI, f"{told}, while without a server name the handshake completes on the same address"
    return Block.HANDSHAKE, f"after the ClientHello: {told}"


def _proxy(trial: HostTrial, seen: Mapping[str, Connection]) -> HostReading:
    parts = urlsplit(trial.host.url)
    one = next(iter(seen.values()))
    there = Target(
        url=trial.host.url,
        scheme=parts.scheme,
        host=trial.host.name,
        port=one.port,
        proxy=Proxy(url=trial.proxy, source=trial.proxy_note),
    )
    found = proxy_lets_through(seen, there)
    kinds = {"login": Block.PROXY_LOGIN, "unreachable": Block.BEYOND_PROXY}
    return HostReading(
        trial=trial,
        block=kinds.get(kind_of_refusal(one), Block.PROXY),
        detail=found.summary,
        hop=found.hop,
        owner=found.owner,
        proof=found.evidence,
    )


def _distrusted(trial: HostTrial, one: Connection) -> HostReading:
    """A certificate for another name is another server's; one for this name is the host's own or an interceptor's."""
    block, told, owner = _whose(trial, one)
    if trial.answer is not None and is_block_page(trial.answer) and block is Block.UNTRUSTED:
        block, owner = Block.PAGE, Owner.NETWORK
    shown = trial.answer if block is not Block.INSPECTED else None
    answer = f", and it answers {in_words(shown)}" if shown is not None else ""
    at_proxy = one.proxied and (block is not Block.UNTRUSTED or is_doubtful(trial))
    elsewhere = _elsewhere(trial) if block is Block.STRANGER else ""
    return HostReading(
        trial=trial,
        block=block,
        detail=f"{one.label}: {told}{answer}{elsewhere}",
        hop=HopName.PROXY if at_proxy else HopName.DNS if elsewhere else HopName.TLS,
        owner=Owner.PROXY if at_proxy else Owner.DNS if elsewhere else owner,
        proof=(*chains({one.label: one}), *((evidence.exchange(trial.answer),) if trial.answer else ())),
    )


def _whose(trial: HostTrial, one: Connection) -> tuple[Block, str, str]:
    leaf = one.leaf
    if leaf is not None and not speaks_for(leaf.names, trial.host.name) and interceptor(trial) is None:
        names = ", ".join(leaf.names[:4]) or leaf.subject
        told = f"it shows a certificate for {names}, issued by {issuer(trial)}, not for {trial.host.name}"
        return Block.STRANGER, told, Owner.NETWORK
    if interceptor(trial) is not None:
        return Block.INSPECTED, f"its certificate is issued by {issuer(trial)}", Owner.NETWORK
    if is_doubtful(trial):
        told = (
            f"its certificate is issued by {issuer(trial)}, which is no public CA and not trusted here: TLS "
            "inspection, or a private CA of the host"
        )
        return Block.UNTRUSTED, told, Owner.NETWORK
    found = diagnose(one, trial.host.name)
    block = Block.STRANGER if found.cause is TrustCause.WRONG_NAME else Block.UNTRUSTED
    return block, found.sentence, Owner.CLIENT if found.cause in _OURS else Owner.CERTIFICATES


_OURS = frozenset({TrustCause.WRONG_CLOCK, TrustCause.OLD_STORE})


def _elsewhere(trial: HostTrial) -> str:
    """Other addresses that another resolver gives prove that it is DNS which leads astray."""
    others = [view for view in _others(trial.resolution) if not set(view.addresses) & set(trial.resolution.addresses)]
    return "".join(f", the resolver {view.label} answers {', '.join(view.addresses)} instead" for view in others)
