"""What is offered to be copied is understood by the nginx and HAProxy that it is for."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from btdiag.core.finding import Snippet
from btdiag.core.product import WEB_APP
from btdiag.families.cors.facts import EXPOSED, HEADERS
from btdiag.families.cors.remedy import snippets
from tests.support.tools import need

pytestmark = pytest.mark.real

OFFERED: tuple[Snippet, ...] = (
    *snippets.preflight_past_authentication(WEB_APP, HEADERS),
    *snippets.options_reaches_the_api(WEB_APP, HEADERS),
    *snippets.firewall_lets_preflights_pass(HEADERS),
    *snippets.one_allow_origin(WEB_APP),
    *snippets.headers_on_errors_too(WEB_APP),
    *snippets.headers_allowed(WEB_APP, HEADERS),
    *snippets.methods_allowed(WEB_APP),
    *snippets.origin_allowed(WEB_APP),
    *snippets.origins_exact(WEB_APP),
    *snippets.request_headers_forwarded(),
    *snippets.final_address(),
    *snippets.remembered(),
    *snippets.exposed(EXPOSED),
    *snippets.caches_keep_apart(),
    *snippets.bucket(WEB_APP),
)
PRODUCTS = (
    "nginx", "nginx ingress", "ALB", "CloudFront", "Envoy", "Istio", "HAProxy", "Traefik", "Cloudflare Access",
    "API Gateway", "Azure Front Door", "S3", "GCS", "Azure Blob", "Helm", "Terraform",
)  # fmt: skip


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_product_has_a_snippet(product: str) -> None:
    assert any(product in snippet.product for snippet in OFFERED)


@pytest.mark.parametrize("snippet", [s for s in OFFERED if re.match(r"nginx(?! ingress)", s.product)], ids=str)
def test_nginx_takes_its_snippets(snippet: Snippet, tmp_path: Path) -> None:
    nginx = need("nginx")
    maps = re.search(r"map .*?\n}", snippet.code, re.DOTALL)
    rest = snippet.code.replace(maps[0], "") if maps else snippet.code
    server, location = (rest, "") if "absolute_redirect" in rest else ("", rest)
    temps = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = tmp_path / "nginx.conf"
    config.write_text(f"""pid {tmp_path}/pid; error_log {tmp_path}/error.log; events {{ }}
        http {{ access_log off; {temps} {maps[0] if maps else ""}
        server {{ listen 127.0.0.1:1; {server}
        location / {{ {location}
        proxy_pass http://127.0.0.1:2; }} }} }}""")
    done = subprocess.run([nginx, "-t", "-p", tmp_path, "-c", config], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("snippet", [s for s in OFFERED if s.product.startswith("HAProxy")], ids=str)
def test_haproxy_takes_its_snippets(snippet: Snippet, tmp_path: Path) -> None:
    haproxy = need("haproxy")
    config = tmp_path / "haproxy.cfg"
    config.write_text(f"""
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend front
    bind 127.0.0.1:1
{snippet.code}
    default_backend api
backend api
    server one 127.0.0.1:2
""")
    done = subprocess.run([haproxy, "-c", "-f", config], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr
