"""Environment variables wherever files keep them: env files, compose, containers, ConfigMaps, Helm, Terraform."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from btdiag.lint.nodes import Document, Duplicate, Node
from btdiag.lint.subjects import Call, Container, Release, Setting, Variables

_ROLES = (
    ("gateway", "gateway"),
    ("brainstore", "brainstore"),
    ("standalone-api", "api"),
    ("braintrust-api", "api"),
)
_TERRAFORM = {
    "braintrust_api_extra_env_vars": "api",
    "api_ecs_extra_env_vars": "api",
    "ai_gateway_extra_env_vars": "gateway",
    "gateway_extra_env_vars": "gateway",
    "brainstore_extra_env_vars": "brainstore",
    "brainstore_extra_env_vars_writer": "brainstore",
    "brainstore_extra_env_vars_fast_reader": "brainstore",
    "loop_runtime_extra_env_vars": "other",
}


def role_of(*names: str) -> str:
    """Which component the first of the names that tells one speaks of; "other" for none."""
    return next((role for name in names for word, role in _ROLES if word in name.lower()), "other")


def of_file(document: Document) -> Variables:
    """The variables of an env file."""
    settings = tuple(
        Setting(name=name, node=node, place=node.place, key=name) for name, node in document.root.map.items()
    )
    return Variables(role="any", settings=settings)


def of_release(release: Release) -> Iterator[Variables]:
    """The lists of variables in Helm values."""
    for role, path in release_lists(release):
        node = release.values.at(*path)
        if node is not None and node.given and node.items:
            yield of_list(node, role, release.key(*path))


def release_lists(release: Release) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(role, path) of each list of variables that the chart reads at this version."""
    roles: list[tuple[str, tuple[str, ...]]]
    if release.chart.since("2.0.0"):
        roles = [("brainstore", ("brainstore", name, "extraEnvVars")) for name in ("reader", "fastreader", "writer")]
    else:
        roles = [("brainstore", ("brainstore", "extraEnvVars"))]
    for role, path in (("api", ("api", "extraEnvVars")), ("gateway", ("aiGateway", "extraEnvVars")), *roles):
        if release.chart.reads(path):
            yield role, path


def of_list(node: Node, role: str, key: str) -> Variables:
    """A list of {name, value} as containers have it."""
    settings: list[Setting] = []
    repeats: list[Duplicate] = []
    for index, item in enumerate(node.items):
        name = item.text_at("name")
        if not name:
            continue
        value = item.at("value")
        place = (value.place if value else None) or item.place or node.place
        before = next((one for one in settings if one.name == name), None)
        if before is not None and before.place is not None and place is not None:
            repeats.append(Duplicate(path=(key, name), first=before.place, second=place))
        if value is None:
            continue  # valueFrom: somewhere else
        quoted = not isinstance(value.value, (bool, int, float))
        settings.append(Setting(name=name, node=value, place=place, key=f"{key}.{index}.value", quoted=quoted))
    return Variables(role=role, settings=tuple(settings), repeats=tuple(repeats))


def of_container(container: Container) -> Variables | None:
    """The variables of a rendered container."""
    node = container.node.at("env")
    return of_list(node, container.role, f"{container.workload}.env") if node is not None and node.items else None


def of_config_map(node: Node) -> Variables | None:
    """A ConfigMap whose keys are variables, as the chart renders them."""
    data = node.at("data")
    name = node.text_at("metadata", "name")
    if data is None or not all(re.fullmatch(r"[A-Z][A-Z0-9_]*", key) for key in data.map):
        return None
    settings = tuple(
        Setting(name=key, node=value, place=value.place, key=f"data.{key}") for key, value in data.map.items()
    )
    return Variables(role=role_of(name), settings=settings)


def of_compose(root: Node) -> Iterator[Variables]:
    """The variables of each service of a compose file."""
    for name, service in (root.at("services") or root).map.items():
        node = service.at("environment")
        if node is None:
            continue
        role = role_of(service.text_at("image"), name)
        yield Variables(role=role, settings=tuple(_compose_settings(node, f"services.{name}.environment")))


def _compose_settings(node: Node, key: str) -> Iterator[Setting]:
    for name, value in node.map.items():
        if value.value is not None:
            yield Setting(name=name, node=value, place=value.place, key=f"{key}.{name}")
    for index, item in enumerate(node.items):
        name, separator, text = (item.text or "").partition("=")
        if separator:
            yield Setting(name=name, node=Node(value=text), place=item.place, key=f"{key}.{index}")


def variables_of_call(call: Call) -> Iterator[Variables]:
    """The maps of variables that a module is given."""
    for argument, node in call.arguments.items():
        if argument == "service_extra_env_vars":
            for service, inner in node.map.items():
                yield Variables(role="lambda", settings=tuple(_mapped(inner.map, f"{argument}.{service}")))
        elif argument in _TERRAFORM:  # known at another version only: that is said, and enough
            yield Variables(role=_TERRAFORM[argument], settings=tuple(_mapped(node.map, argument)))


def _mapped(members: Mapping[str, Node], key: str) -> Iterator[Setting]:
    for name, node in members.items():
        yield Setting(name=name, node=node, place=node.place, key=f"{key}.{name}")
