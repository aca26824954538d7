"""What a run is told of the stage: the target's JSON, and commands to look at it with curl."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from btdiag.lab.plan import API_KEY, APP_HOST, HOST, LabPlan

LOCAL = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where everything listens. `dns` has a port for each resolver; all but `https` and `plain` are at 127.0.0.1."""

    https: int
    plain: int
    backend: int
    brainstore: int
    app: int
    proxy: int
    dns: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """PEM files for clients."""

    ca: Path
    client_cert: Path
    client_key: Path
    netrc: Path


def describe(plan: LabPlan, ports: Ports, files: Files, addresses: tuple[str, ...]) -> dict[str, object]:
    """The target with everything that the plan does not leave out."""
    told = plan.told
    everything: dict[str, object] = {
        "url": f"https://{HOST}:{ports.https}",
        "ca": str(files.ca),
        "resolvers": [
            {"label": resolver.label, "address": f"{LOCAL}:{port}"}
            for resolver, port in zip(plan.resolvers, ports.dns, strict=True)
        ],
        "backend": f"http://{LOCAL}:{ports.backend}",
        "brainstore": f"http://{LOCAL}:{ports.brainstore}",
        "app_url": f"https://{APP_HOST}:{ports.app}",
        "api_key": API_KEY,
        "plain_port": ports.plain,
        "lb_idle_timeout": plan.balancer.upstream_idle,
        "backend_keepalive": plan.backend.keepalive,
    }
    if told.space is not None:
        everything["address_spaces"] = [[_network(address), told.space] for address in addresses]
    if told.through_proxy:
        everything["proxy"] = f"http://{LOCAL}:{ports.proxy}"
    if told.shows_client_certificate:
        everything |= {"client_cert": str(files.client_cert), "client_key": str(files.client_key)}
    if told.has_bucket:
        everything["bucket"] = f"http://{LOCAL}:{ports.brainstore}/overflow.json?X-Amz-Signature=lab"
    if told.names_app:
        everything["allow"] = [everything["app_url"]]
    if told.isolated:
        everything["expect_blocked"] = [everything["backend"]]
    if told.constrained:
        everything["app_url"] = everything["url"]
    if told.variables:
        stand = {"ca": str(files.ca), "proxy": f"{LOCAL}:{ports.proxy}", "netrc": str(files.netrc)}
        everything["variables"] = {name: value.format_map(stand) for name, value in told.variables}
    everything |= dict(told.extra)
    return {key: value for key, value in everything.items() if key not in told.omits}


def commands(target: dict[str, object], ports: Ports, address: str) -> list[str]:
    """Ready curl calls: through the load balancer, with the key, a preflight, past it."""
    place = f"[{address}]" if ":" in address else address
    curl = f"curl -i --cacert {target['ca']} --resolve {HOST}:{ports.https}:{place}"
    if "client_cert" in target:
        curl += f" --cert {target['client_cert']} --key {target['client_key']}"
    url = f"https://{HOST}:{ports.https}"
    preflight = "-X OPTIONS -H 'Origin: https://www.braintrust.dev' -H 'Access-Control-Request-Method: POST'"
    return [
        f"{curl} {url}/",
        f"{curl} {url}/version",
        f"{curl} -H 'Authorization: Bearer {API_KEY}' {url}/ping",
        f"{curl} {preflight} -H 'Access-Control-Request-Headers: authorization,content-type' {url}/btql",
        f"curl -i http://{LOCAL}:{ports.backend}/",
        f"curl -i --cacert {target['ca']} --proxy http://{LOCAL}:{ports.proxy} {url}/",
        f"dig @{LOCAL} -p {ports.dns[0]} {HOST}",
    ]


def _network(address: str) -> str:
    return f"{address}/128" if ":" in address else f"{address}/32"
