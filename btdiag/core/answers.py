"""Reading answers: is a GET / good, rate-limited or bad, and what do all requests to one address say together?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlsplit

from btdiag.core import evidence
from btdiag.core.exchange import Exchange, Phase, Trouble
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Verdict
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.sender import has_control_characters, json_body, page, redirect, request_ids, retry_after, sender

ROOT_ANSWERS = "readiness.root-answers"
Fact = TypeVar("Fact")


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """Several GET / on one address, each on a connection of its own, in the order in which they were sent."""

    exchanges: tuple[Exchange, ...]


class AnswerState(StrEnum):
    """What one answer is worth."""

    GOOD = "good"
    BAD = "bad"
    LIMITED = "rate-limited"
    LOCAL = "not sent"  # this machine's own trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class RootReading:
    """The answers of one address, sorted by what they are worth."""

    label: str
    good: tuple[Exchange, ...] = ()
    bad: tuple[Exchange, ...] = ()
    limited: tuple[Exchange, ...] = ()
    local: tuple[Exchange, ...] = ()

    @property
    def answers(self) -> bool:
        """At least one answer was good: what is wrong with the others is a question of steadiness."""
        return bool(self.good)

    @property
    def asked(self) -> int:
        """The number of requests that left this machine."""
        return len(self.good) + len(self.bad) + len(self.limited)


def facts_of(facts: PerAddress[Fact] | NotMeasured) -> dict[str, Fact]:
    """The facts by address, none where there was nothing to measure."""
    return {} if isinstance(facts, NotMeasured) else facts.facts


def root_readings(
    roots: PerAddress[Roots] | NotMeasured, version: PerAddress[Exchange] | NotMeasured
) -> dict[str, RootReading]:
    """Every address's answers to GET /. A web page at / is no fault where /version answers in JSON: the API is "
    "there."""
    versions = facts_of(version)
    speaking = {label for label, seen in versions.items() if json_body(seen) is not None}
    return {label: _reading(label, fact, label in speaking) for label, fact in facts_of(roots).items()}


def _reading(label: str, roots: Roots, speaks_json: bool) -> RootReading:
    sorted_out: dict[AnswerState, list[Exchange]] = {state: [] for state in AnswerState}
    for seen in roots.exchanges:
        sorted_out[state_of(seen, page_allowed=speaks_json)].append(seen)
    return RootReading(
        label=label,
        good=tuple(sorted_out[AnswerState.GOOD]),
        bad=tuple(sorted_out[AnswerState.BAD]),
        limited=tuple(sorted_out[AnswerState.LIMITED]),
        local=tuple(sorted_out[AnswerState.LOCAL]),
    )


def state_of(seen: Exchange, *, page_allowed: bool = False) -> AnswerState:
    """What an answer to GET / is worth: 200-399 is good, as for the platforms' health checks (AWS target groups of the
    Terraform module: matcher 200-399; Kubernetes: 200-399), unless it leads elsewhere or is a web page or no text."""
    if seen.failure is not None:
        return AnswerState.LOCAL if seen.failure.trouble is Trouble.LOCAL else AnswerState.BAD
    if seen.status == 429:
        return AnswerState.LIMITED
    if not 200 <= (seen.status or 0) < 400 or has_control_characters(seen):
        return AnswerState.BAD
    leads = redirect(seen)
    if leads is not None:
        stays = leads.same_host and not (leads.to_login or leads.to_https or leads.to_itself)
        return AnswerState.GOOD if stays else AnswerState.BAD
    return AnswerState.BAD if page(seen) and not page_allowed else AnswerState.GOOD


def is_gateway_hiccup(seen: Exchange) -> bool:
    """A failure that another try may not meet: a gateway's 502, 503 or 504, or a connection that broke."""
    if seen.failure is not None:
        return seen.failure.trouble in {Trouble.RESET, Trouble.CLOSED}
    return seen.status in {502, 503, 504}


_BROKE = {
    Trouble.REFUSED: "connection refused",
    Trouble.UNREACHABLE: "unreachable",
    Trouble.RESET: "a reset",
    Trouble.CLOSED: "a closed connection",
    Trouble.PROTOCOL: "something that is not HTTP",
    Trouble.UNTRUSTED: "an untrusted certificate",
    Trouble.ALERT: "a TLS alert",
    Trouble.PROXY_REFUSED: "a refusal of the proxy",
    Trouble.LOCAL: "an error of this machine",
}


