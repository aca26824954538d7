"""Faults between two hops, read from the bodies and reset reasons of known products: which two do not understand each
other, and the setting on both sides. Pure.

Sources: what the products say was seen with Envoy 1.39, Traefik 3.7, Caddy 2.6, nginx 1.22, HAProxy 2.6, Apache 2.4 and
Node 20, each before and behind the others; Envoy before 1.37 also tells the transport's reason
(https://github.com/envoyproxy/envoy/issues/44694, 15584, 17484, 23740; https://github.com/istio/istio/issues/53368),
and Go's dialler its own (https://github.com/envoyproxy/envoy/issues/18511). Settings:
https://nginx.org/en/docs/http/ngx_http_proxy_module.html, https://docs.haproxy.org/2.6/configuration.html,
https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/core/v3/protocol.proto,
https://istio.io/latest/docs/reference/config/networking/destination-rule/,
https://doc.traefik.io/traefik/routing/services/,
https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from btdiag.core.exchange import Exchange
from btdiag.core.finding import Remedy, Snippet
from btdiag.core.sender import Sender, json_body


class HopFault(StrEnum):
    """How two hops fail to understand each other."""

    OLD_HTTP = "http version"
    PLAIN_TO_TLS = "plain to tls"
    TLS_TO_PLAIN = "tls to plain"
    NO_CLIENT_CERTIFICATE = "no client certificate"
    UNTRUSTED = "untrusted"
    PROTOCOL = "protocol"
    TLS_OR_PROTOCOL = "tls or protocol"
    CUT_OFF = "cut off"
    NOT_CONNECTED = "not connected"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class HopAdvice:
    """What is said of a fault: `cause` with the place where the answering product stands, `text` with both settings,
    `action` in at most 140 characters, and a snippet for each product."""

    cause: str
    text: str
    action: str
    snippets: tuple[Snippet, ...]


_NGINX_TLS = Snippet(product="nginx", code="proxy_pass https://api:8000;  # where the server behind speaks TLS")
_NGINX_PLAIN = Snippet(product="nginx", code="proxy_pass http://api:8000;")
_RESOLVING = Snippet(
    product="nginx", code='resolver 10.96.0.10 valid=10s;\nset $api "http://api:8000";\nproxy_pass $api;'
)
_ENDPOINTS = "kubectl get endpointslices -l kubernetes.io/service-name=braintrust-api"
ADDRESSES = (
    Snippet(product="Kubernetes", code=_ENDPOINTS),
    _RESOLVING,
    Snippet(product="HAProxy", code="server api api:8000 resolvers cluster init-addr none check"),
)
"""How the address of the server behind is found, and kept fresh."""
_NO_H2 = (
    Snippet(product="Envoy", code="explicit_http_config: {http_protocol_options: {}}"),
    Snippet(product="Istio", code="connectionPool:\n  http: {h2UpgradePolicy: DO_NOT_UPGRADE}"),
)
_ISTIO_PLAIN = Snippet(
    product="Istio", code="# DestinationRule of the API's host\ntrafficPolicy:\n  tls: {mode: DISABLE}"
)
_ISTIO_PERMISSIVE = Snippet(
    product="Istio", code="# PeerAuthentication of the API's workload\nmtls: {mode: PERMISSIVE}"
)
_TRAEFIK_PLAIN = Snippet(product="Traefik", code='loadBalancer:\n  servers:\n    - url: "http://api:8000"')
PROXY_LINE = (
    Snippet(product="HAProxy", code="server api api:8000  # no send-proxy unless the server has accept-proxy"),
    Snippet(product="nginx", code="listen 8000;  # proxy_protocol only if the hop before sends it"),
    Snippet(product="Envoy", code="# upstream_proxy_protocol in the cluster only if the server expects it"),
    Snippet(
        product="AWS NLB",
        code="aws elbv2 modify-target-group-attributes --target-group-arn ARN \\\n"
        "  --attributes Key=proxy_protocol_v2.enabled,Value=false",
    ),
)
"""Where the PROXY protocol is switched on and off."""
ADVICE: dict[HopFault, HopAdvice] = {
    HopFault.OLD_HTTP: HopAdvice(
        cause="the hop before {who} speaks HTTP/1.0 to it, which it refuses (426 Upgrade Required)",
        text="Let the hop before {who} speak HTTP/1.1 (nginx speaks 1.0 to its upstreams unless it is told), or let "
        "{who} accept HTTP/1.0.",
        action="Set HTTP/1.1 at the hop before {who} (nginx speaks 1.0 unless told), or let it accept HTTP/1.0",
        snippets=(
            Snippet(product="nginx", code='proxy_http_version 1.1;\nproxy_set_header Connection "";'),
            Snippet(product="Envoy", code="http_protocol_options: {accept_http_10: true}"),
        ),
    ),
    HopFault.PLAIN_TO_TLS: HopAdvice(
        cause="plain HTTP was sent to a TLS port of {who}",
        text="Let the hop before {who} speak TLS to that port (https in its upstream URL), or send it to the port for "
        "plain HTTP.",
        action="Let the hop before {who} speak TLS to that port, or use the port for plain HTTP",
        snippets=(
            _NGINX_TLS,
            Snippet(product="Kubernetes Ingress", code='nginx.ingress.kubernetes.io/backend-protocol: "HTTPS"'),
            Snippet(product="HAProxy", code="server api api:8443 ssl verify required ca-file /etc/ssl/ca.pem"),
        ),
    ),
    HopFault.TLS_TO_PLAIN: HopAdvice(
        cause="{who} speaks TLS to a server behind it that answers in plain text",
        text="Let {who} speak plain HTTP to the API server's port 8000, or let what listens there speak TLS: in a mesh "
        "that means a sidecar for it, or TLS disabled for this host.",
        action="Let {who} speak plain HTTP to the server behind it (port 8000), or let that one speak TLS",
        snippets=(
            _ISTIO_PLAIN,
            Snippet(product="Envoy", code="# no transport_socket with TLS in the cluster of the API"),
            _NGINX_PLAIN,
        ),
    ),
    HopFault.NO_CLIENT_CERTIFICATE: HopAdvice(
        cause="{who} demands a client certificate and got none",
        text="Give one with --client-cert and --client-key if users have one; else do not demand one of the API's "
        "users (SDKs and browsers have none), or let the hop before {who} show its own.",
        action="Do not demand a client certificate for the API at {who}, or let the hop before it show one",
        snippets=(
            Snippet(product="nginx", code="ssl_verify_client off;  # at the server that demands it"),
            _ISTIO_PERMISSIVE,
        ),
    ),
    HopFault.UNTRUSTED: HopAdvice(
        cause="{who} does not trust the certificate that it is shown",
        text="Give {who} the CA of that certificate, or give its peer a certificate from a CA and with the name that "
        "{who} asks for.",
        action="Give {who} the CA of the certificate that it is shown, and a certificate the name it asks for",
        snippets=(
            Snippet(product="Envoy", code="validation_context: {trusted_ca: {filename: /etc/ssl/api-ca.pem}}"),
            Snippet(product="nginx", code="proxy_ssl_trusted_certificate /etc/ssl/api-ca.pem;\nproxy_ssl_name api;"),
        ),
    ),
    HopFault.PROTOCOL: HopAdvice(
        cause="{who} speaks another protocol than the server behind it (its reset reason: protocol error), as HTTP/2 "
        "to a server that knows HTTP/1.1 only",
        text="Let {who} speak HTTP/1.1 in plain text to the API server's port 8000: it knows no HTTP/2 without TLS. In "
        "Kubernetes the Service's port is named http, not http2 or grpc; in a mesh no h2 upgrade for this host.",
        action="Let {who} speak HTTP/1.1, not HTTP/2, to the server behind it (name the Service's port http)",
        snippets=(
            *_NO_H2,
            Snippet(product="Kubernetes", code="ports:\n  - name: http\n    appProtocol: http\n    port: 8000"),
        ),
    ),
    HopFault.TLS_OR_PROTOCOL: HopAdvice(
        cause="{who} gets no usable connection to the server behind it: TLS to a plain port, a certificate that it "
        "does not trust, or HTTP/2 to a server that knows HTTP/1.1 only",
        text="Let {who} speak plain HTTP/1.1 to the API server's port 8000 (http:// in its server's URL, not https:// "
        "or h2c://), or give it the CA of the certificate that it meets there.",
        action="Let {who} speak plain HTTP/1.1 to the server behind it (http://, port 8000), or give it that one's CA",
        snippets=(
            _TRAEFIK_PLAIN,
            Snippet(product="Traefik", code="serversTransports:\n  api:\n    rootCAs:\n      - /etc/ssl/api-ca.pem"),
            Snippet(product="Kubernetes", code="ports:\n  - name: http\n    appProtocol: http\n    port: 8000"),
        ),
    ),
    HopFault.CUT_OFF: HopAdvice(
        cause="the server behind {who} takes the connection and ends it without an answer",
        text="Compare what {who} sends with what the server behind it expects: TLS or plain, a client certificate "
        "(mutual TLS), the PROXY protocol (both or neither), HTTP/1.1 or HTTP/2. If it happens now and then only, the "
        "server's keep-alive is shorter than {who}'s.",
        action="Compare both sides at {who}: TLS or plain, mutual TLS, PROXY protocol (both or neither), HTTP version",
        snippets=(_ISTIO_PERMISSIVE, *PROXY_LINE),
    ),
    HopFault.NOT_CONNECTED: HopAdvice(
        cause="{who} gets no usable connection to the server behind it: refused, reset, or a TLS handshake that fails",
        text="Start the API server, or correct the address and port (8000) that {who} has for it. If it runs there: "
        "let {who} speak plain HTTP to it, without TLS or mutual TLS, or give {who} the CA of its certificate.",
        action="Start the API server or correct its address at {who}; if it runs: plain HTTP to port 8000, no TLS",
        snippets=(Snippet(product="Kubernetes", code=_ENDPOINTS), _ISTIO_PLAIN, _ISTIO_PERMISSIVE),
    ),
    HopFault.REFUSED: HopAdvice(
        cause="{who} is refused a connection by the address that it has for the API server",
        text="Start the API server, or correct the address and port (8000) that {who} has for it; one that resolves a "
        "name only when it starts keeps a stale address until it is reloaded.",
        action="Start the API server, or correct (reload) the address that {who} has for it",
        snippets=ADDRESSES,
    ),
    HopFault.UNREACHABLE: HopAdvice(
        cause="{who} gets no connection to the API server: no answer to its attempts",
        text="Let {who} in at the API server's port 8000 (security group, network policy), and correct the address "
        "that it has: a stale one answers nobody.",
        action="Let {who} in at the API server's port 8000 (security group, network policy); check the address",
        snippets=(
            Snippet(product="Kubernetes", code=f"kubectl get networkpolicies -A\n{_ENDPOINTS}"),
            _RESOLVING,
        ),
    ),
    HopFault.UNREADABLE: HopAdvice(
        cause="{who} takes what the hop before it sends for no HTTP/1.1 (a bare 400 to GET /), as it does where that "
        "one sends the PROXY protocol unasked",
        text="Let the hop before {who} send no PROXY protocol, or let {who} expect it: both or neither. Else compare "
        "what arrives: HTTP/1.1 and not HTTP/2, one Host header, one length.",
        action="Let the hop before {who} send no PROXY protocol, or let {who} expect it",
        snippets=PROXY_LINE,
    ),
}
"""One entry for each fault; "{who}" stands for the product that answers."""

_BODIES: tuple[tuple[HopFault, frozenset[int], re.Pattern[str]], ...] = tuple(
    (fault, frozenset(statuses), re.compile(pattern, re.IGNORECASE | re.DOTALL))
    for fault, statuses, pattern in (
        (HopFault.TLS_TO_PLAIN, (502, 503), r"tls.error.*(?:wrong_version_number|packet_length_too_long)"),
        (HopFault.NO_CLIENT_CERTIFICATE, (502, 503), r"tls.error.*(?:certificate_required|bad_certificate)"),
        (HopFault.UNTRUSTED, (502, 503), r"tls.error.*(?:certificate_verify_failed|unknown_ca)"),
        (HopFault.REFUSED, (502, 503), r"delayed connect error: 111|dial tcp [^<]{0,200}connection refused"),
        (HopFault.UNREACHABLE, (503, 504), r"reset reason: connection timeout|delayed connect error: 11[03]"),
        (HopFault.PROTOCOL, (502, 503), r"reset reason: protocol error"),
        (HopFault.NOT_CONNECTED, (502, 503), r"reset reason: (?:remote |local )?connection failure"),
        (HopFault.CUT_OFF, (502, 503), r"reset reason: connection termination"),
        (HopFault.TLS_OR_PROTOCOL, (500,), r"^internal server error$"),
        (HopFault.NO_CLIENT_CERTIFICATE, (400,), r"no required ssl certificate was sent"),
        (HopFault.UNTRUSTED, (400,), r"the ssl certificate error"),
        (
            HopFault.PLAIN_TO_TLS,
            (400,),
            r"plain http request was sent to https port|http request to an https server|speaking plain http to an ssl",
        ),
    )
)
_NO_MORE_THAN_400 = re.compile(r"<h1>400 Bad Request</h1></center>\s*<hr><center>nginx", re.IGNORECASE)


def fault_of(seen: Exchange) -> HopFault | None:
    """The fault that an answer's own words tell of; None where they tell of none."""
    if seen.status == 426 and not (seen.header("upgrade") or "").lower().startswith(("websocket", "tls")):
        return HopFault.OLD_HTTP
    if seen.status == 500 and seen.header("content-type") is not None:
        return None  # only Traefik says it without a type; applications say the same with one
    if seen.status == 400 and _is_bare(seen):
        return HopFault.UNREADABLE
    body = "" if json_body(seen) is not None else seen.body[:4096]  # JSON is the API's, and tells of other things
    return next((fault for fault, statuses, words in _BODIES if seen.status in statuses and words.search(body)), None)


