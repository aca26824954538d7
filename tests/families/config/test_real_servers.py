"""Real nginx and HAProxy before a real Node: what files declare wrongly is told with file and line, what they declare
rightly passes. Four runs side by side, on servers that all of them share."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from btdiag.lab.plan import HOST
from btdiag.lab.tls import Certificates
from tests.support.cli import run_json

pytestmark = pytest.mark.real

NODE = """
const http = require('http')
const own = 'https://www.braintrust.dev'
const cors = {'Access-Control-Allow-Origin': own, 'Access-Control-Allow-Credentials': 'true',
  'Access-Control-Allow-Methods': 'GET, PATCH, POST, PUT, DELETE, OPTIONS',
  'Access-Control-Allow-Headers': 'authorization, content-type'}
const server = http.createServer((request, response) => {
  const answer = (status, body) => { response.writeHead(status, {...cors, 'Content-Type': 'application/json'});
    response.end(body) }
  if (request.method === 'OPTIONS') return answer(200, '')
  if (request.url === '/sse') {
    response.writeHead(200, {...cors, 'Content-Type': 'text/event-stream'})
    return response.write(': hello\\n\\n')
  }
  request.resume()
  request.on('end', () => request.url === '/' ? answer(200, '"Hello"') : request.url === '/version'
    ? answer(200, '{"version": "2.8.0"}') : answer(401, '{"error": "no key"}'))
})
server.keepAliveTimeout = 1000
server.listen(+process.argv[2], '127.0.0.1')
"""
NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port} ssl; ssl_certificate {folder}/tls.pem; ssl_certificate_key {folder}/tls.pem;
    ssl_protocols TLSv1.2 TLSv1.3; keepalive_timeout 2s; client_max_body_size 1m;
    location / {{ proxy_pass http://127.0.0.1:{backend}; proxy_read_timeout 2s; proxy_buffering off; }}
  }}
}}
"""
HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 2s
  timeout http-keep-alive 2s
  timeout server 2s
frontend front
  bind 127.0.0.1:{port} ssl crt {folder}/tls.pem ssl-min-ver TLSv1.2
  default_backend api
backend api
  http-response set-header X-Served-By %s
  server one 127.0.0.1:{backend}
  server two 127.0.0.1:{backend}
"""
FILES = """api:
  image:
    tag: {tag}
  replicas: {replicas}
  extraEnvVars:
    - name: TS_API_KEEP_ALIVE_TIMEOUT_SECONDS
      value: "{keep}"
    - name: WHITELISTED_ORIGINS
      value: {origin}
---
kind: Ingress
metadata:
  annotations:
    nginx.ingress.kubernetes.io/proxy-body-size: {body}
    nginx.ingress.kubernetes.io/proxy-read-timeout: "{read}"
    alb.ingress.kubernetes.io/load-balancer-attributes: idle_timeout.timeout_seconds={idle}
    alb.ingress.kubernetes.io/ssl-policy: ELBSecurityPolicy-TLS13-1-{tls}-2021-06
spec:
  rules:
    - host: {host}
      http: {{paths: [{{backend: {{service: {{name: braintrust-api}}}}}}]}}
