"""Which trust stores of this machine accept a certificate chain: OpenSSL's default one, certifi's, Node.js's, and the
files that variables name.

The chain is verified as OpenSSL would in a handshake, without one: who would accept it is known from one connection.
Whether the name fits is not looked at.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from btdiag.core.client_kinds import ClientKind
from btdiag.core.stores import StoreTrial
from btdiag.net.certificates import authority_fault
from btdiag.net.failures import legible
from btdiag.net.nodejs import NodeJs, node_js, trust_flags

if TYPE_CHECKING:
    from OpenSSL import crypto

FILE_LIMIT = 16 * 1024 * 1024  # bytes of a bundle; Mozilla's whole list has 0.3 million
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_TAKE_INTERMEDIATES = frozenset({ClientKind.CURL, ClientKind.GO})
"""Programs that are content with an intermediate in the store: curl sets X509_V_FLAG_PARTIAL_CHAIN, Go has no roots."""

Load = Callable[["crypto.X509Store"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustStore:
    """A trust store, and how it is loaded (OSError or ValueError where it cannot be)."""

    name: str
    source: str
    load: Load
    users: tuple[ClientKind, ...] = ()
    public: bool = False


class Stores:
    """The trust stores of this machine under an environment. `assumed` is a file of CAs that every program is taken to
    be given where it runs, in place of what it has here; only of the `in_use` ones a variable of this machine that says
    otherwise is believed."""

    def __init__(
        self, environment: Mapping[str, str], assumed: Path | None = None, in_use: Collection[ClientKind] = ()
    ) -> None:
        self._environment = environment
        self._assumed = assumed
        self._in_use = frozenset(in_use)
        self._node: asyncio.Task[NodeJs | None] | None = None

    async def judge(self, chain: Sequence[bytes]) -> tuple[StoreTrial, ...]:
        """What each store says of a chain (DER, the server's own certificate first)."""
        if self._assumed is None and self._node is None:
            self._node = asyncio.create_task(node_js(self._environment))
        node = await asyncio.shield(self._node) if self._node else None
        return await asyncio.to_thread(self._judged, chain, node)

    def _judged(self, chain: Sequence[bytes], node: NodeJs | None) -> tuple[StoreTrial, ...]:
        """Parsing the lists takes 20 ms each: done outside the event loop."""
        return tuple(_tried(store, chain) for store in self._stores(node))

    def _stores(self, node: NodeJs | None) -> list[TrustStore]:
        given = _named(self._environment)
        if self._assumed is not None:
            return _assuming(self._assumed, [store for store in given if self._in_use.intersection(store.users)])
        taken = {user for store in given for user in store.users}
        stores = [_system(self._environment, _without((ClientKind.CURL, ClientKind.GO), taken))]
        if (mozilla := _certifi(_without((ClientKind.PYTHON, ClientKind.HTTPX), taken))) is not None:
            stores.append(mozilla)
        stores += given
        if node is not None:
            stores.append(_node_store(node, self._environment))
        return stores


def _assuming(file: Path, given: list[TrustStore]) -> list[TrustStore]:
    taken = {user for store in given for user in store.users}
    whole = TrustStore(name="the CAs given", source=str(file), load=_file(file), users=_without(_READERS, taken))
    return [*given, whole]


_READERS = (ClientKind.PYTHON, ClientKind.HTTPX, ClientKind.NODE, ClientKind.GO, ClientKind.CURL)


def _without(kinds: Sequence[ClientKind], taken: set[ClientKind]) -> tuple[ClientKind, ...]:
    return tuple(kind for kind in kinds if kind not in taken)


def _named(environment: Mapping[str, str]) -> list[TrustStore]:
    """The files that replace a program's own list: requests reads REQUESTS_CA_BUNDLE, else CURL_CA_BUNDLE; httpx
    SSL_CERT_FILE, else SSL_CERT_DIR."""
    found: list[TrustStore] = []
    bundle, curls = environment.get("REQUESTS_CA_BUNDLE"), environment.get("CURL_CA_BUNDLE")
    if bundle:
        found.append(_from("Python requests here", "REQUESTS_CA_BUNDLE", bundle, ClientKind.PYTHON))
    if curls:
        kinds = (ClientKind.CURL,) if bundle else (ClientKind.PYTHON, ClientKind.CURL)
        found.append(_from("curl here" if bundle else "Python requests here", "CURL_CA_BUNDLE", curls, *kinds))
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        if path := environment.get(name):
            found.append(_from("Python httpx here", name, path, ClientKind.HTTPX))
            break
    return found


def _from(name: str, variable: str, path: str, *users: ClientKind) -> TrustStore:
    return TrustStore(name=name, source=f"{variable}={path}", load=_file(Path(path)), users=users)


def _file(path: Path) -> Load:
    """A bundle, or a folder whose names are hashes of subjects."""

    def load(store: crypto.X509Store) -> None:
        if path.is_dir():
            store.load_locations(None, str(path))
        else:
            _add(store, _read(path))

    return load


def _read(path: Path) -> bytes:
    """The bytes of a plain file; OSError for what is none, or too large."""
    if not path.is_file():
        raise OSError("there is no such file" if not path.exists() else "it is no file")
    if path.stat().st_size > FILE_LIMIT:
        raise OSError("it is too large for a list of CAs")
    return path.read_bytes()


def _add(store: crypto.X509Store, pem: bytes) -> None:
    from OpenSSL import crypto

    found = _PEM.findall(pem)
    if not found:
        raise ValueError("it has no certificate in it")
    for one in found:
        store.add_cert(crypto.load_certificate(crypto.FILETYPE_PEM, one))


def _system(environment: Mapping[str, str], users: tuple[ClientKind, ...]) -> TrustStore:
    """What programs trust that use the system's OpenSSL: its file and its folder, each replaced by a variable."""
    paths = ssl.get_default_verify_paths()
    file = Path(environment.get("SSL_CERT_FILE") or paths.openssl_cafile)
    folder = Path(environment.get("SSL_CERT_DIR") or paths.openssl_capath)

    def load(store: crypto.X509Store) -> None:
        if file.is_file():
            _add(store, _read(file))
        if folder.is_dir():
            store.load_locations(None, str(folder))
        if not (file.is_file() or folder.is_dir()):
            raise OSError("this system keeps its CAs elsewhere")

    source = str(file if file.is_file() else folder)
    return TrustStore(name="the system's store", source=source, load=load, users=users)


def _certifi(users: tuple[ClientKind, ...]) -> TrustStore | None:
    """Mozilla's list as the package certifi brings it for requests and httpx."""
    try:
        import certifi
    except ImportError:
        return None
    path = Path(certifi.where())
    return TrustStore(name="Python's certifi", source=certifi.__version__, load=_file(path), users=users, public=True)


def _node_store(node: NodeJs, environment: Mapping[str, str]) -> TrustStore:
    """Its list with what the environment adds (node(1)): before 22.15 Node.js tells no more than its own."""
    extra = environment.get("NODE_EXTRA_CA_CERTS", "")
    flags = trust_flags(environment)
    by_system = "--use-system-ca" in flags or environment.get("NODE_USE_SYSTEM_CA") == "1"
    by_openssl = "--use-openssl-ca" in flags

    def load(store: crypto.X509Store) -> None:
        if by_openssl:
            _system(environment, ()).load(store)
        else:
            _add(store, node.pem.encode())
        if extra and os.path.isfile(extra):  # Node.js warns of a missing file and goes on
            _add(store, _read(Path(extra)))

    source = "OpenSSL's list" if by_openssl else "its own list and the system's" if by_system else "its own list"
    source += f" and NODE_EXTRA_CA_CERTS={extra}" if extra else ""
    public = not (extra or by_openssl or by_system)
    return TrustStore(name=f"Node.js {node.version}", source=source, load=load, users=(ClientKind.NODE,), public=public)


def _tried(store: TrustStore, chain: Sequence[bytes]) -> StoreTrial:
    from OpenSSL import crypto

    trial = StoreTrial(store=store.name, source=store.source, accepts=None, public=store.public, users=store.users)
    try:
        loaded = crypto.X509Store()
        store.load(loaded)
        entries = [crypto.load_certificate(crypto.FILETYPE_ASN1, der) for der in chain]
    except (OSError, ValueError, crypto.Error) as error:
        return replace(trial, detail=f"cannot be loaded: {legible(str(error) or 'it has no certificate in it')}")
    partial = bool(store.users) and set(store.users) <= _TAKE_INTERMEDIATES
    said = _refusal(loaded, entries, crypto.X509StoreFlags.PARTIAL_CHAIN if partial else 0)
    strict = "" if said else _strictly(loaded, entries)
    return replace(trial, accepts=not said, detail=said, strict=strict)


def _strictly(store: crypto.X509Store, chain: Sequence[crypto.X509]) -> str:
    """What Python 3.13 says: it sets VERIFY_X509_PARTIAL_CHAIN and VERIFY_X509_STRICT. OpenSSL 3, which it is built
    with, holds the CA that the chain ends at to these rules as well; OpenSSL 4, which may verify here, does not."""
    from OpenSSL import crypto

    said = _refusal(store, chain, crypto.X509StoreFlags.PARTIAL_CHAIN | crypto.X509StoreFlags.X509_STRICT)
    if said:
        return said
    anchor = crypto.X509StoreContext(store, chain[0], list(chain[1:])).get_verified_chain()[-1]
    return authority_fault(anchor.to_cryptography())


def _refusal(store: crypto.X509Store, chain: Sequence[crypto.X509], flags: int) -> str:
    """What OpenSSL says against the chain with these flags; "" for nothing. Flags stay set on a store."""
    from OpenSSL import crypto

    if flags:
        store.set_flags(flags)
    try:
        crypto.X509StoreContext(store, chain[0], list(chain[1:])).verify_certificate()
    except crypto.X509StoreContextError as error:
        return legible(str(error))
    return ""
