"""What decides how the product's other clients connect from here: variables, files, ways, trust stores, sizes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from btdiag.core.client_kinds import ClientKind
from btdiag.core.handshake import Connection
from btdiag.core.proxy_rules import ProxyReading, ValueFault
from btdiag.core.stores import StoreTrial


class FileState(StrEnum):
    """What a file is like that a variable names for its certificates."""

    SOUND = "sound"
    MISSING = "missing"
    EMPTY = "without a certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFile:
    """A file or folder of CAs that a variable names."""

    variable: str
    path: str
    state: FileState


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientReading:
    """How one client reads the proxy variables for the target: `proxy` is the URL it asks, without a login, "" where it
    goes directly; `fault` what is wrong with the value it takes, as it is written."""

    kind: ClientKind
    reading: ProxyReading
    proxy: str = ""
    fault: ValueFault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What this machine sets for its programs. `netrc` is the file that holds a login for the target's host ("" for
    none), `unverified` tells that NODE_TLS_REJECT_UNAUTHORIZED=0 is set; `variables` are the proxy variables that are
    set, by name."""

    files: tuple[NamedFile, ...] = ()
    readings: tuple[ClientReading, ...] = ()
    variables: tuple[str, ...] = ()
    netrc: str = ""
    unverified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WayTrial:
    """A way that some clients take and this run does not: the proxy's URL, "" for directly; how the connection went
    there (None where the name did not resolve)."""

    proxy: str
    connection: Connection | None

    @property
    def works(self) -> bool:
        """Whether a connection came about."""
        return self.connection is not None and self.connection.failure is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientWays:
    """The ways of the clients that do not go as this run does."""

    own: str
    trials: tuple[WayTrial, ...] = ()

    def trial(self, proxy: str) -> WayTrial | None:
        """What became of a way; None for this run's own."""
        return next((trial for trial in self.trials if trial.proxy == proxy), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainTrials:
    """Which trust stores accept the chain that one address sends. `assumed` is the file of --ca, which every program is
    taken to be given whose variables say nothing else, "" without one. `python` is this machine's."""

    label: str
    stores: tuple[StoreTrial, ...]
    assumed: str = ""
    python: tuple[int, int] = (3, 11)


@dataclass(frozen=True, slots=True, kw_only=True)
class HelloTry:
    """One ClientHello: its size in bytes, whether TLS answered it, and what came instead."""

    size: int
    answered: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeHello:
    """A ClientHello as large as one with a post-quantum key, on one address; where it is not answered, alternately with
    small ones, each twice."""

    label: str
    large: tuple[HelloTry, ...]
    small: tuple[HelloTry, ...] = ()