"""
WRONG = {
    "tag": "v2.9.0",
    "replicas": 4,
    "keep": 5,
    "origin": "https://tools.globex.example",
    "body": "8m",
    "read": 900,
    "idle": 60,
    "tls": 3,
    "host": "api.globex.example",
}
RIGHT = {
    "tag": "v2.8.0",
    "replicas": 2,
    "keep": 1,
    "origin": "https://www.braintrust.dev",
    "body": "1m",
    "read": 2,
    "idle": 2,
    "tls": 2,
    "host": HOST,
}
OWN: Mapping[tuple[str, str], Mapping[str, Any]] = {("haproxy", "right"): {"body": "20m"}}
"""HAProxy limits no bodies."""
LINES = {
    "config.image-is-rolled-out": 3,
    "config.origins-are-allowed": 8,
    "config.tls-minimum-is-effective": 17,
    "config.idle-timeout-is-effective": 16,
    "config.read-timeout-is-effective": 15,
    "config.host-is-declared": 20,
    "keepalive.declared-timeout-is-effective": 6,
}
"""Where in the file each wrong value stands; the limit of bodies is nginx's alone, the replicas are HAProxy's."""
BODY, REPLICAS = ("config.body-limit-is-effective", 14), ("config.declared-replicas-answer", 4)


def _command(product: str, config: Path) -> Sequence[str]:
    binary = shutil.which(product) or f"/usr/sbin/{product}"
    return [binary, "-c", str(config)] if product == "nginx" else [binary, "-db", "-f", str(config)]


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextlib.contextmanager
def _serving(command: Sequence[str], port: int) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and process.poll() is None:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                time.sleep(0.02)
            yield
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()


Checks = Mapping[str, Any]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[tuple[str, str], Future[Checks]]]:
    """The checks of each run by (product, file)."""
    folder = tmp_path_factory.mktemp("servers")
    certificates = Certificates(folder)
    leaf = certificates.own.leaf(HOST)
    (folder / "tls.pem").write_bytes(leaf.pem + certificates.own.intermediate.pem + leaf.key_pem)
    (folder / "server.js").write_text(NODE)
    backend, ports = _free(), {"nginx": _free(), "haproxy": _free()}
    for product in ports:
        for name, values in (("wrong", WRONG), ("right", RIGHT)):
            (folder / product).mkdir(exist_ok=True)
            (folder / product / f"{name}.yaml").write_text(FILES.format(**{**values, **OWN.get((product, name), {})}))
    with contextlib.ExitStack() as stack:
        stack.enter_context(_serving(["node", str(folder / "server.js"), str(backend)], backend))
        for product, text in (("nginx", NGINX), ("haproxy", HAPROXY)):
            config = folder / f"{product}.conf"
            config.write_text(text.format(folder=folder, port=ports[product], backend=backend))
            stack.enter_context(_serving(_command(product, config), ports[product]))
        ca = certificates.ca_file()
        with ThreadPoolExecutor(4) as pool:
            yield {
                (product, name): pool.submit(_run, ports[product], backend, ca, folder / product / f"{name}.yaml")
                for product in ports
                for name in ("wrong", "right")
            }


def _run(port: int, backend: int, ca: Path, config: Path) -> Checks:
    done = run_json(
        f"https://{HOST}:{port}",
        *("--resolve", f"{HOST}:{port}:127.0.0.1", "--ca", str(ca), "--browser", "none", "--config", str(config)),
        *("--backend", f"http://127.0.0.1:{backend}", "--lb-idle-timeout", "0.7", "--budget", "25s"),
        *("--only", "config", "--only", "keepalive.declared-timeout-is-effective"),
    )
    return {check["id"]: check for check in done.report["checks"]}


@pytest.mark.parametrize(("product", "own"), [("nginx", BODY), ("haproxy", REPLICAS)])
def test_wrong_values_are_told_with_file_and_line(
    product: str, own: tuple[str, int], runs: Mapping[tuple[str, str], Future[Checks]]
) -> None:
    checks = runs[product, "wrong"].result()
    said = {
        name: (checks[name]["verdict"] in ("warn", "fail"), f"wrong.yaml line {line}" in checks[name]["summary"])
        for name, line in (*LINES.items(), own)
    }
    assert {name: checks[name]["summary"] for name, told in said.items() if told != (True, True)} == {}


@pytest.mark.parametrize(("product", "own"), [("nginx", BODY), ("haproxy", REPLICAS)])
def test_right_values_pass(product: str, own: tuple[str, int], runs: Mapping[tuple[str, str], Future[Checks]]) -> None:
    checks = runs[product, "right"].result()
    faults = {name: one["summary"] for name, one in checks.items() if one["verdict"] in ("warn", "fail")}
    assert faults == {}
    for name in (own[0], "config.idle-timeout-is-effective"):
        assert checks[name]["verdict"] == "pass", checks[name]["summary"]
