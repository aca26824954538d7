"""Chromium as the referee: what it says of servers with one oddity each, and what is told without it."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from playwright.sync_api import Browser, Error, Page, sync_playwright

from btdiag.families.browser.facts import BAD_PORTS, PRELOADED
from tests.support.cli import run_json

pytestmark = pytest.mark.real
EXECUTABLE = shutil.which("chromium") or shutil.which("google-chrome")
CHECK = "browser.certificate-is-accepted"
VERSIONS = "connection.tls-versions-suffice"
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Odd:
    """A server, what Chromium says of it ("" for nothing), and our verdict."""

    name: str
    error: str
    verdict: str
    key: str = "rsa"
    usage: str = "digital_signature"
    suites: str = ""
    http2: bool = False
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3


SERVERS = [
    Odd("sound", "", "pass"),
    Odd("P-384", "", "pass", key="p384"),
    Odd("P-521", "ERR_SSL_VERSION_OR_CIPHER_MISMATCH", "fail", key="p521"),
    Odd("Ed25519", "ERR_SSL_VERSION_OR_CIPHER_MISMATCH", "fail", key="ed25519"),
    Odd("key usage", "ERR_SSL_KEY_USAGE_INCOMPATIBLE", "fail", usage="key_encipherment"),
    Odd("TLS 1.2 at most", "", "pass", newest=ssl.TLSVersion.TLSv1_2),
    Odd("CBC with SHA-256", "ERR_SSL_VERSION_OR_CIPHER_MISMATCH", "fail", suites="ECDHE-RSA-AES128-SHA256"),
    Odd(
        "old CBC first, with HTTP/2",
        "ERR_HTTP2_INADEQUATE_TRANSPORT_SECURITY",
        "fail",
        suites="ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384",
        http2=True,
    ),
]


def new_key(kind: str) -> Key:
    match kind:
        case "rsa":
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            return ec.generate_private_key(ec.SECP521R1() if kind == "p521" else ec.SECP384R1())


def context_of(odd: Odd, folder: Path) -> ssl.SSLContext:
    """A server's context with a certificate that is its own root, and so trusted by whoever is given it."""
    key, name, now = (
        new_key(odd.key),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
        datetime.now(UTC),
    )
    usages = dict.fromkeys(
        (
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
            *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(x509.KeyUsage(**{**usages, odd.usage: True}), critical=True)
    )
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    signed = builder.sign(key, None if odd.key == "ed25519" else hashes.SHA256())
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "server.pem").write_bytes(pem + signed.public_bytes(serialization.Encoding.PEM))
    (folder / "ca.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    if odd.suites:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(odd.suites)
    elif odd.newest is not ssl.TLSVersion.TLSv1_3:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of old versions, which are the question
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, odd.newest
        context.set_ciphers("ALL:@SECLEVEL=0")  # signatures with SHA-1 are below today's level
    context.set_alpn_protocols(["h2", "http/1.1"] if odd.http2 else ["http/1.1"])
    return context


def serve(context: ssl.SSLContext, listening: socket.socket) -> None:
    """Answers 200 to what is asked in HTTP/1.1; what the handshake comes to is the question. A thread a connection, for
    only blocking sockets say why they refuse."""

    def answer(taken: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(taken, server_side=True) as stream:
            stream.recv(65_536)
            stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok")
            stream.recv(65_536)

    with suppress(OSError):
        while True:
            threading.Thread(target=answer, args=(listening.accept()[0],), daemon=True).start()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    assert EXECUTABLE, "Chromium is missing"
    with sync_playwright() as playwright:
        # trust is not the question here, and no name is looked up
        arguments = ["--no-sandbox", "--ignore-certificate-errors", "--host-resolver-rules=MAP none.* 127.0.0.1"]
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=arguments)
        yield browser
        browser.close()


def error_of(chromium: Browser, url: str) -> str:
    """Chromium's error for a page, "" where it shows it."""
    page = chromium.new_page()
    try:
        page.goto(url, timeout=3_000, wait_until="commit")
    except Error as error:
        return error.message.partition("net::")[2].split(" ", 1)[0].split("\n", 1)[0]
    finally:
        page.close()
    return ""


@pytest.mark.parametrize("odd", SERVERS, ids=lambda odd: odd.name)
def test_chromium_and_the_judge_agree(odd: Odd, chromium: Browser, tmp_path: Path) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"https://localhost:{listening.getsockname()[1]}"
    threading.Thread(target=serve, args=(context_of(odd, tmp_path), listening), daemon=True).start()
    assert error_of(chromium, url) == odd.error
    done = run_json(
        url,
        *("--ca", str(tmp_path / "ca.pem"), "--resolve", url.removeprefix("https://") + ":127.0.0.1"),
        *("--only", CHECK, "--only", "connection.tls-is-trusted", "--quick", "--browser", "none"),
    )
    assert done.verdicts["connection.tls-is-trusted"] == "pass", done.report["headline"]
    assert done.verdicts[CHECK] == odd.verdict, done.report["headline"]
    assert odd.error in next(check["summary"] for check in done.report["checks"] if check["id"] == CHECK)


def test_chromium_refuses_old_versions_of_tls(chromium: Browser, tmp_path: Path) -> None:
    """Whose verdict is one of the connection: what the browser would say stands there."""
    odd = Odd("TLS 1.1", "ERR_SSL_VERSION_OR_CIPHER_MISMATCH", "skip", newest=ssl.TLSVersion.TLSv1_1)
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"https://localhost:{listening.getsockname()[1]}"
    threading.Thread(target=serve, args=(context_of(odd, tmp_path), listening), daemon=True).start()
    assert error_of(chromium, url) == odd.error
    done = run_json(
        url,
        *("--ca", str(tmp_path / "ca.pem"), "--resolve", url.removeprefix("https://") + ":127.0.0.1"),
        *("--only", CHECK, "--only", VERSIONS, "--quick", "--browser", "none"),
    )
    found = {check["id"]: check for check in done.report["checks"]}
    assert (found[VERSIONS]["verdict"], found[CHECK]["verdict"]) == ("fail", "skip")
    assert odd.error in found[VERSIONS]["summary"]
    assert found[CHECK]["because"] == VERSIONS


def test_chromium_calls_preloaded_domains_over_https_and_no_others(chromium: Browser) -> None:
    """The domains of the list, and some that are not in it."""
    others = {"com", "net", "org", "io", "cloud", "internal", "corp", "local", "aws", "gov", "here", "sync"}
    page = chromium.new_page()
    tools = page.context.new_cdp_session(page)
    tools.send("Network.enable")
    asked: list[str] = []
    tools.on("Network.requestWillBeSent", lambda event: asked.append(event["request"]["url"]))
    with closing(page):
        page.evaluate(
            "(urls) => Promise.allSettled(urls.map((url) => fetch(url, {mode: 'no-cors'})))",
            [f"http://none.{ending}:8471/" for ending in PRELOADED | others],
        )
    upgraded = {url.partition("none.")[2].partition(":")[0] for url in asked if url.startswith("https:")}
    assert upgraded == PRELOADED


def test_chromium_refuses_the_bad_ports_and_no_others(chromium: Browser) -> None:
    page = chromium.new_page()
    neighbours = {port + 1 for port in BAD_PORTS} - BAD_PORTS
    with closing(page):
        refused = {port for port in BAD_PORTS | neighbours if _says_unsafe(page, port)}
    assert refused == BAD_PORTS


def _says_unsafe(page: Page, port: int) -> bool:
    try:
        page.goto(f"http://127.0.0.1:{port}/", timeout=3_000)
    except Error as error:
        return "ERR_UNSAFE_PORT" in error.message
    return False
