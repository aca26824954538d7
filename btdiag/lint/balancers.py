"""The load balancers that files declare in front of the API, with the time for which they keep idle connections.

Only what is said to stand in front of the API counts, and only what keeps connections (layer 7). Sources: AWS Load
Balancer Controller (load-balancer-attributes), Google Cloud (backend keep-alive is 600 s, fixed), ingress-nginx
(upstream-keepalive-timeout), Istio (DestinationRule idleTimeout), terraform-aws modules/api-ecs/alb.tf (900 s). ALBs
and ingress-nginx wait 60 s where nothing is said (idle_timeout.timeout_seconds, upstream-keepalive-timeout).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator

from btdiag.lint.nodes import HclBlock, Node, Position, walk
from btdiag.lint.subjects import Call, DeclaredBalancer

GOOGLE_S = 600
USUAL_S = 60
ECS_S = 900
_ALB = "alb.ingress.kubernetes.io/load-balancer-attributes"
_CLASSIC = "service.beta.kubernetes.io/aws-load-balancer-connection-idle-timeout"
_CLASSIC_TYPE = "service.beta.kubernetes.io/aws-load-balancer-type"
_CLASSIC_PROTOCOL = "service.beta.kubernetes.io/aws-load-balancer-backend-protocol"
_IDLE = re.compile(r"(?:^|[,\s])idle_timeout\.timeout_seconds\s*=\s*(\d{1,7})")
_DURATION = re.compile(r"(\d{1,7}(?:\.\d{1,3})?)(ms|s|m|h)")
_FACTOR = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def of_manifest(node: Node, services: Collection[str]) -> Iterator[DeclaredBalancer]:
    """What one Kubernetes object declares; `services` are the names of the API's Service."""
    kind = node.text_at("kind")
    if kind == "Ingress" and _speaks_of(node.at("spec"), services):
        yield from _ingress(node)
    elif kind == "Service" and node.text_at("metadata", "name") in services:
        yield from annotated(node.at("metadata", "annotations") or Node(value=None), "metadata.annotations")
    elif kind == "ConfigMap":
        yield from _nginx(node)
    elif kind == "IngressClassParams":
        yield from _class_parameters(node)
    elif kind == "DestinationRule" and _host(node.text_at("spec", "host")) in services:
        idle = node.at("spec", "trafficPolicy", "connectionPool", "http", "idleTimeout")
        yield from _duration("Istio", idle, "spec.trafficPolicy.connectionPool.http.idleTimeout")


def of_gateways(manifests: Collection[Node], services: Collection[str]) -> Iterator[DeclaredBalancer]:
    """Google's load balancers behind the Gateway API, where a route leads to the API, or no route is known."""
    routed = {
        reference.text_at("name")
        for node in manifests
        if node.text_at("kind") == "HTTPRoute" and _speaks_of(node.at("spec", "rules"), services)
        for reference in (node.at("spec", "parentRefs") or node).items
    }
    routes = any(node.text_at("kind") == "HTTPRoute" for node in manifests)
    for node in manifests:
        name = node.at("spec", "gatewayClassName")
        if node.text_at("kind") != "Gateway" or name is None:
            continue
        if routes and node.text_at("metadata", "name") not in routed:
            continue
        if (name.text or "").startswith("gke-l7") and name.place is not None:
            yield DeclaredBalancer(
                name="Google's load balancer", idle_s=GOOGLE_S, place=name.place, key="spec.gatewayClassName"
            )


def _ingress(node: Node) -> Iterator[DeclaredBalancer]:
    annotations = node.at("metadata", "annotations") or Node(value=None)
    attributes = annotations.at(_ALB)
    match = _IDLE.search(attributes.text or "") if attributes is not None else None
    if match and attributes is not None and attributes.place is not None:
        key = f"metadata.annotations.{_ALB}"
        yield DeclaredBalancer(name="the ALB", idle_s=float(match[1]), place=attributes.place, key=key)
    for path in (("metadata", "annotations", "kubernetes.io/ingress.class"), ("spec", "ingressClassName")):
        name = node.at(*path)
        if name is None or name.place is None:
            continue
        known = {"gce": "Google's load balancer", "gce-internal": "Google's load balancer"}
        usual = {"alb": "the ALB", "nginx": "ingress-nginx"}
        if name.text in known:
            yield DeclaredBalancer(name=known[name.text], idle_s=GOOGLE_S, place=name.place, key=".".join(path))
        elif name.text in usual and not match:
            yield DeclaredBalancer(name=usual[name.text], idle_s=USUAL_S, place=name.place, key=".".join(path))


