"""Real nginx, HAProxy and Caddy before the lab's API server: as docs/load-balancers.md has them, and as they come.

The recommended settings are taken from that page itself; only names, ports and paths are put in.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import pytest

from btdiag.lab.plan import HOST, Backend, LabPlan
from btdiag.lab.tls import Certificates
from tests.support.cli import Done, run_json
from tests.support.labclient import staged

PAGE = Path(__file__).parents[3] / "docs" / "load-balancers.md"
OTHER_HOST = "localhost"
KEEPALIVE_S = 2.0  # of the API server, so that the idle waits are short

pytestmark = pytest.mark.real

NGINX = """
daemon off; {user} pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  {settings}
}}
"""
CADDY = """
{{
  admin off
  grace_period 1s
  auto_https disable_redirects
}}
{settings}
"""
NGINX_AS_IT_COMES = """
server {{
  listen {port} ssl; ssl_certificate {folder}/fullchain.pem; ssl_certificate_key {folder}/key.pem;
  location / {{ proxy_pass http://127.0.0.1:{backend}{path}; {more} }}
}}
"""
HAPROXY_AS_IT_COMES = """
defaults
  mode http
  timeout connect 5s
  timeout client {timeout}
  timeout server {timeout}
frontend front
  bind 127.0.0.1:{port} ssl crt {folder}/tls.pem
  default_backend api
backend api
  server one 127.0.0.1:{backend}
"""
HAPROXY_BY_NAME = """
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:{port} ssl crt {folder}/tls.pem alpn h2,http/1.1
  use_backend other if {{ {by} -m beg {other} }}
  default_backend api
backend api
  server one 127.0.0.1:{backend}
backend other
  http-request return status 200 content-type text/plain string ok
"""
CADDY_AS_IT_COMES = """
https://{host}:{port} {{
  tls {folder}/fullchain.pem {folder}/key.pem
  {more}
  reverse_proxy 127.0.0.1:{backend}
}}
"""


@dataclass(frozen=True)
class Place:
    """Where one gateway runs: its folder with certificates, its port, the API server's port."""

    folder: Path
    ca: Path
    port: int
    backend: int

    @classmethod
    def at(cls, folder: Path, backend: int) -> Place:
        """A place with certificates of its own, on a free port."""
        certificates = Certificates(folder)
        leaf = certificates.own.leaf(HOST, OTHER_HOST)
        chain = leaf.pem + certificates.own.intermediate.pem
        for name, content in (("fullchain.pem", chain), ("key.pem", leaf.key_pem), ("tls.pem", chain + leaf.key_pem)):
            (folder / name).write_bytes(content)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port: int = listener.getsockname()[1]
        return cls(folder=folder, ca=certificates.ca_file(), port=port, backend=backend)

    @property
    def url(self) -> str:
        """Where users find it."""
        return f"https://{HOST}:{self.port}"

    @property
    def options(self) -> tuple[str, ...]:
        """What a run needs to get there."""
        return ("--resolve", f"{HOST}:{self.port}:127.0.0.1", "--ca", str(self.ca))


def recommended(product: str, place: Place) -> str:
    """The settings that the page recommends, at this place."""
    found = re.search(rf"<!-- gateway: {product} -->\n```\w+\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    replaced = {
        "127.0.0.1:8000": f"127.0.0.1:{place.backend}",
        "listen 443": f"listen {place.port}",
        "bind :443": f"bind 127.0.0.1:{place.port}",
        "api.example.com {": f"https://{HOST}:{place.port} {{",
        "api.example.com": HOST,
        f"/etc/{product}": str(place.folder),
        f"{place.folder}/tls/": f"{place.folder}/",
    }
    settings = found[1]
    for name, value in replaced.items():
        settings = settings.replace(name, value)
    return settings


def as_it_comes(product: str, place: Place, **more: str) -> str:
    """The least settings that work."""
    template = {"nginx": NGINX_AS_IT_COMES, "haproxy": HAPROXY_AS_IT_COMES, "caddy": CADDY_AS_IT_COMES}[product]
    template = HAPROXY_BY_NAME if "by" in more else template
    values = {"more": "", "path": "", "timeout": "60s", "other": OTHER_HOST, **more}
    return template.format(folder=place.folder, host=HOST, port=place.port, backend=place.backend, **values)


def _whole(product: str, settings: str, folder: Path) -> str:
    if product == "nginx":
        return NGINX.format(folder=folder, settings=settings, user="user root;" if _is_root() else "")
    return CADDY.format(settings=settings) if product == "caddy" else settings


def _is_root() -> bool:
    return Path("/proc/self").stat().st_uid == 0


def _command(product: str, config: Path) -> Sequence[str]:
    binary = shutil.which(product) or f"/usr/sbin/{product}"
    return {
        "nginx": [binary, "-c", str(config)],
        "haproxy": [binary, "-db", "-f", str(config)],
        "caddy": [binary, "run", "--adapter", "caddyfile", "--config", str(config)],
    }[product]


@contextlib.contextmanager
def running(product: str, settings: str, place: Place) -> Iterator[None]:
    config = place.folder / "gateway.conf"
    config.write_text(_whole(product, settings, place.folder))
    environment = {"HOME": str(place.folder), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    with (
        (place.folder / "log").open("wb") as log,
        subprocess.Popen(_command(product, config), stdout=log, stderr=log, env=environment) as process,
    ):
        try:
            deadline = time.monotonic() + 15
            while time.monotonic() < deadline and process.poll() is None:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", place.port), timeout=1):
                    break
                time.sleep(0.02)
            yield
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()


def judged(product: str, folder: Path, *options: str, **defaults: str) -> dict[str, Any]:
    """The gateway family's checks by id, with the recommended settings or, where `defaults` are given, without them."""

    async def run() -> Done:
        async with staged(LabPlan(backend=Backend(keepalive=KEEPALIVE_S))) as lab:
            place = Place.at(folder, urlsplit(str(lab["backend"])).port or 0)
            settings = as_it_comes(product, place, **defaults) if defaults else recommended(product, place)
            with running(product, settings, place):
                return await asyncio.to_thread(_run, place, options)

    return {check["id"].partition(".")[2]: check for check in asyncio.run(run()).report["checks"]}


def _run(place: Place, options: Sequence[str]) -> Done:
    return run_json(
        place.url,
        *(*place.options, "--browser", "none"),
        *("--backend", f"http://127.0.0.1:{place.backend}", "--backend-keepalive", f"{KEEPALIVE_S:g}"),
        *("--only", "gateway", *(option.format(port=place.port) for option in options)),
        traced=options[:1] == OTHER[:1],  # a connection that is shared is met nowhere else
    )


def other_than_pass(checks: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """What did not pass, with its verdict and summary; long uploads are for --deep, and left out elsewhere."""
    return {
        name: (one["verdict"], one["summary"])
        for name, one in checks.items()
        if one["verdict"] != "pass" and (name, one["verdict"]) != ("slow-uploads-pass", "skip")
    }


OTHER = ("--gateway", f"https://{OTHER_HOST}:{{port}}", "--quick")
CASES: Mapping[str, tuple[str, Sequence[str], Mapping[str, str]]] = {
    "nginx, recommended": ("nginx", (), {}),
    "haproxy, recommended": ("haproxy", (), {}),
    "caddy, recommended": ("caddy", (), {}),
    "nginx": ("nginx", (), {"more": "proxy_read_timeout 2s;"}),  # 60 s would be the default
    "haproxy": ("haproxy", (), {"timeout": "2s"}),
    "caddy": ("caddy", (), {"more": ""}),
    "nginx, a path in proxy_pass": ("nginx", ("--quick",), {"path": "/"}),
    "caddy, a limit of bodies": ("caddy", ("--quick",), {"more": "request_body {\n max_size 1MB\n }"}),
    "haproxy, by server name": ("haproxy", OTHER, {"by": "ssl_fc_sni"}),
    "haproxy, by host": ("haproxy", OTHER, {"by": "req.hdr(host)"}),
}


Runs: TypeAlias = "dict[str, Future[dict[str, Any]]]"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """All runs, a few at a time: most of each is waiting."""
    with ThreadPoolExecutor(4) as pool:
        yield {
            name: pool.submit(judged, product, tmp_path_factory.mktemp(product), *options, **defaults)
            for name, (product, options, defaults) in CASES.items()
        }


@pytest.mark.parametrize("product", ["nginx", "haproxy", "caddy"])
def test_the_recommended_settings_are_sound(product: str, runs: Runs) -> None:
    checks = runs[f"{product}, recommended"].result()
    assert other_than_pass(checks) == {}
    assert len(checks) >= 9
    assert "HTTP/2 is offered and works" in checks["http2-works-where-offered"]["summary"]


def test_nginx_as_it_comes_has_its_limits_named(runs: Runs) -> None:
    checks = runs["nginx"].result()
    assert set(other_than_pass(checks)) == {
        "accepts-product-requests",
        "streams-unbuffered",
        "silent-answers-are-awaited",
        "websockets-pass",
    }
    assert "413 from nginx" in checks["accepts-product-requests"]["summary"]
    assert "the limit is 1.0 MiB, nginx's default" in checks["accepts-product-requests"]["summary"]
    assert "holds streams back" in checks["streams-unbuffered"]["summary"]
    assert re.search(r"broken off after [23]\.\d s of silence", checks["silent-answers-are-awaited"]["summary"])


def test_haproxy_as_it_comes_has_its_timeout_named(runs: Runs) -> None:
    checks = runs["haproxy"].result()
    assert set(other_than_pass(checks)) == {"silent-answers-are-awaited"}
    assert re.search(r"broken off after (?:1\.9|2\.\d) s of silence", checks["silent-answers-are-awaited"]["summary"])


def test_caddy_as_it_comes_is_sound(runs: Runs) -> None:
    assert other_than_pass(runs["caddy"].result()) == {}


def test_caddys_own_limit_of_bodies_is_no_413(runs: Runs) -> None:
    """Caddy 2.6 answers 502 to what exceeds its request_body: what a server that hangs up early would give as well."""
    found = runs["caddy, a limit of bodies"].result()["accepts-product-requests"]
    assert found["verdict"] in {"inconclusive", "fail"}  # a later Caddy may answer 413
    assert re.search(r"502 from Caddy: a limit of sizes mostly|413", found["summary"])


def test_nginx_whose_proxy_pass_has_a_path_decodes_slashes(runs: Runs) -> None:
    found = runs["nginx, a path in proxy_pass"].result()["paths-arrive-unchanged"]
    assert found["verdict"] == "warn"
    assert "GET /v1%2Fproject is answered 401" in found["summary"]


@pytest.mark.parametrize(("by", "verdict"), [("server name", "warn"), ("host", "pass")])
def test_two_hosts_on_one_connection(by: str, verdict: str, runs: Runs) -> None:
    """HAProxy that routes by the server name of the handshake misleads browsers that use one connection for both."""
    found = runs[f"haproxy, by {by}"].result()["http2-works-where-offered"]
    assert found["verdict"] == verdict, found["summary"]
    assert OTHER_HOST in found["summary"]
