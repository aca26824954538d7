"""Why an answer is bad: every cause that is told apart, with the hop, its owner and what to change there. Data only;
core/statuses.py finds the cause, and core/hops.py has those between two hops.

Sources: RFC 9110 section 15; for the load balancers' own answers the troubleshooting pages named in `SOURCES`; what
nginx 1.22, HAProxy 2.6, Envoy 1.39, Caddy 2.6 and Traefik 3.7 say for a server behind them that refuses, is silent, or
fails the TLS handshake was seen with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from btdiag.core.finding import HopName, Owner, Snippet

SOURCES: tuple[str, ...] = (
    "RFC 9110 section 15",
    "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html",
    "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/troubleshooting-response-errors.html",
    "https://learn.microsoft.com/azure/frontdoor/troubleshoot-issues",
    "https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/",
)


class Cause(StrEnum):
    """What can be wrong with one answer, as far as it tells by itself."""

    FILTER_ON_THE_WAY = "filter on the way"
    WEB_APP_ANSWERS = "web app answers"
    OUR_PLAIN_HTTP = "our plain http"
    API_WANTS_LOGIN = "api wants login"
    LOGIN_IN_FRONT = "login in front"
    NO_SUCH_ROUTE_IN_LIST = "no such route in list"
    OBJECT_STORE_ANSWERS = "object store answers"
    API_REFUSES = "api refuses"
    FIREWALL_REFUSES = "firewall refuses"
    PATH_UNKNOWN = "path unknown"
    NO_RULE = "no rule"
    OTHER_ORGANISATION = "other organisation"
    HOST_UNKNOWN = "host unknown"
    API_LIMITS = "api limits"
    GATEWAY_LIMITS = "gateway limits"
    API_FAILED = "api failed"
    GATEWAY_FAILED = "gateway failed"
    API_REJECTS = "api rejects"
    GATEWAY_REJECTS = "gateway rejects"
    UNKNOWN_REJECTS = "unknown rejects"
    NO_USABLE_ANSWER = "no usable answer"
    API_UNAVAILABLE = "api unavailable"
    NO_TARGET = "no target"
    WAITED_IN_VAIN = "waited in vain"
    CLOUDFLARE_ORIGIN = "cloudflare origin"
    PORTAL = "portal"
    LOGIN_PAGE = "login page"
    CONTROL_CHARACTERS = "control characters"
    BLOCK_PAGE = "block page"
    OTHER_PAGE = "other page"
    LOGIN_REDIRECT = "login redirect"
    REDIRECT_TO_HTTPS = "redirect to https"
    REDIRECT_TO_ITSELF = "redirect to itself"
    COOKIE_CHECK = "cookie check"
    REDIRECT_ELSEWHERE = "redirect elsewhere"
    SILENT = "silent"
    RESET = "reset"
    CLOSED = "closed"
    NO_HTTP = "no http"
    ENDLESS = "endless"
    TLS_ALERT = "tls alert"
    BROKE_OFF = "broke off"
    PROXY_FAILS = "proxy fails"
    NO_CONNECTION = "no connection"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One cause: `cause` continues "GET / was answered 502: ...", `text` says what to change, at whom; `action` the
    same in at most 140 characters where the first sentence of the text is longer. Words in braces stand for what was
    seen: {who} answered, {url} it leads to, {when} to come back, {what} it was, {why} it is known."""

    cause: str
    hop: HopName
    owner: Owner
    text: str
    action: str = ""
    snippets: tuple[Snippet, ...] = ()


def _balancer(cause: str, text: str, *snippets: Snippet, action: str = "") -> Story:
    hop, owner = HopName.LOAD_BALANCER, Owner.LOAD_BALANCER
    return Story(cause=cause, hop=hop, owner=owner, text=text, action=action, snippets=snippets)


def _api(cause: str, text: str, *snippets: Snippet, action: str = "") -> Story:
    return Story(cause=cause, hop=HopName.API, owner=Owner.API, text=text, action=action, snippets=snippets)


def _network(cause: str, text: str) -> Story:
    return Story(cause=cause, hop=HopName.NETWORK, owner=Owner.NETWORK, text=text)


def _proxy(cause: str, text: str) -> Story:
    return Story(cause=cause, hop=HopName.PROXY, owner=Owner.PROXY, text=text)


