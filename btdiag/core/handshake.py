"""The facts of one connection: TCP or proxy, TLS, the certificates sent, and the first answer. Times in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from btdiag.core.exchange import Exchange, Failure, Phase, Timing, Trouble
from btdiag.core.measurement import Blocked, NotAsked
from btdiag.core.resolution import Detour

_CHECKS = {
    Phase.TCP: "connection.tcp-connects",
    Phase.PROXY: "connection.proxy-lets-through",
    Phase.TLS: "connection.tls-handshake-completes",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One certificate as sent. `subject` and `issuer` are RFC 4514 names, `names` the host names and addresses that
    it is for, `issuer_url` where its issuer's certificate can be fetched (AIA caIssuers, RFC 5280 section 4.2.2.1).
    `key` is kind and size of its key ("RSA 2048", "EC secp256r1", "Ed25519"), `usages` the names of its key usages
    (RFC 5280 section 4.2.1.3), None where it has no such extension. `permitted` and `excluded` are the host names that
    a CA may, or may not, issue for (section 4.2.1.10)."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    serial: str
    sha256: str
    issuer_url: str = ""
    key: str = ""
    usages: tuple[str, ...] | None = None
    permitted: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    @property
    def self_issued(self) -> bool:
        """Subject and issuer are the same name: a root, or a self-signed certificate."""
        return self.subject == self.issuer

    def covers(self, moment: datetime) -> bool:
        """Whether the moment lies within the validity."""
        return self.not_before <= moment <= self.not_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """What TLS agreed on. `chain` is what the server sent, its own certificate first; `whole_chain` is False where this
    Python shows no more than the first one."""

    version: str
    cipher: str
    alpn: str | None
    chain: tuple[Certificate, ...]
    whole_chain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Distrust:
    """Why verification failed: OpenSSL's X509_V_ERR number and words."""

    code: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyReply:
    """What a proxy answered to CONNECT."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str:
        """The first value of a header, "" when it is absent."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What became of connecting on one route.

    `failure` is how it broke before a request could be sent; an untrusted certificate is `distrust` instead, for the
    connection was then made without verification. `greeting` is one HEAD request on the connection: it brings the
    server's clock, and the alert that a TLS 1.3 server sends late when it demands a client certificate. `plain_status`
    is the status of a plain HTTP request to a port that does not speak TLS, `speaks_tls` tells that an http:// URL
    leads to a TLS port, `without_sni` what a handshake without a server name came to after one with it broke off,
    `hangs_up` that a connection on which nothing was sent was ended as well, `outdated` the TLS version before 1.2 with
    which it came about instead, `lax` what was agreed on where OpenSSL was let take everything, `asks_certificate` that
    the server was seen to ask for a client certificate before it broke off, `small_packets` that a handshake that
    met silence completes where both sides send small packets, and `after_proxy_line` that it completes after a line of
    the PROXY protocol.
    """

    label: str
    port: int
    tls: bool
    started_at: datetime
    timing: Timing
    failure: Failure | None = None
    handshake: Handshake | None = None
    distrust: Distrust | None = None
    greeting: Exchange | None = None
    proxied: bool = False
    proxy_reply: ProxyReply | None = None
    plain_status: int | None = None
    speaks_tls: bool = False
    without_sni: str = ""
    hangs_up: bool = False
    outdated: str = ""
    lax: Handshake | None = None
    asks_certificate: bool = False
    small_packets: bool = False
    after_proxy_line: bool = False

    @property
    def broke_at(self) -> Phase | None:
        """The phase in which no connection came about; None when there is one that takes requests."""
        if self.failure is not None:
            return self.failure.phase
        if self.demands_proxy_login:
            return Phase.PROXY
        return Phase.TLS if self.late_refusal is not None or self.speaks_tls else None

    @property
    def demands_proxy_login(self) -> bool:
        """A proxy answered 407 to the request itself, for an http:// target needs no tunnel."""
        return self.proxied and not self.tls and self.greeting is not None and self.greeting.status == 407

    @property
    def late_refusal(self) -> Failure | None:
        """How the handshake was refused after it seemed complete (TLS 1.3): by an alert instead of an answer, or, where
        a client certificate was asked for, by closing without one, as servers on Python's asyncio do."""
        failure = self.greeting.failure if self.greeting is not None and self.greeting.status is None else None
        if failure is None or not self.tls:
            return None
        closed = failure.trouble in {Trouble.CLOSED, Trouble.RESET} and self.asks_certificate
        return failure if failure.trouble is Trouble.ALERT or closed else None

    @property
    def trouble(self) -> Failure | None:
        """What keeps requests from being sent, early or late; None when nothing does."""
        return self.failure or self.late_refusal

    @property
    def blocked_by(self) -> str | None:
        """The id of the check that fails because of this connection; None when it takes requests."""
        if self.outdated:
            return "connection.tls-versions-suffice"
        return _CHECKS.get(self.broke_at) if self.broke_at else None

    @property
    def why_blocked(self) -> str:
        """The same in words."""
        other = "the proxy demands a login" if self.demands_proxy_login else "the port speaks TLS, the URL says http://"
        return f"no connection to {self.label}: {self.trouble.detail if self.trouble else other}"

    @property
    def leaf(self) -> Certificate | None:
        """The server's own certificate."""
        return self.handshake.chain[0] if self.handshake and self.handshake.chain else None


