"""Does an upload get through that takes long, as large logs and attachments do on a slow line? Pure."""

from __future__ import annotations

from btdiag.core import evidence
from btdiag.core.answers import in_words, rate_limited
from btdiag.core.exchange import Exchange, Trouble
from btdiag.core.finding import Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.sender import sender
from btdiag.core.statuses import first_for
from btdiag.core.target import Mode
from btdiag.families.gateway.facts.requests import SlowUpload

_NOT_TRIED = (
    "uploads that take long are tried with --deep only, and answers of tens of megabytes not at all: no harmless "
    "request has one; to find out about uploads: --deep"
)
_SNIPPETS = (
    Snippet(product="nginx", code="client_body_timeout 300s;"),
    Snippet(
        product="Traefik", code="--entryPoints.websecure.transport.respondingTimeouts.readTimeout=0  # 60 s by default"
    ),
    Snippet(product="Apache httpd", code="RequestReadTimeout header=20-40,MinRate=500 body=0"),
    Snippet(product="HAProxy", code="timeout client 300s"),
    Snippet(product="Caddy", code="servers {\n  timeouts {\n    read_body 15m\n  }\n}"),
)
SOURCES = (
    "https://doc.traefik.io/traefik/routing/entrypoints/#respondingtimeouts",
    "https://httpd.apache.org/docs/2.4/mod/mod_reqtimeout.html",
    "https://nginx.org/en/docs/http/ngx_http_core_module.html#client_body_timeout",
)


def slow_uploads_pass(found: SlowUpload | NotMeasured, mode: Mode) -> Finding:
    """The claim of gateway.slow-uploads-pass."""
    if not mode.deep:
        return Finding(verdict=Verdict.SKIP, summary=_NOT_TRIED)
    if isinstance(found, NotMeasured):
        verdict = Verdict.SKIP if found.skipped or found.by else Verdict.INCONCLUSIVE
        return Finding(verdict=verdict, summary=found.reason, because=found.by)
    at_once, slow = found.at_once, found.slow
    limited = [seen for seen in (at_once, slow) if seen.status == 429]
    if limited:
        return rate_limited(limited[0])
    if at_once.failure is not None or _too_early(slow):
        why = (
            f"the same upload, sent at once, gives {in_words(at_once)}"
            if at_once.failure
            else "it is answered too early"
        )
        return Finding(verdict=Verdict.SKIP, summary=f"whether a slow upload gets through was not seen: {why}")
    if slow.status == at_once.status:
        return Finding(
            verdict=Verdict.PASS, summary=f"an upload that takes {found.over_s:.0f} s is answered as one sent at once"
        )
    return _given_up(found)


def _too_early(seen: Exchange) -> bool:
    """The answer came before all was sent, and is none of a hop that gives up: the server did not wait for the rest."""
    return seen.status is not None and seen.status < 500 and seen.status != 408 and seen.timing.first_byte_s == 0.0


def _given_up(found: SlowUpload) -> Finding:
    slow, direct = found.slow, found.direct
    own = direct is not None and direct.status == slow.status
    open_ = slow.failure is not None and slow.failure.trouble is Trouble.TIMEOUT
    return Finding(
        verdict=Verdict.INCONCLUSIVE if open_ else Verdict.WARN,
        summary=f"an upload that takes {found.over_s:.0f} s gives {in_words(slow)} after {slow.timing.total_s:.1f} s, "
        f"and {in_words(found.at_once)} when it is sent at once" + (", as at the API server itself" if own else ""),
        answer="Uploads that take long are given up: large logs and attachments are lost on slow lines",
        hop=HopName.API if own else HopName.LOAD_BALANCER,
        owner=Owner.API if own else Owner.LOAD_BALANCER,
        expected=f"{in_words(found.at_once)}, however long the upload takes",
        seen=f"{in_words(slow)} after {slow.timing.total_s:.1f} s",
        evidence=(evidence.exchange(slow), evidence.exchange(found.at_once)),
        remedy=Remedy(
            text="Raise the timeout for reading a request's body at the hop that gives up, or let it count the silence "
            "between two pieces and not the whole upload.",
            action="Raise the timeout for reading a request's body at the hop that gives up",
            snippets=first_for(sender(slow), _SNIPPETS),
        ),
        sources=SOURCES,
    )
