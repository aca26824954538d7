"""What real nginx, HAProxy, Caddy and Node say where two of them do not understand each other, and that the settings
which are advised are settings."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import trustme

from btdiag.core.exchange import Exchange
from btdiag.core.hops import ADVICE, HopFault, fault_of
from btdiag.core.statuses import explain_answer
from btdiag.net.limits import Limits
from btdiag.net.wire import Wire
from tests.support.serving import http_target, route_to

pytestmark = pytest.mark.real

NAMES = ("front", "tls", "mutual", "expecting", "go", "node", "sending")
NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  ssl_certificate {folder}/tls.pem; ssl_certificate_key {folder}/tls.pem;
  server {{
    listen 127.0.0.1:{front};
    location = /tls {{ proxy_pass http://127.0.0.1:{tls}/; }}
    location = /mutual {{ proxy_pass https://127.0.0.1:{mutual}/; }}
    location = /stranger {{
      proxy_pass https://127.0.0.1:{mutual}/;
      proxy_ssl_session_reuse off;
      proxy_ssl_certificate {folder}/other.pem; proxy_ssl_certificate_key {folder}/other.pem;
    }}
    location = /go {{ proxy_pass http://127.0.0.1:{go}/; }}
    location = /expecting {{ proxy_pass http://127.0.0.1:{expecting}/; }}
  }}
  server {{ listen 127.0.0.1:{tls} ssl; }}
  server {{ listen 127.0.0.1:{mutual} ssl; ssl_verify_client on; ssl_client_certificate {folder}/ca.pem; }}
  server {{ listen 127.0.0.1:{expecting} proxy_protocol; }}
}}
"""
HAPROXY = """
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
listen sending
  bind 127.0.0.1:{sending}
  server node 127.0.0.1:{node} send-proxy
"""
CADDY = """
{{
  admin off
  auto_https off
}}
https://127.0.0.1:{go} {{
  tls {folder}/tls.pem {folder}/tls.pem
  respond "ok"
}}
"""
NODE = "require('http').createServer((q, s) => s.end('ok')).listen({node}, '127.0.0.1')"


def _program(name: str) -> str:
    return shutil.which(name) or f"/usr/sbin/{name}"


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """All of them running, by name."""
    folder = tmp_path_factory.mktemp("hops")
    found = _free_ports()
    _certificates(folder)
    files = {"nginx": NGINX, "haproxy": HAPROXY, "caddy": CADDY, "node": NODE}
    for name, text in files.items():
        (folder / name).write_text(text.format(folder=folder, **found))
    commands = (
        [_program("nginx"), "-p", str(folder), "-c", str(folder / "nginx")],
        [_program("haproxy"), "-db", "-f", str(folder / "haproxy")],
        [_program("caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "caddy")],
        [_program("node"), str(folder / "node")],
    )
    with ExitStack() as running, (folder / "log").open("wb") as log:
        environment = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "PATH": "/usr/bin:/bin"}
        for command in commands:
            process = running.enter_context(subprocess.Popen(command, stdout=log, stderr=log, env=environment))
            running.callback(process.terminate)
        for port in found.values():
            _wait_for(port)
        yield found


def _free_ports() -> dict[str, int]:
    with ExitStack() as held:
        listeners = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in NAMES]
        return {name: one.getsockname()[1] for name, one in zip(NAMES, listeners, strict=True)}


def _certificates(folder: Path) -> None:
    ours, other = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(str(folder / "ca.pem"))
    ours.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "tls.pem"))
    other.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "other.pem"))


def _wait_for(port: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError(f"nothing listens on port {port}")


def _get(port: int, path: str) -> Exchange:
    target = http_target(port)
    wire = Wire(target, user_agent="btdiag/test")
    return asyncio.run(wire.exchange(route_to(port), "GET", target.url_for(path), limits=Limits(total=5)))


@pytest.mark.parametrize(
    ("where", "path", "fault"),
    [
        ("front", "/tls", HopFault.PLAIN_TO_TLS),
        ("front", "/go", HopFault.PLAIN_TO_TLS),
        ("front", "/mutual", HopFault.NO_CLIENT_CERTIFICATE),
        ("front", "/stranger", HopFault.UNTRUSTED),
        ("sending", "/", HopFault.UNREADABLE),
    ],
)
def test_what_is_said_between_two_hops(ports: dict[str, int], where: str, path: str, fault: HopFault) -> None:
    assert fault_of(_get(ports[where], path)) is fault


def test_a_proxy_line_that_nobody_sends_ends_in_silence_or_a_502(ports: dict[str, int]) -> None:
    assert _get(ports["expecting"], "/").failure is not None
    assert _get(ports["front"], "/expecting").status == 502


def test_a_product_in_between_takes_the_blame_from_our_own_url(ports: dict[str, int]) -> None:
    assert "Use https://" in explain_answer(_get(ports["tls"], "/")).remedy.text
    assert "Use https://" in explain_answer(_get(ports["go"], "/")).remedy.text
    assert (
        "Let the hop before the server behind nginx speak TLS"
        in explain_answer(_get(ports["front"], "/go")).remedy.text
    )


def _codes(product: str) -> list[str]:
    return sorted({one.code for said in ADVICE.values() for one in said.snippets if one.product == product})


def test_nginx_knows_the_settings(tmp_path: Path) -> None:
    _certificates(tmp_path)
    for number, code in enumerate(_codes("nginx")):
        listens = code.startswith(("listen", "ssl_verify"))
        passes = "proxy_pass" in code or listens
        place = code if passes else f"{code} proxy_pass http://127.0.0.1:1;"
        server = f"{place}\nreturn 204;" if listens else f"location / {{ {place}\n }}"
        http = server.replace("api.pem", "ca.pem").replace("/etc/ssl/api-ca.pem", f"{tmp_path}/ca.pem")
        http = http.replace("//api:", "//127.0.0.1:")
        file = tmp_path / f"nginx{number}"
        file.write_text(
            f"pid {tmp_path}/pid; error_log {tmp_path}/error.log; events {{}}\n"
            f"http {{ access_log off; client_body_temp_path {tmp_path}; proxy_temp_path {tmp_path};"
            f" fastcgi_temp_path {tmp_path}; uwsgi_temp_path {tmp_path}; scgi_temp_path {tmp_path};\n"
            f"server {{ {http} }} }}"
        )
        said = subprocess.run([_program("nginx"), "-t", "-c", str(file)], capture_output=True, text=True, check=False)
        assert said.returncode == 0, (code, said.stderr)


def test_haproxy_knows_the_settings(tmp_path: Path) -> None:
    _certificates(tmp_path)
    for number, code in enumerate(_codes("HAProxy")):
        file = tmp_path / f"haproxy{number}"
        line = code.replace("/etc/ssl/ca.pem", f"{tmp_path}/ca.pem").replace("api api:", "api 127.0.0.1:")
        file.write_text(
            "resolvers cluster\n  nameserver one 127.0.0.1:53\n"
            "defaults\n  mode http\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n"
            f"listen one\n  bind 127.0.0.1:1\n  {line}\n"
        )
        said = subprocess.run([_program("haproxy"), "-c", "-f", str(file)], capture_output=True, text=True, check=False)
        assert said.returncode == 0, (code, said.stderr)
