"""Where secrets go: the API key only where it may, and no secret into any output."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from btdiag.config.options import FORMAT_NAMES
from tests.support.cli import btdiag
from tests.support.clothes import CLOTHES, SECRETS, shared_runs

KEY = "sk-canary-key-1d4f"
HEADER = "canary-header-77aa"
PASSWORD = "canary-proxy-pass"
COOKIE = "canary-cookie-0b0b"
SIGNATURE = "canarysignature99"
CANARIES = (KEY, HEADER, PASSWORD, COOKIE, SIGNATURE)


class Server:
    """Answers every request alike and keeps all bytes that it received."""

    def __init__(self, answer: bytes, context: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.context = context
        self.received = bytearray()
        self.port = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self.received += line
                if line == b"\r\n":
                    writer.write(self.answer)
                    await writer.drain()
                    break
        except OSError:
            pass
        finally:
            writer.close()

    @contextmanager
    def serving(self) -> Iterator[Server]:
        """Serve on loopback in a thread of its own."""
        loop = asyncio.new_event_loop()
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        started = threading.Event()

        async def start() -> asyncio.Server:
            return await asyncio.start_server(self._serve, sock=listener, ssl=self.context)

        def run() -> None:
            asyncio.set_event_loop(loop)
            server = loop.run_until_complete(start())
            started.set()
            loop.run_forever()
            server.close()
            loop.run_until_complete(asyncio.sleep(0))
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert started.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)


def answer(status: str = "200 OK", *headers: str, body: str = "Hello, World!") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", body]
    return "\r\n".join(lines).encode()


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def context(ca: trustme.CA) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "localhost").configure_cert(made)
    return made


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return path


def run(*arguments: str, **environment: str) -> str:
    done = btdiag(
        *("run", "--no-files", "--browser", "none", "--quick", "--format", "json", *arguments),
        env={"BRAINTRUST_API_KEY": KEY, **environment},
        traced=True,
    )
    assert done.code in (0, 1), done
    return done.out


def test_the_key_goes_to_the_target_over_verified_tls(ca: trustme.CA, ca_file: Path) -> None:
    with Server(answer(), context(ca)).serving() as server:
        out = run("--target", f"https://127.0.0.1:{server.port}", "--ca", str(ca_file))
    assert f"Bearer {KEY}".encode() in bytes(server.received)
    assert KEY not in out


def test_the_key_goes_to_a_port_forward_on_this_machine() -> None:
    with Server(answer()).serving() as server:
        out = run("--target", f"http://127.0.0.1:{server.port}")
    assert f"Bearer {KEY}".encode() in bytes(server.received)
    assert KEY not in out


def test_the_key_goes_over_http_to_no_other_machine() -> None:
    with Server(answer()).serving() as proxy:  # which may be anywhere, and what is behind it too
        out = run("--target", "http://api.example.invalid", "--proxy", f"http://127.0.0.1:{proxy.port}")
    assert b"GET http://api.example.invalid/" in bytes(proxy.received)
    assert KEY.encode() not in bytes(proxy.received)
    assert "the API key was withheld: the connection is not encrypted" in out


def test_the_key_never_goes_over_tls_that_is_not_trusted(ca: trustme.CA) -> None:
    with Server(answer(), context(ca)).serving() as server:
        out = run("--target", f"https://127.0.0.1:{server.port}")
    assert b"GET / " in bytes(server.received)
    assert KEY.encode() not in bytes(server.received)
    assert "the API key was withheld" in out


def test_the_key_never_follows_a_redirect(ca: trustme.CA, ca_file: Path) -> None:
    with Server(answer(), context(ca)).serving() as other:
        redirect = answer("302 Found", f"Location: https://127.0.0.1:{other.port}/elsewhere")
        with Server(redirect, context(ca)).serving() as server:
            run("--target", f"https://127.0.0.1:{server.port}", "--ca", str(ca_file))
    assert KEY.encode() in bytes(server.received)
    assert bytes(other.received) == b""


@pytest.mark.parametrize("tls", [False, True])
def test_the_key_goes_to_a_backend_on_this_machine_but_not_over_tls_that_is_not_trusted(
    ca: trustme.CA, ca_file: Path, tls: bool
) -> None:
    stranger = context(trustme.CA()) if tls else None
    with (
        Server(answer(), stranger).serving() as backend,
        Server(answer()).serving() as brainstore,
        Server(answer("401 Unauthorized"), context(ca)).serving() as server,
    ):
        run(
            *("--target", f"https://127.0.0.1:{server.port}", "--ca", str(ca_file)),
            *("--backend", f"http{'s' if tls else ''}://127.0.0.1:{backend.port}"),
            *("--brainstore", f"http://127.0.0.1:{brainstore.port}"),
        )
    assert b"GET / " in bytes(backend.received)
    assert (KEY.encode() in bytes(backend.received)) is not tls
    assert b"GET / " in bytes(brainstore.received)
    assert KEY.encode() not in bytes(brainstore.received)


def test_the_key_never_goes_to_a_proxy() -> None:
    with Server(answer("403 Forbidden")).serving() as proxy:
        for scheme in ("https", "http"):
            run(
                "--target",
                f"{scheme}://api.example.invalid",
                "--proxy",
                f"http://user:{PASSWORD}@127.0.0.1:{proxy.port}",
            )
    received = bytes(proxy.received)
    assert b"CONNECT api.example.invalid:443" in received
    assert KEY.encode() not in received
    assert base64.b64encode(f"user:{PASSWORD}".encode()) in received


def spellings(secret: str) -> set[str]:
    """A secret as an output could carry it."""
    forms = {secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")}
    return forms | {base64.b64encode(f"user:{secret}".encode()).decode()}


ECHO = (
    f"Set-Cookie: session={COOKIE}; Path=/",
    f"X-Echo: Bearer {KEY} {HEADER}",
    f"Location: https://user:{PASSWORD}@bucket.example/x?X-Amz-Signature={SIGNATURE}&X-Amz-Credential={SIGNATURE}",
    f"Authorization: Bearer {KEY}",
    f"WWW-Authenticate: Basic {base64.b64encode(f'user:{PASSWORD}'.encode()).decode()}",
)
ECHOED = f'{{"key": "{KEY}", "url": "https://b.example/?X-Amz-Signature={SIGNATURE}", "header": "{HEADER}"}}'


@pytest.mark.parametrize("verbose", [False, True])
def test_no_secret_reaches_any_output(ca: trustme.CA, ca_file: Path, tmp_path: Path, verbose: bool) -> None:
    """Every secret that btdiag was given or was sent is in the input, and the servers echo what they can."""
    outputs = []
    for number, status in enumerate(("200 OK", "502 Bad Gateway", "302 Found")):
        with Server(answer(status, *ECHO, body=ECHOED), context(ca)).serving() as server:
            reports = [f"{format_}={tmp_path / f'{number}.{format_}'}" for format_ in FORMAT_NAMES]
            done = btdiag(
                *(
                    "run",
                    "--target",
                    f"https://127.0.0.1:{server.port}",
                    "--ca",
                    str(ca_file),
                    "--header",
                    "X-Own: @OWN",
                ),
                *("--browser", "none", "--quick", "-o", str(tmp_path / "out"), *(["-v"] if verbose else [])),
                *(word for report in reports for word in ("--report", report)),
                env={"BRAINTRUST_API_KEY": KEY, "OWN": HEADER},
            )
            outputs += [done.out, done.err]
    with Server(answer("407 Proxy Authentication Required", *ECHO, body=ECHOED)).serving() as proxy:
        done = btdiag(
            *("run", "--target", "https://api.example.invalid", "-o", str(tmp_path / "out"), "--quick", "-v"),
            *("--proxy", f"http://user:{PASSWORD}@127.0.0.1:{proxy.port}", "--browser", "none"),
            *("--header", "X-Own: @OWN"),
            env={"BRAINTRUST_API_KEY": KEY, "OWN": HEADER},
        )
        outputs += [done.out, done.err]
    done = btdiag("run", "--target", f"https://user:{PASSWORD}@127.0.0.1:1")
    outputs += [done.out, done.err]
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path != ca_file]
    assert len(files) == 3 * len(FORMAT_NAMES) + 4 * 4
    outputs += [path.read_text("utf-8") for path in files]
    for canary in CANARIES:
        for form in spellings(canary):
            assert [text for text in outputs if form in text] == [], form


def test_an_echo_in_any_clothes_reaches_no_output(ca: trustme.CA, ca_file: Path, tmp_path: Path) -> None:
    key, own = SECRETS["API key"], SECRETS["header"]
    lines = [dress(secret) for secret in (key, own) for dress in CLOTHES.values()]
    body = "\n".join(lines).encode().decode("latin-1")
    headers = [f"X-Echo-{number}: {line}" for number, line in enumerate(lines) if line.isascii() and line.isprintable()]
    outputs = []
    for status in ("200 OK", "502 Bad Gateway"):
        with Server(answer(status, *headers[:60], body=body), context(ca)).serving() as server:
            done = btdiag(
                *(
                    "run",
                    "--target",
                    f"https://127.0.0.1:{server.port}",
                    "--ca",
                    str(ca_file),
                    "--header",
                    "X-Own: @OWN",
                ),
                *("--browser", "none", "--quick", "-v", "-o", str(tmp_path)),
                env={"BRAINTRUST_API_KEY": key, "OWN": own},
            )
        assert key.encode() in bytes(server.received)
        outputs += [done.out, done.err]
    outputs += [path.read_text("utf-8") for path in tmp_path.rglob("*") if path.is_file() and path != ca_file]
    assert len(outputs) == 2 * (2 + 4)
    for secret in (key, own):
        assert [runs for text in outputs if (runs := shared_runs(text, secret))] == []


def test_an_error_shows_no_secret_of_the_environment() -> None:
    key = SECRETS["API key"]
    done = btdiag("run", "--target", "lab:healthy", "--only", f"x-{key}", env={"BRAINTRUST_API_KEY": key})
    assert done.code == 2
    assert shared_runs(done.out + done.err, key) == []


VALUES = f"""api:
  extraEnvVars:
    - {{name: BRAINTRUST_API_KEY, value: "{KEY}"}}
    - {{name: PG_URL, value: "postgres://user:{PASSWORD}@db:5432/x"}}
    - {{name: HTTPS_PROXY, value: "http://user:{PASSWORD}#x@proxy:3128"}}
    - {{name: TS_API_KEEP_ALIVE_TIMEOUT_SECONDS, value: "ten"}}
  resources: {{limits: {{}}}}
