"""After how many seconds do the hops give up an answer that stays silent? Where functions and evals take longer, their
callers get a 504 or half an answer, though the API is still at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from btdiag.core import evidence
from btdiag.core.answers import in_words, rate_limited
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.sender import sender
from btdiag.core.statuses import first_for
from btdiag.families.gateway.facts.streams import AGREES_S, GIVEN_UP, STREAM_PATH, HeldStream, StreamSilence

FUNCTIONS_S = 900.0  # how long a function may run by default on Kubernetes, and at most on AWS Lambda
LEAST_S = 29.0  # AWS API Gateway's limit, the shortest of any platform that the product's own modules set up
LATER_S = 0.5  # seconds by which what the API server ends is seen later through a load balancer, or earlier
SEEN_SHARE = 0.5  # of the wait: a silence that was shorter shows nothing worth a pass
SOURCES = (
    "https://www.braintrust.dev/docs/kb/ui-experiment-timeout-configuration-for-self-hosted-k8s",
    "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_read_timeout",
    "https://docs.haproxy.org/2.6/configuration.html#4.2-timeout%20server",
    "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html",
    "https://www.envoyproxy.io/docs/envoy/latest/faq/configuration/timeouts",
    "https://cloud.google.com/load-balancing/docs/backend-service#timeout-setting",
    "https://doc.traefik.io/traefik/routing/entrypoints/#respondingtimeouts",
)


def silent_answers_are_awaited(found: StreamSilence) -> Finding:
    """The claim of gateway.silent-answers-are-awaited. An API server that refuses its stream is no comparison: it may
    demand the key, which --backend never gets."""
    if found.direct is not None and found.direct.refused:
        found = replace(found, direct=None)
    limited = [held.exchange for held in found.front if held.exchange.status == 429]
    if limited:
        return rate_limited(limited[0])
    refused = [held.exchange for held in found.front if held.refused]
    if refused:
        return Finding(
            verdict=Verdict.SKIP,
            summary=f"GET {STREAM_PATH} is answered {in_words(refused[0])}: after how many seconds the hops give up a "
            "slow answer was not seen",
        )
    lost = [held for held in found.front if held.given_up]
    if not lost and all(_outlived(held, found.direct) for held in found.front) and _one_timer(found.front):
        lost = list(found.front)
    if lost and len(lost) == len(found.front) and _one_timer(lost):
        return _ended_by_api(found) if _ends_itself(found, lost) else _given_up(found, lost)
    if lost:
        return _no_timer(found, lost)
    survived = max(held.survived_s for held in found.front)
    if survived < SEEN_SHARE * found.watched_s:
        return Finding(
            verdict=Verdict.SKIP,
            summary=f"GET {STREAM_PATH} ends after {_s(found.front[0].over_s)} and is never silent for longer than "
            f"{_s(survived)}: after how many seconds the hops give up a slow answer was not seen",
        )
    return Finding(
        verdict=Verdict.PASS,
        summary=f"GET {STREAM_PATH} was left alone while it was silent for {_s(survived)}; "
        f"longer waits were not watched (functions may run for {FUNCTIONS_S:g} s)",
        evidence=(_table(found),),
    )


def _outlived(held: HeldStream, direct: HeldStream | None) -> bool:
    """The API server's own stream went on for longer: an end that looks sound, as where only the connection's end marks
    it, was none."""
    return direct is not None and not held.open and direct.over_s > held.over_s + AGREES_S


def _one_timer(lost: Sequence[HeldStream]) -> bool:
    limits = [held.limit_s for held in lost]
    return max(limits) - min(limits) <= AGREES_S


def _ends_itself(found: StreamSilence, lost: Sequence[HeldStream]) -> bool:
    """The stream of the API server ended as early, without a load balancer."""
    direct = found.direct
    return direct is not None and not direct.open and direct.over_s <= max(held.over_s for held in lost) + LATER_S


def _ended_by_api(found: StreamSilence) -> Finding:
    ended = found.direct.over_s if found.direct else 0.0
    return Finding(
        verdict=Verdict.SKIP,
        summary=f"the API server itself ends GET {STREAM_PATH} after {_s(ended)}: after how many seconds the hops give "
        "up a slow answer was not seen",
    )


def _given_up(found: StreamSilence, lost: Sequence[HeldStream]) -> Finding:
    limit, seen = max(held.limit_s for held in lost), lost[0].exchange
    certain = found.direct is not None
    how = f"answered {in_words(seen)}" if seen.status in GIVEN_UP else "broken off"
    since = "of silence" if lost[0].for_silence else "though events flow"
    who = "" if certain else " (by a hop, or by the API server itself: --backend URL would tell where it needs no key)"
    return Finding(
        verdict=Verdict.FAIL if certain and limit < LEAST_S else Verdict.WARN,
        summary=f"GET {STREAM_PATH} is {how} after {_s(limit)} {since}, {len(lost)} of {len(lost)} times{who}: "
        f"functions and evals, which may run for {FUNCTIONS_S:g} s, end there with a 504 or half an answer",
        answer=(
            f"Long functions and evals end early: {'a silent' if lost[0].for_silence else 'any'} answer is ended after "
            f"{_s(limit)}"
        ),
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected=f"an answer may stay silent for {FUNCTIONS_S:g} s (CODE_FUNCTION_EXECUTION_TIMEOUT_S)",
        seen=f"{how} after {_s(limit)}",
        evidence=(_table(found), evidence.exchange(seen)),
        remedy=_remedy(lost[0]),
        sources=SOURCES,
    )


def _no_timer(found: StreamSilence, lost: Sequence[HeldStream]) -> Finding:
    ages = ", ".join(_s(held.over_s) for held in lost)
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        summary=f"{len(lost)} of {len(found.front)} streams (GET {STREAM_PATH}) broke off, after {ages}, and no common "
        "age shows a timer: a restart or a lost connection, perhaps; run again",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="all streams last, or all end at the same age",
        seen=f"{len(lost)} of {len(found.front)} broke off",
        evidence=(_table(found),),
    )


def _remedy(held: HeldStream) -> Remedy:
    """What to change: the timer of silence, or that of the whole answer; the product that answered first."""
    snippets = first_for(sender(held.exchange), _OF_SILENCE if held.for_silence else _OF_ALL)
    if held.for_silence:
        return Remedy(
            text=f"Let every hop wait for a silent answer as long as functions may run ({FUNCTIONS_S:g} s by default). "
            "Where one setting also rules idle connections to the API (an ALB's idle timeout), raise "
            "TS_API_KEEP_ALIVE_TIMEOUT_SECONDS above it too. Envoy's route timeout (15 s by default) and Google's "
            "backend service timeout (30 s) count the whole answer, silent or not.",
            action=f"Let every hop wait for a silent answer as long as functions may run ({FUNCTIONS_S:g} s)",
            snippets=snippets,
        )
    return Remedy(
        text="Lift the timeout for whole answers at the hop that ends them: events were flowing, so no timer of "
        f"silence (proxy_read_timeout, timeout server) helps. Functions may run for {FUNCTIONS_S:g} s.",
        action=f"Lift the timeout for whole answers, not that for silence, to {FUNCTIONS_S:g} s or none",
        snippets=snippets,
    )


_OF_SILENCE = (
    Snippet(product="nginx", code="proxy_read_timeout 900s;\nproxy_send_timeout 900s;"),
    Snippet(
        product="Kubernetes Ingress",
        code='nginx.ingress.kubernetes.io/proxy-read-timeout: "900"\n'
        'nginx.ingress.kubernetes.io/proxy-send-timeout: "900"',
    ),
    Snippet(product="HAProxy", code="timeout server 900s"),
    Snippet(product="Envoy", code="route: {cluster: api, timeout: 0s, idle_timeout: 900s}"),
    Snippet(product="Terraform (CloudFront, at most)", code="cloudfront_origin_read_timeout = 180"),
)
_OF_ALL = (
    Snippet(product="Envoy", code="route: {cluster: api, timeout: 0s}  # 15 s by default"),
    Snippet(product="Istio", code="# VirtualService of the API\nhttp:\n  - timeout: 0s"),
    Snippet(
        product="Traefik",
        code="entryPoints:\n  websecure:\n    transport:\n      respondingTimeouts: {writeTimeout: 0}",
    ),
    Snippet(
        product="Google Cloud load balancer",
        code="gcloud compute backend-services update NAME --global --timeout=900s  # 30 s by default",
    ),
    Snippet(product="Caddy", code="servers {\n  timeouts {\n    write 0\n  }\n}"),
)


def _table(found: StreamSilence) -> Evidence:
    rows = [(held.exchange.label, in_words(held.exchange), *_moments(held)) for held in found.front]
    if found.direct is not None:
        rows.append((found.direct.exchange.label, in_words(found.direct.exchange), *_moments(found.direct)))
    headers = ("way", "answer", "last bytes after (s)", "longest silence (s)", "over after (s)")
    return evidence.table(f"GET {STREAM_PATH}, held for at most {_s(found.watched_s)}", headers, rows)


def _moments(held: HeldStream) -> tuple[str, str, str]:
    return f"{held.last_s:.2f}", f"{held.survived_s:.2f}", f"{held.over_s:.2f}"


def _s(seconds: float) -> str:
    return f"{seconds:.1f} s"
