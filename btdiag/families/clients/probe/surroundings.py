"""What this machine sets for its programs: variables, the files that they name, and a login in .netrc."""

from __future__ import annotations

import contextlib
import netrc
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from btdiag.config.secretive import proxy_parts
from btdiag.core.client_kinds import ClientKind
from btdiag.core.measurement import measurement
from btdiag.core.proxy_rules import cleaned, reading
from btdiag.core.target import Target
from btdiag.families.clients.facts import ClientReading, FileState, NamedFile, Surroundings
from btdiag.net.stores import FILE_LIMIT

_FILES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS")
_PROXIES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
_KINDS = (ClientKind.PYTHON, ClientKind.HTTPX, ClientKind.NODE, ClientKind.GO, ClientKind.CURL)
_NETRC_LIMIT = 1024 * 1024  # bytes


def environment_of(target: Target) -> Mapping[str, str]:
    """The variables that the target's users start their programs with: this process's own, or what a lab says (where
    programs are found is this machine's affair)."""
    if target.variables is None:
        return os.environ
    return {"PATH": os.environ.get("PATH", ""), **dict(target.variables)}


@measurement(budget=2, why="reads a few variables and files of this machine")
async def surroundings(target: Target) -> Surroundings:
    """The variables that decide how other clients connect, the files that they name, and .netrc."""
    environment = environment_of(target)
    return Surroundings(
        files=tuple(_files(environment)),
        readings=tuple(_read_by(kind, environment, target) for kind in _KINDS) if _proxies(environment, target) else (),
        variables=_proxies(environment, target),
        netrc=_netrc(environment, target.host),
        unverified=environment.get("NODE_TLS_REJECT_UNAUTHORIZED") == "0",
    )


def _proxies(environment: Mapping[str, str], target: Target) -> tuple[str, ...]:
    wanted = (f"{target.scheme}_proxy", "all_proxy")
    return tuple(name for name in _PROXIES if environment.get(name) and name.lower() in wanted)


def _read_by(kind: ClientKind, environment: Mapping[str, str], target: Target) -> ClientReading:
    """One client's reading. Nothing is kept of a value that is no proxy's URL: it may hold a password."""
    found = reading(kind, environment, target.scheme, target.host, target.port)
    if not found.proxied:
        return ClientReading(kind=kind, reading=found)
    meant, fault = cleaned(environment[found.variable])
    try:
        return ClientReading(kind=kind, reading=found, proxy=proxy_parts(meant)[0], fault=fault)
    except ValueError:
        return ClientReading(kind=kind, reading=found, fault=fault)


def _files(environment: Mapping[str, str]) -> Iterator[NamedFile]:
    for variable in _FILES:
        if path := environment.get(variable):
            yield NamedFile(variable=variable, path=path[:300], state=_state(path, folders=variable == "SSL_CERT_DIR"))


def _state(path: str, *, folders: bool) -> FileState:
    places = [Path(part) for part in path.split(os.pathsep)] if folders else [Path(path)]
    try:
        if any(place.is_dir() for place in places):
            return FileState.SOUND
        place = places[0]
        if folders or not place.is_file():
            return FileState.MISSING
        with place.open("rb") as file:
            holds = b"CERTIFICATE-----" in file.read(FILE_LIMIT)
        return FileState.SOUND if holds else FileState.EMPTY
    except (OSError, ValueError):
        return FileState.MISSING


def _netrc(environment: Mapping[str, str], host: str) -> str:
    """The file whose login requests sends to the host: the one that NETRC names, or .netrc or _netrc at home."""
    home = environment.get("HOME") or environment.get("USERPROFILE")
    named = environment.get("NETRC")
    places = [Path(named)] if named else [Path(home, name) for name in (".netrc", "_netrc")] if home else []
    for place in places:
        with contextlib.suppress(OSError, ValueError, netrc.NetrcParseError):
            if place.is_file() and place.stat().st_size <= _NETRC_LIMIT:
                return str(place) if netrc.netrc(str(place)).authenticators(host) else ""
    return ""