"""
LOG = (
    "https 2026-11-27T10:00:00.000000Z app/lb/1 192.0.2.1:4444 10.0.1.1:8000 0.000 65.0 -1 502 - 100 200 "
    f'"POST https://api.x.test:443/logs3?api_key={KEY}&X-Amz-Signature={SIGNATURE} HTTP/1.1" "python" TLS_A TLSv1.2 '
    'arn:tg "Root=1" "api.x.test" "arn" 0 2026-11-27T10:00:00.000000Z "forward" "-" "-" "10.0.1.1:8000" "-" "-" "-"\n'
)


def test_no_secret_of_a_file_reaches_any_output(tmp_path: Path) -> None:
    """What configuration files, a load balancer's log and .netrc hold, in every format that their commands have."""
    values, log, netrc = tmp_path / "values.yaml", tmp_path / "alb.log", tmp_path / "netrc"
    values.write_text(VALUES)
    log.write_text(LOG)
    netrc.write_text(f"machine 127.0.0.1 login user password {PASSWORD}\n")
    calls: list[tuple[str, ...]] = [("lint", str(values), "--format", one) for one in ("text", "json", "sarif")]
    calls += [("logs", str(log), "--format", one) for one in ("text", "json")]
    done = [btdiag(*call) for call in calls]
    reports = [word for one in FORMAT_NAMES for word in ("--report", f"{one}={tmp_path / f'own.{one}'}")]
    only = ("--only", "clients.variables-are-sound", "--quick", "--browser", "none", "-v")
    done.append(btdiag("run", "--target", "http://127.0.0.1:9", *only, *reports, env={"NETRC": str(netrc)}))
    assert "keep" in done[0].out
    assert "/logs3" in done[3].out
    assert str(netrc) in done[-1].out
    texts = [text for one in done for text in (one.out, one.err)]
    texts += [(tmp_path / f"own.{one}").read_text("utf-8") for one in FORMAT_NAMES]
    for canary in CANARIES:
        for form in spellings(canary):
            assert [text for text in texts if form in text] == [], form


REFUSED = (
    ("kubernetes", "--target", f"https://user:{PASSWORD}@api.x.test"),
    ("serve", "--target", f"https://user:{PASSWORD}@api.x.test"),
    ("history", f"https://user:{PASSWORD}@api.x.test"),
    ("run", "--target", "lab:healthy", "--proxy", f"http://user:{PASSWORD}#/?@proxy:1"),
    ("run", "--target", "lab:healthy", "--header", PASSWORD),
)


@pytest.mark.parametrize("call", REFUSED)
def test_what_is_refused_is_not_quoted(call: tuple[str, ...]) -> None:
    done = btdiag(*call)
    assert done.code == 2
    assert PASSWORD not in done.out + done.err
