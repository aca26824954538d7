"""Chromium as the witness: one launch calls many servers with a fault each, and every refusal is named by its code.

The servers are one nginx with a port for each fault, a listener that resets large ClientHellos, and nothing at all.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from btdiag.core.evidence import to_json
from btdiag.core.finding import Finding, Owner, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.target import Target
from btdiag.families.browser.judge.answers import page_gets_its_answers
from btdiag.families.lna.facts import TARGET_ITSELF, Browser, BrowserSurvey, CalledHost, PageVisit
from btdiag.families.lna.plan import BrowserPlan, switches
from btdiag.families.lna.probe.chromium.survey import survey
from btdiag.families.lna.probe.find import find_browser
from btdiag.families.lna.probe.survey import read_trial
from tests.support.tools import need

pytestmark = pytest.mark.real
HOST = "api.corp.example"
UNSEEN = NotMeasured(reason="not looked at", skipped=True)
ALLOW = (
    "add_header Access-Control-Allow-Origin $http_origin always; add_header Access-Control-Allow-Headers "
    "'content-type, x-bt-parent' always; add_header Vary Origin always;"
)
ANSWERS = "if ($request_method = OPTIONS) { return 204; } return 200 '{}';"


def sent_to(url: str) -> str:
    """Preflights are answered, and what follows them is sent on."""
    return f"if ($request_method = OPTIONS) {{ return 204; }} if ($uri = /version) {{ return 307 {url}; }} {ANSWERS}"


@dataclass(frozen=True)
class Front:
    """A port of nginx: what stands in its location and beside it, and what a browser is to make of it: the code (""
    for nothing), whose it is."""

    name: str
    code: str = ""
    owner: Owner | None = None
    verdict: Verdict = Verdict.FAIL
    location: str = ANSWERS
    beside: str = ""
    listen: str = "ssl"
    certificate: str = "sound"
    unless: str = ""


FRONTS = (
    Front("sound"),
    Front("sound with HTTP/2", listen="ssl http2"),
    Front("sent on over https", location=sent_to("https://$http_host/other")),
    Front(
        "sent on to http",
        "mixed-content",
        Owner.LOAD_BALANCER,
        location=sent_to("http://$http_host/other"),
    ),
    Front(
        "sent on to another host",
        "net::ERR_NAME_NOT_RESOLVED",
        Owner.LOAD_BALANCER,
        Verdict.INCONCLUSIVE,
        location=sent_to("https://login.corp.example/"),
    ),
    Front("key usage", "net::ERR_SSL_KEY_USAGE_INCOMPATIBLE", Owner.CERTIFICATES, certificate="encipherment-only"),
    Front("a CA unknown to browsers", "net::ERR_CERT_AUTHORITY_INVALID", Owner.CERTIFICATES, certificate="stranger"),
    Front(
        "HTTP/2 with CBC",
        "net::ERR_HTTP2_INADEQUATE_TRANSPORT_SECURITY",
        Owner.LOAD_BALANCER,
        listen="ssl http2",
        beside="ssl_protocols TLSv1.2; ssl_prefer_server_ciphers on; "
        "ssl_ciphers ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256;",
    ),
    Front(
        "a guard against cross-site writes",
        "MissingAllowOriginHeader",
        Owner.LOAD_BALANCER,
        location="set $guard $request_method$http_sec_fetch_site; if ($guard = POSTcross-site) "
        "{ return 418; } " + ANSWERS,
        beside="error_page 418 = @guarded; location @guarded { return 403; }",
        unless="cors.web-app-may-call",
    ),
    Front("no brotli, though it says so", "net::ERR_CONTENT_DECODING_FAILED", Owner.LOAD_BALANCER,
          location="add_header Content-Encoding br always; " + ANSWERS),
    Front("no answer at all", "net::ERR_EMPTY_RESPONSE", Owner.LOAD_BALANCER,
          location="if ($request_method = POST) { return 444; } " + ANSWERS),
)  # fmt: skip


@dataclass
class Certificate:
    """A key and a certificate for the host in one PEM file each."""

    folder: Path
    authority: tuple[rsa.RSAPrivateKey, x509.Name] | None = None
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def write(self, name: str, *, usage: str = "digital_signature", is_ca: bool = False) -> x509.Name:
        """Issue it, by the authority or by itself."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer, issuer = self.authority or (self.key, subject)
        now = datetime.now(UTC)
        names = (
            "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign "
            "crl_sign encipher_only decipher_only"
        )
        usages = dict.fromkeys(names.split(), False) | {usage: True}
        made = (
            x509.CertificateBuilder(issuer, subject, self.key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=90))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**usages), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
            .sign(signer, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        plain = self.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (self.folder / f"{name}.key").write_bytes(plain)
        (self.folder / f"{name}.pem").write_bytes(made.public_bytes(pem))
        return subject


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def certificates(folder: Path) -> None:
    authority, stranger = Certificate(folder), Certificate(folder)
    known = (authority.key, authority.write("ca", usage="key_cert_sign", is_ca=True))
    unknown = (stranger.key, stranger.write("strange-ca", usage="key_cert_sign", is_ca=True))
    Certificate(folder, known).write("sound")
    Certificate(folder, known).write("encipherment-only", usage="key_encipherment")
    Certificate(folder, unknown).write("stranger")


def configuration(folder: Path, ports: Mapping[str, int]) -> str:
    servers = "\n".join(
        f"server {{ listen 127.0.0.1:{ports[front.name]} {front.listen}; "
        f"ssl_certificate {folder}/{front.certificate}.pem; ssl_certificate_key {folder}/{front.certificate}.key; "
        f"{front.beside} location / {{ {ALLOW} {front.location} }} }}"
        for front in FRONTS
    )
    user = "user root;" if os.geteuid() == 0 else ""
    return (
        f"daemon off; {user} pid {folder}/pid; error_log {folder}/error.log; events {{ worker_connections 256; }}\n"
        f"http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; "
        f"fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};\n{servers}\n}}"
    )


def resets_large_hellos(listening: socket.socket) -> None:
    """As a middlebox that takes a ClientHello of one packet only: what is larger is reset."""
    with suppress(OSError):
        while True:
            taken, _ = listening.accept()
            with taken:
                head = taken.recv(5, socket.MSG_WAITALL)
                if len(head) == 5 and struct.unpack(">H", head[3:])[0] > 1_400:
                    taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Finding]]:
    """What is found of each front, by its name; of all of them in one launch."""
    folder, executable = tmp_path_factory.mktemp("fronts"), find_browser("auto")
    assert executable is not None, "no browser"
    certificates(folder)
    ports = {front.name: free_port() for front in FRONTS}
    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=resets_large_hellos, args=(listening,), daemon=True).start()
    ports |= {"resets": listening.getsockname()[1], "nobody": free_port(), "unsafe": 10080}
    (folder / "nginx.conf").write_text(configuration(folder, ports))
    with subprocess.Popen([need("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]) as nginx, listening:
        try:
            await_port(next(iter(ports.values())))
            yield told(folder, str(executable), ports)
        finally:
            nginx.terminate()


def await_port(port: int) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)


def told(folder: Path, executable: str, ports: Mapping[str, int]) -> dict[str, Finding]:
    places = tuple(
        CalledHost(
            what=TARGET_ITSELF,
            url=f"https://{HOST}:{port}/version",
            unknown=f"https://{HOST}:{port}/v1/none",
            address="127.0.0.1",
        )
        for port in ports.values()
    )
    public = (("127.0.0.0/8", "public"),)
    target = Target(url=f"https://{HOST}", scheme="https", host=HOST, port=443, address_spaces=public)
    plan = BrowserPlan(
        executable=executable,
        places=places,
        origins=("https://www.braintrust.dev",),
        switches=switches(target, places, ()),
        user_agent="btdiag/test",
        ca_file=str(folder / "ca.pem"),
    )
    with tempfile.TemporaryDirectory() as home:
        before = {name: os.environ.get(name) for name in ("HOME", "TMPDIR")}
        os.environ |= {"HOME": home, "TMPDIR": home}
        try:
            answer: Any = to_json(asyncio.run(survey(plan, Path(home))))
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
    browser = Browser(name="Chromium", version=answer["version"], path=executable)
    visits = [PageVisit(**visit | {"trials": tuple(map(read_trial, visit["trials"]))}) for visit in answer["visits"]]
    return {
        name: page_gets_its_answers(
            BrowserSurvey(browser=browser, url=visit.url, visits=(visit,)), UNSEEN, UNSEEN, UNSEEN
        )
        for name, visit in zip(ports, visits, strict=True)
    }


@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.name)
def test_each_front_is_named_by_what_chromium_says(front: Front, findings: dict[str, Finding]) -> None:
    found = findings[front.name]
    if not front.code:
        assert found.verdict is Verdict.PASS, found.summary
        return
    assert (found.verdict, found.owner) == (front.verdict, front.owner), found.summary
    assert front.code in found.summary
    assert len(found.answer) <= 90
    assert front.unless in found.unless or not front.unless


NO_FRONTS = [
    ("resets", "net::ERR_CONNECTION_RESET", "browser.certificate-is-accepted"),
    ("nobody", "net::ERR_CONNECTION_REFUSED", "connection.tcp-connects"),
    ("unsafe", "net::ERR_UNSAFE_PORT", "browser.port-is-allowed"),
]


@pytest.mark.parametrize(("name", "code", "unless"), NO_FRONTS)
def test_what_is_no_front_is_named_too(name: str, code: str, unless: str, findings: dict[str, Finding]) -> None:
    assert code in findings[name].summary
    assert unless in findings[name].unless
