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


def _ports(container: Container, maps: Sequence[Node]) -> Iterator[Hit]:
    """Brainstore asked on a port on which it does not listen."""
    named = {item.text_at("configMapRef", "name") for item in (container.node.at("envFrom") or Node(value=None)).items}
    ports = {port for one in maps if _name(one) in named and (port := (one.at("data") or one).text_at(_PORT))}
    if container.role != "brainstore" or len(ports) != 1:
        return
    port = ports.pop()
    for kind in ("readinessProbe", "livenessProbe"):
        asked = container.node.at(kind, "httpGet", "port")
        if asked is not None and asked.place is not None and (asked.text or "").isdigit() and asked.text != port:
            yield Hit(
                rule="config.ports-match",
                verdict=Verdict.FAIL,
                place=asked.place,
                key=f"{container.workload}.{kind}.httpGet.port",
                summary=f"the ports do not match: Brainstore listens on {port[:20]}, its probe asks {asked.text}",
                expected=port[:20],
                seen=asked.text or "",
                remedy="Ask the port on which the container listens.",
            )
