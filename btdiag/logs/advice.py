"""What to change, and which change to a log would settle what it leaves open: snippets for each product. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, floor

from btdiag.core.idle_settings import SETTING, balancer_snippets
from btdiag.logs.claims import ToldTimeouts
from btdiag.logs.house import Remedy, Snippet

_MARGIN_S = 5
_NODE_S = 1.0  # Node closes a second after its setting (measured)

SETTLES: Mapping[str, Snippet] = {
    "nginx": Snippet(
        product="nginx",
        code="log_format upstream '$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent '\n"
        '  \'"$http_referer" "$http_user_agent" msec=$msec rt=$request_time uct=$upstream_connect_time \'\n'
        '  \'uht=$upstream_header_time urt=$upstream_response_time ua="$upstream_addr" us="$upstream_status" \'\n'
        "  'ubr=\"$upstream_bytes_received\" c=$connection compl=$request_completion';\n"
        "access_log /var/log/nginx/access.log upstream;\nerror_log /var/log/nginx/error.log error;",
    ),
    "apache": Snippet(
        product="Apache httpd",
        code='LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{Referer}i\\" \\"%{User-Agent}i\\" X=%X k=%k D=%D I=%I L=%L'
        ' host=%{Host}i worker=%{BALANCER_WORKER_NAME}e note=%{error-notes}n" upstream\n'
        "CustomLog logs/access.log upstream\nErrorLog logs/error.log",
    ),
    "haproxy": Snippet(
        product="HAProxy",
        code='log-format "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq'
        ' %hr %hs %{+Q}r %bi:%bp %[ssl_bc_err_str]"',
    ),
    "envoy": Snippet(
        product="Envoy",
        code='"%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_TRANSPORT_FAILURE_REASON% %DURATION%'
        " %UPSTREAM_HOST% %UPSTREAM_LOCAL_ADDRESS%\"   # as in Istio's default format",
    ),
    "traefik": Snippet(
        product="Traefik",
        code="accessLog:\n  format: json\nlog:\n  level: DEBUG   # the cause stands only there",
    ),
    "caddy": Snippet(
        product="Caddy", code="{\n  log default {\n    level ERROR\n  }\n}   # keep the error log beside it"
    ),
    "varnish": Snippet(
        product="Varnish",
        code='varnishncsa -b -F \'%h %t "%r" %s %b %D ttfb=%{Varnish:time_firstbyte}x vxid=%{VSL:Begin[2]}x'
        ' err="%{VSL:FetchError}x" open="%{VSL:BackendOpen}x"\'\n# or: varnishlog -g request',
    ),
}


FIXED_S: Mapping[str, float] = {
    "gcp-lb": 600.0,  # cloud.google.com, load balancing, timeouts: cannot be changed
    "cloudflare": 900.0,  # developers.cloudflare.com, connection limits
    "azure-front-door": 90.0,  # learn.microsoft.com, Front Door FAQ
}
"""How long clouds keep idle connections to the backend, where nobody can change it."""

_SNIPPET_OF: Mapping[str, str] = {
    "nginx": "nginx", "apache": "Apache", "haproxy": "HAProxy", "envoy": "Envoy", "traefik": "Traefik",
    "caddy": "Caddy", "aws-alb": "AWS ALB", "gcp-lb": "Google Cloud load balancer",
}  # fmt: skip


def kept_for(told: ToldTimeouts, product: str) -> float | None:
    """How long the load balancer keeps idle connections: as told, else what its cloud has fixed."""
    return told.balancer_s if told.balancer_s is not None else FIXED_S.get(product)


def order(k_s: float | None, told: ToldTimeouts, product: str) -> Remedy:
    """Raise the backend's timeout above the load balancer's, or lower the load balancer's below it. `k_s` is the idle
    age at which the backend closes, None where only the setting is known, or nothing."""
    lb_s = kept_for(told, product)
    closes = k_s if k_s is not None else (told.keepalive_s + _NODE_S if told.keepalive_s is not None else None)
    below = f" to {_below(closes)} s or less, below the {closes:.4g} s after which the backend closes" if closes else (
        " below the backend's keep-alive timeout"
    )  # fmt: skip
    fixed = product in FIXED_S
    lower = "" if fixed else f"; or lower the load balancer's idle timeout{below}"
    if lb_s is None:
        text = f"Set {SETTING} at least {_MARGIN_S} s above the load balancer's idle timeout towards the API{lower}."
        action = f"Set {SETTING} above the load balancer's idle timeout, or lower the load balancer's"
        action += f" to {_below(closes)} s or less" if closes else ""
        return Remedy(text=text, action=action, snippets=_balancers(closes, product))
    upwards = ceil(lb_s + _MARGIN_S)
    text = f"Set {SETTING} to {upwards} or more, {_MARGIN_S} s above the load balancer's {lb_s:g} s{lower}."
    action = f"Set {SETTING} to {upwards} or more"
    if closes and not fixed:
        action += f", or lower the load balancer's idle timeout to {_below(closes)} s or less"
    helm = f'api:\n  extraEnvVars:\n    - name: {SETTING}\n      value: "{upwards}"'
    snippets = () if fixed else _balancers(closes, product)
    return Remedy(text=text, action=action, snippets=(Snippet(product="Helm (values.yaml)", code=helm), *snippets))


def _below(closes: float) -> int:
    """Whole seconds that leave a margin to the backend's closing."""
    return max(floor(closes - _MARGIN_S) if closes > 2 * _MARGIN_S else floor(closes / 2), 1)


def _balancers(closes: float | None, product: str) -> tuple[Snippet, ...]:
    """The load balancer's own setting: that of the product that wrote the log first."""
    if closes is None:
        return ()
    first = _SNIPPET_OF.get(product)
    return tuple(sorted(balancer_snippets(_below(closes)), key=lambda one: one.product != first))


_TELLING = frozenset(
    {
        "nginx-upstream", "nginx-json", "apache-rich", "istio-default", "envoy-json", "varnish-ncsa-backend",
        "varnishlog", "aws-alb", "gcp-https-lb-json", "azure-front-door-json", "azure-app-gateway-json",
        "cloudflare-logpush-json",
    }
)  # fmt: skip
"""Formats that hold all that their product can log of it."""


def settling(product: str, shown: frozenset[str]) -> Remedy:
    """What would settle what the given formats leave open: the one change to the log, or what stands elsewhere."""
    snippet = SETTLES.get(product)
    if snippet is None or shown & _TELLING:
        return Remedy(
            text="Compare with the API's own log and its restarts at these moments; a longer log shows whether the idle"
            " ages of such requests gather at one value.",
            action="Compare with the API's own log and its restarts at these moments",
        )
    return Remedy(
        text="Log what tells the causes apart, and give the error log together with the access log.",
        snippets=(snippet,),
    )
