"""What OpenSSL refuses by itself: told from the error and a second handshake, and never from luck alone."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from btdiag.core.exchange import Failure, Phase, Timing, Trouble
from btdiag.core.finding import Owner, Verdict
from btdiag.core.handshake import Connection, Handshake
from btdiag.core.target import Target
from btdiag.families.connection.judge.handshake import tls_handshake_completes
from btdiag.families.connection.judge.lax import is_refused_by_openssl
from btdiag.families.connection.judge.trust import tls_is_trusted
from btdiag.families.connection.probe.connect import reach
from btdiag.net.wire import Wire
from tests.families.connection.test_real import await_listening, free_ports
from tests.support.serving import route_to
from tests.support.tools import need

HOST = "api.example"
TARGET = Target(url=f"https://{HOST}", scheme="https", host=HOST, port=443)
AGREED = Handshake(version="TLSv1.2", cipher="AES256-SHA", alpn=None, chain=())


def broken(detail: str, trouble: Trouble = Trouble.PROTOCOL, lax: Handshake | None = AGREED) -> Connection:
    return Connection(
        label="192.0.2.1",
        port=443,
        tls=True,
        started_at=datetime(2030, 1, 1, tzinfo=UTC),
        timing=Timing(tcp_s=0.01),
        failure=Failure(phase=Phase.TLS, trouble=trouble, detail=detail),
        lax=lax,
    )


@pytest.mark.parametrize(
    ("detail", "trouble", "words", "answer"),
    [
        ("UNSAFE_LEGACY_RENEGOTIATION_DISABLED", Trouble.PROTOCOL, "RFC 5746", "Programs on OpenSSL 3"),
        ("DH_KEY_TOO_SMALL", Trouble.PROTOCOL, "Diffie-Hellman parameters are too small", "Programs on OpenSSL 3"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", Trouble.ALERT, "no cipher suite in common", "The Python SDK cannot connect"),
        ("WRONG_SIGNATURE_TYPE", Trouble.PROTOCOL, "signs its handshake", "Programs on OpenSSL 3"),
        ("BAD_LENGTH", Trouble.PROTOCOL, "OpenSSL refuses what the server offers", "Programs on OpenSSL 3"),
    ],
)
def test_what_the_server_would_take_is_named(detail: str, trouble: Trouble, words: str, answer: str) -> None:
    found = tls_handshake_completes({"192.0.2.1": broken(detail, trouble)}, TARGET)
    assert found.verdict is Verdict.FAIL
    assert words in found.summary
    assert "it agrees on TLS 1.2 with AES256-SHA" in found.summary
    assert found.answer.startswith(answer)
    assert len(found.answer) <= 90
    assert found.owner == Owner.LOAD_BALANCER


def test_a_second_try_that_succeeds_after_a_reset_proves_nothing() -> None:
    reset = broken("Connection reset by peer", Trouble.RESET)
    assert not is_refused_by_openssl(reset)
    assert "OpenSSL" not in tls_handshake_completes({"192.0.2.1": reset}, TARGET).summary
    assert not is_refused_by_openssl(broken("DH_KEY_TOO_SMALL", lax=None))


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
  ssl_protocols TLSv1.2;
  ssl_certificate {folder}/ok.pem;
  ssl_certificate_key {folder}/ok.key;
  server {{
    listen 127.0.0.1:{dh} ssl;
    ssl_ciphers DHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0;
    ssl_dhparam {folder}/dh.pem;
  }}
  server {{ listen 127.0.0.1:{suites} ssl; ssl_ciphers AES256-SHA:@SECLEVEL=0; }}
  server {{
    listen 127.0.0.1:{weak} ssl;
    ssl_ciphers ALL:@SECLEVEL=0;
    ssl_certificate {folder}/weak.pem;
    ssl_certificate_key {folder}/weak.key;
  }}
}}
"""


def certificate(folder: Path, name: str, bits: int) -> None:
    command = [need("openssl"), "req", "-x509", "-newkey", f"rsa:{bits}", "-nodes", "-days", "30"]
    command += ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    command += ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, int]]]:
    """nginx with small Diffie-Hellman parameters, old suites, a short key; GnuTLS without RFC 5746."""
    folder = tmp_path_factory.mktemp("old")
    certificate(folder, "ok", 2048)
    certificate(folder, "weak", 1024)
    dh = [need("openssl"), "dhparam", "-dsaparam", "-out", str(folder / "dh.pem"), "1024"]
    subprocess.run(dh, check=True, capture_output=True)
    names = ("dh", "suites", "weak", "renegotiation")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, **ports))
    gnutls = [need("gnutls-serv"), "-q", "-p", str(ports["renegotiation"])]
    gnutls += ["--x509certfile", str(folder / "ok.pem"), "--x509keyfile", str(folder / "ok.key")]
    gnutls += ["--priority", "NORMAL:-VERS-TLS1.3:%DISABLE_SAFE_RENEGOTIATION"]
    commands = ([need("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")], gnutls)
    with contextlib.ExitStack() as stack:
        for command in commands:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.enter_context(process)
            stack.callback(process.terminate)
        for port in ports.values():
            await_listening(port)
        yield folder, ports


def met(servers: tuple[Path, dict[str, int]], name: str, ca: str = "ok") -> tuple[Connection, Target]:
    folder, ports = servers
    port = ports[name]
    url = f"https://{HOST}:{port}"
    target = Target(url=url, scheme="https", host=HOST, port=port, ca_file=folder / f"{ca}.pem")
    wire = Wire(target, user_agent="btdiag/test")
    return asyncio.run(reach(route_to(port), wire, target)), target


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dh", "below 2048 bits"),
        ("suites", "it agrees on TLS 1.2 with AES256-SHA, with a key of RSA 2048"),
        ("renegotiation", "RFC 5746"),
    ],
)
def test_real_servers_of_old(servers: tuple[Path, dict[str, int]], name: str, words: str) -> None:
    one, target = met(servers, name)
    found = tls_handshake_completes({"127.0.0.1": one}, target)
    assert found.verdict is Verdict.FAIL
    assert words in found.summary


@pytest.mark.real
def test_a_short_key_is_named(servers: tuple[Path, dict[str, int]]) -> None:
    one, target = met(servers, "weak", ca="weak")
    assert "too weak (the server's own has RSA 1024)" in tls_is_trusted({"127.0.0.1": one}, target).summary
