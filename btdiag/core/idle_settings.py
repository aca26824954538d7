"""Where the idle timeouts of load balancer and API server are set: snippets for each product. Pure."""

from __future__ import annotations

import re

from btdiag.core.finding import Snippet

SETTING = "TS_API_KEEP_ALIVE_TIMEOUT_SECONDS"
"""The API server's own; Node closes a second later."""

GOOGLE_S = 600  # fixed for Google Cloud's HTTP load balancers

_BALANCERS = (
    (
        "AWS ALB",
        "aws elbv2 modify-load-balancer-attributes --load-balancer-arn ARN \\\n"
        "  --attributes Key=idle_timeout.timeout_seconds,Value=SECONDS",
    ),
    (
        "Google Cloud load balancer",
        f"# fixed at {GOOGLE_S} s, so raise the backend's:\n{SETTING}={GOOGLE_S + 5}",
    ),
    ("nginx", "upstream api {\n  server api:8000;\n  keepalive 64;\n  keepalive_timeout SECONDSs;\n}"),
    (
        "HAProxy",
        "# keeps idle server connections without a timeout of its own: raise the backend's, or keep none\n"
        "backend api\n  http-reuse never",
    ),
    ("Apache", "ProxyPass / http://api:8000/ ttl=SECONDS"),
    (
        "Envoy",
        "typed_extension_protocol_options:\n"
        "  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
        '    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n'
        "    common_http_protocol_options: { idle_timeout: SECONDSs }\n"
        "    explicit_http_config: { http_protocol_options: {} }",
    ),
    ("Istio (DestinationRule)", "trafficPolicy:\n  connectionPool:\n    http:\n      idleTimeout: SECONDSs"),
    ("Traefik", "serversTransports:\n  api:\n    forwardingTimeouts:\n      idleConnTimeout: SECONDSs"),
    ("Caddy", "reverse_proxy api:8000 {\n  transport http {\n    keepalive SECONDSs\n  }\n}"),
    ("Kubernetes ingress-nginx (ConfigMap)", 'data:\n  upstream-keepalive-timeout: "SECONDS"'),
)


def balancer_snippets(seconds: int, first: str = "") -> tuple[Snippet, ...]:
    """How each load balancer is told to let go of idle connections to the backend after so many seconds; the product
    that was recognised comes first."""
    told = [Snippet(product=name, code=re.sub(r"\bSECONDS", str(seconds), code)) for name, code in _BALANCERS]
    return tuple(sorted(told, key=lambda one: one.product.partition(" ")[0] not in first))
