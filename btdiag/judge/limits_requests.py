"""Requests of every form that the product uses, each beside a plain one: which were turned down, and what to try next.

All go to a path that does not exist. What is answered otherwise than the plain request was judged by its form alone,
and not by the API, for which all of them are requests to a path that it does not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from btdiag.core.exchange import Exchange, Trouble
from btdiag.core.finding import HopName
from btdiag.core.sender import Confidence, json_body, page, redirect, sender
from btdiag.core.target import Mode

KIB = 1024
MIB = 1024 * KIB

SDK_BODY = 6 * MIB  # what SDKs send at most where /version names no logs3_payload_max_bytes
MOST_BODY = 8 * MIB  # never sent more, whatever /version says
QUICK_BODY = 1 * MIB + 64 * KIB  # just above the commonest limit, nginx's default of 1 MiB
URL_BYTES = 4 * KIB
HEADER_COUNT, HEADER_BYTES = 40, 4 * KIB  # cookies, tracing and baggage of a browser or an instrumented service
BISECTIONS = 6
NEAR = 16 * KIB  # a limit of bodies that is known so well is known well enough

# Up to where --deep looks for limits that the product does not reach: (what passes anyway, the most that is tried).
DEEP_URL = (URL_BYTES, 64 * KIB)
DEEP_HEADERS = (HEADER_BYTES, 64 * KIB)
DEEP_COUNT = (HEADER_COUNT, 200)

# Products whose limit of bodies has a default below what SDKs send.
_BODY_DEFAULTS = {"nginx": MIB, "OpenResty": MIB}

_REFUSALS = frozenset({400, 401, 403, 405, 406, 408, 411, 413, 414, 415, 417, 421, 431, 494})
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
    BODY = "body"


_POSTED = frozenset({Trait.METHOD, Trait.OPTIONS, Trait.EXPECT, Trait.CODING, Trait.BODY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
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
class ProductRequests:
    """GET and POST to an unknown path, and the trials. `beyond` are trials of sizes that the product does not need.
    `advertised` is what /version allows (bytes), None without."""

    plain_get: Exchange
    plain_post: Exchange
    trials: tuple[Trial, ...]
    beyond: tuple[Trial, ...] = ()
    advertised: int | None = None

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All of them."""
        return (self.plain_get, self.plain_post, *(trial.exchange for trial in (*self.trials, *self.beyond)))

    @property
    def refused(self) -> tuple[Trial, ...]:
        """The trials that were turned down for their form."""
        return tuple(trial for trial in self.trials if is_refused(trial, self.plain(trial)))

    @property
    def unclear(self) -> tuple[Trial, ...]:
        """The large bodies of which nobody can tell whether their size was at fault."""
        return tuple(trial for trial in self.trials if is_unclear(trial, self.plain(trial)))

    def plain(self, trial: Trial) -> Exchange:
        """The plain request that a trial is held against."""
        return self.plain_post if trial.trait in _POSTED else self.plain_get


def advertised_body(version: Exchange | None) -> int | None:
    """The most bytes that SDKs may send at once according to GET /version; None where it does not say."""
    body = json_body(version) if version is not None else None
    value = body.get("logs3_payload_max_bytes") if isinstance(body, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def body_to_send(advertised: int | None, mode: Mode) -> int:
    """The size of the large body (bytes): just below what SDKs may send, or in a quick run just above 1 MiB."""
    allowed = min(advertised or SDK_BODY, MOST_BODY) - KIB
    return max(min(allowed, QUICK_BODY) if mode.quick else allowed, 1)


def next_body(history: Sequence[Trial], plain: Exchange, mode: Mode) -> int | None:
    """The body size to try next, None when the limit is known well enough. First the default of the product that
    refused, and one byte more; then, with --deep, the middle between the largest accepted and the smallest refused."""
    bodies = [trial for trial in history if trial.trait is Trait.BODY]
    low, high = bracket(bodies, plain)
    if high is None or mode.quick or high - low <= 1:
        return None
    default = _BODY_DEFAULTS.get(sender(bodies[0].exchange).name)
    if default is not None and low < default < high:
        return default
    if low == default:
        return low + 1
    return _middle(low, high, NEAR) if mode.deep and len(bodies) <= BISECTIONS else None


def next_size(history: Sequence[Trial], plain: Exchange, bounds: tuple[int, int]) -> int | None:
    """The size beyond the product's needs to try next: the most first, then by halves; None when that is enough."""
    low, high = bracket(history, plain)
    if not history:
        return bounds[1]
    return (
        _middle(max(low, bounds[0]), high, bounds[0] // 8) if high is not None and len(history) <= BISECTIONS else None
    )


def _middle(low: int, high: int, near: int) -> int | None:
    return (low + high) // 2 if high - low > near else None


def bracket(trials: Sequence[Trial], plain: Exchange) -> tuple[int, int | None]:
    """The largest size that passed (0: none), and the smallest that was refused (None: none)."""
    refused = [trial.size for trial in trials if is_refused(trial, plain)]
    return max((trial.size for trial in trials if trial.size not in refused), default=0), min(refused, default=None)


def is_default_body_limit(trial: Trial, limit: int) -> bool:
    """Whether a limit of bodies is the default of the product that refused the trial."""
    return _BODY_DEFAULTS.get(sender(trial.exchange).name) == limit


def is_refused(trial: Trial, plain: Exchange) -> bool:
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


def is_unclear(trial: Trial, plain: Exchange) -> bool:
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


def size(count: int) -> str:
    """A number of bytes in the unit that fits."""
    if count >= MIB:
        return f"{count / MIB:.1f} MiB"
    return f"{count / KIB:.0f} KiB" if count >= KIB else f"{count} bytes"
