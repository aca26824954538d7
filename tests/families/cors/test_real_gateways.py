"""Real nginx and HAProxy before an API with Express-like CORS: faults are named, sound gateways raise no word."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from btdiag.core.finding import Finding, HopName, Verdict
from btdiag.core.product import WEB_APP
from btdiag.core.target import Mode, Route, Target, Way
from btdiag.families.cors.facts import CorsSurvey
from btdiag.families.cors.judge import too_loose, web_app
from btdiag.families.cors.probe.survey import cors_backend, cors_survey
from btdiag.net.wire import Wire
from tests.families.cors.made_up import CLAIMS
from tests.support.tools import need

pytestmark = pytest.mark.real

NGINX, HAPROXY = shutil.which("nginx"), shutil.which("haproxy")
METHODS = "GET,PATCH,POST,PUT,DELETE,OPTIONS"
NAMES = (
    "Content-Type, X-Amz-Date, Authorization, X-Api-Key, X-Amz-Security-Token, x-bt-auth-token, x-bt-parent, "
    "x-bt-org-name, x-bt-project-id, x-bt-stream-fmt, x-bt-use-cache, x-bt-use-gateway, x-stainless-os, "
    "x-stainless-lang, x-stainless-package-version, x-stainless-runtime, x-stainless-runtime-version, x-stainless-arch"
)
STALE = NAMES.replace("x-bt-use-gateway, ", "")


class Api(BaseHTTPRequestHandler):
    """An API that answers like Express with npm's `cors`: an unknown origin's OPTIONS is just another request."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "api", ""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def send(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"X-Powered-By": "Express", **headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def cors(self) -> dict[str, str]:
        origin = self.headers.get("Origin")
        if origin is None:
            return {
                "Access-Control-Allow-Credentials": "true",
                "Access-Control-Expose-Headers": "x-bt-cursor,x-bt-span-id",
            }
        if origin != WEB_APP:
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Vary": "Origin",
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": "x-bt-cursor,x-bt-span-id",
        }

    def do_OPTIONS(self) -> None:
        headers = self.cors()
        if not headers:
            return self.do_GET()
        lists = {
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": NAMES.replace(" ", ""),
            "Access-Control-Max-Age": "86400",
        }
        return self.send(204, {**headers, **lists})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        status = {"/": 200, "/version": 200, "/ping": 401, "/btql": 401}.get(path, 404)
        self.send(status, {**self.cors(), "Content-Type": "application/json"}, json.dumps({"path": path}).encode())


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def api() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"the gateway ended with {process.returncode}")
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("the gateway does not listen")


@dataclass(frozen=True)
class Gateway:
    """A configuration: `server` goes into nginx's server block, or `frontend` into HAProxy's."""

    name: str
    kind: str
    text: str
    verdicts: tuple[tuple[str, Verdict], ...] = ()
    says: tuple[str, ...] = ()
    hop: str = HopName.LOAD_BALANCER


def nginx(name: str, text: str, *says: str, **verdicts: Verdict) -> Gateway:
    return Gateway(name, "nginx", text, tuple(verdicts.items()), says)


def haproxy(name: str, text: str, *says: str, **verdicts: Verdict) -> Gateway:
    return Gateway(name, "haproxy", text, tuple(verdicts.items()), says)


FAIL, WARN, SKIP = Verdict.FAIL, Verdict.WARN, Verdict.SKIP
PASS_ON = "location / { proxy_pass http://api; }"
HIDE = " ".join(
    f"proxy_hide_header Access-Control-{name};"
    for name in ("Allow-Origin", "Allow-Credentials", "Allow-Methods", "Allow-Headers", "Max-Age", "Expose-Headers")
)


def added(names: str = NAMES, origin: str = WEB_APP, always: str = "always", age: str = "7200") -> str:
    """CORS as nginx adds it."""
    aged = f"add_header Access-Control-Max-Age {age} {always};" if age else ""
    return f"""
        add_header Access-Control-Allow-Origin {origin} {always};
        add_header Access-Control-Allow-Credentials true {always};
        add_header Access-Control-Allow-Methods "GET, POST, PUT, PATCH, DELETE, OPTIONS" {always};
        add_header Access-Control-Allow-Headers "{names}" {always};
        {aged}
        add_header Vary Origin {always};"""


