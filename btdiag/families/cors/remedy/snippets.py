"""Configuration to copy for each way in which a hop breaks CORS: one function per remedy, real values filled in.

Sources: the products' own documentation: nginx ngx_http_headers_module, ingress-nginx annotations, AWS ALB listener
rules and header modification, CloudFront origin request policies, Envoy `cors` filter, HAProxy http-after-response,
Traefik headers middleware, Cloudflare Access CORS settings, Azure Front Door rules engine, S3, GCS and Azure Blob CORS.
"""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.core.finding import Snippet

METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS"


def _snippet(product: str, *lines: str) -> Snippet:
    return Snippet(product=product, code="\n".join(lines))


def _nginx_preflight(origin: str, headers: Sequence[str]) -> tuple[str, ...]:
    return (
        "if ($request_method = OPTIONS) {",
        f"    add_header Access-Control-Allow-Origin {origin} always;",
        "    add_header Access-Control-Allow-Credentials true always;",
        f'    add_header Access-Control-Allow-Methods "{METHODS}" always;',
        f'    add_header Access-Control-Allow-Headers "{", ".join(headers)}" always;',
        "    add_header Access-Control-Max-Age 7200 always;",
        "    add_header Vary Origin always;",
        "    return 204;",
        "}",
    )


def preflight_past_authentication(origin: str, headers: Sequence[str]) -> tuple[Snippet, ...]:
    """Let OPTIONS through before anybody asks who is calling: a browser never sends credentials with a preflight."""
    return (
        _snippet("nginx (in the location that has auth_request)", *_nginx_preflight(origin, headers)),
        _snippet(
            "ALB (a listener rule before the one that authenticates)",
            "aws elbv2 create-rule --listener-arn <listener> --priority 1 \\",
            "  --conditions Field=http-request-method,HttpRequestMethodConfig={Values=[OPTIONS]} \\",
            "  --actions Type=forward,TargetGroupArn=API_TARGET_GROUP_ARN",
        ),
        _snippet("oauth2-proxy", "--skip-auth-preflight=true"),
        _snippet(
            "Cloudflare Access (Terraform)",
            'resource "cloudflare_zero_trust_access_application" "api" {',
            "  options_preflight_bypass = true",
            "}",
        ),
        _snippet(
            "Envoy / Istio",
            "http_filters:",
            "- name: envoy.filters.http.cors        # before ext_authz or jwt_authn",
            "- name: envoy.filters.http.ext_authz",
        ),
        _snippet("HAProxy", "http-request auth unless METH_OPTIONS"),
        _snippet("Traefik", f"middlewares: [cors, forward-auth]   # the headers middleware with {origin} first"),
        _snippet("API Gateway (OpenAPI)", "options:", "  security: []   # no authorizer on OPTIONS"),
    )


def options_reaches_the_api(origin: str, headers: Sequence[str]) -> tuple[Snippet, ...]:
    """Route OPTIONS like the other methods."""
    return (
        _snippet("nginx", "limit_except GET POST PUT PATCH DELETE OPTIONS { deny all; }"),
        _snippet("nginx (answering it there)", *_nginx_preflight(origin, headers)),
        _snippet(
            "HAProxy",
            "acl allowed_method method GET HEAD POST PUT PATCH DELETE OPTIONS",
            "http-request deny unless allowed_method",
        ),
        _snippet("CloudFront (cache behavior)", "AllowedMethods: [GET, HEAD, OPTIONS, PUT, POST, PATCH, DELETE]"),
        _snippet("Istio VirtualService", "match: [{uri: {prefix: /}}]   # without a `method:` condition"),
        _snippet("API Gateway", "add an OPTIONS method to every resource, or use {proxy+} with ANY"),
        _snippet("Azure Front Door", "WAF policy > custom rules: no RequestMethod rule that lists OPTIONS"),
    )


def firewall_lets_preflights_pass(names: Sequence[str]) -> tuple[Snippet, ...]:
    """An exception in the web application firewall."""
    listed = ", ".join(names) or "x-bt-*"
    return (
        _snippet(
            "AWS WAF",
            f"scope-down statement: NOT (method EXACTLY OPTIONS); exclude the headers {listed} from inspection",
        ),
        _snippet("Cloudflare WAF", 'custom rule: (http.request.method eq "OPTIONS") -> Skip all remaining rules'),
        _snippet("Azure Front Door WAF", "custom rule: RequestMethod Equal OPTIONS -> Allow, priority 1"),
        _snippet(
            "ModSecurity (CRS)",
            'SecRule REQUEST_METHOD "@streq OPTIONS" "id:1001,phase:1,pass,nolog,ctl:ruleEngine=Off"',
        ),
    )