def got_furthest(connections: Mapping[str, Connection]) -> Connection | None:
    """Of the connections that take no requests the one that broke latest: it tells what the others would meet next."""
    order = list(Phase)
    broken = [(order.index(one.broke_at), one) for one in connections.values() if one.broke_at is not None]
    return max(broken, key=lambda entry: entry[0])[1] if broken else None


def blocked_measurement(connections: Mapping[str, Connection]) -> Blocked | NotAsked:
    """Why there is nothing to measure behind these connections."""
    furthest = got_furthest(connections)
    if furthest is None or furthest.blocked_by is None:
        return NotAsked("no address was tried")
    return Blocked(furthest.blocked_by, furthest.why_blocked)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionTrial:
    """Whether the server takes one TLS version: None where that could not be found out."""

    version: str
    accepted: bool | None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsVersions:
    """Which TLS versions the first address that accepts TCP connections takes, oldest first."""

    label: str
    trials: tuple[VersionTrial, ...]

    @property
    def accepted(self) -> tuple[str, ...]:
        """The versions that a handshake succeeded with."""
        return tuple(trial.version for trial in self.trials if trial.accepted)

    @property
    def refused(self) -> tuple[str, ...]:
        """The versions that the server turned down."""
        return tuple(trial.version for trial in self.trials if trial.accepted is False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Astray:
    """Where programs on this machine are led, beside where DNS itself leads. None where nothing leads them elsewhere.

    `there` is a connection to an address that programs get, `straight` one to an address that DNS (or the other
    resolver) gives for the same name; that one is None where there is no such address.
    """

    detour: Detour | None = None
    there: Connection | None = None
    straight: Connection | None = None

    @property
    def is_proved(self) -> bool:
        """Whether the detour is the fault: the target does not work there, and works straight; or does not work under
        a name that is answered only because any name is."""
        if self.detour is None or self.there is None:
            return False
        if self.straight is None:
            return self.detour.wildcard and not _works(self.there)
        return _works(self.straight) and not _works(self.there, self.straight)


def _works(one: Connection, beside: Connection | None = None) -> bool:
    """Whether requests can be sent to a server that is trusted and, in comparison, is not the only one to say no."""
    if one.broke_at is not None or one.distrust is not None:
        return False
    said = one.greeting.status if one.greeting is not None else None
    other = beside.greeting.status if beside is not None and beside.greeting is not None else None
    return beside is None or (said or 599) < 400 or (other or 599) >= 400
