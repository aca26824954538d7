"""Behind GET /: does the API speak JSON, take the key, report /status truly, agree with its backend; does Brainstore
answer. Nothing here fails for what readiness.root-answers fails for already."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from btdiag.core.answers import (
    AnswerState,
    Roots,
    exchange_proofs,
    facts_of,
    grouped,
    in_words,
    rate_limited,
    root_readings,
    state_of,
    unanswered,
)
from btdiag.core.exchange import Exchange, Phase, Trouble
from btdiag.core.finding import Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.sender import Confidence, json_body, sender
from btdiag.core.statuses import SOURCES, StatusExplanation, explain_answer, first_for
from btdiag.families.readiness.judge.alike import version_name
from btdiag.families.readiness.judge.root import PerExchange, PerRoots

HELM_PROBES = Snippet(
    product="Helm",
    code="api:\n  readinessProbe:\n    httpGet: {path: /, port: 8000}\n"
    "brainstore:\n  readinessProbe:\n    httpGet: {path: /, port: 4000}",
)


def at_answering(
    roots: PerRoots, version: PerExchange, facts: PerExchange
) -> tuple[Finding | None, dict[str, Exchange]]:
    """The facts of the addresses that answer GET /; a finding instead when none does, or when these are "
    "rate-limited."""
    found = root_readings(roots, version)
    gate = unanswered(found)
    if gate is not None:
        return gate, {}
    seen = {label: one for label, one in facts_of(facts).items() if label in found and found[label].answers}
    if not seen:
        return Finding(
            verdict=Verdict.INCONCLUSIVE, summary="no address that answers GET / could be asked for this"
        ), {}
    limited = [one for one in seen.values() if one.status == 429]
    return (rate_limited(limited[0]) if limited else None), seen


def fails(claim: str, seen: Mapping[str, Exchange], of: int, story: StatusExplanation, expected: str) -> Finding:
    shown = next(iter(seen.values()))
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{claim}: {grouped(seen, of)}: {story.cause}",
        hop=story.hop,
        owner=story.owner,
        expected=expected,
        seen=in_words(shown),
        evidence=exchange_proofs(shown),
        remedy=story.remedy,
        sources=SOURCES,
    )


def api_speaks_json(roots: PerRoots, version: PerExchange) -> Finding:
    """The claim of readiness.api-speaks-json: GET /version is answered in JSON, by the API and not by what stands "
    "before it."""
    gate, seen = at_answering(roots, version, version)
    if gate is not None:
        return gate
    mute = {label: one for label, one in seen.items() if not _is_api_json(one)}
    if not mute:
        return _speaks(seen)
    absent = {label: one for label, one in mute.items() if _lacks_route(one)}
    if len(absent) == len(mute):
        return _no_version_route(absent, len(seen))
    broken = {label: one for label, one in mute.items() if label not in absent}
    if len(broken) == len(seen) and all(_like_root(one, facts_of(roots).get(label)) for label, one in broken.items()):
        return _every_path_is_root(broken, len(seen))
    story = explain_answer(next(iter(broken.values())))
    return fails("GET /version is not answered in JSON", broken, len(seen), story, "JSON with the API's version")


def _like_root(seen: Exchange, root: Roots | None) -> bool:
    """Did the API itself answer as it answers GET /, a body that is not empty? It never does so for /version."""
    who = sender(seen)
    same = root is not None and any(one.body == seen.body and one.status == seen.status for one in root.exchanges)
    return (
        same
        and bool(seen.body)
        and seen.status == 200
        and (who.hop, who.confidence)
        == (
            HopName.API,
            Confidence.CERTAIN,
        )
    )


