"""What a page's connections leave room for: six to a host with HTTP/1.1, each taken by an open event stream. Pure.

Seen with Chromium 156: with six streams open, the seventh request of a page is not sent before one of them ends; over
HTTP/2 they share one connection, and it is answered at once.
"""

from __future__ import annotations

from btdiag.core import evidence
from btdiag.core.finding import Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.families.browser.facts import CONNECTIONS, BrowserHandshake
from btdiag.families.gateway.facts.streams import STREAM_PATH, StreamSeen

SOURCES = (
    "https://html.spec.whatwg.org/multipage/server-sent-events.html#authoring-notes",
    "RFC 9113 section 5.1.2 (concurrent streams)",
)
OFFER_HTTP2 = Remedy(
    text="Offer HTTP/2 in the handshake (ALPN h2) where browsers' TLS ends: there all streams of a page share one "
    "connection. Between load balancer and API server HTTP/1.1 may stay.",
    action="Offer HTTP/2 (ALPN h2) to browsers at the load balancer",
    snippets=(
        Snippet(product="nginx", code="listen 443 ssl;\nhttp2 on;  # before 1.25.1: listen 443 ssl http2;"),
        Snippet(product="HAProxy", code="bind :443 ssl crt /etc/haproxy/tls.pem alpn h2,http/1.1"),
        Snippet(
            product="AWS ALB",
            code="aws elbv2 modify-load-balancer-attributes --load-balancer-arn ARN \\\n"
            "  --attributes Key=routing.http2.enabled,Value=true",
        ),
    ),
)


def streams_crowd_out(tried: BrowserHandshake | NotMeasured, stream: StreamSeen | NotMeasured) -> Finding | None:
    """The warning that open event streams keep a page's other requests waiting; None where they do not, or where that
    was not seen."""
    if isinstance(tried, NotMeasured) or isinstance(stream, NotMeasured):
        return None
    if tried.failure or tried.alpn not in (None, "http/1.1") or not stream.stays_open or _offers_http3(stream):
        return None
    took = f"after {stream.watched:.0f} s"
    rows = [
        ["a browser's handshake", f"{tried.version}, {tried.alpn or 'no ALPN'}: HTTP/1.1 only"],
        [f"GET {STREAM_PATH}", f"an event stream, still open {took}"],
        ["connections of a browser to one host", f"{CONNECTIONS} over HTTP/1.1"],
    ]
    return Finding(
        verdict=Verdict.WARN,
        summary=f"{tried.label} offers browsers HTTP/1.1 only, over which they open {CONNECTIONS} connections to a "
        f"host, and an event stream holds one (GET {STREAM_PATH} was open {took}): with {CONNECTIONS} streams open, in "
        "all tabs together, every further request of the web app waits",
        answer=f"The web app may hang: HTTP/1.1 only, and {CONNECTIONS} event streams take all connections",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="HTTP/2 for browsers where event streams stay open",
        seen=f"{tried.alpn or 'no ALPN'}, and a stream that stays open",
        evidence=(evidence.table("Room for a page's requests", ["what", "seen"], rows),),
        remedy=OFFER_HTTP2,
        sources=SOURCES,
    )


def _offers_http3(stream: StreamSeen) -> bool:
    """Browsers take HTTP/3 once they have seen it advertised (RFC 7838), and have room there."""
    return any("h3" in value for value in stream.exchange.header_values("alt-svc"))
