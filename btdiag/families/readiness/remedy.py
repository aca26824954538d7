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


_PASS_ON = (
    Snippet(
        product="nginx",
        code="proxy_set_header Authorization $http_authorization;  # and no other Authorization in this location",
    ),
    Snippet(
        product="Kubernetes Ingress",
        code="# for the API's host no nginx.ingress.kubernetes.io/auth-url, auth-response-headers: Authorization\n"
        "# or snippet that sets Authorization",
    ),
    Snippet(product="Apache httpd", code="CGIPassAuth On\n# and no RequestHeader set/unset Authorization"),
    Snippet(product="HAProxy", code="# no: http-request del-header Authorization / set-header Authorization"),
)


def stripped_key(seen: Exchange) -> Remedy:
    """Against a gateway that keeps or changes Authorization."""
    return Remedy(
        text="Let the gateway pass Authorization on as it came: remove what sets, replaces or deletes it for the API's "
        "host (a login proxy's own Basic or Bearer header, auth-response-headers, proxy_set_header Authorization). The "
        "key itself is good.",
        action="Let the gateway pass Authorization on unchanged for the API's host; the key itself is good",
        snippets=_first_for(seen, _PASS_ON),
    )


def doubled_key(seen: Exchange) -> Remedy:
    """Against a gateway that adds an Authorization of its own."""
    return Remedy(
        text="Remove the Authorization header that the gateway adds for the API's host: the API gets two and refuses "
        "both. The key itself is good.",
        action="Remove the Authorization header that the gateway adds for the API's host; the key itself is good",
        snippets=_first_for(seen, _PASS_ON),
    )


def rejected_key() -> Remedy:
    """For a key that arrived and was refused."""
    return Remedy(
        text="Use a valid key of the organisation that this data plane serves; if the key works elsewhere, compare "
        "PRIMARY_ORG_NAME and ALLOWED_ORG_IDS of the API server, and check that it reaches its control plane "
        "(BRAINTRUST_APP_URL).",
        action="Use a valid key of the organisation that this data plane serves (PRIMARY_ORG_NAME, ALLOWED_ORG_IDS)",
    )


def unread_key(seen: Exchange) -> Remedy:
    """Where it is open if the key arrives."""
    return Remedy(
        text="Ask the API server itself with --backend (a port-forward to 127.0.0.1 gets the key): if it takes the key "
        "there, let the gateway pass Authorization on as it came; if not, use a valid key of this organisation.",
        action="Run again with --backend http://127.0.0.1:PORT: if the key is taken there, the gateway drops it",
        snippets=_first_for(seen, _PASS_ON),
    )


def _first_for(seen: Exchange, snippets: tuple[Snippet, ...]) -> tuple[Snippet, ...]:
    """The snippets, those of the product that wrote the answer first."""
    name = sender(seen).name.lower()
    return tuple(sorted(snippets, key=lambda one: one.product.lower() not in name))