def in_words(seen: Exchange) -> str:
    """An answer in a few words: "502 from nginx", "no answer within 6 s", "a reset"."""
    if seen.failure is not None:
        return _broken_words(seen)
    leads = redirect(seen)
    if leads is not None:
        return f"{seen.status} to {leads.url}"
    if has_control_characters(seen):
        return f"{seen.status} with control characters in it"
    kind = page(seen) if (seen.status or 0) < 400 else None
    return f"{seen.status} with {kind}" if kind else f"{seen.status}{sender(seen).origin}"


def _broken_words(seen: Exchange) -> str:
    failure = seen.failure
    assert failure is not None
    if failure.trouble is Trouble.TIMEOUT:
        what = {Phase.HEADERS: "no answer", Phase.BODY: "no end of the answer", Phase.TLS: "no TLS handshake"}
        return f"{what.get(failure.phase, 'no connection')} within {seen.timing.total_s:.0f} s"
    if failure.trouble is Trouble.TOO_LARGE:
        return "an endless header" if failure.phase is Phase.HEADERS else f"an oversized body ({failure.detail})"
    broke = _BROKE[failure.trouble]
    return f"{seen.status}, then {broke}" if seen.status else broke


def grouped(seen: Mapping[str, Exchange], of: int = 0) -> str:
    """Addresses by what they gave: "502 from nginx (127.0.0.2, 127.0.0.3); a reset (::1)". When all `of` addresses gave
    the same, their names are left out."""
    groups: dict[str, list[str]] = {}
    for label, one in seen.items():
        groups.setdefault(in_words(one), []).append(label)
    if len(groups) == 1 and len(seen) == of:
        return next(iter(groups))
    return "; ".join(f"{what} ({', '.join(labels)})" for what, labels in groups.items())


def unanswered(found: Mapping[str, RootReading]) -> Finding | None:
    """Why a check about the API cannot be judged: no address answers GET / well. None when at least one does."""
    if any(reading.answers for reading in found.values()):
        return None
    limited = [seen for reading in found.values() for seen in reading.limited]
    if limited:
        return rate_limited(limited[0])
    if all(reading.local and not reading.bad for reading in found.values()):
        return _local(found)
    return Finding(
        verdict=Verdict.SKIP, summary=f"because {ROOT_ANSWERS} failed: no address answers GET /", because=ROOT_ANSWERS
    )


def rate_limited(seen: Exchange) -> Finding:
    """The verdict when a 429 stands in the way: nothing is known, and the answer says when to come back."""
    who, when = sender(seen), retry_after(seen)
    path = urlsplit(seen.url).path or "/"
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"rate limited: {seen.method} {path} on {seen.label} is answered 429 by {who.words}"
        + (f", which asks to wait {when}" if when else ""),
        hop=who.hop,
        owner=who.owner,
        expected="an answer other than 429",
        seen=in_words(seen),
        evidence=(evidence.exchange(seen),),
        remedy=Remedy(
            text=f"Run again{f' after {when}' if when else ' in a minute'}, or from an address that is not limited."
        ),
        sources=("RFC 6585 section 4", "RFC 9110 section 10.2.3"),
    )


def _local(found: Mapping[str, RootReading]) -> Finding:
    seen = next(reading.local[0] for reading in found.values())
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"this machine could not send the request: {seen.failure.detail if seen.failure else ''}",
        hop=HopName.CLIENT,
        owner=Owner.CLIENT,
        expected="a request that leaves this machine",
        seen=in_words(seen),
        evidence=(evidence.exchange(seen),),
        remedy=Remedy(
            text="Allow this machine to open connections (local firewall, limit of open files), then run again."
        ),
    )


def roots_table(found: Mapping[str, RootReading]) -> Evidence:
    """Every address: how many requests, how many good, and the first bad answer with the ids that vendors gave it."""
    rows = [
        (
            label,
            reading.asked,
            len(reading.good),
            in_words(reading.bad[0]) if reading.bad else in_words((*reading.limited, *reading.good, *reading.local)[0]),
            " ".join(f"{name}={value}" for name, value in request_ids(reading.bad[0]).items()) if reading.bad else "",
        )
        for label, reading in found.items()
    ]
    return evidence.table("GET / on every address", ("address", "requests", "good", "answer", "request ids"), rows)


def exchange_proofs(seen: Exchange) -> tuple[Evidence, ...]:
    """One exchange, and the curl command that repeats it on the same address."""
    return evidence.exchange(seen), evidence.curl(seen)


def listed(labels: Sequence[str], of: int) -> str:
    """The subject of a sentence about addresses: "127.0.0.2" when it is the only one, else "2 of 3 addresses"."""
    return labels[0] if of == 1 else f"{len(labels)} of {of} addresses"
