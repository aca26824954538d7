"""What to change about the API's answers, by cause, the snippet of the product that was recognised first."""

from __future__ import annotations

from btdiag.core.exchange import Exchange
from btdiag.core.finding import Remedy, Snippet
from btdiag.core.sender import sender

_CONNECTIONS = (
    Snippet(product="nginx", code="limit_conn per_client 200;  # or no limit_conn for this server"),
    Snippet(product="Kubernetes Ingress", code='nginx.ingress.kubernetes.io/limit-connections: "200"'),
    Snippet(product="HAProxy", code="http-request deny deny_status 429 if { sc_conn_cur(0) gt 200 }"),
)
_RATE = (
    Snippet(
        product="nginx",
        code="limit_req_zone $binary_remote_addr zone=api:10m rate=100r/s;\n"
        "limit_req zone=api burst=200 nodelay;\nlimit_req_status 429;",
    ),
    Snippet(product="Kubernetes Ingress", code='nginx.ingress.kubernetes.io/limit-rps: "100"'),
)
_SERVERS = (
    Snippet(
        product="Kubernetes",
        code="kubectl get endpointslices -l kubernetes.io/service-name=braintrust-api\n"
        "kubectl get pods -l app=braintrust-api --show-labels  # every selected pod must be the API's",
    ),
    Snippet(
        product="ALB",
        code="aws elbv2 describe-target-health --target-group-arn ARN",
    ),
)


def limit_remedy(seen: Exchange, by_rate: bool) -> Remedy:
    """Against a limit by client, of requests at once or a second; 429 with Retry-After where one has to stay."""
    what = "requests a second" if by_rate else "connections or requests at once"
    return Remedy(
        text=f"Raise the limit of {what} for each client in the gateway, or take it off for the API: the web app and "
        "SDKs send many requests at once, and users behind one NAT count as one client. Where a limit must stay, let "
        "it say 429 with Retry-After, which SDKs wait for, instead of an error that looks like a broken server.",
        action=f"Raise the gateway's limit of {what} for each client, or take it off for the API",
        snippets=_first_for(seen, _RATE if by_rate else _CONNECTIONS),
    )


def mixed_remedy() -> Remedy:
    """Against two applications behind one address."""
    return Remedy(
        text="Look at which servers the load balancer's pool or the Service's selector takes in, and take out what is "
        "no Braintrust API; where several gateways share the address, give all of them the same rules.",
        action="Take out of the load balancer's pool (or the Service's selector) what is no Braintrust API",
        snippets=_SERVERS,
    )


def versions_remedy() -> Remedy:
    """Against API servers of two versions."""
    return Remedy(
        text="If no upgrade is under way, upgrade or remove the API servers that were left behind: users meet both "
        "versions by turns.",
        action="If no upgrade is under way, upgrade or remove the API servers that were left behind",
        snippets=_SERVERS,
    )


def _first_for(seen: Exchange, snippets: tuple[Snippet, ...]) -> tuple[Snippet, ...]:
    """The snippets, those of the product that wrote the answer first."""
    name = sender(seen).name.lower()
    return tuple(sorted(snippets, key=lambda one: one.product.lower() not in name))