_UPSTREAM = (
    Snippet(product="nginx", code="proxy_pass http://api:8000;"),
    Snippet(product="HAProxy", code="option httpchk GET /\nserver api api:8000 check"),
    Snippet(product="Caddy", code="reverse_proxy api:8000"),
    Snippet(product="Traefik", code='loadBalancer:\n  servers:\n    - url: "http://api:8000"'),
    Snippet(
        product="Envoy",
        code="lb_endpoints:\n  - endpoint: {address: {socket_address: {address: api, port_value: 8000}}}",
    ),
    Snippet(product="AWS Application Load Balancer", code="aws elbv2 describe-target-health --target-group-arn ARN"),
    Snippet(product="Kubernetes", code="kubectl get endpointslices -l kubernetes.io/service-name=braintrust-api"),
)
_PATIENCE = (
    Snippet(product="nginx", code="proxy_connect_timeout 5s;\nproxy_read_timeout 900s;"),
    Snippet(product="HAProxy", code="timeout connect 5s\ntimeout server 900s"),
    Snippet(product="Kubernetes", code="kubectl get networkpolicies -A"),
    Snippet(
        product="AWS Application Load Balancer",
        code="aws elbv2 modify-load-balancer-attributes --load-balancer-arn ARN \\\n"
        "  --attributes Key=idle_timeout.timeout_seconds,Value=900",
    ),
)
_HTTPS_TOLD = (
    Snippet(product="nginx", code="proxy_set_header X-Forwarded-Proto https;\nproxy_set_header Host $http_host;"),
    Snippet(product="HAProxy", code="http-request set-header X-Forwarded-Proto https if { ssl_fc }"),
    Snippet(product="Kubernetes Ingress", code='# ConfigMap of ingress-nginx\nuse-forwarded-headers: "true"'),
    Snippet(product="Traefik", code="--entryPoints.websecure.forwardedHeaders.trustedIPs=10.0.0.0/8"),
    Snippet(product="Caddy", code="servers {\n  trusted_proxies static private_ranges\n}"),
    Snippet(product="Cloudflare", code="# SSL/TLS > Overview: Full (strict), not Flexible"),
)
_NO_LOGIN = (
    Snippet(product="nginx", code="auth_basic off;\nauth_request off;"),
    Snippet(product="oauth2-proxy", code="--skip-auth-route=^/"),
    Snippet(
        product="Kubernetes Ingress",
        code="# no nginx.ingress.kubernetes.io/auth-url, auth-signin or auth-type on the API's Ingress",
    ),
    Snippet(
        product="AWS Application Load Balancer", code="# listener rule of the API's host: forward only, no authenticate"
    ),
)
_EXEMPT = (
    Snippet(product="Cloudflare", code='# WAF custom rule, action Skip:\n(http.host eq "api.example.com")'),
    Snippet(product="AWS WAF", code="# web ACL: scope-down statement that leaves out the API's host"),
    Snippet(product="nginx", code="allow all;  # in the location of the API; no deny, no modsecurity on"),
)
_RULES_FOR_HOST = (
    Snippet(
        product="Kubernetes Ingress",
        code="rules:\n  - host: HOST\n    http:\n      paths:\n        - path: /\n          pathType: Prefix\n"
        "          backend:\n            service: {name: braintrust-api, port: {number: 8000}}",
    ),
    Snippet(product="nginx", code="server_name HOST;\nlocation / { proxy_pass http://api:8000; }"),
    Snippet(
        product="Envoy",
        code='domains: ["HOST", "HOST:*"]\nroutes:\n  - match: {prefix: "/"}\n    route: {cluster: api}',
    ),
    Snippet(product="Traefik", code="rule: Host(`HOST`)"),
    Snippet(product="HAProxy", code="use_backend api if { req.hdr(host),field(1,:) -i HOST }"),
)
_LOGS_IN = "Exempt the API's host from that login: SDKs and browsers send the Braintrust API key and nothing else."

