"""What to change, and which change to a log would settle what it leaves open: snippets for each product. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, floor

from btdiag.core.idle_settings import GOOGLE_S, SETTING, balancer_snippets
from btdiag.logs.house import Remedy, Snippet

_MARGIN_S = 5
_NODE_S = 1.0  # Node closes a second after its setting (measured)

SETTLES: Mapping[str, Snippet] = {
    "nginx": Snippet(
        product="nginx",
        code="log_format upstream '$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent '\n"
        "  '\"$http_referer\" \"$http_user_agent\" msec=$msec rt=$request_time uct=$upstream_connect_time '\n"
        "  'uht=$upstream_header_time urt=$upstream_response_time ua=\"$upstream_addr\" us=\"$upstream_status\" '\n"
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
        ' %UPSTREAM_HOST% %UPSTREAM_LOCAL_ADDRESS%"   # as in Istio\'s default format',
    ),
    "traefik": Snippet(
        product="Traefik",
        code="accessLog:\n  format: json\nlog:\n  level: DEBUG   # the cause stands only there",
    ),
    "caddy": Snippet(product="Caddy", code="{\n  log default {\n    level ERROR\n  }\n}   # keep the error log beside it"),
    "varnish": Snippet(
        product="Varnish",
        code="varnishncsa -b -F '%h %t \"%r\" %s %b %D ttfb=%{Varnish:time_firstbyte}x vxid=%{VSL:Begin[2]}x"
        " err=\"%{VSL:FetchError}x\" open=\"%{VSL:BackendOpen}x\"'\n# or: varnishlog -g request",
    ),
    "aws-alb": Snippet(product="AWS ALB", code="# the API's own log at these moments, and its restarts"),
}


def order(k_s: float | None, lb_s: float | None, keepalive_s: float | None) -> Remedy:
    """Raise the backend's timeout above the load balancer's, or lower the load balancer's below it."""
    closes = k_s if k_s is not None else (keepalive_s or 65.0) + _NODE_S
    downwards = max(floor(closes - _MARGIN_S) if closes > 2 * _MARGIN_S else floor(closes / 2), 1)
    upwards = ceil((lb_s if lb_s is not None else GOOGLE_S) + _MARGIN_S)
    if lb_s is None:
        text = (
            f"Look up the load balancer's idle timeout towards the API and set {SETTING} at least {_MARGIN_S} s above"
            f" it, or lower the load balancer's to {downwards} s or less, below the {closes:.4g} s after which the"
            " backend closes."
        )
    else:
        text = (
            f"Set {SETTING} to {upwards} or more, {_MARGIN_S} s above the load balancer's {lb_s:g} s; or lower the load"
            f" balancer's idle timeout to {downwards} s or less, below the {closes:.4g} s after which the backend"
            " closes."
        )
    which = f"to {upwards} or more" if lb_s is not None else "above the load balancer's idle timeout"
    action = f"Set {SETTING} {which}, or lower the load balancer's to {downwards} s or less"
    helm = f'api:\n  extraEnvVars:\n    - name: {SETTING}\n      value: "{upwards}"'
    return Remedy(
        text=text, action=action, snippets=(Snippet(product="Helm (values.yaml)", code=helm), *balancer_snippets(downwards))
    )


def settling(product: str) -> Remedy:
    """The one change to the log that would settle what it leaves open."""
    snippet = SETTLES.get(product)
    if snippet is None:
        return Remedy(text="Compare with the API's own log and its restarts at these moments.")
    return Remedy(
        text="Log what tells the causes apart, and give the error log together with the access log.",
        snippets=(snippet,),
    )