def own(cors: str, always_204: str = "") -> str:
    """A location in which nginx answers preflights itself and hides the API's headers."""
    return f"""location / {{
        {HIDE} {cors}
        if ($request_method = OPTIONS) {{ {always_204 or cors} return 204; }}
        proxy_pass http://api;
    }}"""


HEALTHY = (
    nginx("nginx passes on", PASS_ON),
    nginx("nginx answers itself", own(added())),
    nginx(
        "nginx hotlink rule that knows the web app",
        "valid_referers none server_names www.braintrust.dev; if ($invalid_referer) { return 403; } " + PASS_ON,
    ),
    nginx("nginx answers itself, origins by map", own(added(origin="$allowed_origin"))),
    nginx(
        "nginx exempts OPTIONS from auth",
        f"""
        location = /auth {{ internal; return 401; }}
        location = / {{ proxy_pass http://api; }}
        {own(added())}""",
    ),
    nginx(
        "nginx routes known paths only",
        "location = / { proxy_pass http://api; }"
        "location ~ ^/(v1|btql|logs3|api|function)(/|$) { proxy_pass http://api; }"
        "location / { return 404; }",
    ),
    nginx("nginx knows no functions", PASS_ON + " location /function { return 404; }"),
    haproxy("HAProxy passes on", ""),
    haproxy(
        "HAProxy sets",
        f"""
        http-after-response set-header Access-Control-Allow-Origin "{WEB_APP}"
        http-after-response set-header Access-Control-Allow-Credentials true
        http-after-response set-header Vary Origin""",
    ),
)
CALLS = "web_app_may_call"
FAULTY = (
    nginx(
        "nginx auth_request",
        "location = /auth { internal; return 401; } location = / { proxy_pass http://api; }"
        "location / { auth_request /auth; proxy_pass http://api; }",
        "authentication",
        "401",
        web_app_may_call=FAIL,
    ),
    nginx(
        "nginx limit_except",
        "location / { limit_except GET POST PUT PATCH DELETE { deny all; } proxy_pass http://api; }",
        "403",
        "OPTIONS",
        web_app_may_call=FAIL,
    ),
    nginx(
        "nginx 405",
        "if ($request_method = OPTIONS) { return 405; } " + PASS_ON,
        "method filter",
        "405",
        web_app_may_call=FAIL,
    ),
    nginx(
        "nginx doubles",
        f"location / {{ proxy_pass http://api; add_header Access-Control-Allow-Origin {WEB_APP} always; }}",
        "both add it",
        headers_not_doubled=FAIL,
    ),
    nginx(
        "nginx drops OPTIONS",
        "if ($request_method = OPTIONS) { return 444; } " + PASS_ON,
        "drops",
        web_app_may_call=FAIL,
    ),
    nginx(
        "nginx limits bodies",
        "client_max_body_size 1k; " + PASS_ON,
        "413",
        "client_max_body_size",
        errors_are_readable=FAIL,
    ),
    nginx("nginx without always", own(added(always="")), "always", errors_are_readable=FAIL),
    nginx(
        "nginx replaces errors",
        "location / { proxy_pass http://api; proxy_intercept_errors on; error_page 401 404 /oops.html; }"
        "location = /oops.html { internal; return 404; }",
        "own error page",
        errors_are_readable=FAIL,
    ),
    nginx(
        "nginx strips Origin",
        'location / { proxy_pass http://api; proxy_set_header Origin ""; }',
        "strips",
        web_app_may_call=FAIL,
    ),
    nginx("nginx stale list", own(added(names=STALE)), "x-bt-use-gateway", web_app_may_call=FAIL),
    nginx(
        "nginx ingress default list",
        own(added(names="DNT,Keep-Alive,User-Agent,Content-Type,Authorization")),
        "x-bt-org-name",
        "x-bt-use-gateway",
        web_app_may_call=FAIL,
    ),
    nginx(
        "nginx fixed bare domain",
        own(added(origin="https://braintrust.dev")),
        "'https://braintrust.dev'",
        web_app_may_call=FAIL,
    ),
    nginx(
        "nginx bare 204",
        "if ($request_method = OPTIONS) { return 204; } " + PASS_ON,
        "answers OPTIONS itself",
        web_app_may_call=FAIL,
    ),
    nginx(
        "nginx redirects",
        "if ($request_method = OPTIONS) { return 301 https://$host$request_uri/; } " + PASS_ON,
        "redirect",
        web_app_may_call=FAIL,
    ),
    nginx("nginx no max-age", own(added(age="")), "missing", preflight_is_cached=WARN),
    nginx("nginx echoes", own(added(origin="$http_origin")), "echoed", foreign_origins_are_refused=FAIL),
    nginx("nginx wildcard", own(added(origin="'*'")), "`*`", web_app_may_call=WARN, foreign_origins_are_refused=WARN),
    nginx(
        "nginx dead backend of one route",
        "location /v1/proxy { proxy_pass http://127.0.0.1:1; } " + PASS_ON,
        "502",
        "not a CORS fault",
        web_app_may_call=FAIL,
    ),
    nginx(
        "nginx CSRF guard",
        'set $guard "$request_method:$http_sec_fetch_site"; if ($guard = "POST:cross-site") { return 403; }'
        f" {PASS_ON}",
        "passes without Sec-Fetch-*",
        web_app_may_call=FAIL,
    ),
    nginx(
        "nginx hotlink rule",
        f"valid_referers none server_names; if ($invalid_referer) {{ return 403; }} {PASS_ON}",
        "passes without Referer",
        web_app_may_call=FAIL,
    ),
    haproxy(
        "HAProxy refuses a product header",
        "http-request deny if { req.hdr(x-bt-use-cache) -m found }",
        "passes without x-bt-use-cache",
        web_app_may_call=FAIL,
    ),
    haproxy("HAProxy auth", "http-request auth unless { path / }", "authentication", "401", web_app_may_call=FAIL),
    haproxy("HAProxy denies OPTIONS", "http-request deny if METH_OPTIONS", "403", "HAProxy", web_app_may_call=FAIL),
    haproxy(
        "HAProxy denies 405",
        "http-request deny deny_status 405 if METH_OPTIONS",
        "405",
        "method filter",
        web_app_may_call=FAIL,
    ),
    haproxy(
        "HAProxy doubles",
        f'http-response add-header Access-Control-Allow-Origin "{WEB_APP}"',
        "both add it",
        headers_not_doubled=FAIL,
    ),
    haproxy("HAProxy strips Origin", "http-request del-header Origin", "strips", web_app_may_call=FAIL),
    haproxy(
        "HAProxy stale list",
        f'http-request return status 204 hdr Access-Control-Allow-Origin "{WEB_APP}" hdr Access-Control-Allow-Headers '
        f'"{STALE}" hdr Access-Control-Allow-Credentials true hdr Access-Control-Max-Age 60 if METH_OPTIONS',
        "x-bt-use-gateway",
        web_app_may_call=FAIL,
    ),
    haproxy(
        "HAProxy drops on errors",
        "http-response del-header Access-Control-Allow-Origin if { status ge 400 }",
        "successful responses only",
        errors_are_readable=FAIL,
    ),
)


