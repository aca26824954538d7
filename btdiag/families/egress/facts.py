"""Which hosts a place needs and why, and what trying to reach one of them gave.

The lists follow the product's Helm chart, Terraform modules and SDKs. Nothing but these hosts and those that the user
names is ever contacted.
"""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.core.exchange import Exchange
from btdiag.core.handshake import Connection
from btdiag.core.resolution import Resolution
from btdiag.core.stores import StoreTrial
from btdiag.core.target import Target
from btdiag.core.urls import same_place, url_parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host to be tried. `why` ends the sentence "it is needed for ..."; without an `essential` one something optional
    is missing. `named` tells that the user gave it himself; `calls_api` that SDKs call /api there, `upgrades` that the
    web app opens a WebSocket, `takes_telemetry` that the data plane sends its own there."""

    url: str
    why: str
    essential: bool = True
    named: bool = False
    calls_api: bool = False
    upgrades: bool = False
    expect_blocked: bool = False
    takes_telemetry: bool = False

    @property
    def name(self) -> str:
        """The host alone."""
        return url_parts(self.url).host

    @property
    def is_hosted(self) -> bool:
        """Whether it is known to be the hosted product's, or a public cloud's: its certificate is of a public CA."""
        return any(self.name == zone or self.name.endswith(f".{zone}") for zone in _HOSTED)


TELEMETRY = "/api/pulse/otel"  # OTLP over HTTP; a GET sends nothing there
LARGER = 64 * 1024  # bytes; what SDKs send is larger still, and filters that limit bodies often allow a few KiB

_HOSTED = ("braintrust.dev", "braintrustapi.com", "public.ecr.aws", "amazonaws.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTrial:
    """What became of one host. `misled` are addresses that lead nowhere or to this machine; `proxy` is the proxy's URL,
    and `proxy_note` who chose it or why there is none.

    None without a connection or where they were not due: `answer` is GET of the URL; where SDKs call it, `api` is a
    login without a key, `api_get` a GET of the same path after that was stopped, `api_large` the login in a larger
    body; `upgrade` a WebSocket handshake, `patient` the GET with more time after silence, `telemetry` GET of
    TELEMETRY. `other` is the connection on the way that was not chosen (`other_way` names it), tried after this
    one was blocked; `stores` who accepts a chain that is of no known public CA; `vouched` the CAs in the trusted
    chains of all hosts, by name.
    """

    host: Host
    resolution: Resolution
    misled: tuple[str, ...] = ()
    connections: tuple[Connection, ...] = ()
    answer: Exchange | None = None
    api: Exchange | None = None
    api_get: Exchange | None = None
    api_large: Exchange | None = None
    upgrade: Exchange | None = None
    patient: Exchange | None = None
    telemetry: Exchange | None = None
    stores: tuple[StoreTrial, ...] = ()
    vouched: tuple[str, ...] = ()
    other: Connection | None = None
    other_way: str = ""
    proxy: str = ""
    proxy_note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """All hosts that were tried."""

    trials: tuple[HostTrial, ...]

    @property
    def needed(self) -> tuple[HostTrial, ...]:
        """Those that must be reachable."""
        return tuple(trial for trial in self.trials if not trial.host.expect_blocked)

    @property
    def unwanted(self) -> tuple[HostTrial, ...]:
        """Those that must not be."""
        return tuple(trial for trial in self.trials if trial.host.expect_blocked)


_ROLES = {
    "data-plane": (
        Host(url="https://gateway.braintrust.dev", why="built-in models of the AI gateway", essential=False),
        Host(url="https://api.braintrust.dev", why="telemetry for billing by the AI proxy", essential=False),
    ),
    "browser": (
        Host(
            url="https://realtime.braintrustapi.com", why="live updates of the web app", essential=False, upgrades=True
        ),
    ),
    "build": (
        Host(url="https://public.ecr.aws", why="the container images and the Helm chart"),
        Host(url="https://braintrust-cf.s3.amazonaws.com", why="the CloudFormation templates", essential=False),
    ),
}
_APP_WHY = {
    "data-plane": "checking keys, settings and telemetry of the API server",
    "sdk": "the SDKs' login and the links that they print",
    "browser": "the web app",
}


def hosts(target: Target) -> tuple[Host, ...]:
    """The hosts to try for a target: those of its role (without one the web app's), --allow and --expect-blocked."""
    listed = [*_app_hosts(target), *_ROLES.get(target.role or "", ())]
    listed += [_named(url, why="what --allow names") for url in target.allow]
    unwanted = [_named(url, why="", expect_blocked=True) for url in target.expect_blocked]
    kept = {host.url: host for host in [*listed, *unwanted]}
    return tuple(kept.values())


def _named(url: str, *, why: str, expect_blocked: bool = False) -> Host:
    """A host that the user named; a ws:// or wss:// URL is asked over http or https, with an upgrade."""
    upgrades = url.startswith(("ws:", "wss:"))
    place = f"http{url.removeprefix('ws')}" if upgrades else url
    return Host(url=place, why=why, named=True, upgrades=upgrades, expect_blocked=expect_blocked)


def _app_hosts(target: Target) -> list[Host]:
    """The app URL, and beside www.NAME the bare NAME, as in the product's own list; none where SDKs are constrained to
    the data plane, nor for a place that only builds."""
    constrained = same_place(target.app_url, target.url) and target.role in {None, "sdk"}
    if constrained or target.role == "build":
        return []
    why = _APP_WHY.get(target.role or "", "the web app and the SDKs' login")
    app = [Host(url=target.app_url, why=why, calls_api=True, takes_telemetry=target.role == "data-plane")]
    parts = url_parts(target.app_url)
    if parts.host.startswith("www."):
        app.append(Host(url=f"{parts.scheme}://{parts.host.removeprefix('www.')}", why=why))
    return app
