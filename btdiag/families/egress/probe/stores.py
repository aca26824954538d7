"""Which trust stores of this machine accept a host's certificate: OpenSSL's default one, Python's certifi, Node.js's.

Each store becomes a TLS context of its own, and the chain is judged by a handshake with it, as the programs that use
the store would. Node.js brings its list inside the binary, so that only the binary can tell it; it is asked where there
is one, for its certificates alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from btdiag.core.exchange import Phase, Trouble
from btdiag.core.target import Route
from btdiag.families.egress.facts import StoreTrial
from btdiag.net.streams import DialError
from btdiag.net.wire import Wire

NODE_PATIENCE = 3.0  # seconds for a start of Node.js, which takes 0.05 s here
HANDSHAKE = 2.0  # seconds; the host has answered a handshake before
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
class Store:
    """A trust store. `context` is None where it could not be loaded, for the reason `problem`."""

    name: str
    source: str
    context: ssl.SSLContext | None
    problem: str = ""
    public: bool = False


class Stores:
    """The trust stores of this machine under an environment, loaded when first asked for."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._loading: asyncio.Task[list[Store]] | None = None

    async def judge(self, route: Route, wire: Wire) -> tuple[StoreTrial, ...]:
        """What each store says of the chain that the route's server shows."""
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
        stores = await asyncio.shield(self._loading)
        return tuple(await asyncio.gather(*(_trial(store, route, wire) for store in stores)))

    async def _load(self) -> list[Store]:
        node = await _node(self._environment)
        return await asyncio.to_thread(self._loaded, node)

    def _loaded(self, node: _Node | None) -> list[Store]:
        """Parsing the lists takes 20 ms each: done outside the event loop."""
        stores = [_openssl()]
        if (mozilla := _certifi()) is not None:
            stores.append(_store("Python's certifi", mozilla[0], _from_file(mozilla[1]), public=True))
        for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # requests reads them in this order
            if path := self._environment.get(variable):
                stores.append(_store("Python requests here", f"{variable}={path}", _from_file(Path(path))))
                break
        if node is not None:
            stores.append(_node_store(node, self._environment))
        return stores


async def _trial(store: Store, route: Route, wire: Wire) -> StoreTrial:
    if store.context is None:
        return StoreTrial(store=store.name, source=store.source, accepts=None, detail=store.problem)
    accepts, detail = await _handshake(store.context, route, wire)
    return StoreTrial(store=store.name, source=store.source, accepts=accepts, detail=detail, public=store.public)


async def _handshake(context: ssl.SSLContext, route: Route, wire: Wire) -> tuple[bool | None, str]:
    try:
        stream = await wire.dial(route, tls=True, context=context, timeout=HANDSHAKE)
    except DialError as error:
        failure = error.failure
        rejects = failure.trouble is Trouble.UNTRUSTED and failure.phase is Phase.TLS
        return False if rejects else None, failure.detail
    await stream.close()
    return True, ""


def _store(name: str, source: str, load: Callable[[ssl.SSLContext], None], *, public: bool = False) -> Store:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        load(context)
    except (OSError, ValueError) as error:  # ssl.SSLError among them: no file, no certificate in it
        return Store(name=name, source=source, context=None, problem=f"cannot be loaded: {error}")
    return Store(name=name, source=source, context=context, public=public)


def _from_file(path: Path) -> Callable[[ssl.SSLContext], None]:
    where = {"capath": str(path)} if path.is_dir() else {"cafile": str(path)}
    return lambda context: context.load_verify_locations(**where)


def _openssl() -> Store:
    """What Python's ssl module trusts by default, and with it most programs that use the system's OpenSSL."""
    paths = ssl.get_default_verify_paths()
    source = str(paths.cafile or paths.capath or "no file")
    return _store("the system's store", source, lambda context: context.load_default_certs(ssl.Purpose.SERVER_AUTH))


def _certifi() -> tuple[str, Path] | None:
    """Mozilla's list as the package certifi brings it for requests and httpx: its version and file."""
    try:
        import certifi
    except ImportError:
        return None
    return certifi.__version__, Path(certifi.where())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """What Node.js says it trusts, as PEM."""

    version: str
    pem: str


async def _node(environment: Mapping[str, str]) -> _Node | None:
    """The answer of the Node.js that a shell would start; None without one, or without an answer in time."""
    binary = shutil.which("node", path=environment.get("PATH"))
    if binary is None:
        return None
    settings = {name: environment[name] for name in _NODE_SETTINGS if name in environment}
    settings["NODE_OPTIONS"] = " ".join(_NODE_FLAGS.intersection(environment.get("NODE_OPTIONS", "").split()))
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


def _told(output: bytes) -> _Node:
    said = json.loads(output[:_NODE_LIMIT])
    return _Node(version=str(said["version"])[:20], pem=str(said["pem"]))


def _node_store(node: _Node, environment: Mapping[str, str]) -> Store:
    """Its list with what the environment adds (node(1)): before 22.15 Node.js tells no more than its own."""
    extra = environment.get("NODE_EXTRA_CA_CERTS", "")
    flags = _NODE_FLAGS.intersection(environment.get("NODE_OPTIONS", "").split())
    by_system = "--use-system-ca" in flags or environment.get("NODE_USE_SYSTEM_CA") == "1"
    by_openssl = "--use-openssl-ca" in flags

    def load(context: ssl.SSLContext) -> None:
        if by_openssl:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        else:
            context.load_verify_locations(cadata=node.pem)
        if extra and os.path.isfile(extra):  # Node.js warns of a missing file and goes on
            context.load_verify_locations(cafile=extra)

    source = "OpenSSL's list" if by_openssl else "its own list and the system's" if by_system else "its own list"
    source += f" and NODE_EXTRA_CA_CERTS={extra}" if extra else ""
    public = not (extra or by_openssl or by_system)
    return _store(f"Node.js {node.version}", source, load, public=public)
