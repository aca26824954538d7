"""Does everything that the product sends get through: methods, long URLs, many headers, large bodies? Who says no?"""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.core import evidence
from btdiag.core.answers import exchange_proofs, in_words, rate_limited
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.product import UNKNOWN_PATH
from btdiag.core.sender import Confidence, sender
from btdiag.core.statuses import explain_answer
from btdiag.families.gateway.facts.requests import (
    DirectTrials,
    ProductRequests,
    RequestTrial,
    Trait,
    is_refused,
    same_outcome,
)
from btdiag.families.gateway.judge.packets import lost_packets
from btdiag.families.gateway.plan import (
    DEEP_COUNT,
    DEEP_HEADERS,
    DEEP_URL,
    HEADER_BYTES,
    HEADER_COUNT,
    URL_BYTES,
    bracket,
    is_default_body_limit,
    size,
)
from btdiag.families.gateway.remedy import ADVICE, ANSWERS, snippets

WEB_APP_MAY_CALL = "cors.web-app-may-call"
_FATAL = frozenset({Trait.METHOD, Trait.OPTIONS, Trait.BODY, Trait.AGENT, Trait.QUERY})


def accepts_product_requests(found: ProductRequests, direct: DirectTrials | NotMeasured) -> Finding:
    """The claim of gateway.accepts-product-requests."""
    beside = direct if isinstance(direct, DirectTrials) else DirectTrials(trials=())
    refused = [trial for trial in found.refused if not _is_the_apis_way(trial, beside)]
    if (lost := lost_packets(found)) is not None:
        return lost
    limited = [seen for seen in found.exchanges if seen.status == 429]
    if refused and all(trial.trait is Trait.OPTIONS for trial in refused):
        return _preflights_refused(refused[0])
    if refused:
        return _refuses(refused, found, beside)
    if limited:
        return rate_limited(limited[0])
    if found.unclear:
        return _unclear(found.unclear[0])
    bodies = [trial for trial in found.trials if trial.trait is Trait.BODY]
    largest = max((trial.size for trial in bodies), default=0)
    early = " (which the API answers before it has read all of it)" if any(trial.early for trial in bodies) else ""
    return Finding(
        verdict=Verdict.PASS,
        summary=f"all {len(found.trials)} kinds of request pass: PATCH, PUT, DELETE and OPTIONS, a URL of "
        f"{size(URL_BYTES)}, {HEADER_COUNT} headers of {size(HEADER_BYTES)}, a body of {size(largest)}{early}, a "
        f"packed one, one announced by Expect, a chunked one, the words of a query, the User-Agents of SDKs"
        f"{_unusual(found)}{_beyond(found)}",
        evidence=(_table(found),),
    )


def _unusual(found: ProductRequests) -> str:
    """What is turned down of forms that no client of the product sends: told, and no fault."""
    told = [f"{one.what} ({in_words(one.exchange)})" for one in found.unusual if is_refused(one, found.plain(one))]
    return f"; turned down, and needed by no client of the product: {', '.join(told)}" if told else ""


def _is_the_apis_way(trial: RequestTrial, beside: DirectTrials) -> bool:
    """The API server itself answers so, and no size of the product is at stake: nothing that a hop could change."""
    own = beside.of(trial)
    return own is not None and trial.trait is not Trait.BODY and same_outcome(own.exchange, trial.exchange)


def _preflights_refused(trial: RequestTrial) -> Finding:
    return Finding(
        verdict=Verdict.SKIP,
        summary=f"OPTIONS, which only browsers send before a request, is answered {in_words(trial.exchange)}",
        because=WEB_APP_MAY_CALL,
    )


def _refuses(refused: Sequence[RequestTrial], found: ProductRequests, beside: DirectTrials) -> Finding:
    bodies = sorted((trial for trial in refused if trial.trait is Trait.BODY), key=lambda trial: trial.size)
    shown = [trial for trial in refused if trial.trait is not Trait.BODY] + bodies[-1:]
    fatal = [trial for trial in shown if trial.trait in _FATAL]
    first = (fatal or shown)[0]
    hop, owner = _place(first, beside)
    told = "; ".join(
        f"{trial.what} is answered by {in_words(trial.exchange)}{_at_api(trial, beside)}" for trial in shown
    )
    return Finding(
        verdict=Verdict.FAIL if fatal else Verdict.WARN,
        summary=f"not all requests of the product get through on {first.exchange.label}: {told}"
        + (_limit(bodies, found) if bodies and not _is_no_limit(bodies[-1]) else "")
        + _beyond(found),
        hop=hop,
        owner=owner,
        expected=f"the same answer as to a plain request ({in_words(found.plain(first))})",
        seen=told,
        evidence=(_table(found), *_proof(first), *_direct_proof(shown, beside)),
        answer=_BREAKS if _is_no_limit(first) else ANSWERS[first.trait],
        remedy=_remedy(first, shown),
        sources=("RFC 9110 sections 9, 10.1.1, 15.5.6 and 15.5.14", "RFC 6585 section 5"),
    )


_BREAKS = "Large logs are lost: a hop breaks on large bodies, and no limit refuses them"


