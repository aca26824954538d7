"""Node.js, requests, a Go program and Chrome's TLS library as the referees of what is said of them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import pytest
import requests

from btdiag.core.client_kinds import ClientKind
from btdiag.families.clients.probe.handshakes import HELLO_SIZE
from btdiag.net.stores import Stores
from tests.families.clients.authorities import Chain, chain
from tests.support.cli import Done, run_json
from tests.support.namespaces import missing
from tests.support.serving import saying, serving
from tests.support.tools import go_program, lacking, need

HOST = "localhost"
pytestmark = pytest.mark.real
NODE = """
require('https').get('https://localhost:' + process.argv[1], { family: 4 }, (answer) => process.exit(0))
  .on('error', (error) => { console.log(error.code); process.exit(3) })
"""
CASES: list[tuple[dict[str, str], bool, bool]] = [
    ({}, False, False),
    ({"SSL_CERT_FILE": "{root}"}, False, False),
    ({"REQUESTS_CA_BUNDLE": "{root}"}, True, False),
    ({"CURL_CA_BUNDLE": "{root}"}, True, False),
    ({"NODE_EXTRA_CA_CERTS": "{root}"}, False, True),
    ({"SSL_CERT_FILE": "{root}", "NODE_OPTIONS": "--use-openssl-ca"}, False, True),
]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def node_accepts(port: int, environment: dict[str, str]) -> bool:
    process = await asyncio.create_subprocess_exec(
        need("node"), "-e", NODE, str(port), env=environment, stdout=asyncio.subprocess.PIPE
    )
    said = (await process.communicate())[0]
    assert process.returncode in (0, 3)
    assert process.returncode == 0 or said.strip() in (b"UNABLE_TO_VERIFY_LEAF_SIGNATURE", b"CERT_UNTRUSTED")
    return process.returncode == 0


def requests_accepts(port: int, environment: dict[str, str]) -> bool:
    with patch.dict(os.environ, environment, clear=True):
        try:
            requests.get(f"https://{HOST}:{port}/", timeout=5)
        except requests.exceptions.SSLError:
            return False
    return True


async def said_and_done(
    made: Chain, folder: Path, environment: dict[str, str]
) -> tuple[dict[ClientKind, bool], bool, bool]:
    judged = await Stores(environment).judge(made.ders)
    said = {user: bool(one.accepts) for one in judged for user in one.users}
    answer = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    async with serving(answer, context=made.server(folder)) as port:
        python = await asyncio.to_thread(requests_accepts, port, environment)
        return said, python, await node_accepts(port, environment)


@pytest.mark.parametrize(("variables", "python", "node"), CASES)
def test_they_trust_as_is_said(tmp_path: Path, variables: dict[str, str], python: bool, node: bool) -> None:
    made = chain(HOST)
    root = made.root_file(tmp_path)
    environment = {name: value.format(root=root) for name, value in variables.items()}
    environment["PATH"] = os.environ["PATH"]
    said, python_did, node_did = asyncio.run(said_and_done(made, tmp_path, environment))
    assert (python_did, node_did) == (python, node)
    assert (said[ClientKind.PYTHON], said[ClientKind.NODE]) == (python, node)


async def go_accepts(port: int, environment: dict[str, str]) -> bool:
    process = await asyncio.create_subprocess_exec(
        go_program(),
        *("show", "chart", f"https://{HOST}:{port}/chart.tgz"),
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )
    said = (await process.communicate())[1]
    unknown = b"x509: certificate signed by unknown authority" in said
    assert unknown or b"chart" in said or b"gzip" in said or b"EOF" in said, said
    return not unknown


@pytest.mark.parametrize(
    "variables", [{}, {"SSL_CERT_FILE": "{root}"}, {"CURL_CA_BUNDLE": "{root}"}, {"REQUESTS_CA_BUNDLE": "{root}"}]
)
def test_go_trusts_as_is_said(tmp_path: Path, variables: dict[str, str]) -> None:
    made = chain(HOST)
    root = made.root_file(tmp_path)
    environment = {name: value.format(root=root) for name, value in variables.items()}
    environment |= {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    async def go() -> tuple[bool, bool]:
        judged = await Stores(environment).judge(made.ders)
        said = {user: bool(one.accepts) for one in judged for user in one.users}
        async with serving(saying(OK), context=made.server(tmp_path)) as port:
            return said[ClientKind.GO], await go_accepts(port, environment)

    said, done = asyncio.run(go())
    assert said is done is ("SSL_CERT_FILE" in variables)


@dataclass
class Box:
    """Passes bytes on to a port, and resets the connection whose ClientHello is larger than `most` bytes."""

    port: int
    most: int | None
    sizes: list[int] = field(default_factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(5)  # of the TLS record
        self.sizes.append(len(head) + int.from_bytes(head[3:]))
        if self.most is not None and self.sizes[-1] > self.most:
            writer.transport.abort()
            return
        there_reader, there = await asyncio.open_connection("127.0.0.1", self.port)
        there.write(head)
        try:
            await asyncio.gather(pump(reader, there), pump(there_reader, writer))
        finally:
            there.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


def chrome_gets(url: str, port: int, root: Path | None) -> str:
    """What Chrome's TLS library gets with Chrome's ClientHello: the status, or why there is none."""
    curl = pytest.importorskip("curl_cffi")
    try:
        verify = {"verify": str(root)} if root is not None else {}
        answer = curl.requests.get(url, impersonate="chrome", timeout=5, proxies={"all": ""}, **verify)
    except curl.requests.exceptions.RequestException as error:
        return str(error)
    return str(answer.status_code)


@pytest.mark.parametrize(("most", "verdict"), [(None, "pass"), (1_400, "fail")])
def test_chromes_hello_meets_what_is_said_of_it(tmp_path: Path, most: int | None, verdict: str) -> None:
    made = chain(HOST)
    root = made.root_file(tmp_path)

    async def go() -> tuple[str, str, list[int], Done]:
        async with serving(saying(OK), context=made.server(tmp_path)) as behind:
            box = Box(behind, most)
            async with serving(box) as port:
                url = f"https://{HOST}:{port}"
                got = await asyncio.to_thread(chrome_gets, url, port, root)
                without = await asyncio.to_thread(chrome_gets, url, port, None)
                sizes = list(box.sizes)
                only = ("--only", "clients.handshake-is-not-too-large", "--ca", str(root), "--browser", "none")
                return got, without, sizes, await asyncio.to_thread(run_json, url, "--quick", *only)

    got, without, sizes, done = asyncio.run(go())
    assert min(sizes) > 1_460  # more than one packet of Ethernet holds
    assert abs(min(sizes) - HELLO_SIZE) < 200
    assert done.verdicts["clients.handshake-is-not-too-large"] == verdict
    assert (got == "200") is (most is None), got
    assert "certificate" in without or most is not None, without


def test_requests_stops_at_a_bundle_that_is_missing(tmp_path: Path) -> None:
    missing = {"REQUESTS_CA_BUNDLE": str(tmp_path / "none.pem")}
    with patch.dict(os.environ, missing, clear=True), pytest.raises(OSError, match="invalid path"):
        requests.get("https://127.0.0.1:9/", timeout=5)


def test_requests_sends_a_login_of_netrc_in_place_of_the_key(tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine api.corp.test login me password secret\n")
    session = requests.Session()
    session.headers["Authorization"] = "Bearer sk-key"
    with patch.dict(os.environ, {"NETRC": str(file)}, clear=True):
        sent = session.prepare_request(requests.Request("POST", "https://api.corp.test/logs3"))
    assert str(sent.headers["Authorization"]).startswith("Basic ")


ATTEMPTS = """
const net = require('net')
const [silent, well, none] = [['127.0.0.9', 4], ['127.0.0.1', 4], ['2001:db8::1', 6]]
const cases = [[silent, none], [silent, well], [none, silent], [silent]]
const told = (list) => list.map(([address, family]) => ({ address, family }))
const tried = (list) => new Promise((done) => {
  const lookup = (host, options, answer) => answer(null, told(list))
  const one = net.connect({ host: 'api.test', port: PORT, lookup })
  const late = setTimeout(() => { one.destroy(); done('tries on') }, 700)
  one.on('connect', () => { clearTimeout(late); one.destroy(); done('connects') })
  one.on('error', (error) => { clearTimeout(late); done(error.code) })
})
net.createServer().listen(PORT, '127.0.0.1', async () => {
  console.log(JSON.stringify(await Promise.all(cases.map(tried))))
  process.exit(0)
})
"""


def test_nodes_time_for_an_address() -> None:
    """250 ms for every address but the last: what is farther away, and has one behind it that cannot be reached, is
    never connected to. A network of its own, in which one address is silent and IPv6 has no route."""
    if reason := missing("node"):
        lacking(reason)
    name = f"btdiag-node-{os.getpid()}"
    drop = "add table inet f; add chain inet f i { type filter hook input priority 0; }; "
    drop += "add rule inet f i ip daddr 127.0.0.9 tcp flags syn drop"
    within = ["ip", "netns", "exec", name]
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run([*within, "ip", "link", "set", "lo", "up"], check=True)
        subprocess.run([*within, "nft", drop], check=True)
        script = ATTEMPTS.replace("PORT", "8099")
        done = subprocess.run([*within, need("node"), "-e", script], capture_output=True, text=True, check=True)
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)
    assert json.loads(done.stdout) == ["ETIMEDOUT", "connects", "tries on", "tries on"]