def nginx_config(folder: Path, port: int, api: int, text: str) -> list[str]:
    config = folder / "nginx.conf"
    temps = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config.write_text(f"""daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
        events {{ worker_connections 256; }}
        http {{ access_log off; {temps}
            map $http_origin $allowed_origin {{ default ""; "{WEB_APP}" $http_origin; }}
            upstream api {{ server 127.0.0.1:{api}; }}
            server {{ listen 127.0.0.1:{port}; {text} }} }}""")
    return [NGINX or "nginx", "-p", str(folder), "-e", f"{folder}/error.log", "-c", str(config)]


def haproxy_config(folder: Path, port: int, api: int, text: str) -> list[str]:
    config = folder / "haproxy.cfg"
    config.write_text(f"""
global
    maxconn 256
defaults
    mode http
    timeout connect 2s
    timeout client 5s
    timeout server 5s
frontend front
    bind 127.0.0.1:{port}
{text}
    default_backend api
backend api
    server one 127.0.0.1:{api}
""")
    return [HAPROXY or "haproxy", "-db", "-f", str(config)]


async def surveyed(port: int, api: int) -> tuple[dict[str, CorsSurvey], CorsSurvey]:
    target = Target(
        url=f"http://127.0.0.1:{port}", scheme="http", host="127.0.0.1", port=port, backend=f"http://127.0.0.1:{api}"
    )
    wire = Wire(target, user_agent="btdiag/test")
    way = Way(route=Route(label="127.0.0.1", address="127.0.0.1", port=port))
    return {"127.0.0.1": await cors_survey(way, target, wire, Mode())}, await cors_backend(target, wire)


