"""Isolation: do the hosts that must not be reachable from here stay blocked, on every way there is?"""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.core import evidence
from btdiag.core.finding import Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.families.egress.facts import Egress
from btdiag.families.egress.judge.answers import is_block_page
from btdiag.families.egress.judge.reach import (
    SOURCES,
    Connections,
    host_names,
    hosts_table,
    how_many,
    reached_words,
    target_reached,
)
from btdiag.families.egress.judge.reading import host_readings
from btdiag.families.egress.remedy import Block, HostReading

# Ways in which the host itself answered after all, though a client would not be content with it.
_ANSWERS_ALL_THE_SAME = frozenset({Block.UNTRUSTED, Block.PATH, Block.METHOD, Block.BODY, Block.UPGRADE})


def blocked_hosts_stay_blocked(egress: Egress, connections: Connections) -> Finding:
    """The claim of egress.blocked-hosts-stay-blocked."""
    if not egress.unwanted:
        return Finding(verdict=Verdict.SKIP, summary="no host was named that must stay blocked: --expect-blocked URL")
    found = host_readings(egress.unwanted, target_reached=target_reached(connections))
    open_ = [reading for reading in found if _is_open(reading)]
    if open_:
        return _open(open_, found)
    strange = [reading for reading in found if reading.block is Block.STRANGER and not _shows_page(reading)]
    if strange:
        return _not_proved(strange, _SOMEBODY)
    local = [reading for reading in found if reading.block is Block.LOCAL]
    if local or not _has_twin(egress, connections):
        return _not_proved(found, _NOTHING_REACHED)
    return Finding(
        verdict=Verdict.PASS,
        summary=f"{how_many(len(found))} stays blocked: {'; '.join(reading.sentence for reading in found)}",
        evidence=(hosts_table(found),),
    )


def _is_open(reading: HostReading) -> bool:
    """Whether the host is reached: at once, by who opens TLS on the way and lets the requests through, or on the way
    that was not chosen (past the proxy, or through it)."""
    other = reading.trial.other
    if other is not None and other.blocked_by is None:
        return True
    if reading.block is Block.INSPECTED:
        return not _shows_page(reading)
    return reading.block is None or reading.block in _ANSWERS_ALL_THE_SAME


def _way_in(reading: HostReading) -> str:
    trial = reading.trial
    return reached_words(reading) if trial.other is None else f"{reading.name} ({trial.other_way})"


def _shows_page(reading: HostReading) -> bool:
    return reading.trial.answer is None or is_block_page(reading.trial.answer)


def _has_twin(egress: Egress, connections: Connections) -> bool:
    """Whether anything at all was reached from here."""
    reached = target_reached(connections)
    return reached or any(one.block is None for one in host_readings(egress.needed, target_reached=False))


def _open(open_: Sequence[HostReading], found: Sequence[HostReading]) -> Finding:
    told = ", ".join(_way_in(reading) for reading in open_)
    shown = open_[0].trial
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{len(open_)} of {len(found)} hosts that must stay blocked can be reached from here: {told}",
        answer="Hosts that must stay blocked can be reached from here",
        hop=HopName.NETWORK,
        owner=Owner.NETWORK,
        expected=f"no answer from {host_names(found)}",
        seen=told,
        evidence=(hosts_table(found), *((evidence.exchange(shown.answer),) if shown.answer else ())),
        remedy=Remedy(
            action="Close the way out: firewall, security group, proxy rule, or the name in DNS",
            text=f"Close the way from this place to {host_names(open_)}: firewall, security group, proxy rule, or the "
            "name in DNS.",
            snippets=(Snippet(product="shell", code=f"curl -sv -o /dev/null {shown.host.url}"),),
        ),
        sources=SOURCES,
    )


_SOMEBODY = "somebody answers with a certificate for another name, so it cannot be told whether that is the host itself"
_NOTHING_REACHED = (
    "it cannot be reached, but nothing else was reached from here either, so that proves no block: name a host that "
    "must be reachable with --allow URL"
)


def _not_proved(found: Sequence[HostReading], why: str) -> Finding:
    told = "; ".join(reading.sentence for reading in found)
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"{host_names(found)}: {why}",
        hop=HopName.CLIENT,
        owner=Owner.CLIENT,
        expected="no answer, and another host that is reached on the same way",
        seen=told,
        evidence=(hosts_table(found),),
    )
