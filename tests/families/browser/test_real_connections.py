"""Chromium as the referee of six connections: streams that stay open keep the seventh request waiting, over HTTP/1.1
alone. Behind nginx, once with HTTP/2 and once without, is the same server."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme
from playwright.sync_api import Browser, sync_playwright

from btdiag.families.browser.facts import CONNECTIONS
from tests.support.cli import run_json
from tests.support.plant import await_nginx, free_ports
from tests.support.tools import need

pytestmark = pytest.mark.real
PAGE = "browser.page-gets-its-answers"
_SEVENTH = """async (streams) => {
    const opened = await Promise.all(Array.from({length: streams}, (_, each) => fetch(`/sse?${each}`)));
    const bodies = opened.map((one) => one.body.getReader());
    await Promise.all(bodies.map((body) => body.read()));
    return fetch("/version", {signal: AbortSignal.timeout(1000)}).then(() => "answered", () => "waits");
}"""


class Streams(BaseHTTPRequestHandler):
    """An API whose event stream says one thing, and then waits until its client is gone."""

    protocol_version = "HTTP/1.1"
    over = threading.Event()

    def do_GET(self) -> None:
        stream = self.path.startswith("/sse")
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if stream else "text/html")
        if not stream:
            self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"data: 1\n\n" if stream else b"ok")
        if stream:
            self.close_connection = True
            self.over.wait(30)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def fronts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The URLs of the server over HTTP/1.1 alone, and with HTTP/2 offered."""
    folder = tmp_path_factory.mktemp("fronts")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    api = ThreadingHTTPServer(("127.0.0.1", 0), Streams)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    one, two = free_ports(2)
    tls = f"ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem;"
    way = f"location / {{ proxy_pass http://127.0.0.1:{api.server_port}; proxy_buffering off; }}"
    scratch = " ".join(f"{kind}_temp_path {folder};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log /dev/null; events {{}} http {{ access_log off; {scratch} {tls} "
        f"server {{ listen 127.0.0.1:{one} ssl; {way} }} server {{ listen 127.0.0.1:{two} ssl http2; {way} }} }}"
    )
    nginx = subprocess.Popen([need("nginx"), "-c", f"{folder}/nginx.conf", "-p", str(folder)])
    try:
        await_nginx(two, nginx)
        yield {"http/1.1": f"https://localhost:{one}", "h2": f"https://localhost:{two}", "ca": str(folder / "ca.pem")}
    finally:
        Streams.over.set()
        nginx.terminate()
        nginx.wait()
        api.shutdown()
        api.server_close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    executable = shutil.which("chromium") or need("google-chrome")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--ignore-certificate-errors"]
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield browser
        browser.close()


@pytest.mark.parametrize(("protocol", "said", "verdict"), [("http/1.1", "waits", "warn"), ("h2", "answered", "skip")])
def test_chromium_and_the_rule_agree(
    protocol: str, said: str, verdict: str, fronts: dict[str, str], chromium: Browser
) -> None:
    url = fronts[protocol]
    with contextlib.closing(chromium.new_page()) as page:
        page.goto(f"{url}/version")
        assert page.evaluate(_SEVENTH, CONNECTIONS - 1) == "answered"
    with contextlib.closing(chromium.new_page()) as page:
        page.goto(f"{url}/version")
        assert page.evaluate(_SEVENTH, CONNECTIONS) == said
    done = run_json(
        url,
        *("--ca", fronts["ca"], "--resolve", f"{url.removeprefix('https://')}:127.0.0.1", "--only", PAGE, "--quick"),
        *("--browser", "none"),
    )
    assert done.verdicts[PAGE] == verdict, done.report["headline"]