def _is_bare(seen: Exchange) -> bool:
    """A 400 to GET / that gives no reason: of Node's parser, or of nginx. Nothing is wrong with that request."""
    harmless = seen.method == "GET" and urlsplit(seen.url).path in {"", "/"}
    nodes = not seen.body.strip() and seen.header("content-type") is None
    return harmless and (nodes or _NO_MORE_THAN_400.search(seen.body) is not None)


def is_ours(fault: HopFault, seen: Exchange, who: Sender) -> bool:
    """Whether the hop before is this very request: plain http:// to a TLS port, with no other product in between."""
    others = set(who.passed) - {who.name}
    return fault is HopFault.PLAIN_TO_TLS and urlsplit(seen.url).scheme == "http" and not others


def advice(fault: HopFault, who: Sender) -> HopAdvice:
    """What to say of a fault, with the product's name, and its snippet first."""
    found, name = ADVICE[fault], _name(who)
    product = who.name.lower()
    first = sorted(found.snippets, key=lambda one: one.product.lower() not in product)
    return HopAdvice(
        cause=found.cause.replace("{who}", name),
        text=found.text.replace("{who}", name),
        action=found.action.replace("{who}", name),
        snippets=tuple(first),
    )


def _name(who: Sender) -> str:
    if who.name != "unknown":
        return who.name.split(" (")[0]
    return f"the server behind {who.passed[0].split(' (')[0]}" if who.passed else "the server that answers"


def remedy(found: HopAdvice) -> Remedy:
    """The advice as a remedy."""
    return Remedy(text=found.text, action=found.action, snippets=found.snippets)
