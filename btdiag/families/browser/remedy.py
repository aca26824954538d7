"""What to change where browsers refuse a host by rule."""

from __future__ import annotations

from btdiag.core.finding import Remedy, Snippet
from btdiag.families.browser.plan import PageHost

MIXED_CONTENT_SOURCES = (
    "https://www.w3.org/TR/mixed-content/ section 4.4",
    "https://www.w3.org/TR/secure-contexts/ section 3.1",
)
PORT_SOURCES = ("https://fetch.spec.whatwg.org/#port-blocking",)


def serve_over_tls(host: PageHost) -> Remedy:
    """https instead of http."""
    return Remedy(
        text=f"Serve {host.role} at {host.host} over https with a certificate that browsers trust, and set its URL to "
        "https:// in the Braintrust organization's settings. No browser setting is needed or advised.",
        action=f"Serve {host.role} over https, and set its URL to https:// in the organization's settings",
        snippets=(
            Snippet(
                product="nginx",
                code=f"server {{\n  listen 443 ssl;\n  server_name {host.host};\n"
                "  ssl_certificate     /etc/nginx/tls/fullchain.pem;\n"
                "  ssl_certificate_key /etc/nginx/tls/privkey.pem;\n}",
            ),
        ),
    )


def move_port(host: PageHost) -> Remedy:
    """A port that browsers connect to."""
    return Remedy(
        text=f"Let the load balancer listen for {host.role} on 443 instead of {host.port}, and change the URL in the "
        "Braintrust organization's settings. Ports such as 8443 are allowed as well.",
        action=f"Serve {host.role} on port 443 instead of {host.port}, and change its URL",
        snippets=(Snippet(product="nginx", code=f"listen 443 ssl;  # instead of {host.port}"),),
    )