def _every_path_is_root(seen: Mapping[str, Exchange], of: int) -> Finding:
    """The gateway asks the API for another path than the client does."""
    shown = next(iter(seen.values()))
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"GET /version is answered as GET / is, by the API itself ({grouped(seen, of)}): a gateway in front of "
        "it asks for / whatever path a client asks for",
        answer="Every request reaches the API as one for /: a gateway rewrites the path",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="JSON with the API's version",
        seen=f"{in_words(shown)}, the body of GET /",
        evidence=exchange_proofs(shown),
        remedy=Remedy(
            text="Take the rule out of the gateway that rewrites paths (a rewrite target of /, a replaced path): the "
            "API must get every path as the client asked for it.",
            action="Let the gateway pass every path on as it came: take out the rule that rewrites it to /",
            snippets=first_for(
                sender(shown),
                (
                    Snippet(product="nginx", code="proxy_pass http://api:8000;  # no path behind it, no rewrite"),
                    Snippet(
                        product="Kubernetes Ingress",
                        code="# without the annotation nginx.ingress.kubernetes.io/rewrite-target",
                    ),
                    Snippet(product="HAProxy", code="# without http-request set-path / (or replace-path)"),
                    Snippet(product="Traefik", code="# no replacePath or stripPrefix middleware on the API's router"),
                    Snippet(product="Caddy", code="reverse_proxy api:8000  # no rewrite before it"),
                ),
            ),
        ),
        sources=SOURCES,
    )


def _is_api_json(seen: Exchange) -> bool:
    return (
        seen.failure is None and json_body(seen) is not None and sender(seen).hop is HopName.API and _status(seen) < 500
    )


def _lacks_route(seen: Exchange) -> bool:
    """The route is missing in an old API server or in API Gateway's list: SDKs do without it (one 404 at their "
    "start)."""
    who = sender(seen)
    missing_token = who.name == "AWS API Gateway" and seen.status == 403
    return missing_token or (seen.status == 404 and who.hop is HopName.API and who.confidence is not Confidence.UNKNOWN)


def _status(seen: Exchange) -> int:
    return seen.status or 0


def _speaks(seen: Mapping[str, Exchange]) -> Finding:
    names = sorted({name for one in seen.values() if (name := version_name(one))})
    told = f"version {', '.join(names)}" if names else f"{next(iter(seen.values())).status} in JSON"
    return Finding(verdict=Verdict.PASS, summary=f"GET /version answers {told}")


def _no_version_route(absent: Mapping[str, Exchange], of: int) -> Finding:
    shown = next(iter(absent.values()))
    return Finding(
        verdict=Verdict.WARN,
        summary=f"the API has no /version: {grouped(absent, of)}; SDKs then assume the default limit for what they "
        "send",
        hop=HopName.API,
        owner=Owner.API,
        expected="JSON with logs3_payload_max_bytes",
        seen=in_words(shown),
        evidence=exchange_proofs(shown),
        remedy=Remedy(text="Upgrade the data plane (on AWS the Terraform module, whose API Gateway lists the routes)."),
        sources=("https://www.braintrust.dev/docs/admin/self-hosting",),
    )


def status_is_not_latched(roots: PerRoots, version: PerExchange, status: PerExchange) -> Finding:
    """The claim of readiness.status-is-not-latched: /status does not fail where / is fine."""
    gate, seen = at_answering(roots, version, status)
    if gate is not None:
        return gate
    failing = {label: one for label, one in seen.items() if one.failure or _status(one) >= 500}
    if failing:
        return _latched(failing, len(seen))
    if not any(200 <= _status(one) < 300 for one in seen.values()):
        return Finding(
            verdict=Verdict.SKIP,
            summary=f"the API serves no /status here: {grouped(seen, len(seen))}, so nothing can latch",
        )
    return Finding(verdict=Verdict.PASS, summary="GET /status answers 200, as GET / does")


def _latched(failing: Mapping[str, Exchange], of: int) -> Finding:
    shown = next(iter(failing.values()))
    return Finding(
        verdict=Verdict.WARN,
        summary=f"GET /status fails though GET / is fine: {grouped(failing, of)}; it is known never to recover once "
        "it has failed, and what uses it as a health check takes a healthy server out",
        hop=HopName.API,
        owner=Owner.API,
        expected="no health check on /status; 200 where it exists",
        seen=in_words(shown),
        evidence=exchange_proofs(shown),
        remedy=Remedy(
            text="Let readiness probes and load balancers use GET / instead: Helm charts 3.0.3 to 4.1.0 probe "
            "/status by default, 5.0.0 and later probe /, unless your values still set the old path. Restarting the "
            "pods clears the latch until the next failure.",
            snippets=(HELM_PROBES,),
        ),
        sources=("https://github.com/braintrustdata/helm (chart values 3.0.3 to 5.0.0)",),
    )


