"""Rendered manifests that do not fit each other: what `helm template`, or `kubectl get -o yaml`, shows as it will be.

The chart makes the addresses of Brainstore out of global.namespace and puts objects into the release's namespace.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from btdiag.lint.house import Verdict
from btdiag.lint.nodes import Node
from btdiag.lint.rules.settings import PLACEHOLDER
from btdiag.lint.subjects import Container, Hit, Subjects

_ADDRESSES = ("BRAINSTORE_URL", "BRAINSTORE_WRITER_URL", "BRAINSTORE_FAST_READER_URL")
_FAST = "BRAINSTORE_FAST_READER_URL"
_PORT = "BRAINSTORE_PORT"
_API_PORTS = ("TS_API_PORT", "TS_API_HEALTHSERVER_PORT")


def check(subjects: Subjects) -> Iterator[Hit]:
    """Every ConfigMap against the Services and Deployments beside it, every container against its ConfigMap."""
    services = [node for node in subjects.manifests if node.text_at("kind") == "Service"]
    maps = [node for node in subjects.manifests if node.text_at("kind") == "ConfigMap"]
    for node in maps:
        data = node.at("data") or Node(value=None)
        yield from _placeholder(data)
        for variable in _ADDRESSES:
            yield from _elsewhere(variable, data, services)
        yield from _nobody(data, subjects.manifests, services)
    for container in subjects.containers:
        yield from _ports(container, maps)


def _name(node: Node) -> str:
    return node.text_at("metadata", "name")


def _placeholder(data: Node) -> Iterator[Hit]:
    name = data.at("ORG_NAME")
    if name is not None and name.text == PLACEHOLDER and name.place is not None:
        yield Hit(
            rule="config.organisation-is-set",
            verdict=Verdict.FAIL,
            place=name.place,
            key="data.ORG_NAME",
            summary="ORG_NAME is the chart's placeholder: the API refuses every organisation",
            expected="the organisation's name",
            seen=PLACEHOLDER,
            remedy="Set global.orgName and render again.",
        )


def _host(text: str | None) -> tuple[str, str]:
    """(Service, namespace) of an address in the cluster; the namespace is "" where the address names none."""
    try:
        labels = (urlsplit(text or "").hostname or "").split(".")
    except ValueError:
        labels = [""]
    return labels[0], labels[1] if len(labels) > 1 else ""


def _elsewhere(variable: str, data: Node, services: Sequence[Node]) -> Iterator[Hit]:
    node = data.at(variable)
    service, looked_in = _host(node.text if node is not None else None)
    lie_in = [one.text_at("metadata", "namespace") for one in services if _name(one) == service]
    there = lie_in[0] if lie_in and looked_in not in lie_in and all(lie_in) else ""
    if node is not None and node.place is not None and there and looked_in:
        yield Hit(
            rule="config.namespace-matches",
            verdict=Verdict.FAIL,
            place=node.place,
            key=f"data.{variable}",
            summary=f"the API looks for {service} in the namespace {looked_in}, and its Service is in {there}",
            expected=there,
            seen=looked_in,
            remedy=f"Set global.namespace to {there} and render again.",
        )


def _nobody(data: Node, manifests: Sequence[Node], services: Sequence[Node]) -> Iterator[Hit]:
    """Fast readers that the API is told of, and whose Deployment runs no pod."""
    address = data.at(_FAST)
    service = _host(address.text if address is not None else None)[0]
    selectors = [selector for one in services if _name(one) == service and (selector := one.at("spec", "selector"))]
    if len(selectors) != 1 or not selectors[0].map:
        return
    selector = selectors[0]
    wanted = {key: one.text for key, one in selector.map.items()}
    for node in manifests:
        labels = node.at("spec", "template", "metadata", "labels") or Node(value=None)
        replicas = node.at("spec", "replicas")
        carries = wanted.items() <= {key: one.text for key, one in labels.map.items()}.items()
        if carries and replicas is not None and replicas.text == "0" and replicas.place is not None:
            yield Hit(
                rule="brainstore.fast-readers-run",
                verdict=Verdict.FAIL,
                place=replicas.place,
                key="spec.replicas",
                summary=f"{_name(node)} runs no pod, and {_FAST} sends the API's queries there",
                expected="at least one replica",
                seen="0",
                remedy="Run at least one small fast reader: the chart cannot be without.",
            )


def _variable(container: Container, maps: Sequence[Node], name: str) -> str | None:
    """What a container is given for a variable: its own, else that of its ConfigMaps; None where that is not to be
    told, "" where nothing gives it."""
    own = [item for item in (container.node.at("env") or Node(value=None)).items if item.text_at("name") == name]
    if own:
        value = own[-1].at("value")
        return value.text if value is not None else None
    named = {item.text_at("configMapRef", "name") for item in (container.node.at("envFrom") or Node(value=None)).items}
    found = {text for one in maps if _name(one) in named and (text := (one.at("data") or one).text_at(name))}
    return found.pop() if len(found) == 1 else "" if not found else None


def _ports(container: Container, maps: Sequence[Node]) -> Iterator[Hit]:
    """Brainstore, or the API, asked on a port on which it does not listen; the API behind another port than its own."""
    if container.role == "brainstore":
        listens = _variable(container, maps, _PORT)
        yield from _probes(container, "Brainstore", (listens,) if listens else ())
    elif container.role == "api":
        server, health = (_variable(container, maps, name) for name in _API_PORTS)
        if server is not None and health is not None:
            server = server or "8000"
            yield from _probes(container, "the API server", (server, health or "8001"))
            yield from _offered(container, server)


def _probes(container: Container, who: str, listens: Sequence[str]) -> Iterator[Hit]:
    for kind in ("readinessProbe", "livenessProbe") if listens else ():
        asked = container.node.at(kind, "httpGet", "port")
        if asked is not None and asked.place is not None and (asked.text or "").isdigit() and asked.text not in listens:
            said = " and ".join(port[:20] for port in listens)
            yield Hit(
                rule="config.ports-match",
                verdict=Verdict.FAIL,
                place=asked.place,
                key=f"{container.workload}.{kind}.httpGet.port",
                summary=f"the ports do not match: {who} listens on {said}, its probe asks {asked.text}",
                expected=said,
                seen=asked.text or "",
                remedy="Ask the port on which the container listens.",
            )


def _offered(container: Container, server: str) -> Iterator[Hit]:
    """The one port that the container offers, where the server does not follow it (api.service.port of the chart)."""
    listed = (container.node.at("ports") or Node(value=None)).items
    offered = listed[0].at("containerPort") if len(listed) == 1 else None
    if offered is not None and offered.place is not None and (offered.text or "").isdigit() and offered.text != server:
        yield Hit(
            rule="config.ports-match",
            verdict=Verdict.FAIL,
            place=offered.place,
            key=f"{container.workload}.ports",
            summary=f"the ports do not match: the API server listens on {server[:20]}, its container offers "
            f"{offered.text}",
            expected=server[:20],
            seen=offered.text or "",
            remedy=f"Keep {server[:20]}, or set TS_API_PORT to {offered.text} as well.",
        )
