"""Is TLS to other hosts opened on the way, and is it the same hand that opens it to the target?"""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.core.finding import Finding, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.target import Target
from btdiag.families.connection.judge.diagnosis import diagnose
from btdiag.families.connection.remedy import TrustCause
from btdiag.families.egress.facts import Egress, HostTrial
from btdiag.families.egress.judge.reach import Connections, host_names, target_reached, weighs_as_failure
from btdiag.families.egress.judge.reading import host_readings
from btdiag.families.egress.judge.trust import (
    acceptance,
    intercepted,
    interceptor,
    is_doubtful,
    issuer,
    issuers_doubted,
    stores_by_host,
)


def tls_not_intercepted(egress: Egress, connections: Connections, target: Target) -> Finding:
    """The claim of egress.tls-not-intercepted."""
    spoken = [trial for trial in egress.needed if any(one.handshake for one in trial.connections)]
    if not spoken:
        return Finding(verdict=Verdict.SKIP, summary="no TLS connection to another host came about")
    found = host_readings(spoken, target_reached=target_reached(connections))
    opened = {reading.trial: who for reading in found if (who := interceptor(reading.trial))}
    if opened:
        bad = [reading for reading in found if reading.trial in opened and reading.block is not None]
        names = host_names([reading for reading in found if reading.trial in opened])
        severe = any(weighs_as_failure(reading, target) for reading in bad)
        who = next(iter(opened.values()))
        if _opens_the_target_too(list(opened), connections, target):
            summary = f"TLS to {names} is opened by {who}, as TLS to the target is"
            return Finding(verdict=Verdict.SKIP, summary=summary, because="connection.tls-is-trusted")
        return intercepted(list(opened), [reading.trial for reading in bad], severe=severe, names=names, who=who)
    doubted = [reading for reading in found if is_doubtful(reading.trial)]
    if doubted:
        return issuers_doubted([reading.trial for reading in doubted], host_names(doubted))
    return _left_alone(spoken)


def _opens_the_target_too(opened: Sequence[HostTrial], connections: Connections, target: Target) -> bool:
    """Whether one CA signs for the target, which is not trusted for that reason, and for all of these hosts."""
    if isinstance(connections, NotMeasured):
        return False
    distrusted = [one for one in connections.facts.values() if one.distrust is not None]
    inspected = [one for one in distrusted if diagnose(one, target.host).cause is TrustCause.INSPECTED]
    signers = {one.leaf.issuer for one in inspected if one.leaf}
    shown = {one.leaf.issuer for trial in opened for one in trial.connections if one.leaf}
    return bool(shown) and shown <= signers


def _left_alone(spoken: Sequence[HostTrial]) -> Finding:
    issuers = dict.fromkeys(issuer(trial) for trial in spoken)
    told = [f"{trial.host.name} {said}" for trial in spoken if (said := acceptance(trial.stores))]
    return Finding(
        verdict=Verdict.PASS,
        summary=f"no certificate of {len(spoken)} {'host' if len(spoken) == 1 else 'hosts'} reads like a TLS "
        f"inspecting product's: issued by {', '.join(filter(None, issuers))}" + "".join(f"; {one}" for one in told),
        evidence=stores_by_host(spoken),
    )