def findings(surveys: dict[str, CorsSurvey], backend: CorsSurvey | None) -> dict[str, Finding]:
    found = {claim.__name__: claim(surveys, (WEB_APP,), backend) for claim in CLAIMS}
    return found | {"caches": too_loose.caches_keep_origins_apart(surveys, (WEB_APP,))}


def behind(gateway: Gateway, api: int, folder: Path) -> tuple[dict[str, CorsSurvey], CorsSurvey]:
    need(gateway.kind)
    port = free_port()
    configure = nginx_config if gateway.kind == "nginx" else haproxy_config
    command = configure(folder, port, api, gateway.text)
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            wait_for(port, process)
            return asyncio.run(surveyed(port, api))
        finally:
            process.terminate()
            process.wait(10)


@pytest.mark.parametrize("gateway", HEALTHY, ids=lambda gateway: gateway.name)
def test_a_sound_gateway_raises_no_word(gateway: Gateway, api: int, tmp_path: Path) -> None:
    surveys, _ = behind(gateway, api, tmp_path)
    verdicts = {name: (one.verdict, one.summary) for name, one in findings(surveys, None).items()}
    assert {name: one for name, one in verdicts.items() if one[0] not in (Verdict.PASS, Verdict.SKIP)} == {}


@pytest.mark.parametrize("proved", [False, True], ids=["front alone", "with --backend"])
@pytest.mark.parametrize("gateway", FAULTY, ids=lambda gateway: gateway.name)
def test_a_fault_is_named_with_its_hop(gateway: Gateway, proved: bool, api: int, tmp_path: Path) -> None:
    surveys, backend = behind(gateway, api, tmp_path)
    found = findings(surveys, backend if proved else None)
    expected = dict(gateway.verdicts)
    named = {name: found[name].verdict for name in expected}
    assert named == expected, {name: one.summary for name, one in found.items()}
    first = found[next(iter(expected))]
    assert first.hop == gateway.hop, first.summary
    assert all(word in first.summary for word in gateway.says), first.summary
    assert first.remedy is not None
    assert first.remedy.snippets
    others = {name: one.verdict for name, one in found.items() if name not in expected}
    consequences = {Verdict.PASS, Verdict.SKIP} | ({Verdict.FAIL} if proved else set())
    assert set(others.values()) <= consequences, {name: one.summary for name, one in found.items()}


def test_a_preflight_that_only_http2_refuses_is_found(api: int, tmp_path: Path) -> None:
    need("nginx")
    authority, port = trustme.CA(), free_port()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = f"ssl_certificate {tmp_path}/server.pem; ssl_certificate_key {tmp_path}/server.pem;"
    refusal = 'if ($server_protocol = "HTTP/2.0") { return 405; }'
    command = nginx_config(tmp_path, port, api, f"{tls} {refusal} {PASS_ON}")
    config = tmp_path / "nginx.conf"
    config.write_text(config.read_text().replace(f"listen 127.0.0.1:{port};", f"listen 127.0.0.1:{port} ssl http2;"))
    target = Target(
        url=f"https://127.0.0.1:{port}", scheme="https", host="127.0.0.1", port=port, ca_file=tmp_path / "ca.pem"
    )
    way = Way(route=Route(label="127.0.0.1", address="127.0.0.1", port=port))
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            wait_for(port, process)
            survey = asyncio.run(cors_survey(way, target, Wire(target, user_agent="btdiag/test"), Mode()))
        finally:
            process.terminate()
            process.wait(10)
    finding = web_app.web_app_may_call({"127.0.0.1": survey}, (WEB_APP,), None)
    assert finding.verdict is Verdict.FAIL
    assert "over HTTP/2 is answered 405" in finding.summary
