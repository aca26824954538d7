"""What to change for requests that a gateway turns down, by what is special about them."""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.core.finding import Snippet
from btdiag.families.gateway.facts.requests import Trait

ADVICE = {
    Trait.METHOD: "Let GET, POST, PUT, PATCH, DELETE and OPTIONS pass to the API: the web app and the SDKs use all.",
    Trait.OPTIONS: "Let OPTIONS pass: browsers ask with it before they send anything else.",
    Trait.URL: "Allow URLs and query strings of 8 KiB: queries and filters travel in them.",
    Trait.HEADERS: "Allow request headers of 16 KiB in all: keys, tracing and the x-bt- headers add up.",
    Trait.COUNT: "Allow 40 request headers and more.",
    Trait.PATH: "Pass encoded slashes (%2F) on as they are: names of projects and prompts may contain a slash.",
    Trait.EXPECT: "Answer Expect (100-continue) or pass it on: curl, .NET and Java clients send it before uploads.",
    Trait.CODING: "Let packed request bodies (Content-Encoding gzip) pass: OpenTelemetry collectors send them.",
    Trait.AGENT: "Let the User-Agents of SDKs (python-requests, node) pass: exempt the API from rules against bots.",
    Trait.CHUNKED: "Let bodies without Content-Length (chunked) pass: OpenTelemetry exporters send them, and lose what "
    "they export when it is answered 411.",
    Trait.QUERY: "Exempt the API's paths from the firewall's rules on SQL and code: queries (BTQL), logs and prompts "
    "contain such words.",
    Trait.BODY: "Raise the largest body to at least what GET /version advertises (SDKs otherwise assume 6 MiB), or "
    "lower the advertised value: logs beyond the limit are lost.",
}


ANSWERS = {
    Trait.METHOD: "The web app cannot save or delete: the gateway refuses PATCH, PUT or DELETE",
    Trait.OPTIONS: "The web app cannot call the API: the gateway refuses OPTIONS",
    Trait.URL: "Long queries in URLs are refused by the gateway",
    Trait.HEADERS: "Requests with many or long headers are refused by the gateway",
    Trait.COUNT: "Requests with many headers are refused by the gateway",
    Trait.PATH: "Names with a slash in them cannot be asked for: the gateway changes or refuses %2F",
    Trait.EXPECT: "Uploads of curl, .NET and Java clients are refused (Expect: 100-continue)",
    Trait.CODING: "Packed uploads of OpenTelemetry collectors are refused",
    Trait.AGENT: "SDKs are refused for their User-Agent, while browsers get through",
    Trait.CHUNKED: "OpenTelemetry exports are lost: the gateway refuses chunked bodies",
    Trait.QUERY: "Queries are refused: a firewall takes their words for an attack",
    Trait.BODY: "Large logs are lost: the gateway refuses bodies that SDKs are told to send",
}
_MODSECURITY = (
    Snippet(
        product="ModSecurity (CRS)",
        code='SecRule REQUEST_HEADERS:Host "@streq api.example.com" "id:1000,phase:1,pass,nolog,'
        'ctl:ruleRemoveByTag=attack-sqli,ctl:ruleRemoveByTag=attack-rce"',
    ),
    Snippet(product="Kubernetes Ingress", code='nginx.ingress.kubernetes.io/enable-modsecurity: "false"'),
    Snippet(product="AWS WAF", code="# web ACL: scope-down statement that leaves out the API's host"),
)
_BODIES = (
    Snippet(product="nginx", code="client_max_body_size 16m;"),
    Snippet(product="nginx ingress", code='nginx.ingress.kubernetes.io/proxy-body-size: "16m"'),
    Snippet(product="Caddy", code="request_body {\n  max_size 16MB\n}"),
)
_HEADS = (
    Snippet(product="nginx", code="large_client_header_buffers 4 32k;"),
    Snippet(product="HAProxy", code="global\n  tune.bufsize 65536"),
)
_SNIPPETS = {
    Trait.BODY: _BODIES,
    Trait.AGENT: _MODSECURITY,
    Trait.QUERY: _MODSECURITY,
    Trait.URL: _HEADS,
    Trait.HEADERS: _HEADS,
}


def snippets(traits: Sequence[Trait], product: str) -> tuple[Snippet, ...]:
    """For what was refused, that of the product that refuses first."""
    found = dict.fromkeys(one for trait in traits for one in _SNIPPETS.get(trait, ()))
    return tuple(sorted(found, key=lambda one: one.product.lower() not in product.lower()))
