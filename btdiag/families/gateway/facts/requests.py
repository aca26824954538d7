"""Requests of every form that the product uses, each beside a plain one, and which of them were turned down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from btdiag.core.exchange import Exchange, TcpCounters, Trouble
from btdiag.core.finding import HopName
from btdiag.core.sender import Confidence, page, redirect, sender


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectTrials:
    """What was refused in front, asked again of the API server itself."""

    trials: tuple[RequestTrial, ...]

    def of(self, trial: RequestTrial) -> RequestTrial | None:
        """The same request at the API server; None where it was not asked."""
        return next((one for one in self.trials if (one.trait, one.what) == (trial.trait, trial.what)), None)


_REFUSALS = frozenset({400, 401, 403, 405, 406, 408, 411, 413, 414, 415, 417, 421, 426, 431, 494})
_SERVER_SIDE = frozenset({500, 501, 502, 503, 504, 505})
_APPLICATIONS_TOO = frozenset({400, 401, 403, 405, 406, 415, 417, 501})  # what an API may say by itself as well


class Trait(StrEnum):
    """What is special about a request."""

    METHOD = "method"
    OPTIONS = "OPTIONS"
    URL = "URL"
    HEADERS = "headers"
    COUNT = "number of headers"
    PATH = "path"
    EXPECT = "expectation"
    CODING = "packed body"
    AGENT = "user agent"
    CHUNKED = "chunked body"
    QUERY = "query"
    BODY = "body"


LARGE = frozenset({Trait.URL, Trait.HEADERS, Trait.BODY})
"""What makes a request longer than a packet, each in its own way."""
_POSTED = frozenset(Trait) - {Trait.URL, Trait.HEADERS, Trait.COUNT, Trait.PATH}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTrial:
    """One request that differs from the plain one in one trait. `size` in bytes (COUNT: headers), for sizes only."""

    trait: Trait
    what: str
    exchange: Exchange
    size: int = 0

    @property
    def early(self) -> bool:
        """The answer came before all of the request was sent: whoever gave it did not need the rest."""
        return self.exchange.status is not None and self.exchange.timing.first_byte_s == 0.0

    @property
    def timed_out(self) -> bool:
        """Nobody refused it: our own patience ended."""
        failure = self.exchange.failure
        return failure is not None and failure.trouble is Trouble.TIMEOUT


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyAnswers:
    """Short requests sent together on one connection (RFC 9112 section 9.3.2), of whose answers so many were begun and
    so many bytes received. `stalled` tells that the connection stood, and nothing more came."""

    label: str
    asked: int
    begun: int
    received: int
    stalled: bool
    counters: TcpCounters | None = None

    @property
    def complete(self) -> bool:
        """All of them came."""
        return self.begun >= self.asked


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRequests:
    """GET and POST to an unknown path, and the trials. `beyond` are trials of sizes that the product does not need,
    `unusual` those of forms that its clients do not send. `advertised` is what /version allows (bytes), None
    without. `in_small_packets` is the GET with the long URL once more, in packets that every path carries, where all
    that is long had met silence. `answers` are many short ones that come at once, so that they fill packets, and where
    that stalled once more in small packets."""

    plain_get: Exchange
    plain_post: Exchange
    trials: tuple[RequestTrial, ...]
    beyond: tuple[RequestTrial, ...] = ()
    advertised: int | None = None
    in_small_packets: Exchange | None = None
    answers: tuple[ManyAnswers, ...] = ()
    unusual: tuple[RequestTrial, ...] = ()

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All of them."""
        return (self.plain_get, self.plain_post, *(trial.exchange for trial in (*self.trials, *self.beyond)))

    @property
    def refused(self) -> tuple[RequestTrial, ...]:
        """The trials that were turned down for their form."""
        return tuple(trial for trial in self.trials if is_refused(trial, self.plain(trial)))

    @property
    def unclear(self) -> tuple[RequestTrial, ...]:
        """The large bodies of which nobody can tell whether their size was at fault."""
        return tuple(trial for trial in self.trials if is_unclear(trial, self.plain(trial)))

    def plain(self, trial: RequestTrial) -> Exchange:
        """The plain request that a trial is held against."""
        return self.plain_post if trial.trait in _POSTED else self.plain_get


def silent_for_length(plain: tuple[Exchange, Exchange], trials: Sequence[RequestTrial]) -> tuple[RequestTrial, ...]:
    """The trials that met silence, where that is all of those that need more than one packet, whatever is long in them,
    while the plain ones were answered; none otherwise."""
    large = [trial for trial in trials if trial.trait in LARGE]
    silent = [trial for trial in large if trial.timed_out and trial.exchange.status is None]
    alike = {trial.trait for trial in silent} == LARGE and len(silent) == len(large)
    return tuple(silent) if alike and all(one.status is not None for one in plain) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowUpload:
    """One upload sent at once, and the same sent over `over_s` seconds: through the load balancer, and to the API
    server itself (None without --backend)."""

    at_once: Exchange
    slow: Exchange
    direct: Exchange | None
    over_s: float


def is_refused(trial: RequestTrial, plain: Exchange) -> bool:
    """Whether the trial was turned down for its form: by a gateway, by a firewall, by a connection that broke.

    What an application may say too (405, 501 ...) and does not tell who says it, counts only where the plain request
    was answered by somebody else. A large body that ends in a broken connection or in a gateway's 502 is no refusal:
    see `is_unclear`.
    """
    seen = trial.exchange
    if is_unclear(trial, plain):
        return False
    if seen.failure is not None and seen.status is None:
        return seen.failure.trouble is not Trouble.LOCAL
    if seen.status == plain.status or seen.status == 429:
        return False
    if seen.status is not None and seen.status < 400:
        return page(seen) is not None or _leads_elsewhere(seen)
    if trial.trait is Trait.BODY and seen.status == 413:
        return True
    if _by_api(seen):
        return seen.status in _SERVER_SIDE
    if seen.status in _APPLICATIONS_TOO and _unsigned(seen) and _unsigned(plain):
        return False
    return seen.status in _REFUSALS | _SERVER_SIDE


def is_unclear(trial: RequestTrial, plain: Exchange) -> bool:
    """Whether a large body met an end that a limit of sizes does not explain: a server that answers before it has read
    the body, as for an unknown path it may, and hangs up, breaks the connection of whoever is still sending."""
    if trial.trait is not Trait.BODY or trial.exchange.status == plain.status:
        return False
    failure = trial.exchange.failure
    if trial.exchange.status is None:
        return failure is not None and failure.trouble is not Trouble.LOCAL
    return trial.exchange.status in {502, 503, 504}


def _by_api(seen: Exchange) -> bool:
    who = sender(seen)
    return who.hop is HopName.API and who.confidence is not Confidence.UNKNOWN


def _leads_elsewhere(seen: Exchange) -> bool:
    leads = redirect(seen)
    return leads is not None and (leads.to_login or not leads.same_host)


def _unsigned(seen: Exchange) -> bool:
    """Nothing tells who wrote the answer, and it is no web page such as firewalls show."""
    return sender(seen).confidence is Confidence.UNKNOWN and page(seen) is None


def same_outcome(one: Exchange, other: Exchange) -> bool:
    """Whether two requests of the same form met the same end: the same status, or no answer either time."""
    return one.status == other.status