def one_allow_origin(origin: str) -> tuple[Snippet, ...]:
    """Only one of app and gateway may set the header."""
    return (
        _snippet("nginx (let the app do it)", "# remove: add_header Access-Control-Allow-Origin ...;"),
        _snippet(
            "nginx (do it there)",
            "proxy_hide_header Access-Control-Allow-Origin;",
            "proxy_hide_header Access-Control-Allow-Credentials;",
        ),
        _snippet("nginx ingress", 'nginx.ingress.kubernetes.io/enable-cors: "false"'),
        _snippet(
            "ALB",
            "aws elbv2 modify-listener-attributes --listener-arn <listener> --attributes \\",
            '  Key=routing.http.response.access_control_allow_origin.header_value,Value=""',
        ),
        _snippet("CloudFront", "response headers policy > CORS: origin override = true, or no CORS section"),
        _snippet(
            "HAProxy",
            "# set-header replaces, add-header doubles:",
            f"http-response set-header Access-Control-Allow-Origin {origin}",
        ),
        _snippet(
            "Istio", "remove corsPolicy from the VirtualService, or Access-Control-* with headers.response.remove"
        ),
        _snippet("Traefik", "remove the accessControl* options of the headers middleware"),
    )


def headers_on_errors_too(origin: str) -> tuple[Snippet, ...]:
    """CORS headers on every status."""
    return (
        _snippet(
            "nginx",
            f"add_header Access-Control-Allow-Origin {origin} always;",
            "add_header Access-Control-Allow-Credentials true always;",
            "add_header Vary Origin always;",
            "proxy_intercept_errors off;",
        ),
        _snippet(
            "HAProxy (covers its own error pages)",
            f'http-after-response set-header Access-Control-Allow-Origin "{origin}"',
            "http-after-response set-header Vary Origin",
        ),
        _snippet("Apache httpd", f'Header always set Access-Control-Allow-Origin "{origin}"', "ProxyErrorOverride Off"),
        _snippet(
            "Envoy / Istio", "local_reply_config: add Access-Control-Allow-Origin to replies that Envoy makes itself"
        ),
        _snippet(
            "API Gateway",
            "GatewayResponses DEFAULT_4XX and DEFAULT_5XX:",
            f"  gatewayresponse.header.Access-Control-Allow-Origin: \"'{origin}'\"",
        ),
        _snippet("CloudFront", "response headers policy with CORS: applies to error responses of the origin as well"),
    )


def headers_allowed(origin: str, names: Sequence[str]) -> tuple[Snippet, ...]:
    """A complete list of request headers wherever a gateway answers preflights."""
    listed = ", ".join(names)
    return (
        _snippet("nginx", f'add_header Access-Control-Allow-Headers "{listed}" always;'),
        _snippet("nginx ingress", f'nginx.ingress.kubernetes.io/cors-allow-headers: "{listed}"'),
        _snippet(
            "ALB",
            "--attributes Key=routing.http.response.access_control_allow_headers.header_value,\\",
            f'Value="{listed}"',
        ),
        _snippet(
            "Istio VirtualService", f"corsPolicy: {{allowOrigins: [{{exact: {origin}}}], allowHeaders: [{listed}]}}"
        ),
        _snippet("HAProxy", f'http-after-response set-header Access-Control-Allow-Headers "{listed}"'),
        _snippet("Traefik", f"accessControlAllowHeaders: [{listed}]"),
        _snippet("API Gateway", f"Access-Control-Allow-Headers: \"'{listed}'\""),
        _snippet("CloudFront", f"response headers policy > AccessControlAllowHeaders: [{listed}]"),
        _snippet(
            "Terraform (braintrust data plane module)",
            "# older releases lack newer headers: upgrade the module",
            'version = ">= 4.5.0"   # the first that lists x-bt-use-gateway',
        ),
    )


