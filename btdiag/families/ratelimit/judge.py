"""Was anything answered 429, by whom, and is it everything or only what comes fast?"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from btdiag.config.declared import MAX_REQUESTS, WINDOW_MINUTES
from btdiag.core import evidence
from btdiag.core.answers import Roots, exchange_proofs, facts_of, in_words, root_readings, unanswered
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.sender import Confidence, Sender, retry_after, sender
from btdiag.families.gateway.facts.requests import ProductRequests
from btdiag.families.gateway.facts.routes import RouteAnswers
from btdiag.families.ratelimit.facts import GatheredAnswers, OutboundLimit
from btdiag.families.sdk.facts import ControlPlane

SOURCES = (
    "RFC 6585 section 4",
    "RFC 9110 section 10.2.3",
    "https://www.braintrust.dev/docs/admin/self-hosting",
)


OUTBOUND_LIMIT = 100  # requests a minute and token that the API server's outbound limiter lets through by default
_REMAINING = ("ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining")
_LIMIT = ("ratelimit-limit", "x-ratelimit-limit", "x-rate-limit-limit")
PerExchange = PerAddress[Exchange] | NotMeasured


def unsound(limit: OutboundLimit) -> str | None:
    """What is wrong with the declared limiter: a setting that is no number, or a window of nothing. 0 requests turns
    the limiter off, and then the window does not matter (the product's guide to self-hosting)."""
    requests, window = limit.max_requests, limit.window_minutes
    if requests is not None and not _is_number(requests.value):
        return f"{requests.where} {MAX_REQUESTS} is set, but is no number (0 turns the limiter off)"
    if requests is not None and float(requests.value) == 0:
        return None
    if window is not None and not (_is_number(window.value) and float(window.value) > 0):
        return f"{window.where} {WINDOW_MINUTES} is set, but is no number above 0"
    return None


def _is_number(value: str) -> bool:
    return value.isascii() and value.replace(".", "", 1).isdigit() and len(value) < 12


def gathered(
    roots: PerAddress[Roots] | NotMeasured,
    per_address: Sequence[PerExchange],
    product: ProductRequests | NotMeasured,
    routes: RouteAnswers | NotMeasured,
    plane: ControlPlane | NotMeasured,
) -> GatheredAnswers:
    """The answers out of all facts that there are."""
    direct = [seen for one in facts_of(roots).values() for seen in one.exchanges]
    direct += [seen for facts in per_address for seen in facts_of(facts).values()]
    if isinstance(product, ProductRequests):
        direct += product.exchanges
    if isinstance(routes, RouteAnswers):
        direct += [seen for _, seen in routes.answers]
    outbound: tuple[Exchange, ...] = ()
    if isinstance(plane, ControlPlane):
        direct += plane.direct
        outbound = plane.exchanges
    return GatheredAnswers(direct=tuple(seen for seen in direct if seen.status), outbound=outbound)


def not_throttled(
    answers: GatheredAnswers, roots: PerAddress[Roots] | NotMeasured, version: PerExchange, limit: OutboundLimit
) -> Finding:
    """The claim of ratelimit.not-throttled."""
    limited = [seen for seen in answers.all if seen.status == 429]
    if not limited:
        found = root_readings(roots, version)
        return (unanswered(found) if found else None) or _misdeclared(limit) or _free(answers, limit)
    outbound = [seen for seen in answers.outbound if seen.status == 429]
    if len(outbound) == len(limited):
        return _outbound(outbound, answers)
    return _inbound([seen for seen in limited if seen not in outbound], answers)


def _misdeclared(limit: OutboundLimit) -> Finding | None:
    wrong = unsound(limit)
    if wrong is None:
        return None
    return Finding(
        verdict=Verdict.WARN,
        summary=f"nothing was answered 429, but {wrong}",
        answer="The outbound rate limit is set to something that is no limit",
        hop=HopName.API,
        owner=Owner.API,
        expected="a number of requests, and a window of more than 0 minutes",
        seen=wrong,
        remedy=Remedy(
            text=f"Set {MAX_REQUESTS} to a number (the API's default is {OUTBOUND_LIMIT}; 0 turns the limiter off) "
            f"and {WINDOW_MINUTES} to 1 or more."
        ),
        sources=SOURCES,
    )


def _free(answers: GatheredAnswers, limit: OutboundLimit) -> Finding:
    used = sum(1 for seen in answers.outbound if seen.status)
    low = _nearly_used_up(answers.all)
    if low is not None:
        return low
    spent = f"; {used} of them count towards the outbound limit ({_declared(limit)})" if used else ""
    return Finding(verdict=Verdict.PASS, summary=f"none of {len(answers.all)} requests was answered 429{spent}")


def _declared(limit: OutboundLimit) -> str:
    requests, window = limit.max_requests, limit.window_minutes
    if requests is None:
        return f"by default {OUTBOUND_LIMIT} a minute"
    if float(requests.value) == 0:
        return f"turned off {requests.where}"
    return f"{requests.value} in {window.value if window else 1} min, as set {requests.where}"


def _nearly_used_up(answers: Sequence[Exchange]) -> Finding | None:
    """A warning when a rate limit header says that less than a tenth is left."""
    for seen in answers:
        left, limit = _first_number(seen, _REMAINING), _first_number(seen, _LIMIT)
        if left is not None and limit and left < limit / 10:
            who = sender(seen)
            return Finding(
                verdict=Verdict.WARN,
                summary=f"a rate limit is nearly used up: {left} of {limit} requests are left on {seen.label}",
                answer="A rate limit is nearly used up: users will meet 429",
                hop=who.hop,
                owner=who.owner,
                expected="room for bursts of requests",
                seen=f"{left} of {limit} left",
                evidence=exchange_proofs(seen),
                remedy=Remedy(
                    text="Raise the limit, or count by API key instead of by address: users share addresses."
                ),
                sources=SOURCES,
            )
    return None


def _first_number(seen: Exchange, names: Sequence[str]) -> int | None:
    for name in names:
        value = (seen.header(name) or "").split(",")[0].split(";")[0].strip()
        if value.isascii() and value.isdigit():
            return int(value[:12])
    return None


def _inbound(limited: Sequence[Exchange], answers: GatheredAnswers) -> Finding:
    first, who, when = limited[0], sender(limited[0]), retry_after(limited[0])
    everything = len(limited) == len(answers.direct)
    share = f"all {len(limited)}" if everything else f"{len(limited)} of {len(answers.direct)}"
    asks = f", which asks to wait {when}" if when else ", without saying how long to wait"
    effect = (
        "nobody gets through from here"
        if everything
        else "bursts, such as a page of the web app or many workers behind one address, meet it"
    )
    return Finding(
        verdict=Verdict.FAIL if everything else Verdict.WARN,
        summary=f"{share} requests were answered 429 by {who.words}{asks}: {effect}",
        answer="Every request from here is refused by a rate limit (429)"
        if everything
        else "Bursts of requests meet a rate limit (429)",
        hop=who.hop,
        owner=who.owner,
        expected="no 429 for the few dozen requests of a run",
        seen=f"429 on {_paths(limited)}",
        evidence=(_table(limited), *exchange_proofs(first)),
        remedy=Remedy(text=_advice(who), snippets=_snippets(who)),
        sources=SOURCES,
    )


def _outbound(limited: Sequence[Exchange], answers: GatheredAnswers) -> Finding:
    first, when = limited[0], retry_after(limited[0])
    who = sender(first)
    gateway = who.confidence is Confidence.CERTAIN and who.hop not in {HopName.API, HopName.CONTROL_PLANE}
    asks = f", which asks to wait {when}" if when else ""
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{len(limited)} of {len(answers.outbound)} requests that pass on to the control plane were answered "
        f"429{who.origin if gateway else ': the outbound limiter of the API server, or the control plane'}{asks}",
        answer="Logins are refused by the limit of calls to the control plane (429)",
        hop=who.hop if gateway else HopName.API,
        owner=who.owner if gateway else Owner.API,
        expected=f"room for logins: by default {OUTBOUND_LIMIT} calls a minute and key pass, and this run made "
        f"{len(answers.outbound)}",
        seen=f"429 on {_paths(limited)}",
        evidence=(_table(limited), *exchange_proofs(first)),
        remedy=Remedy(
            text="Find what logs in that often with this key, or raise OUTBOUND_RATE_LIMIT_MAX_REQUESTS (0 turns the "
            "limiter off; the window is OUTBOUND_RATE_LIMIT_WINDOW_MINUTES). Python SDKs wait and try again, "
            "JavaScript SDKs fail at the first 429.",
            snippets=(
                Snippet(
                    product="Helm",
                    code='api:\n  extraEnvVars:\n    - name: OUTBOUND_RATE_LIMIT_MAX_REQUESTS\n      value: "500"',
                ),
                Snippet(product="Terraform (AWS)", code="outbound_rate_limit_max_requests = 500"),
            ),
        ),
        sources=(*SOURCES, "https://github.com/braintrustdata/terraform-aws-braintrust-data-plane (variables.tf)"),
    )


def _paths(limited: Sequence[Exchange]) -> str:
    return ", ".join(dict.fromkeys(f"{seen.method} {urlsplit(seen.url).path or '/'}" for seen in limited))


def _table(limited: Sequence[Exchange]) -> Evidence:
    rows = [
        (seen.started_at, seen.label, f"{seen.method} {urlsplit(seen.url).path}", in_words(seen), retry_after(seen))
        for seen in limited[:20]
    ]
    return evidence.table("Answers with 429", ("time", "way", "request", "answer", "wait"), rows)


def _advice(who: Sender) -> str:
    if who.hop is HopName.API:
        return "Raise the API server's own limit, or spread the load: its log tells which key or address is limited."
    return (
        f"Raise the rate limit of {who.words} for the API's paths, or count by API key instead of by address: a page "
        "of the web app alone sends dozens of requests, and all users of an office share one address."
    )


def _snippets(who: Sender) -> tuple[Snippet, ...]:
    if who.name in {"nginx", "OpenResty"}:
        code = (
            "limit_req_zone $http_authorization zone=api:10m rate=100r/s;\n"
            "limit_req zone=api burst=200 nodelay;\nlimit_req_status 429;"
        )
        return (Snippet(product="nginx", code=code),)
    return ()
