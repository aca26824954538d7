"""The checks of family `logs` as data: what each claims, which kinds of failure speak against it, who can change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from btdiag.logs.event import KINDS, Fits
from btdiag.logs.house import Owner, Verdict

RFC = "https://www.rfc-editor.org/rfc/rfc9112#section-9.5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One check. `kinds` speak against it; `answer` is the headline's first clause, at most 90 characters; `action`
    what to do, at most 140; `verdict` what a sure failure makes of it."""

    id: str
    title: str
    why: str
    kinds: Fits
    answer: str
    action: str
    hop: str
    owner: str
    verdict: Verdict = Verdict.FAIL
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldTimeouts:
    """What the user said: both idle timeouts in seconds, None where nothing was said."""

    keepalive_s: float | None = None
    balancer_s: float | None = None


RACE = "logs.no-request-meets-a-closing-connection"
LINES = "logs.every-line-is-read"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        id=RACE,
        title="No request is sent on a connection that the backend is just closing.",
        why="When the backend closes idle connections sooner than the load balancer lets go of them, a request can meet"
        " the closing: the client sees a 502 (or 503, or an empty reply), and the API logs nothing.",
        kinds=("race", "race_retried"),
        answer="Requests are lost on connections that the backend closes and the load balancer keeps",
        action="Raise the backend's keep-alive timeout above the load balancer's idle timeout",
        hop="load balancer",
        owner=Owner.LOAD_BALANCER,
        sources=(RFC, "https://nodejs.org/api/http.html#serverkeepalivetimeout"),
    ),
    Claim(
        id="logs.backend-stays-up",
        title="The backend does not go away while it works on a request.",
        why="A crash, a restart without draining, or a handler that hangs up loses every request in flight.",
        kinds=("backend_crash", "backend_restart", "backend_closed"),
        answer="The backend hangs up on requests that it has begun",
        action="Look at the API's restarts, memory and crashes at these moments; drain before a restart",
        hop="api",
        owner=Owner.API,
    ),
    Claim(
        id="logs.backend-takes-connections",
        title="The load balancer reaches a backend for every request.",
        why="A refused connection, a connect timeout or an empty pool fails every request at once.",
        kinds=("refused", "no_healthy_target", "connect_timeout"),
        answer="The load balancer does not reach the backend",
        action="Check that the API listens on the address and port that the load balancer uses, and its health checks",
        hop="api",
        owner=Owner.API,
    ),
    Claim(
        id="logs.backend-name-is-found",
        title="The load balancer finds the address of its backend.",
        why="A name that does not resolve fails every request to that backend.",
        kinds=("upstream_dns",),
        answer="The load balancer does not find the backend's name",
        action="Correct the backend's name, or the resolver that the load balancer asks",
        hop="dns",
        owner=Owner.LOAD_BALANCER,
    ),
    Claim(
        id="logs.backend-protocol-matches",
        title="Load balancer and backend agree on TLS.",
        why="TLS to a plain port, plain HTTP to a TLS port or a certificate that is not trusted fail every request.",
        kinds=("tls_to_backend", "plain_to_tls_backend"),
        answer="The load balancer and the backend do not agree on TLS",
        action="Set the backend's protocol (http or https) and the trusted certificate in the load balancer",
        hop="load balancer",
        owner=Owner.LOAD_BALANCER,
    ),
    Claim(
        id="logs.backend-answers-in-time",
        title="The backend answers before the load balancer gives up.",
        why="Queries that take longer than the load balancer waits end as 504 (Apache: 502), however they go on.",
        kinds=("upstream_timeout",),
        answer="The backend answers later than the load balancer waits",
        action="Raise the load balancer's read timeout above the longest query, or make these requests faster",
        hop="load balancer",
        owner=Owner.LOAD_BALANCER,
    ),
    Claim(
        id="logs.answers-arrive-whole",
        title="No answer is cut off in its body.",
        why="The client has seen a 200 and half of the data; most access logs show nothing of it.",
        kinds=("cut_midbody",),
        answer="Answers of the backend end in the middle",
        action="Look at the API's log at these moments: a crash, a restart, or a stream that failed",
        hop="api",
        owner=Owner.API,
    ),
    Claim(
        id="logs.requests-and-answers-fit",
        title="Requests and answers fit within the load balancer's size limits.",
        why="Large inserts, long URLs and large headers are refused before the API sees them.",
        kinds=("request_too_large", "response_too_large"),
        answer="The load balancer refuses what is larger than its limits",
        action="Raise the limits for bodies and headers in the load balancer",
        hop="load balancer",
        owner=Owner.LOAD_BALANCER,
    ),
    Claim(
        id="logs.load-stays-within-limits",
        title="No request is turned away for a limit on connections or rate.",
        why="429 and full queues are by design; who is turned away often needs a higher limit.",
        kinds=("overload", "rate_limited"),
        answer="Requests are turned away by limits on rate or connections",
        action="Raise the limit, or spread the requests of the clients named below",
        hop="load balancer",
        owner=Owner.LOAD_BALANCER,
        verdict=Verdict.WARN,
    ),
    Claim(
        id="logs.preflights-are-answered",
        title="Browsers' preflight requests are answered.",
        why="A preflight that gets an error keeps the web app from sending the request. A 2xx may still be refused by"
        " the browser: a log does not hold the headers.",
        kinds=("cors_preflight_refused",),
        answer="Preflight requests of browsers are refused",
        action="Let OPTIONS through to the API without authentication, or answer it in the load balancer",
        hop="load balancer",
        owner=Owner.LOAD_BALANCER,
    ),
    Claim(
        id="logs.application-does-not-fail",
        title="The API itself answers without 5xx.",
        why="These errors are the application's own answers: the load balancer only hands them on.",
        kinds=("app_5xx",),
        answer="The API itself answers with errors",
        action="Look at the API's own log for these requests",
        hop="api",
        owner=Owner.API,
    ),
    Claim(
        id="logs.clients-wait-for-answers",
        title="Clients wait until they have their answer.",
        why="Who leaves early has a shorter timeout than the answer needs, or a user who closed the page.",
        kinds=("client_abort",),
        answer="Clients leave before they have their answer",
        action="Compare the clients' timeouts with how long these requests took",
        hop="client",
        owner=Owner.CLIENT,
        verdict=Verdict.WARN,
    ),
)
"""In the order in which a headline speaks of them."""

