"""Does everything that the product sends get through: methods, long URLs, many headers, large bodies?

Each trial is held against a plain request to the same unknown path: what is answered otherwise was judged by its form
alone, and not by the API, for which all of them are requests to a path that does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from btdiag.judge import evidence
from btdiag.judge.answers import proofs, rate_limited, words
from btdiag.judge.cors_survey import UNKNOWN_PATH
from btdiag.judge.exchange import Exchange, Trouble
from btdiag.judge.gateway import Confidence, json_body, page, sender
from btdiag.model import Evidence, Finding, HopName, Mode, Owner, Remedy, Snippet, Verdict

KIB = 1024
MIB = 1024 * KIB

SDK_BODY = 6 * MIB  # what SDKs send at most where /version names no logs3_payload_max_bytes
MOST_BODY = 8 * MIB  # never sent more, whatever /version says
QUICK_BODY = 1 * MIB + 64 * KIB  # just above the commonest limit, nginx's default of 1 MiB
URL_BYTES = 4 * KIB
HEADER_COUNT, HEADER_BYTES = 40, 4 * KIB  # cookies, tracing and baggage of a browser or an instrumented service
BISECTIONS = 6

_REFUSALS = frozenset({400, 401, 403, 405, 406, 411, 413, 414, 415, 421, 431, 494, 500, 501, 502, 503, 504, 505})


class Trait(StrEnum):
    """What is special about a request."""

    METHOD = "method"
    URL = "URL"
    HEADERS = "headers"
    PATH = "path"
    BODY = "body"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One request that differs from the plain one in one trait. `size` in bytes, for bodies only."""

    trait: Trait
    what: str
    exchange: Exchange
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRequests:
    """GET and POST to an unknown path, and the trials. `advertised` is what /version allows (bytes), None without."""

    plain_get: Exchange
    plain_post: Exchange
    trials: tuple[Trial, ...]
    advertised: int | None = None

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All of them."""
        return (self.plain_get, self.plain_post, *(trial.exchange for trial in self.trials))


def advertised_body(version: Exchange | None) -> int | None:
    """The most bytes that SDKs may send at once according to GET /version; None where it does not say."""
    body = json_body(version) if version is not None else None
    value = body.get("logs3_payload_max_bytes") if isinstance(body, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def body_to_send(advertised: int | None, mode: Mode) -> int:
    """The size of the large body (bytes): just below what SDKs may send, or in a quick run just above 1 MiB."""
    allowed = min(advertised or SDK_BODY, MOST_BODY) - KIB
    return max(min(allowed, QUICK_BODY) if mode.quick else allowed, 1)


def next_size(history: Sequence[Trial], plain: Exchange) -> int | None:
    """The body size to try next, halving what lies between the largest accepted and the smallest refused one; None
    when the limit is known well enough."""
    bodies = [trial for trial in history if trial.trait is Trait.BODY]
    refused = [trial.size for trial in bodies if is_refused(trial, plain)]
    if not refused or len(bodies) > BISECTIONS:
        return None
    low = max((trial.size for trial in bodies if not is_refused(trial, plain)), default=0)
    high = min(refused)
    return (low + high) // 2 if high - low > 16 * KIB else None


def is_refused(trial: Trial, plain: Exchange) -> bool:
    """Whether the trial was turned down for its form: by a gateway, by a firewall, by a connection that broke."""
    seen = trial.exchange
    if seen.failure is not None and seen.status is None:
        return seen.failure.trouble is not Trouble.LOCAL
    if seen.status == plain.status or seen.status == 429:
        return False
    if seen.status is not None and seen.status < 400:
        return page(seen) is not None
    if trial.trait is Trait.BODY and seen.status == 413:
        return True
    who = sender(seen)
    by_api = who.hop is HopName.API and who.confidence is not Confidence.UNKNOWN
    return seen.status in _REFUSALS and not (by_api and (seen.status or 0) < 500)


def accepts_product_requests(found: ProductRequests) -> Finding:
    """The claim of gateway.accepts-product-requests."""
    limited = [seen for seen in found.exchanges if seen.status == 429]
    refused = [trial for trial in found.trials if is_refused(trial, _plain(trial, found))]
    slow = [trial for trial in refused if _is_slow_upload(trial)]
    hard = [trial for trial in refused if trial not in slow]
    if hard:
        return _refuses(hard, found)
    if limited:
        return rate_limited(limited[0])
    if slow:
        return _too_slow(slow[0])
    largest = max((trial.size for trial in found.trials), default=0)
    return Finding(
        verdict=Verdict.PASS,
        summary=f"all {len(found.trials)} kinds of request pass: PATCH, PUT and DELETE, a URL of {size(URL_BYTES)}, "
        f"{HEADER_COUNT} headers of {size(HEADER_BYTES)}, a body of {size(largest)}",
        evidence=(_table(found),),
    )


def _plain(trial: Trial, found: ProductRequests) -> Exchange:
    return found.plain_post if trial.trait in {Trait.METHOD, Trait.BODY} else found.plain_get


def _is_slow_upload(trial: Trial) -> bool:
    failure = trial.exchange.failure
    return trial.trait is Trait.BODY and failure is not None and failure.trouble is Trouble.TIMEOUT


def _refuses(refused: Sequence[Trial], found: ProductRequests) -> Finding:
    bodies = sorted((trial for trial in refused if trial.trait is Trait.BODY), key=lambda trial: trial.size)
    shown = [trial for trial in refused if trial.trait is not Trait.BODY] + bodies[:1]
    fatal = [trial for trial in shown if trial.trait in {Trait.METHOD, Trait.BODY}]
    first = (fatal or shown)[0]
    who = sender(first.exchange)
    told = "; ".join(f"{trial.what} is answered by {words(trial.exchange)}" for trial in shown)
    return Finding(
        verdict=Verdict.FAIL if fatal else Verdict.WARN,
        summary=f"not all requests of the product get through on {first.exchange.label}: {told}"
        + (_bracket(bodies, found) if bodies else ""),
        hop=who.hop if who.confidence is not Confidence.UNKNOWN else HopName.LOAD_BALANCER,
        owner=who.owner if who.confidence is not Confidence.UNKNOWN else Owner.LOAD_BALANCER,
        expected=f"the same answer as to a plain request ({words(_plain(first, found))})",
        seen=told,
        evidence=(_table(found), *_proof(first)),
        remedy=Remedy(text=" ".join(_ADVICE[trait] for trait in _traits(shown)), snippets=_snippets(shown)),
        sources=("RFC 9110 sections 9, 15.5.6 and 15.5.14", "RFC 6585 section 5"),
    )


def _traits(trials: Sequence[Trial]) -> list[Trait]:
    return list(dict.fromkeys(trial.trait for trial in trials))


def _bracket(bodies: Sequence[Trial], found: ProductRequests) -> str:
    """Between which sizes the limit lies, and what SDKs go by."""
    accepted = [t.size for t in found.trials if t.trait is Trait.BODY and not is_refused(t, found.plain_post)]
    between = f"; the limit lies between {size(max(accepted))} and {size(bodies[0].size)}" if accepted else ""
    told = f"GET /version tells SDKs {size(found.advertised)}" if found.advertised else "SDKs send up to 6 MiB at once"
    return f"{between}; {told}"


def _proof(trial: Trial) -> tuple[Evidence, ...]:
    return (evidence.exchange(trial.exchange),) if trial.trait is Trait.BODY else proofs(trial.exchange)


def _too_slow(trial: Trial) -> Finding:
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"{trial.what} was neither taken nor refused within {trial.exchange.timing.total_s:.0f} s: the line "
        "from here may be too slow to tell; run from a machine nearer to the target",
        hop=HopName.NETWORK,
        owner=Owner.NETWORK,
        expected="an answer to the whole body",
        seen=words(trial.exchange),
        evidence=(evidence.exchange(trial.exchange),),
    )


def _table(found: ProductRequests) -> Evidence:
    rows = [("a plain GET", words(found.plain_get)), ("a plain POST", words(found.plain_post))]
    rows += [(trial.what, words(trial.exchange)) for trial in found.trials]
    return evidence.table(f"Requests to {UNKNOWN_PATH} on {found.plain_get.label}", ("request", "answer"), rows)


def size(count: int) -> str:
    """A number of bytes in the unit that fits."""
    if count >= MIB:
        return f"{count / MIB:.1f} MiB"
    return f"{count / KIB:.0f} KiB" if count >= KIB else f"{count} bytes"


_ADVICE = {
    Trait.METHOD: "Let GET, POST, PUT, PATCH, DELETE and OPTIONS pass to the API: the web app and the SDKs use all.",
    Trait.URL: "Allow URLs and query strings of 8 KiB: queries and filters travel in them.",
    Trait.HEADERS: "Allow request headers of 16 KiB in all: keys, tracing and the x-bt- headers add up.",
    Trait.PATH: "Pass encoded slashes (%2F) on as they are: names of projects and prompts may contain a slash.",
    Trait.BODY: "Raise the largest body to at least what GET /version advertises (SDKs otherwise assume 6 MiB), or "
    "lower the advertised value: logs beyond the limit are lost.",
}


def _snippets(trials: Sequence[Trial]) -> tuple[Snippet, ...]:
    if any(trial.trait is Trait.BODY for trial in trials):
        return (
            Snippet(product="nginx", code="client_max_body_size 16m;"),
            Snippet(product="nginx ingress", code='nginx.ingress.kubernetes.io/proxy-body-size: "16m"'),
            Snippet(product="Caddy", code="request_body {\n  max_size 16MB\n}"),
        )
    return ()
