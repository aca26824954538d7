"""The values that everything else speaks of: what is tested, what was found, what is reported. Frozen, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""What json.dumps takes: evidence and facts are made of it, so that every format can show them."""


class Verdict(StrEnum):
    """What is known of a claim. The order of severity is fail > inconclusive > warn > pass > skip."""

    SKIP = "skip"
    PASS = "pass"
    WARN = "warn"
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"

    @property
    def severity(self) -> int:
        """0 (skip) to 4 (fail)."""
        return _SEVERITY[self]


_SEVERITY = {verdict: number for number, verdict in enumerate(Verdict)}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The most severe of the verdicts; `skip` for none at all."""
    return max(verdicts, key=lambda verdict: verdict.severity, default=Verdict.SKIP)


class Secret:
    """A value that must not reach any output. `repr` and `str` hide it; only `reveal` gives it, to what sends it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

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


class HopName(StrEnum):
    """The stations between a client and the API, in the order in which a request passes them."""

    CLIENT = "client"
    DNS = "dns"
    PROXY = "proxy"
    NETWORK = "network"
    TLS = "tls"
    LOAD_BALANCER = "load balancer"
    API = "api"
    BRAINSTORE = "brainstore"
    BROWSER = "browser"
    CONTROL_PLANE = "control plane"
    CONFIG = "config"


class Owner(StrEnum):
    """Who can change what is at fault."""

    CLIENT = "user of this machine"
    DNS = "DNS administrator"
    PROXY = "proxy administrator"
    NETWORK = "network and firewall team"
    CERTIFICATES = "certificate owner"
    LOAD_BALANCER = "load balancer owner"
    API = "data plane operator"
    BROWSER = "browser policy administrator"
    BRAINTRUST = "Braintrust support"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One proof that a report shows. `kind` tells a renderer how `data` is shaped: see judge/evidence.py."""

    kind: str
    title: str
    data: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """Configuration to copy; `product` names what it is for: nginx, ALB, Helm, Terraform, shell ..."""

    product: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What to change. `text` is one or two plain sentences with the real values filled in."""

    text: str
    snippets: tuple[Snippet, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a judgement concludes about one claim.

    `because` is the id of another check whose failure explains this one: set it with verdict `skip`. `hop` is a
    HopName and `owner` an Owner; a user's own checks may use plain strings.
    """

    verdict: Verdict
    summary: str
    hop: str = ""
    owner: str = ""
    expected: str = ""
    seen: str = ""
    evidence: tuple[Evidence, ...] = ()
    remedy: Remedy | None = None
    because: str | None = None
    sources: tuple[str, ...] = ()


class NotHeldError(Exception):
    """Raised by a check whose claim does not hold, or could not be decided; carries the finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.summary)
        self.finding = finding


def conclude(finding: Finding) -> Finding:
    """Return the finding when its claim holds (`pass`), else raise NotHeldError with it. Every check ends with it."""
    if finding.verdict is Verdict.PASS:
        return finding
    raise NotHeldError(finding)


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
    `settings` are what the files of --config declare, of which `lb_idle_timeout` and `backend_keepalive` may come.
    `resolve` holds addresses that replace DNS (`--resolve`); `plain_port` is where http:// would be served (80 beside
    443). `address_spaces` maps networks to "public", "local" or "loopback" where the lab says otherwise than the
    address itself (as Chromium's --ip-address-space-overrides does). Of a lab's users only: `browser_profile` is their
    stored permissions, `page` how they open the web app: "framed" in another site's page, "restricted" by a header.
    """

    url: str
    scheme: str
    host: str
    port: int
    path: str = ""
    resolvers: tuple[Resolver, ...] = (SYSTEM_RESOLVER,)
    resolve: tuple[str, ...] = ()
    plain_port: int | None = None
    proxy: Proxy | None = None
    proxy_note: str = ""
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    api_key: Secret | None = None
    api_key_source: str = ""
    headers: tuple[tuple[str, Secret], ...] = ()
    backend: str | None = None
    brainstore: str | None = None
    gateway: str | None = None
    bucket: str | None = None
    lb_idle_timeout: float | None = None
    backend_keepalive: float | None = None
    app_url: str = "https://www.braintrust.dev"
    origins: tuple[str, ...] = ()
    settings: tuple[DeclaredSetting, ...] = ()
    sdks: tuple[tuple[str, str], ...] = ()
    role: str | None = None
    allow: tuple[str, ...] = ()
    expect_blocked: tuple[str, ...] = ()
    lab_scenario: str | None = None
    address_spaces: tuple[tuple[str, str], ...] = ()
    browser_profile: Path | None = None
    page: str = ""

    def setting(self, name: str) -> DeclaredSetting | None:
        """What a file of --config declares of this setting, if that counts."""
        return next((one for one in self.settings if one.name == name), None)

    @property
    def authority(self) -> str:
        """What belongs into a Host header: the port only when it is not the scheme's own (RFC 9110 section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"http": 80, "https": 443}[self.scheme] else f"{host}:{self.port}"

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
    go on without verification there (and without the API key), for what lies behind is worth knowing."""

    route: Route
    verify: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One station of the path picture; `state` is "ok", "warn", "broken", "unknown" or "not reached"."""

    hop: str
    state: str
    detail: str = ""
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One check as reported. `waived` is the reason of an accepted finding: shown, but not counted. `why` says in the
    user's terms why the claim matters."""

    id: str
    family: str
    title: str
    verdict: Verdict
    summary: str
    hop: str = ""
    owner: str = ""
    because: str | None = None
    expected: str = ""
    seen: str = ""
    rerun: str = ""
    evidence: tuple[Evidence, ...] = ()
    remedy: Remedy | None = None
    sources: tuple[str, ...] = ()
    measurements: tuple[str, ...] = ()
    duration_s: float = 0.0
    waived: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementRecord:
    """When a measurement ran and what it saw. `name` is unique in a report ("connection@127.0.0.2"); `fact` is None
    where there is none, and `missing` says why. Times in seconds since the start of the run."""

    name: str
    started_s: float
    duration_s: float
    fact: Json = None
    missing: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantage:
    """From where the run looked. `proxies` has no credentials."""

    hostname: str
    platform: str
    python: str
    proxies: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """The run itself. `started_at` is RFC 3339 UTC."""

    id: str
    started_at: str
    duration_s: float
    longest_wait_s: float
    interrupted: bool
    options: Mapping[str, Json]
    exit_code: int
    requests_sent: int
    vantage: Vantage


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The complete result for one target; every format is a pure function of it.

    `target` holds the fields of Target that may be shown; `root_cause` is the id of the failed check that comes first
    on the path, None without a failure.
    """

    tool_version: str
    run: RunInfo
    target: Mapping[str, Json]
    verdict: Verdict
    root_cause: str | None
    headline: str
    counts: Mapping[str, int]
    path: tuple[Hop, ...]
    checks: tuple[CheckResult, ...]
    not_seen: tuple[str, ...] = ()
    redactions: Mapping[str, int] = field(default_factory=dict)
    measurements: tuple[MeasurementRecord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSet:
    """Several targets of one run."""

    verdict: Verdict
    headline: str
    reports: tuple[Report, ...]