STORIES: dict[Cause, Story] = {
    Cause.FILTER_ON_THE_WAY: _proxy(
        "{who}, a web filter or proxy on the way, answered in place of the target ({why})",
        "Ask the proxy administrator to allow this host, without inspection of its content.",
    ),
    Cause.WEB_APP_ANSWERS: _balancer(
        "the answer is from the hosted web app, not from a data plane ({why})",
        "Point the target's name, or the load balancer's rule, at the data plane's API server; the web app is not it.",
        *_RULES_FOR_HOST,
    ),
    Cause.OUR_PLAIN_HTTP: _balancer(
        "plain HTTP was sent to a TLS port",
        "Use https:// in the URL, or let this port speak plain HTTP.",
    ),
    Cause.API_WANTS_LOGIN: _api(
        "the API server demands a login for a path that needs none",
        "Route this host to the Braintrust API server, and not to another application: GET / needs no key there.",
        *_RULES_FOR_HOST,
    ),
    Cause.LOGIN_IN_FRONT: _balancer(
        "a login in front of the API demands credentials{what}",
        "Exempt the API's host and paths from that authentication, or let only the web app use it: SDKs and browsers "
        "send the Braintrust API key and nothing else.",
        *_NO_LOGIN,
        action="Exempt the API's host and paths from that authentication: SDKs and browsers send the API key only",
    ),
    Cause.NO_SUCH_ROUTE_IN_LIST: _balancer(
        "API Gateway has no such route, which it words as a missing authentication token",
        "Upgrade the Terraform module of the data plane, whose list of routes lacks this path; the key is not at "
        "fault.",
        Snippet(product="Terraform", code="terraform init -upgrade && terraform apply"),
    ),
    Cause.OBJECT_STORE_ANSWERS: _balancer(
        "the request went to an object store, not to the API server",
        "Correct the load balancer's or CDN's default rule: its origin for this path must be the API server.",
    ),
    Cause.API_REFUSES: _api(
        "the API server refuses",
        "Correct ORG_NAME, PRIMARY_ORG_NAME and ALLOWED_ORG_IDS of the API server; its log says which of them refused.",
    ),
    Cause.FIREWALL_REFUSES: _balancer(
        "an access rule or a web application firewall in front of the API refuses",
        "Allow this path, method and source address in the firewall or load balancer: its log has the rule, by the "
        "time and id of this request.",
        *_EXEMPT,
    ),
    Cause.PATH_UNKNOWN: _api(
        "the server that answers does not know the path",
        "Correct the path prefix in the URL, or let the load balancer strip or keep it as the API server expects.",
    ),
    Cause.NO_RULE: _balancer(
        "no rule of the gateway matches this host and path",
        "Add a rule for exactly this host name, all paths (/ and below), that leads to the API server's port 8000.",
        *_RULES_FOR_HOST,
    ),
    Cause.OTHER_ORGANISATION: _api(
        "the server says that it is not the one for this organisation or host name",
        "Use the API URL that the organisation's settings name (Settings > Data plane): 421 is what an organisation "
        "with a data plane of its own gets elsewhere.",
        action="Use the API URL that the organisation's settings name (Settings > Data plane)",
    ),
    Cause.HOST_UNKNOWN: _balancer(
        "the gateway serves no such host name on this TLS connection",
        "Add the host name to the gateway's listener, and a certificate for it, or correct the SNI to Host mapping.",
        *_RULES_FOR_HOST,
    ),
    Cause.API_LIMITS: _api(
        "too many requests",
        "Wait{when} and run again; if users see it too, raise the limit of {who}.",
    ),
    Cause.GATEWAY_LIMITS: _balancer(
        "too many requests",
        "Wait{when} and run again; if users see it too, raise the limit of {who}.",
        Snippet(product="nginx", code="limit_req zone=api burst=200 nodelay;"),
        Snippet(product="Kubernetes Ingress", code='nginx.ingress.kubernetes.io/limit-rps: "100"'),
        Snippet(product="HAProxy", code="http-request deny deny_status 429 if { sc_http_req_rate(0) gt 1000 }"),
    ),
    Cause.API_FAILED: _api(
        "the API server failed while it handled the request",
        "Mend what the API server's log names at this time: its database, Redis or object store, or a blocked event "
        "loop (more replicas).",
        Snippet(product="Kubernetes", code="kubectl logs -l app=braintrust-api --since=10m --prefix"),
    ),
    Cause.GATEWAY_FAILED: _balancer(
        "{who} failed by itself",
        "Mend what the error log of {who} names at this time (a full disk or unwritable folder, a broken module or "
        "script): the request did not get an answer of the API server.",
        Snippet(product="nginx", code="client_body_temp_path /var/cache/nginx/body;  # writable by its user"),
        Snippet(product="OpenResty", code="client_body_temp_path /var/cache/nginx/body;  # writable by its user"),
        action="Mend what the error log of {who} names at this time: a full disk, an unwritable folder, a script",
    ),
    Cause.API_REJECTS: _api(
        "{who} rejects the request",
        "Let the hops before the API server pass the request on unchanged; the log of {who} says what it misses.",
    ),
    Cause.GATEWAY_REJECTS: _balancer(
        "{who} rejects the request",
        "Change the rule of {who} that rejects this request: its log of this time names it.",
    ),
    Cause.UNKNOWN_REJECTS: _balancer(
        "{who} rejects the request, in words of no product that is known",
        "Find out which hop says so: send the same request to each of them, the API server first (--backend), and "
        "look at the first that answers so. If the API server answers well, compare what the hop before it sends: "
        "Host with and without port, HTTP version, TLS or plain, PROXY protocol.",
        action="Send the same request to each hop, the API server first (--backend): the first that says so is it",
    ),
    Cause.NO_USABLE_ANSWER: _balancer(
        "the load balancer got no usable answer from the API server",
        "Let the load balancer reach an API server that runs: its target port is 8000, with plain HTTP, and its "
        "keep-alive (TS_API_KEEP_ALIVE_TIMEOUT_SECONDS) outlives the load balancer's idle timeout; ask it directly "
        "with --backend.",
        *_UPSTREAM,
        action="Let the load balancer reach a running API server: plain HTTP, port 8000; --backend asks it directly",
    ),
    Cause.API_UNAVAILABLE: _api(
        "the API server says that it is unavailable",
        "Give the API server back what it waits for (its database, Redis, its own start): its log names it.",
        Snippet(product="Kubernetes", code="kubectl logs -l app=braintrust-api --since=10m --prefix"),
    ),
    Cause.NO_TARGET: _balancer(
        "the load balancer has no healthy target",
        "Let the target group's or endpoints' health check be GET / on port 8000, accepting 200-399, and not /status; "
        "if all targets are unhealthy, the API server's pods or tasks are down.",
        *_UPSTREAM,
        action="Let the health check be GET / on port 8000 (200-399), and see that the API server's pods run",
    ),
    Cause.WAITED_IN_VAIN: _balancer(
        "the load balancer waited for the API server in vain",
        "Let the load balancer in on port 8000 (security group or network policy of the API server), and give an "
        "overloaded API server more replicas; then the load balancer's own timeout. Ask the API server directly with "
        "--backend.",
        *_PATIENCE,
        action="Let the load balancer in on port 8000 (security group, network policy), or give the API more replicas",
    ),
    Cause.CLOUDFLARE_ORIGIN: _balancer(
        "Cloudflare {what}",
        "Let Cloudflare's addresses reach the load balancer behind it, with a certificate that fits its SSL mode, and "
        "check that load balancer by itself with --resolve.",
        Snippet(
            product="Cloudflare",
            code="# SSL/TLS > Overview: Full (strict); DNS record of the API: the origin's address",
        ),
        action="Let Cloudflare reach the load balancer behind it, with a certificate that fits its SSL mode",
    ),
    Cause.PORTAL: _network("{what}", "Log in to the network {why}, or use another network, then run again."),
    Cause.LOGIN_PAGE: _balancer("a login in front of the API shows its page", _LOGS_IN, *_NO_LOGIN),
    Cause.CONTROL_CHARACTERS: _balancer(
        "the answer carries control characters (terminal escapes or binary data), as no API server sends them",
        "Point the name at the data plane: this is no Braintrust API server, or something in between is broken.",
    ),
    Cause.BLOCK_PAGE: _balancer(
        "{what} stands in front of the API",
        "Allow this path, method and source in the firewall that shows the page; challenges cannot be solved by SDKs.",
        *_EXEMPT,
    ),
    Cause.OTHER_PAGE: _balancer(
        "{what} is served where the API is expected",
        "Point the target's host and path at the API server (port 8000) instead of a web site.",
        *_UPSTREAM,
    ),
    Cause.LOGIN_REDIRECT: _balancer("a login in front of the API redirects to {url}", _LOGS_IN, *_NO_LOGIN),
    Cause.REDIRECT_TO_HTTPS: _balancer(
        "the target redirects to {url}",
        "Use {url} as the API URL everywhere: clients turn a redirected POST into a GET and may drop the key.",
        action="Use the https:// URL as the API URL everywhere",
    ),
    Cause.REDIRECT_TO_ITSELF: _balancer(
        "the target redirects to the very URL that was asked for, without end: what redirects to https does not learn "
        "that the client came by https",
        "Let the hop that ends TLS send X-Forwarded-Proto: https, and every hop behind it trust and pass it on (one "
        "that speaks plain HTTP to the next must not overwrite it); or redirect to https in front only.",
        *_HTTPS_TOLD,
        action="Send X-Forwarded-Proto: https at the hop that ends TLS, and let the hops behind it pass it on",
    ),
    Cause.COOKIE_CHECK: _balancer(
        "the target redirects to the very URL that was asked for and sets a cookie: a check for cookies, which SDKs "
        "never pass",
        "Take the check for cookies (bot protection, session affinity) off the API's host: SDKs keep no cookies.",
        *_EXEMPT,
    ),
    Cause.REDIRECT_ELSEWHERE: _balancer(
        "the target redirects to another {what}, {url}",
        "Use the final host as the API URL, if {url} is the data plane; else correct the rule that redirects.",
        action="Use the host that it leads to as the API URL if that is the data plane, else correct the redirect",
    ),
    Cause.SILENT: _balancer(
        "the connection stands, but the answer did not come in time",
        "Let the load balancer forward to an API server that is not stuck: --backend URL tells which of the two is "
        "silent, and the load balancer's log whether it forwards at all.",
        *_UPSTREAM,
        action="Ask the API server directly (--backend URL): it tells whether it or the load balancer is silent",
    ),
    Cause.RESET: _balancer(
        "the connection was reset after the request",
        "Let the firewall or load balancer that cuts the connection pass it: a reset without any answer is a rule, a "
        "PROXY protocol line that it misses, or a crash; its log of this time tells.",
        Snippet(
            product="HAProxy",
            code="bind :443 ssl crt /etc/haproxy/tls.pem  # accept-proxy only behind a hop that sends it",
        ),
        Snippet(product="nginx", code="listen 443 ssl;  # proxy_protocol only behind a hop that sends it"),
        action="Find what cuts the connection (firewall, PROXY protocol expected, crash) in the load balancer's log",
    ),
    Cause.CLOSED: _balancer(
        "the connection was closed before the answer was complete",
        "Mend what closes it: HAProxy does so when its connection to the backend dies, nginx where it expects the "
        "PROXY protocol, any server on plain HTTP sent to its TLS port; else the API server crashed, see both logs at "
        "this time.",
        Snippet(product="nginx", code="listen 443 ssl;  # proxy_protocol only behind a hop that sends it"),
        Snippet(product="HAProxy", code="retry-on all-retryable-errors  # and see that the server does not crash"),
        action="See both logs at this time: a crash, the PROXY protocol expected, or plain HTTP sent to a TLS port",
    ),
    Cause.NO_HTTP: _balancer(
        "what came is not HTTP, or broken HTTP",
        "Correct the port, or the protocol of the load balancer's listener: something else than an HTTP server listens "
        "there.",
    ),
    Cause.ENDLESS: _balancer(
        "the answer does not end within any sane limit",
        "Point the name at the data plane: this is no Braintrust API server, or a broken or hostile machine stands in "
        "between.",
    ),
    Cause.TLS_ALERT: _balancer(
        "the TLS connection was ended with an alert",
        "Give a client certificate with --client-cert, or stop demanding one for the API: servers end connections so "
        "when they demand it.",
        Snippet(product="nginx", code="ssl_verify_client off;"),
        Snippet(product="HAProxy", code="bind :443 ssl crt /etc/haproxy/tls.pem  # no verify required"),
    ),
    Cause.BROKE_OFF: _balancer("the exchange broke off", "Repeat it with curl -v and compare, hop by hop."),
    Cause.PROXY_FAILS: _proxy(
        "{what}", "Ask the proxy administrator to let this host through; see the check connection.proxy-lets-through."
    ),
    Cause.NO_CONNECTION: _network(
        "no connection ({what})", "Start what should listen there, open the firewall, or correct address and port."
    ),
}
"""One entry for each cause."""