def _is_no_limit(trial: RequestTrial) -> bool:
    """A large body that ends in a 500 met no limit, which says 413: whoever stores it could not."""
    return trial.trait is Trait.BODY and trial.exchange.status in {500, 507}


def _remedy(first: RequestTrial, shown: Sequence[RequestTrial]) -> Remedy:
    if _is_no_limit(first):
        return explain_answer(first.exchange).remedy
    return Remedy(
        text=" ".join(ADVICE[trait] for trait in _traits([one for one in shown if not _is_no_limit(one)])),
        action=ADVICE[first.trait].partition(":")[0].removesuffix("."),
        snippets=snippets(_traits(shown), sender(first.exchange).name),
    )


def _place(first: RequestTrial, beside: DirectTrials) -> tuple[HopName, Owner]:
    """Who refuses: the API server where it does the same by itself, else the sender of the answer."""
    own, who = beside.of(first), sender(first.exchange)
    if own is not None and same_outcome(own.exchange, first.exchange):
        return HopName.API, Owner.API
    if own is not None or who.confidence is Confidence.UNKNOWN:
        return HopName.LOAD_BALANCER, Owner.LOAD_BALANCER
    return who.hop, who.owner


def _at_api(trial: RequestTrial, beside: DirectTrials) -> str:
    own = beside.of(trial)
    if own is None:
        return ""
    if same_outcome(own.exchange, trial.exchange):
        return ", as by the API server itself"
    return f" (the API server itself: {in_words(own.exchange)})"


def _traits(trials: Sequence[RequestTrial]) -> list[Trait]:
    return list(dict.fromkeys(trial.trait for trial in trials))


def _limit(refused: Sequence[RequestTrial], found: ProductRequests) -> str:
    """Where the limit of bodies lies, and what SDKs go by."""
    bodies = [trial for trial in found.trials if trial.trait is Trait.BODY]
    low, high = bracket(bodies, found.plain_post)
    told = f"GET /version tells SDKs {size(found.advertised)}" if found.advertised else "SDKs send up to 6 MiB at once"
    if high is None or not low:
        return f"; {told}"
    if high - low == 1:
        default = f", {sender(refused[0].exchange).name}'s default" if is_default_body_limit(refused[0], low) else ""
        return f"; the limit is {size(low)}{default}; {told}"
    return f"; the limit lies between {size(low)} and {size(high)}; {told}"


def _beyond(found: ProductRequests) -> str:
    """The limits beyond the product's needs, as far as --deep looked for them."""
    bounds = {Trait.URL: DEEP_URL, Trait.HEADERS: DEEP_HEADERS, Trait.COUNT: DEEP_COUNT}
    told = []
    for trait, (least, _) in bounds.items():
        trials = [trial for trial in found.beyond if trial.trait is trait]
        if trials:
            low, high = bracket(trials, found.plain_get)
            told.append(f"{_LIMIT_OF[trait]} {_amount(trait, max(low, least))}{'' if high else ' and more'}")
    return f"; what passes at most: {', '.join(told)}" if told else ""


_LIMIT_OF = {Trait.URL: "a URL of", Trait.HEADERS: "headers of", Trait.COUNT: "a number of headers of"}


def _amount(trait: Trait, count: int) -> str:
    return str(count) if trait is Trait.COUNT else size(count)


def _proof(trial: RequestTrial) -> tuple[Evidence, ...]:
    return (evidence.exchange(trial.exchange),) if trial.trait is Trait.BODY else exchange_proofs(trial.exchange)


def _direct_proof(shown: Sequence[RequestTrial], beside: DirectTrials) -> tuple[Evidence, ...]:
    return tuple(evidence.exchange(own.exchange) for trial in shown if (own := beside.of(trial)) is not None)


def _unclear(trial: RequestTrial) -> Finding:
    if trial.timed_out:
        why = "the line from here may be too slow to tell; run from a machine nearer to the target"
        hop, owner = HopName.NETWORK, Owner.NETWORK
    else:
        why = (
            "a limit of sizes mostly gives a 413 (Caddy 2.6: a 502), and a server that hangs up before it has read "
            "the body gives the same; the gateway's log of this request tells"
        )
        hop, owner = HopName.LOAD_BALANCER, Owner.LOAD_BALANCER
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"{trial.what} ends in {in_words(trial.exchange)}: {why}",
        hop=hop,
        owner=owner,
        expected="an answer to the whole body",
        seen=in_words(trial.exchange),
        evidence=(evidence.exchange(trial.exchange),),
    )


def _table(found: ProductRequests) -> Evidence:
    rows = [("a plain GET", in_words(found.plain_get)), ("a plain POST", in_words(found.plain_post))]
    rows += [
        (trial.what, in_words(trial.exchange) + _continued(trial))
        for trial in (*found.trials, *found.unusual, *found.beyond)
    ]
    return evidence.table(f"Requests to {UNKNOWN_PATH} on {found.plain_get.label}", ("request", "answer"), rows)


def _continued(trial: RequestTrial) -> str:
    if trial.trait is not Trait.EXPECT or trial.exchange.status is None:
        return ""
    return ", after 100 Continue" if 100 in trial.exchange.interim else ", without 100 Continue"
