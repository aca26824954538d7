"""Node.js as a shell would start it: its version, and which CAs it trusts.

Node.js brings its list inside the binary, so that only the binary can tell it; it is asked for its certificates alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

NODE_PATIENCE = 3.0  # seconds for a start of Node.js, which takes 0.05 s here
_NODE_LIMIT = 8 * 1024 * 1024  # characters of PEM; Mozilla's list has 0.2 million
# Settings that decide what Node.js trusts (node(1)); nothing else of the environment reaches it.
_NODE_SETTINGS = ("PATH", "SYSTEMROOT", "NODE_EXTRA_CA_CERTS", "NODE_USE_SYSTEM_CA", "SSL_CERT_FILE", "SSL_CERT_DIR")
_NODE_FLAGS = frozenset({"--use-openssl-ca", "--use-bundled-ca", "--use-system-ca"})
_NODE_SCRIPT = """
const tls = require('tls')
const pem = tls.getCACertificates ? tls.getCACertificates('default') : tls.rootCertificates
process.stdout.write(JSON.stringify({ version: process.version, pem: pem.join('\\n') }))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeJs:
    """What Node.js says of itself: its version ("v20.20.2"), and whom it trusts, as PEM."""

    version: str
    pem: str


def trust_flags(environment: Mapping[str, str]) -> frozenset[str]:
    """The options in NODE_OPTIONS that decide which CAs Node.js takes."""
    return _NODE_FLAGS.intersection(environment.get("NODE_OPTIONS", "").split())


async def node_js(environment: Mapping[str, str]) -> NodeJs | None:
    """The answer of the Node.js that a shell would start; None without one, or without an answer in time."""
    binary = shutil.which("node", path=environment.get("PATH", ""))
    if binary is None:
        return None
    settings = {name: environment[name] for name in _NODE_SETTINGS if name in environment}
    settings["NODE_OPTIONS"] = " ".join(trust_flags(environment))
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, TimeoutError):
        return _told(await _output(binary, settings))
    return None


async def _output(binary: str, settings: Mapping[str, str]) -> bytes:
    process = await asyncio.create_subprocess_exec(
        binary,
        "-e",
        _NODE_SCRIPT,
        env=settings,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        return (await asyncio.wait_for(process.communicate(), NODE_PATIENCE))[0]
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _told(output: bytes) -> NodeJs:
    said = json.loads(output[:_NODE_LIMIT])
    return NodeJs(version=str(said["version"])[:20], pem=str(said["pem"]))
