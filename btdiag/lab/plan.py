"""What a scenario stages: one frozen value per hop. The defaults are a healthy data plane.

A hop's value is a fault too: put among the faults of a scenario, it replaces that hop's defaults.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from btdiag.lab.rules import Rule

HOST = "api.lab.example"
APP_HOST = "app.lab.example"
API_KEY = "sk-lab-4f1d0c7e"

Door: TypeAlias = Literal["open", "refuses", "silent"]
Retry: TypeAlias = Literal["none", "idempotent", "all"]
PoolOrder: TypeAlias = Literal["lifo", "fifo", "random"]
Broken: TypeAlias = Literal[502, 503, "close"]
CertificateKind: TypeAlias = Literal[
    "valid",
    "expired",
    "expires-soon",
    "not-yet-valid",
    "wrong-name",
    "self-signed",
    "placeholder",
    "missing-intermediate",
    "inspected",
    "unknown-ca",
    "portal",
    "curve-no-browser-takes",
]


class LabHop(StrEnum):
    """The HTTP speaking stations of the lab. APP is the control plane as this machine's programs meet it, behind
    whatever filters their network; CONTROL_PLANE is what the data plane reaches."""

    BALANCER = "balancer"
    BACKEND = "backend"
    BRAINSTORE = "brainstore"
    CONTROL_PLANE = "control-plane"
    APP = "app"
    PROXY = "proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabResolver:
    """One DNS server and what it says of the target's name. Times in seconds.

    `addresses` None stands for those of the load balancer. `chain` are the names that the target's name is an alias
    for, in order; `dangling` lets the last of them not exist. `silent` drops the queries; `truncates` answers over UDP
    with the TC bit and nothing else; `extended_error` is an RFC 8914 info code; `families` limits the answer to IP
    versions; `rcode6` is the code that AAAA questions alone get; `https` is the name's HTTPS record as text. `udp`
    False drops all that comes over UDP, `edns` False what comes over it with an OPT record.
    """

    label: str
    rcode: str = "NOERROR"
    addresses: tuple[str, ...] | None = None
    chain: tuple[str, ...] = ()
    dangling: bool = False
    ttl: int = 60
    silent: bool = False
    delay: float = 0.0
    truncates: bool = False
    tcp: bool = True
    extended_error: int | None = None
    families: tuple[int, ...] = (4, 6)
    rcode6: str = "NOERROR"
    udp: bool = True
    edns: bool = True
    https: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How an address of the load balancer speaks TLS. `on_hello` other than "serves" breaks the
    handshake off ("resets-large": where the ClientHello fills more than one packet). `alpn`
    is what it offers; it speaks HTTP/1.1, whatever that is. `ciphers` are its suites for TLS 1.2, "" for OpenSSL's."""

    certificate: CertificateKind = "valid"
    minimum: str = "1.2"
    maximum: str = "1.3"
    demands_certificate: bool = False
    on_hello: Literal["serves", "resets", "silent", "plain-http", "resets-large"] = "serves"
    alpn: tuple[str, ...] = ("http/1.1",)
    ciphers: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balancer:
    """The load balancer: several addresses, one pool. Times in seconds.

    `front_idle` and `upstream_idle` close idle connections to clients and to the backend. `retry` says which requests
    are sent again when a reused backend connection turns out dead, `on_broken` what the client gets otherwise.
    `buffers` reads a request's whole body before the backend sees any of it. `link_delay` is the one-way delay between
    load balancer and backend. `silence_timeout` breaks an answer off that has begun and stays silent for so long.
    `takes_out_for` answers everything with `on_broken` for so long after one broken backend connection, as nginx does
    when all servers are marked down. `front_forgets` lets a client's connection that idled for so long swallow what is
    sent on it, as a NAT does; `front_hangs_up` closes every one after its answer without saying so. `style` is the
    vendor whose error pages and signature headers it shows. `plain` is what the http:// port does.
    """

    doors: tuple[tuple[str, Door], ...] = ()
    tls: Tls = Tls()
    tls_at: tuple[tuple[str, Tls], ...] = ()
    front_idle: float = 6.0
    front_forgets: float | None = None
    front_hangs_up: bool = False
    upstream_idle: float = 0.7
    upstream_timeout: float = 10.0
    silence_timeout: float | None = None
    pool_order: PoolOrder = "lifo"
    pool_size: int = 512
    retry: Retry = "idempotent"
    buffers: bool = True
    on_broken: Broken = 502
    takes_out_for: float = 0.0
    link_delay: float = 0.0
    link_drops_idle_after: float | None = None
    style: str = "nginx"
    plain: Literal["redirects", "serves", "refuses", "tls"] = "redirects"
    backend_down: bool = False

    def door(self, address: str) -> Door:
        """What a TCP connection to the address meets; the last fault that names the address, or "*", wins."""
        found: Door = "open"
        for pattern, door in self.doors:
            if pattern in ("*", address):
                found = door
        return found

    def tls_for(self, address: str) -> Tls:
        """How the address speaks TLS."""
        return dict(self.tls_at).get(address, self.tls)

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan with this load balancer."""
        return replace(plan, balancer=self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The API server. `keepalive` is its setting (seconds); like Node it announces that in its Keep-Alive header and
    closes `grace` seconds later. Without any grace it is no Node: a method that it does not know reaches the routes.
    `restarts` are the seconds for which its process lives each time, from the first connection on; it is then away for
    a moment."""

    keepalive: float = 2.0
    grace: float = 1.0
    hint: bool = True
    down: bool = False
    restarts: tuple[float, ...] = ()
    version: str = "1.1.32"
    payload_limit: int = 6 * 1024 * 1024
    origins: tuple[str, ...] = ()

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan with this API server."""
        return replace(plan, backend=self)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrainstoreRole:
    """One of Brainstore's servers: reader, fast-reader or writer. `latched` lets /status fail for ever. `name` is how
    the run is told of it, an address where none is given; `nameless` lets DNS deny that name."""

    role: str
    name: str = ""
    nameless: bool = False
    down: bool = False
    version: str = "1.1.32"
    latched: bool = False

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan with this server beside the others, of which the run is told."""
        return replace(plan, brainstore_roles=(*plan.brainstore_roles, self))


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The way to the web app's host: what DNS says of its name (None: the truth, empty: NXDOMAIN), what a connection
    meets, whose certificate is shown. `on_hello` "filters" resets connections whose ClientHello names the host."""

    addresses: tuple[str, ...] | None = None
    door: Door = "open"
    on_hello: Literal["serves", "resets", "silent", "filters"] = "serves"
    certificate: Literal["valid", "inspected", "wrong-name"] = "valid"

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan with this way to the web app."""
        return replace(plan, app=self)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabProxy:
    """The forward proxy. `denies` is the status it answers CONNECT with, to all hosts or to `denied_hosts`;
    `intercepts` makes it open TLS itself; `cuts_idle_after` is how long (seconds) a tunnel may be idle."""

    denies: int | None = None
    denied_hosts: tuple[str, ...] = ()
    credentials: str | None = None
    intercepts: bool = False
    down: bool = False
    cuts_idle_after: float | None = None

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan with this forward proxy."""
        return replace(plan, proxy=self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the target tells the run. `omits` are keys of the target left out; `space` is the IP address space that the
    lab's addresses count as, None for what they are; `decided` is what a user's browser profile has stored for the web
    app and local networks; `has_bucket` names a presigned URL of an object store, which Brainstore's port plays;
    `constrained` makes the data plane itself the app URL, `isolated` says that the API server must not be reachable,
    `names_app` that the web app's host must be; `variables` are what the programs of its users are started with, in
    which {ca}, {proxy} and {netrc} stand for the lab's CA file, its proxy's HOST:PORT and a file with a login for the
    target's host; `extra` adds or replaces keys."""

    omits: frozenset[str] = frozenset()
    space: Literal["public", "local"] | None = "public"
    decided: Literal["allow", "block"] | None = None
    through_proxy: bool = False
    shows_client_certificate: bool = False
    has_bucket: bool = False
    constrained: bool = False
    isolated: bool = False
    names_app: bool = False
    variables: tuple[tuple[str, str], ...] = ()
    extra: tuple[tuple[str, object], ...] = ()

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan with this target."""
        return replace(plan, told=self)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabPlan:
    """The whole stage. `config` is the text of the configuration file that the run is told of ("" for none). `rules`
    act on HTTP requests and responses at the hop they name, in order."""

    resolvers: tuple[LabResolver, ...] = (LabResolver(label="system"), LabResolver(label="nameserver"))
    balancer: Balancer = Balancer()
    backend: Backend = Backend()
    brainstore_down: bool = False
    proxy: LabProxy = LabProxy()
    app: App = App()
    told: Told = Told()
    config: str = ""
    brainstore_roles: tuple[BrainstoreRole, ...] = ()
    rules: tuple[tuple[LabHop, Rule], ...] = ()

    def rules_at(self, hop: LabHop) -> tuple[Rule, ...]:
        """The rules of one hop, in the order in which they act on a request."""
        return tuple(rule for place, rule in self.rules if place is hop)

    def with_rule(self, hop: LabHop, rule: Rule) -> LabPlan:
        """The plan with one rule more at the hop."""
        return replace(self, rules=(*self.rules, (hop, rule)))
