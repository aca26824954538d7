"""What is tested and how: a data plane with all that belongs to it, the mode of a run, the ways to an address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from btdiag.core.urls import bracketed, default_port


class Secret:
    """A value that must not reach any output. `repr` and `str` hide it; only `reveal` gives it, to what sends it.

    `ordinary` marks one of words that may stand anywhere ("application/json"): it is removed as a whole, not in pieces.
    """

    __slots__ = ("_value", "ordinary")

    def __init__(self, value: str, *, ordinary: bool = False) -> None:
        self._value = value
        self.ordinary = ordinary

    def reveal(self) -> str:
        """The value itself: to send it, or to remove it from an output."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """The HTTP proxy that requests to a target go through.

    `url` has no userinfo; `credentials` is "user:password" for Proxy-Authorization. `source` says who chose it:
    "--proxy", "HTTPS_PROXY" ...
    """

    url: str
    source: str
    credentials: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """Who turns names into addresses. `address` is "IP:PORT" of a name server; None is the system's resolver."""

    label: str
    address: str | None = None


SYSTEM_RESOLVER = Resolver(label="system")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredSetting:
    """A setting of the data plane as a configuration file (--config) has it; `where`: "values.yaml line 7"."""

    name: str
    value: str
    where: str

    def __str__(self) -> str:
        return f"{self.name} is {self.value} in {self.where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One data plane to be tested, with all that belongs to it alone. Times in seconds.

    `host` is lower-case ASCII (IDNA), an IPv6 literal without brackets; `path` is "" or a prefix such as "/braintrust"
    without a slash at its end. `resolvers` are asked side by side; the first one is what this machine's programs use.
    `brainstore_roles` are (role, URL) of each of Brainstore's servers, "" where no role was named; `brainstore` is the
    first URL. `settings` are what the files of --config declare, of which `lb_idle_timeout` and `backend_keepalive`
    may come; `logs` is what its load balancers write.
    `resolve` holds addresses that replace DNS (`--resolve`), `pinned` those that it gives for any host and port;
    `plain_port` is where http:// would be served (80 beside
    443). `address_spaces` maps networks to "public", "local" or "loopback" where the lab says otherwise than the
    address itself (as Chromium's --ip-address-space-overrides does). Of a lab's users only: `browser_profile` is their
    stored permissions, `page` how they open the web app: "framed" in another site's page, "restricted" by a header, and
    `variables` what their programs are started with (None: with this process's own environment).
    `key_over_http` allows the key over plain http to an address that is not public.
    `withheld` says which secrets were given, but may not go to this target, and why ("" if all may).
    """

    url: str
    scheme: str
    host: str
    port: int
    path: str = ""
    resolvers: tuple[Resolver, ...] = (SYSTEM_RESOLVER,)
    resolve: tuple[str, ...] = ()
    pinned: tuple[tuple[str, int, tuple[str, ...]], ...] = ()
    plain_port: int | None = None
    proxy: Proxy | None = None
    proxy_note: str = ""
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    api_key: Secret | None = None
    api_key_source: str = ""
    key_over_http: bool = False
    headers: tuple[tuple[str, Secret], ...] = ()
    backend: str | None = None
    brainstore: str | None = None
    brainstore_roles: tuple[tuple[str, str], ...] = ()
    gateway: str | None = None
    bucket: str | None = None
    lb_idle_timeout: float | None = None
    backend_keepalive: float | None = None
    app_url: str = "https://www.braintrust.dev"
    origins: tuple[str, ...] = ()
    settings: tuple[DeclaredSetting, ...] = ()
    logs: tuple[Path, ...] = ()
    sdks: tuple[tuple[str, str], ...] = ()
    role: str | None = None
    allow: tuple[str, ...] = ()
    expect_blocked: tuple[str, ...] = ()
    lab_scenario: str | None = None
    address_spaces: tuple[tuple[str, str], ...] = ()
    browser_profile: Path | None = None
    page: str = ""
    variables: tuple[tuple[str, str], ...] | None = None
    withheld: str = ""

    def setting(self, name: str) -> DeclaredSetting | None:
        """What a file of --config declares of this setting, if that counts."""
        return next((one for one in self.settings if one.name == name), None)

    def addresses_given(self, host: str, port: int) -> tuple[str, ...]:
        """The addresses that --resolve gives for a host and port; none where DNS is asked."""
        if (host, port) == (self.host, self.port):
            return self.resolve
        return tuple(one for name, number, given in self.pinned if (name, number) == (host, port) for one in given)

    @property
    def authority(self) -> str:
        """What belongs into a Host header: the port only when it is not the scheme's own (RFC 9110 section 7.2)."""
        host = bracketed(self.host)
        return host if self.port == default_port(self.scheme) else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """scheme://authority, without the path."""
        return f"{self.scheme}://{self.authority}"

    def url_for(self, path: str) -> str:
        """The absolute URL of an API path ("/version") under the target's own prefix."""
        return self.origin + self.path + path


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """How a run goes about it, the same for all targets. Times in seconds."""

    quick: bool = False
    deep: bool = False
    budget: float = 120.0
    induce: bool | None = None
    connections: int = 200
    probe_path: str | None = None
    periods: int | None = None
    browser: str = "auto"
    headed: bool = False
    screenshots: bool = False
    browser_profile: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One way to the target: a single address, or a proxy that resolves the name itself (`address` is None then).

    `label` names it in reports and is the key under which facts per address are kept.
    """

    label: str
    address: str | None
    port: int
    proxy: Proxy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A route on which a connection was seen to work. `verify` is False where the certificate is not trusted: probes
    go on without verification there (and without the API key), for what lies behind is worth knowing. `behind_login`
    tells that a login stands there which lets the API key pass, as every client of the product has one."""

    route: Route
    verify: bool = True
    behind_login: bool = False
