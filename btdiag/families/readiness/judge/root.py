"""Is the API there: GET / on every address. One cause, one failure: an address that never answers, answers that differ
between addresses, answers that come and go, and slow ones are four different claims."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from btdiag.core import evidence
from btdiag.core.answers import (
    RootReading,
    Roots,
    exchange_proofs,
    facts_of,
    grouped,
    in_words,
    listed,
    rate_limited,
    root_readings,
    roots_table,
    unanswered,
)
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Finding, HopName, Owner, Remedy, Verdict
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.statuses import SOURCES, explain_answer
from btdiag.families.readiness.facts import Arrival
from btdiag.families.readiness.judge.alike import version_name
from btdiag.families.readiness.judge.arriving import NOTHING_TRIED, arrival_evidence, as_it_arrives
from btdiag.families.readiness.judge.beside import direct_evidence, with_backend

EXPECTED = "200-399 to GET / on every address, from the API server itself: no login, no web page, no other host"
SLOW_S = 2.0  # a first byte later than this is felt by every user of the web app, which asks for many things in turn
TOO_SLOW_S = 5.0  # the timeout of the health checks in the Helm chart and in the Terraform module's target groups

PerRoots = PerAddress[Roots] | NotMeasured
PerExchange = PerAddress[Exchange] | NotMeasured


def root_answers(
    roots: PerRoots,
    version: PerExchange,
    backend: Exchange | NotMeasured,
    arrival: Arrival | NotMeasured = NOTHING_TRIED,
) -> Finding:
    """The claim of readiness.root-answers: GET / is answered on at least one address."""
    found = root_readings(roots, version)
    answering = [label for label, reading in found.items() if reading.answers]
    if answering:
        return _root_answers(found, answering)
    gate = unanswered(found)
    if gate is not None and gate.verdict is Verdict.INCONCLUSIVE:
        return gate
    return _no_root(found, backend, arrival if isinstance(arrival, Arrival) else NOTHING_TRIED)


def _root_answers(found: Mapping[str, RootReading], answering: list[str]) -> Finding:
    status = found[answering[0]].good[0].status
    others = len(found) - len(answering)
    note = f"; {others} not, see readiness.every-address-agrees" if others else ""
    where = answering[0] if len(found) == 1 else f"{len(answering)} of {len(found)} addresses"
    return Finding(
        verdict=Verdict.PASS, summary=f"GET / is answered {status} on {where}{note}", evidence=(roots_table(found),)
    )


def _no_root(found: Mapping[str, RootReading], backend: Exchange | NotMeasured, arrival: Arrival) -> Finding:
    worst = {label: reading.bad[0] for label, reading in found.items() if reading.bad}
    shown = next(iter(worst.values()))
    first = explain_answer(shown)
    story = as_it_arrives(first, arrival) or with_backend(first, shown, backend)
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"GET / fails on {listed(list(worst), len(found))} with {grouped(worst, len(found))}: {story.cause}",
        hop=story.hop,
        owner=story.owner,
        expected=EXPECTED,
        seen=in_words(shown),
        evidence=(*exchange_proofs(shown), roots_table(found), *direct_evidence(backend), *arrival_evidence(arrival)),
        remedy=story.remedy,
        sources=SOURCES,
    )


def every_address_agrees(roots: PerRoots, version: PerExchange, several: frozenset[str] = frozenset()) -> Finding:
    """The claim of readiness.every-address-agrees: all addresses answer, alike, with the same version of the API."""
    found = root_readings(roots, version)
    gate = unanswered(found)
    if gate is not None:
        return gate
    broken = {label: reading.bad[0] for label, reading in found.items() if not reading.answers and reading.bad}
    if broken:
        return _disagree(found, broken)
    limited = [seen for reading in found.values() if not reading.answers for seen in reading.limited]
    if limited:
        return rate_limited(limited[0])
    known = {label: seen for label, seen in facts_of(version).items() if label not in several}
    return _statuses_differ(found) or _versions_differ(found, known) or _agree(found)


def _disagree(found: Mapping[str, RootReading], broken: Mapping[str, Exchange]) -> Finding:
    shown = next(iter(broken.values()))
    story = explain_answer(shown)
    fine = [label for label, reading in found.items() if reading.answers]
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{len(broken)} of {len(found)} addresses never {'answers' if len(broken) == 1 else 'answer'} GET / "
        f"well: {grouped(broken)}, while {', '.join(fine)} {'does' if len(fine) == 1 else 'do'}: {story.cause}",
        hop=story.hop,
        owner=story.owner,
        expected=EXPECTED,
        seen=grouped(broken),
        evidence=(roots_table(found), *exchange_proofs(shown)),
        remedy=Remedy(
            text=f"Take {', '.join(broken)} out of DNS until it is mended: clients pick an address at random and do "
            f"not try another after an HTTP error. {story.remedy.text}",
            snippets=story.remedy.snippets,
        ),
        sources=SOURCES,
    )


def _statuses_differ(found: Mapping[str, RootReading]) -> Finding | None:
    statuses = {label: reading.good[0].status for label, reading in found.items() if reading.answers}
    if len(set(statuses.values())) < 2:
        return None
    seen = ", ".join(f"{label}: {status}" for label, status in statuses.items())
    return Finding(
        verdict=Verdict.WARN,
        summary=f"the addresses answer GET / with different statuses ({seen})",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="the same status on every address",
        seen=seen,
        evidence=(roots_table(found),),
        remedy=Remedy(
            text="Give all load balancer nodes the same configuration: what a client gets depends on chance."
        ),
        sources=("RFC 9110 section 15",),
    )


def _versions_differ(found: Mapping[str, RootReading], versions: Mapping[str, Exchange]) -> Finding | None:
    known = {label: name for label, seen in versions.items() if label in found and (name := version_name(seen))}
    if len(set(known.values())) < 2:
        return None
    seen = ", ".join(f"{label}: {name}" for label, name in known.items())
    return Finding(
        verdict=Verdict.WARN,
        summary=f"the addresses serve {len(set(known.values()))} different versions of the API ({seen})",
        hop=HopName.API,
        owner=Owner.API,
        expected="the same version on every address",
        seen=seen,
        evidence=(evidence.table("GET /version", ("address", "version"), list(known.items())),),
        remedy=Remedy(
            text="If no upgrade is under way, upgrade or remove the servers that were left behind: users meet both "
            "versions."
        ),
        sources=("https://www.braintrust.dev/docs/admin/self-hosting",),
    )


def _agree(found: Mapping[str, RootReading]) -> Finding:
    if len(found) == 1:
        return Finding(
            verdict=Verdict.PASS, summary=f"there is one address, {next(iter(found))}: nothing to disagree with"
        )
    return Finding(
        verdict=Verdict.PASS, summary=f"all {len(found)} addresses answer GET / alike", evidence=(roots_table(found),)
    )


def answers_steadily(roots: PerRoots, version: PerExchange) -> Finding:
    """The claim of readiness.answers-steadily: an address that answers does so every time."""
    found = root_readings(roots, version)
    gate = unanswered(found)
    if gate is not None:
        return gate
    answering = {label: reading for label, reading in found.items() if reading.answers}
    flapping = {label: reading for label, reading in answering.items() if reading.bad}
    if flapping:
        return _flaps(answering, flapping)
    limited = [seen for reading in answering.values() for seen in reading.limited]
    if limited:
        return rate_limited(limited[0])
    asked = sum(reading.asked for reading in answering.values())
    return Finding(
        verdict=Verdict.PASS,
        summary=f"{asked} of {asked} requests were answered on {len(answering)} "
        f"{'address' if len(answering) == 1 else 'addresses'}",
        evidence=(roots_table(answering),),
    )


def _flaps(answering: Mapping[str, RootReading], flapping: Mapping[str, RootReading]) -> Finding:
    bad = sum(len(reading.bad) for reading in flapping.values())
    asked = sum(reading.asked for reading in answering.values())
    shown = next(iter(flapping.values())).bad[0]
    story = explain_answer(shown)
    counts = ", ".join(f"{label}: {len(reading.bad)} of {reading.asked}" for label, reading in flapping.items())
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"GET / comes and goes: {bad} of {asked} requests failed with {in_words(shown)} ({counts}): "
        f"{story.cause}",
        hop=story.hop,
        owner=story.owner,
        expected=f"{asked} of {asked} requests answered 200-399",
        seen=f"{bad} of {asked} failed",
        evidence=(roots_table(answering), *exchange_proofs(shown)),
        remedy=Remedy(
            text="One of several backends or load balancer nodes is likely broken while the others serve: find the "
            f"one whose health check flaps or fails, and take it out. {story.remedy.text}",
            snippets=story.remedy.snippets,
        ),
        sources=SOURCES,
    )


def answers_promptly(roots: PerRoots, version: PerExchange) -> Finding:
    """The claim of readiness.answers-promptly: the first byte of GET / comes within 2 s, by the median of each "
    "address."""
    found = root_readings(roots, version)
    gate = unanswered(found)
    if gate is not None:
        return gate
    medians = {label: _first_byte(reading) for label, reading in found.items() if reading.answers}
    slowest = max(medians, key=lambda label: medians[label])
    seconds = medians[slowest]
    shown = f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
    table = evidence.table(
        "Median time to the first byte of GET /", ("address", "seconds"), [(k, round(v, 4)) for k, v in medians.items()]
    )
    if seconds <= SLOW_S:
        where = "" if len(medians) == 1 else f" on the slowest of {len(medians)} addresses"
        return Finding(
            verdict=Verdict.PASS, summary=f"the first byte of GET / comes after {shown}{where}", evidence=(table,)
        )
    late = seconds > TOO_SLOW_S
    consequence = (
        "the platforms' health checks give up after 5 s" if late else "every page of the web app waits as long"
    )
    return Finding(
        verdict=Verdict.FAIL if late else Verdict.WARN,
        summary=f"the first byte of GET / comes after {shown} on {slowest} (median): {consequence}",
        hop=HopName.API,
        owner=Owner.API,
        expected=f"a first byte within {SLOW_S:g} s; the health checks' limit is {TOO_SLOW_S:g} s",
        seen=shown,
        evidence=(table, *exchange_proofs(found[slowest].good[0])),
        remedy=Remedy(
            text="Ask the API server directly (--backend) to see which side is slow; a slow one needs more replicas "
            "or CPU, as a blocked event loop delays every request, else look at the load balancer and the network."
        ),
        sources=("https://www.braintrust.dev/docs/admin/self-hosting",),
    )


def _first_byte(reading: RootReading) -> float:
    return median(seen.timing.first_byte_s or 0.0 for seen in reading.good)