def _class_parameters(node: Node) -> Iterator[DeclaredBalancer]:
    """The attributes that AWS's controller gives to every ALB of an ingress class."""
    for item in (node.at("spec", "loadBalancerAttributes") or node).items:
        value = item.at("value")
        if item.text_at("key") == "idle_timeout.timeout_seconds" and value is not None:
            yield from _seconds("the ALB", value, "spec.loadBalancerAttributes")


def annotated(annotations: Node, key: str) -> Iterator[DeclaredBalancer]:
    """What annotations of a Service declare: a classic load balancer, unless it is said to pass TCP on."""
    idle = annotations.at(_CLASSIC)
    speaks_http = annotations.text_at(_CLASSIC_PROTOCOL) in ("", "http", "https")
    if idle is not None and speaks_http and annotations.at(_CLASSIC_TYPE) is None:
        yield from _seconds("the classic load balancer", idle, f"{key}.{_CLASSIC}")


def _nginx(node: Node) -> Iterator[DeclaredBalancer]:
    idle = node.at("data", "upstream-keepalive-timeout")
    if idle is not None:
        yield from _seconds("ingress-nginx", idle, "data.upstream-keepalive-timeout")


def _seconds(name: str, node: Node, key: str) -> Iterator[DeclaredBalancer]:
    text = node.text or ""
    if node.place is not None and re.fullmatch(r"\d{1,7}s?", text):
        yield DeclaredBalancer(name=name, idle_s=float(text.rstrip("s")), place=node.place, key=key)


def _duration(name: str, node: Node | None, key: str) -> Iterator[DeclaredBalancer]:
    match = _DURATION.fullmatch(node.text or "") if node is not None else None
    if match and node is not None and node.place is not None:
        yield DeclaredBalancer(name=name, idle_s=float(match[1]) * _FACTOR[match[2]], place=node.place, key=key)


def _speaks_of(node: Node | None, services: Collection[str]) -> bool:
    """Whether a backend below names the API's Service."""
    return node is not None and any(path[-1:] == ("name",) and one.text in services for path, one in walk(node) if path)


def _host(host: str) -> str:
    return host.split(".", 1)[0]


def of_resource(block: HclBlock, resolved: Callable[[Node], Node]) -> Iterator[DeclaredBalancer]:
    """What a resource of Terraform declares; `resolved` gives what variables and locals are. Whether it stands in front
    of the API is for the caller to know."""
    kind = block.labels[0] if block.labels else ""
    if kind in ("aws_lb", "aws_alb", "aws_elb") and block.get("load_balancer_type").text in (None, "application"):
        name = "the ALB" if kind != "aws_elb" else "the ELB"
        yield from _seconds(name, resolved(block.get("idle_timeout")), "idle_timeout")
    elif kind in ("google_compute_backend_service", "google_compute_region_backend_service"):
        scheme = block.get("load_balancing_scheme")
        speaks_http = block.get("protocol").text in ("HTTP", "HTTPS", "HTTP2")
        if speaks_http and scheme.known and scheme.text != "INTERNAL":  # INTERNAL passes TCP on
            yield DeclaredBalancer(
                name="Google's load balancer", idle_s=GOOGLE_S, place=block.place, key=".".join(block.labels)
            )


def balancers_of_call(call: Call) -> Iterator[DeclaredBalancer]:
    """The module's own ALB, where the API runs on ECS."""
    if not (call.module.cloud == "aws" and call.module.since("5.3.0") and call.on("enable_ecs_api")):
        return
    if call.on("use_deployment_mode_external_eks"):
        return
    node = call.arguments.get("enable_ecs_api")
    place: Position = (node.place if node is not None else None) or call.place
    yield DeclaredBalancer(name="the module's ALB", idle_s=ECS_S, place=place, key="enable_ecs_api", of_module=True)