READ = Claim(
    id=LINES,
    title="Every line of the files is read.",
    kinds=(),
    hop="config",
    owner="",
    why="What is not read is not judged: cut lines are counted and shown.",
    answer="Some lines could not be read",
    action="Give the format with --log-format",
)

ARRIVED = Claim(
    id="logs.requests-of-the-run-arrived",
    title="Every request that a run lost is in the load balancer's log.",
    kinds=(),
    hop="load balancer",
    owner=Owner.NETWORK,
    why="A lost request with a line in the log was lost at or behind this load balancer; one without a line, while all"
    " answered ones have theirs, was lost in front of it. Asked with --with REPORT.json.",
    answer="Requests of the run were lost before they reached this load balancer",
    action="Read the log of what stands in front of this load balancer, a CDN or firewall, in the same way",
)

CLAIM_OF: Mapping[str, Claim] = {kind: claim for claim in CLAIMS for kind in claim.kinds}
assert set(CLAIM_OF) == set(KINDS)

HIDDEN: Mapping[str, tuple[str, ...]] = {
    "nginx-combined": ("cut_midbody", "race_retried"),
    "nginx-common": ("cut_midbody", "race_retried"),
    "nginx-upstream": ("cut_midbody",),
    "nginx-json": ("cut_midbody",),
    "nginx-custom": ("cut_midbody",),
    "ingress-nginx": ("cut_midbody",),
    "apache-combined": ("cut_midbody", "client_abort"),
    "apache-rich": ("cut_midbody", "client_abort"),
    "apache-custom": ("cut_midbody", "client_abort"),
    "varnish-ncsa": ("cut_midbody", "client_abort"),
    "varnish-ncsa-rich": ("cut_midbody", "client_abort"),
    "varnish-ncsa-backend": ("client_abort",),
    "varnishlog": ("client_abort",),
    "caddy-access-json": ("cut_midbody",),
    "traefik-common": ("cut_midbody",),
}
"""What a format cannot show: such a request looks healthy in it."""

SAMPLED = frozenset({"cloudfront-realtime", "gcp-https-lb-json"})
"""Formats whose logging has a sampling rate of its own, which the lines do not hold."""

SHOWN_BY: Mapping[str, str] = {
    "nginx": "the error log",
    "apache": "the error log (cut answers); Apache marks clients that left nowhere",
    "varnish": "varnishlog",
    "caddy": "the error log",
    "traefik": "the access log as JSON",
}


def claims_table() -> str:
    """The checks as a table in Markdown: id and claim."""
    rows = ["| check | claim |", "|---|---|"]
    return "\n".join([*rows, *(f"| `{claim.id}` | {claim.title} |" for claim in (*CLAIMS, ARRIVED, READ))]) + "\n"


def explain_claim(id_: str) -> str | None:
    """What `btdiag explain` prints for a check of logs; None for an id that is none."""
    claim = next((one for one in (*CLAIMS, ARRIVED, READ) if one.id == id_), None)
    if claim is None:
        return None
    kinds = [f"  {kind}: {KINDS[kind]}" for kind in claim.kinds]
    against = ["", "What speaks against it, a request that was", *kinds] if kinds else []
    sources = ["", "Sources:", *(f"  {source}" for source in claim.sources)] if claim.sources else []
    head = [f"{claim.id}: {claim.title}", "", claim.why, *against, "", f"What to do: {claim.action}."]
    return "\n".join([*head, "Judged by btdiag logs, from files alone.", *sources])