def backend_agrees(roots: PerRoots, version: PerExchange, backend: Exchange) -> Finding:
    """The claim of readiness.backend-agrees: the API server behind answers as the load balancer in front does."""
    gate = unanswered(root_readings(roots, version))
    if gate is not None:
        return gate
    state = state_of(backend, page_allowed=True)
    if state is AnswerState.GOOD:
        return Finding(
            verdict=Verdict.PASS,
            summary=f"the API server itself answers {backend.status} at {backend.url}, as in front",
        )
    if state is AnswerState.LIMITED:
        return rate_limited(backend)
    if backend.failure is not None and backend.failure.phase in {Phase.TCP, Phase.TLS, Phase.PROXY}:
        return _backend_out_of_reach(backend)
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"the API server itself gives {in_words(backend)} at {backend.url} while the load balancer answers GET "
        "/ well: it answers in the API server's place, or has other API servers",
        hop=HopName.API,
        owner=Owner.API,
        expected="200-399 to GET / at the API server, as at the load balancer",
        seen=in_words(backend),
        evidence=exchange_proofs(backend),
        remedy=Remedy(
            text="Read that API server's log and mend or replace it; remove rules by which the load balancer "
            "answers / itself, for they hide such failures from every health check."
        ),
        sources=SOURCES,
    )


def _backend_out_of_reach(backend: Exchange) -> Finding:
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"{backend.url} cannot be reached from here ({in_words(backend)}), though the load balancer answers: "
        "nothing to compare",
        hop=HopName.NETWORK,
        owner=Owner.NETWORK,
        expected="a connection to the API server past the load balancer",
        seen=in_words(backend),
        evidence=exchange_proofs(backend),
        remedy=Remedy(
            text="Correct --backend, start the port-forward, or run btdiag where the API server can be reached."
        ),
    )


def brainstore_answers(brainstore: Exchange) -> Finding:
    """The claim of readiness.brainstore-answers: GET / at Brainstore is answered 200-399, as its readiness probe "
    "wants."""
    state = state_of(brainstore, page_allowed=True)
    if state is AnswerState.GOOD:
        return Finding(verdict=Verdict.PASS, summary=f"Brainstore answers {brainstore.status} at {brainstore.url}")
    if state is AnswerState.LIMITED:
        return rate_limited(brainstore)
    local = state is AnswerState.LOCAL
    return Finding(
        verdict=Verdict.INCONCLUSIVE if local else Verdict.FAIL,
        summary=f"Brainstore at {brainstore.url} gives {in_words(brainstore)}: {_brainstore_cause(brainstore)}",
        hop=HopName.CLIENT if local else HopName.BRAINSTORE,
        owner=Owner.CLIENT if local else Owner.API,
        expected="200-399 to GET /",
        seen=in_words(brainstore),
        evidence=exchange_proofs(brainstore),
        remedy=Remedy(
            text=f"Check that Brainstore runs and listens on port {urlsplit(brainstore.url).port or 4000}, and that "
            "a security group or network policy lets this machine in; its readiness probe must be GET / (not "
            "/status) on port 4000.",
            snippets=(HELM_PROBES,),
        ),
        sources=("https://github.com/braintrustdata/helm (values of the chart)",),
    )


def _brainstore_cause(seen: Exchange) -> str:
    if seen.failure is None:
        return "it runs, but is not ready: its log says why"
    if seen.failure.trouble is Trouble.REFUSED:
        return "nothing listens there, or a firewall rejects"
    if seen.failure.trouble is Trouble.LOCAL:
        return "this machine could not send the request"
    return "it is down, stuck, or out of reach from this machine"