def methods_allowed(origin: str) -> tuple[Snippet, ...]:
    """A complete list of methods wherever a gateway answers preflights."""
    return (
        _snippet("nginx", f'add_header Access-Control-Allow-Methods "{METHODS}" always;'),
        _snippet("nginx ingress", f'nginx.ingress.kubernetes.io/cors-allow-methods: "{METHODS}"'),
        _snippet(
            "ALB", f'--attributes Key=routing.http.response.access_control_allow_methods.header_value,Value="{METHODS}"'
        ),
        _snippet(
            "Istio VirtualService", f"corsPolicy: {{allowOrigins: [{{exact: {origin}}}], allowMethods: [{METHODS}]}}"
        ),
        _snippet("Traefik", f"accessControlAllowMethods: [{METHODS}]"),
        _snippet("API Gateway", f"Access-Control-Allow-Methods: \"'{METHODS}'\""),
    )


def origin_allowed(origin: str) -> tuple[Snippet, ...]:
    """The right origin, at the API or wherever a gateway answers for it."""
    return (
        _snippet(
            "Helm (API server)",
            "api:",
            "  extraEnvVars:",
            "    - name: WHITELISTED_ORIGINS",
            f'      value: "{origin}"',
        ),
        _snippet("Terraform (AWS module)", f'whitelisted_origins = ["{origin}"]'),
        _snippet("nginx", f"add_header Access-Control-Allow-Origin {origin} always;", "add_header Vary Origin always;"),
        _snippet("nginx ingress", f'nginx.ingress.kubernetes.io/cors-allow-origin: "{origin}"'),
        _snippet(
            "ALB", f"--attributes Key=routing.http.response.access_control_allow_origin.header_value,Value={origin}"
        ),
        _snippet(
            "Istio VirtualService", f"corsPolicy: {{allowOrigins: [{{exact: {origin}}}], allowCredentials: true}}"
        ),
        _snippet(
            "HAProxy",
            f'http-after-response set-header Access-Control-Allow-Origin "{origin}"',
            "http-after-response set-header Access-Control-Allow-Credentials true",
        ),
        _snippet("Traefik", f'accessControlAllowOriginList: ["{origin}"]', "addVaryHeader: true"),
        _snippet("API Gateway", f"Access-Control-Allow-Origin: \"'{origin}'\""),
    )


def origins_exact(origin: str) -> tuple[Snippet, ...]:
    """An allow-list without holes instead of an echo of whatever asks."""
    pattern = origin.replace(".", "\\.")
    return (
        _snippet(
            "nginx",
            "map $http_origin $cors_origin {",
            '    default "";',
            f'    "{origin}" $http_origin;',
            "}",
            "add_header Access-Control-Allow-Origin $cors_origin always;",
        ),
        _snippet("nginx ingress", f'nginx.ingress.kubernetes.io/cors-allow-origin: "{origin}"'),
        _snippet(
            "HAProxy",
            f'acl web_app req.hdr(Origin) -m str "{origin}"',
            "http-request set-var(txn.o) req.hdr(Origin) if web_app",
            "http-after-response set-header Access-Control-Allow-Origin %[var(txn.o)] if { var(txn.o) -m found }",
        ),
        _snippet("Envoy / Istio", f"allowOrigins: [{{exact: {origin}}}]   # a regex must match it all: ^{pattern}$"),
        _snippet("Traefik", f'accessControlAllowOriginList: ["{origin}"]'),
        _snippet(
            "Helm (API server)",
            "api:",
            "  extraEnvVars:",
            "    - name: WHITELISTED_ORIGINS",
            f'      value: "{origin}"',
        ),
    )


def request_headers_forwarded() -> tuple[Snippet, ...]:
    """Origin and both Access-Control-Request headers must reach the API."""
    return (
        _snippet(
            "CloudFront (cache behavior)",
            "origin request policy: Managed-AllViewerExceptHostHeader",
            "cache policy:          Managed-CachingDisabled",
        ),
        _snippet(
            "nginx",
            "# remove: proxy_set_header Origin ...;",
            "# remove: proxy_set_header Access-Control-Request-Method ...;",
        ),
        _snippet("HAProxy", "# remove: http-request del-header Origin"),
        _snippet(
            "ALB",
            "aws elbv2 modify-load-balancer-attributes --load-balancer-arn <alb> \\",
            "  --attributes Key=routing.http.drop_invalid_header_fields.enabled,Value=false",
        ),
        _snippet("Azure Front Door", "rules engine: no 'Delete' on request headers Origin, Access-Control-Request-*"),
    )


