"""TLS as nginx, HAProxy and Node really do it: which check fails, and what it says."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.support.cli import Done, run_json
from tests.support.tools import need

HOST = "api.example"
pytestmark = pytest.mark.real

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  ssl_certificate {folder}/server.pem;
  ssl_certificate_key {folder}/server.pem;
  server {{ listen 127.0.0.1:{sound} ssl; ssl_protocols TLSv1.2 TLSv1.3; location / {{ return 200 ok; }} }}
  server {{ listen 127.0.0.1:{rejects} ssl default_server; ssl_reject_handshake on; }}
  server {{ listen 127.0.0.1:{plain}; location / {{ return 200 ok; }} }}
  server {{ listen 127.0.0.1:{line} ssl proxy_protocol; location / {{ return 200 ok; }} }}
  server {{
    listen 127.0.0.1:{outdated} ssl;
    ssl_protocols TLSv1 TLSv1.1;
    ssl_ciphers ALL:@SECLEVEL=0;
    location / {{ return 200 ok; }}
  }}
}}
"""

HAPROXY = """
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
frontend late
  bind 127.0.0.1:{late} ssl crt {folder}/server.pem ca-file {folder}/ca.pem verify required
  http-request return status 200
frontend early
  bind 127.0.0.1:{early} ssl crt {folder}/server.pem ca-file {folder}/ca.pem verify required ssl-max-ver TLSv1.2
  http-request return status 200
"""

NODE = """
const https = require('https'), fs = require('fs'), pem = fs.readFileSync('{folder}/server.pem');
const options = {{ key: pem, cert: pem, ca: fs.readFileSync('{folder}/ca.pem'), requestCert: true }};
https.createServer(options, (_, answer) => answer.end('ok')).listen({node}, '127.0.0.1');
"""

NAMES = ("sound", "rejects", "plain", "outdated", "late", "early", "node", "line")


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def await_listening(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, int]]]:
    """The folder with ca.pem, and the port of each server."""
    programs = {name: need(name) for name in ("nginx", "haproxy", "node")}
    folder = tmp_path_factory.mktemp("servers")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    ports = dict(zip(NAMES, free_ports(len(NAMES)), strict=True))
    for name, text in (("nginx.conf", NGINX), ("haproxy.cfg", HAPROXY), ("node.js", NODE)):
        (folder / name).write_text(text.format(folder=folder, **ports))
    commands = (
        [programs["nginx"], "-p", str(folder), "-c", str(folder / "nginx.conf")],
        [programs["haproxy"], "-db", "-f", str(folder / "haproxy.cfg")],
        [programs["node"], str(folder / "node.js")],
    )
    with contextlib.ExitStack() as stack:
        for command in commands:
            process = stack.enter_context(
                subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
            stack.callback(process.terminate)
        for port in ports.values():
            await_listening(port)
        yield folder, ports


def ran(servers: tuple[Path, dict[str, int]], name: str, scheme: str = "https") -> Done:
    folder, ports = servers
    port = ports[name]
    route, trust = ("--resolve", f"{HOST}:{port}:127.0.0.1"), ("--ca", str(folder / "ca.pem"))
    return run_json(f"{scheme}://{HOST}:{port}", *route, *trust, "--only", "connection", "--browser", "none")


def test_a_sound_nginx(servers: tuple[Path, dict[str, int]]) -> None:
    done = ran(servers, "sound")
    assert done.code == 0, done.out
    assert not {"fail", "warn", "inconclusive"} & set(done.verdicts.values())


@pytest.mark.parametrize(
    ("name", "check", "words"),
    [
        ("rejects", "connection.tls-handshake-completes", "TLS alert TLSV1_UNRECOGNIZED_NAME"),
        ("plain", "connection.tls-handshake-completes", "speaks plain HTTP"),
        ("outdated", "connection.tls-versions-suffice", "takes TLS 1.0, TLS 1.1, and nothing newer"),
        ("late", "connection.tls-handshake-completes", "demands a client certificate"),
        ("early", "connection.tls-handshake-completes", "demands a client certificate"),
        ("node", "connection.tls-handshake-completes", "demands a client certificate"),
        ("line", "connection.tls-handshake-completes", "after a line of the PROXY protocol"),
    ],
)
def test_one_cause_is_one_failure(servers: tuple[Path, dict[str, int]], name: str, check: str, words: str) -> None:
    done = ran(servers, name)
    assert done.code == 1, done.out
    assert done.report["root_cause"] == check
    assert {each for each, verdict in done.verdicts.items() if verdict not in {"pass", "skip"}} == {check}
    (failed,) = (entry for entry in done.report["checks"] if entry["id"] == check)
    assert words in failed["summary"]


@pytest.mark.parametrize("name", ["sound", "late"])
def test_http_to_a_tls_port(servers: tuple[Path, dict[str, int]], name: str) -> None:
    done = ran(servers, name, "http")
    assert done.report["root_cause"] == "connection.tls-handshake-completes"
    assert "speaks TLS" in done.report["headline"]
