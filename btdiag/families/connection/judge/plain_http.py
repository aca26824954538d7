"""What http:// beside an https:// target does: redirect, serve the API in clear, or nothing."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from btdiag.core import evidence
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.target import Target
from btdiag.families.connection.facts import PlainHttp

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


_SNIPPETS = (
    Snippet(product="nginx", code="server {\n  listen 80;\n  return 308 https://$host$request_uri;\n}"),
    Snippet(product="HAProxy", code="http-request redirect scheme https code 308 unless { ssl_fc }"),
    Snippet(product="AWS Load Balancer Controller", code='alb.ingress.kubernetes.io/ssl-redirect: "443"'),
)


def plain_http_redirects(plain: PlainHttp, target: Target) -> Finding:
    """The claim of connection.plain-http-redirects: http:// redirects to https:// or serves nothing."""
    where, answer = f"http://{target.host} (port {target.plain_port})", plain.answer
    if plain.speaks_tls:
        return _risky(answer, f"{where} speaks TLS, so that an http:// URL meets an error instead of a redirect")
    if answer.status is None:
        why = answer.failure.detail if answer.failure else "no answer"
        return Finding(
            verdict=Verdict.PASS, summary=f"{where} serves nothing: {why}", evidence=(evidence.exchange(answer),)
        )
    if answer.status in _REDIRECTS:
        return _redirected(answer, target, where)
    if answer.status >= 300:
        text = f"{where} answers {answer.status}: the API is not served in clear"
        return Finding(verdict=Verdict.PASS, summary=text, evidence=(evidence.exchange(answer),))
    return _risky(
        answer,
        f"{where} serves the API in clear (status {answer.status}): whoever uses an http:// URL by mistake sends the "
        "API key unencrypted",
    )


def _redirected(answer: Exchange, target: Target, where: str) -> Finding:
    location = urljoin(answer.url, answer.header("location") or "")
    parts = urlsplit(location)
    if parts.scheme != "https":
        return _risky(answer, f"{where} redirects to {location or 'nowhere'}, which is not https")
    note = "" if parts.hostname == target.host else f", another host than {target.host}"
    text = f"{where} redirects to https ({answer.status} to {parts.scheme}://{parts.netloc}{note})"
    return Finding(verdict=Verdict.PASS, summary=text, evidence=(evidence.exchange(answer),))


def _risky(answer: Exchange, summary: str) -> Finding:
    clear = answer.status is not None and answer.status < 300
    return Finding(
        verdict=Verdict.WARN,
        summary=summary,
        answer="The API is served in clear over http:// too: a wrong URL sends the key unencrypted"
        if clear
        else "http:// leads to no https://: who types the URL without the s meets an error",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="a redirect to https://, or no answer",
        seen=f"{answer.status} {answer.reason}".rstrip() if answer.status else "no HTTP answer",
        evidence=(evidence.exchange(answer), evidence.curl(answer)),
        remedy=Remedy(
            action="Let the plain port redirect every request to https with 308, or close it",
            text="Let the plain port redirect every request to https (308 keeps method and body), or close it.",
            snippets=_SNIPPETS,
        ),
        sources=("RFC 9110 section 15.4.9", "RFC 6797 section 7.2"),
    )