def final_address() -> tuple[Snippet, ...]:
    """Redirect navigations only."""
    return (
        _snippet(
            "nginx",
            "# in the server block of the name that the web app is told:",
            "absolute_redirect off;   merge_slashes off;",
            "# and no `return 301` or trailing-slash `rewrite` for API paths",
        ),
        _snippet(
            "nginx ingress", 'nginx.ingress.kubernetes.io/ssl-redirect: "false"   # where TLS ends before the ingress'
        ),
        _snippet("Traefik", "entryPoints.web.http.redirections: only on the plain entry point"),
        _snippet("Braintrust", "Settings > Data plane > API URL: the address that needs no redirect"),
    )


def remembered() -> tuple[Snippet, ...]:
    """Let browsers remember preflights."""
    return (
        _snippet("nginx", "add_header Access-Control-Max-Age 7200 always;"),
        _snippet("nginx ingress", 'nginx.ingress.kubernetes.io/cors-max-age: "7200"'),
        _snippet("Istio VirtualService", "corsPolicy: {maxAge: 2h}"),
        _snippet("ALB", "--attributes Key=routing.http.response.access_control_max_age.header_value,Value=7200"),
        _snippet("HAProxy", "http-after-response set-header Access-Control-Max-Age 7200"),
        _snippet("Traefik", "accessControlMaxAge: 7200"),
        _snippet("CloudFront", "response headers policy > AccessControlMaxAgeSec: 7200"),
    )


def exposed(names: Sequence[str]) -> tuple[Snippet, ...]:
    """Name the response headers that page code reads."""
    listed = ", ".join(names)
    return (
        _snippet("nginx", f'add_header Access-Control-Expose-Headers "{listed}" always;'),
        _snippet("nginx ingress", f'nginx.ingress.kubernetes.io/cors-expose-headers: "{listed}"'),
        _snippet("Istio VirtualService", f"corsPolicy: {{exposeHeaders: [{listed}]}}"),
        _snippet(
            "ALB", f'--attributes Key=routing.http.response.access_control_expose_headers.header_value,Value="{listed}"'
        ),
        _snippet("Traefik", f"accessControlExposeHeaders: [{listed}]"),
    )


def caches_keep_apart() -> tuple[Snippet, ...]:
    """Tell shared caches that the answer depends on Origin, or keep API answers out of them."""
    return (
        _snippet("nginx", "add_header Vary Origin always;"),
        _snippet("CloudFront (cache behavior)", "cache policy: Managed-CachingDisabled"),
        _snippet("HAProxy", "http-after-response add-header Vary Origin"),
        _snippet("Traefik", "addVaryHeader: true"),
        _snippet("Azure Front Door", "route > caching: disabled"),
    )


def bucket(origin: str) -> tuple[Snippet, ...]:
    """CORS of the object store that large results are redirected to: the browser sends `Origin: null` there."""
    return (
        _snippet(
            "S3",
            "aws s3api put-bucket-cors --bucket <bucket> --cors-configuration '"
            + '{"CORSRules": [{"AllowedOrigins": ["*"], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["*"]}]}'
            + "'",
        ),
        _snippet("Terraform (AWS module)", 's3_additional_allowed_origins = ["*"]'),
        _snippet(
            "GCS",
            "gcloud storage buckets update gs://<bucket> --cors-file=cors.json",
            '# cors.json: [{"origin": ["*"], "method": ["GET", "HEAD", "PUT"], "responseHeader": ["*"]}]',
        ),
        _snippet(
            "Azure Blob",
            f"# '*', because a redirect turns {origin} into null",
            "az storage cors add --services b --methods GET HEAD PUT --origins '*' --allowed-headers '*'",
        ),
    )


def path_reaches_the_api(head: str) -> tuple[Snippet, ...]:
    """A path that the load balancer knows no rule for goes to the API."""
    return (
        _snippet("nginx", f"location {head}/ {{", "    proxy_pass http://<API server>:8000;", "}"),
        _snippet(
            "ALB (a listener rule)",
            "aws elbv2 create-rule --listener-arn <listener> --priority 2 \\",
            f"  --conditions Field=path-pattern,Values='{head}/*' \\",
            "  --actions Type=forward,TargetGroupArn=API_TARGET_GROUP_ARN",
        ),
    )
