"""Does every class of routes reach a backend, not only /: load balancers send them to backends of their own.

Sources: the path rules of the product's Terraform modules (CloudFront, ECS load balancer) and Helm chart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from btdiag.judge import evidence
from btdiag.judge.answers import proofs, rate_limited, words
from btdiag.judge.cors_survey import UNKNOWN_PATH
from btdiag.judge.exchange import Exchange, Trouble
from btdiag.judge.gateway import Confidence, page, redirect, sender
from btdiag.judge.statuses import SOURCES, explain
from btdiag.model import Evidence, Finding, HopName, Remedy, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteClass:
    """Routes that one rule of a load balancer covers, and the harmless request that stands for them: without a key,
    with an empty JSON object where there is a body, so that nothing can be read or written."""

    name: str
    method: str
    path: str


ROUTE_CLASSES = (
    RouteClass(name="ingest", method="POST", path="/logs3"),
    RouteClass(name="OpenTelemetry", method="POST", path="/otel/v1/traces"),
    RouteClass(name="attachments", method="POST", path="/attachment"),
    RouteClass(name="queries", method="POST", path="/btql"),
    RouteClass(name="REST API", method="GET", path="/v1/project"),
    RouteClass(name="AI proxy", method="POST", path="/v1/proxy/chat/completions"),
    RouteClass(name="evals", method="POST", path="/v1/eval"),
    RouteClass(name="functions", method="POST", path="/function/invoke"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteAnswers:
    """What each class answered, in the order of ROUTE_CLASSES; `unknown` is GET of a path that does not exist."""

    answers: tuple[tuple[RouteClass, Exchange], ...]
    unknown: Exchange


def is_lost(seen: Exchange, unknown: Exchange) -> bool:
    """Whether an answer shows that the request never reached the API: a gateway's own page or 50x, a web page, a
    redirect elsewhere, a broken connection. A refusal without a key, or an unknown route of the API, is none; nor is a
    gateway's page for a status of the API's, as where the path that does not exist gets one for another status."""
    if seen.failure is not None and seen.status is None:
        return seen.failure.trouble is not Trouble.LOCAL
    status = seen.status or 0
    if status in {502, 503, 504} or 520 <= status <= 530:
        return True
    leads = redirect(seen)
    if leads is not None:
        return leads.to_login or not leads.same_host
    if status < 400:
        return page(seen) is not None
    return _by_a_hop(seen) and (not _by_a_hop(unknown) or seen.status == unknown.status)


def _by_a_hop(seen: Exchange) -> bool:
    who = sender(seen)
    return who.confidence is not Confidence.UNKNOWN and who.hop is not HopName.API


def routes_reach_their_backend(found: RouteAnswers) -> Finding:
    """The claim of gateway.routes-reach-their-backend."""
    lost = {route: seen for route, seen in found.answers if is_lost(seen, found.unknown)}
    limited = [seen for _, seen in found.answers if seen.status == 429]
    if lost:
        return _lost(lost, found)
    if limited:
        return rate_limited(limited[0])
    names = ", ".join(route.path for route, _ in found.answers)
    return Finding(
        verdict=Verdict.PASS,
        summary=f"each of {len(found.answers)} classes of routes is answered by the API ({names})",
        evidence=(_table(found),),
    )


def _lost(lost: Mapping[RouteClass, Exchange], found: RouteAnswers) -> Finding:
    first = next(iter(lost.values()))
    story = explain(first)
    told = "; ".join(
        f"{what} ({', '.join(route.path for route in routes)})" for what, routes in _by_answer(lost).items()
    )
    share = f"{len(lost)} of {len(found.answers)}"
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{share} classes of routes do not reach the API, though GET / does: {told}: {story.cause}",
        hop=story.hop,
        owner=story.owner,
        expected="an answer of the API on every route (401 without a key)",
        seen=told,
        evidence=(_table(found), *proofs(first)),
        remedy=Remedy(
            text=f"Look at the load balancer's rules and target groups for {', '.join(r.path for r in lost)}: a health "
            f"check on / says nothing about them. {story.remedy.text}",
            snippets=story.remedy.snippets,
        ),
        sources=(*SOURCES, "https://github.com/braintrustdata/terraform-aws-braintrust-data-plane"),
    )


def _by_answer(lost: Mapping[RouteClass, Exchange]) -> dict[str, Sequence[RouteClass]]:
    groups: dict[str, list[RouteClass]] = {}
    for route, seen in lost.items():
        groups.setdefault(words(seen), []).append(route)
    return dict(groups)


def _table(found: RouteAnswers) -> Evidence:
    rows = [(route.name, f"{route.method} {route.path}", words(seen)) for route, seen in found.answers]
    rows.append(("none", f"GET {UNKNOWN_PATH}", words(found.unknown)))
    title = f"Classes of routes on {found.unknown.label}"
    return evidence.table(title, ("class", "request without a key", "answer"), rows)
