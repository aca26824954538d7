"""Helm, a Go program with Go's own HTTP client, is the referee of how Go reads the proxy variables.

In a namespace with nothing but loopback: what goes directly cannot get anywhere, and the proxy answers 502.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.test_proxy_rules import CASES
from tests.support.namespaces import missing
from tests.support.tools import go_program, lacking

pytestmark = pytest.mark.real

ASK = """
import asyncio, json, os, sys

async def refuses(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(b"HTTP/1.1 502 Bad Gateway\\r\\nContent-Length: 0\\r\\n\\r\\n")
    writer.close()

async def ask(program, home, proxy, entry, url):
    environment = {"HTTPS_PROXY": proxy, "NO_PROXY": entry, "HOME": home}
    process = await asyncio.create_subprocess_exec(
        program, "show", "chart", url, env=environment, stderr=asyncio.subprocess.PIPE
    )
    return (await process.communicate())[1].decode()

async def main(program, home, *asked):
    server = await asyncio.start_server(refuses, "127.0.0.1", 0)
    proxy = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    said = [await ask(program, home, proxy, *json.loads(one)) for one in asked]
    print(json.dumps(said))

asyncio.run(main(*sys.argv[1:]))
"""


def test_go_takes_a_host_out_as_is_said(tmp_path: Path) -> None:
    if why_not := missing():
        lacking(why_not)
    program, place = go_program(), f"btdiag-go-{os.getpid()}"
    asked = [json.dumps([entry, f"https://{host}:{port}/chart.tgz"]) for entry, host, port, _ in CASES]
    subprocess.run(["ip", "netns", "add", place], check=True)
    try:
        within = ["ip", "netns", "exec", place]
        subprocess.run([*within, "ip", "link", "set", "lo", "up"], check=True)
        command = [*within, sys.executable, "-c", ASK, program, str(tmp_path), *asked]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    finally:
        subprocess.run(["ip", "netns", "del", place], check=True)
    seen = dict(zip([case[:3] for case in CASES], json.loads(done.stdout), strict=True))
    assert all(("Bad Gateway" in said) != ("dial tcp" in said) for said in seen.values()), seen
    direct = {case for case, said in seen.items() if "dial tcp" in said}
    assert direct == {case[:3] for case in CASES if "go" in case[3].split()}
