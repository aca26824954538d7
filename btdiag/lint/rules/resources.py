"""Requests and limits as they will be: what the chart keeps, what Kubernetes refuses.

Helm merges maps: `limits: {}`, or none at all, keeps the chart's limits, though the guide says otherwise; only `null`
takes them away, and for Brainstore not in charts 2.1.0 to 5.0.0, whose templates read limits.cpu themselves.
Kubernetes refuses a pod whose request is above its limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from btdiag.lint.house import Verdict
from btdiag.lint.nodes import Node
from btdiag.lint.rules.common import container_paths, line_of_key, quantity
from btdiag.lint.subjects import Container, Hit, Release, Subjects


def check(subjects: Subjects) -> Iterator[Hit]:
    """Every component of every release, and every rendered container."""
    for release in subjects.releases:
        for name, path in container_paths(release):
            yield from _nulls(release, name, (*path, "resources"))
            if not removable(release, (*path, "resources")):
                yield from _left_empty(release, name, (*path, "resources"))
            yield from _inherited(release, name, (*path, "resources"))
            yield from _brought_back(release, name, (*path, "resources"))
            yield from _exceeding(release, name, (*path, "resources"))
            yield from _dropped(release, name, (*path, "resources"))
    for container in subjects.containers:
        yield from _rendered(container)


def _exceeding(release: Release, name: str, path: tuple[str, ...]) -> Iterator[Hit]:
    requests, limits = release.values.at(*path, "requests"), release.values.at(*path, "limits")
    for kind in ("requests", "limits"):
        for resource, node in (release.user.at(*path, kind) or Node(value=None)).map.items():
            if node.place is not None and node.text is not None and quantity(node.text) is None:
                yield no_quantity(node, release.key(*path, kind, resource))
    for resource, node in (requests.map if requests else {}).items():
        limit = limits.at(resource) if limits else None
        asked, most = quantity(node.text), quantity(limit.text) if limit is not None else None
        if asked is None or most is None or asked <= most or not (node.given or (limit and limit.given)):
            continue
        at = (*path, "requests", resource) if node.given else (*path, "limits", resource)
        bound = limit.text if limit is not None else ""
        inherited = "" if limit and limit.given else ", which the chart sets and Helm keeps"
        yield Hit(
            rule="brainstore.requests-fit-limits",
            verdict=Verdict.FAIL,
            place=line_of_key(release, *at),
            key=release.key(*at),
            summary=f"{name} requests {resource} {node.text} above its limit of {bound}{inherited}:"
            " Kubernetes refuses the pods",
            expected=f"at most {bound}, or a higher limit",
            seen=node.text or "",
            remedy=f"Set limits.{resource} to {node.text} as well.",
        )


def no_quantity(node: Node, key: str) -> Hit:
    """A quantity that Kubernetes does not know."""
    assert node.place is not None
    return Hit(
        rule="brainstore.quantities-are-valid",
        verdict=Verdict.FAIL,
        place=node.place,
        key=key,
        summary=f'"{(node.text or "")[:40]}" is no quantity of Kubernetes: the pods are refused',
        expected="4, 500m or 16Gi",
        seen=(node.text or "")[:40],
        remedy="Write a number with a unit that Kubernetes knows: m, k, M, G, Ki, Mi, Gi, Ti.",
    )


def _nulls(release: Release, name: str, path: tuple[str, ...]) -> Iterator[Hit]:
    whole = release.user.at(*path)
    if whole is not None and whole.value is None and whole.place is not None:
        yield from _null_resources(release, name, path)
    for kind in ("limits", "requests"):
        node = release.user.at(*path, kind)
        if node is not None and node.value is None and node.given and not removable(release, path):
            yield Hit(
                rule="brainstore.limits-can-be-removed",
                verdict=Verdict.FAIL,
                place=line_of_key(release, *path, kind),
                key=release.key(*path, kind),
                summary=f"chart {release.chart.version} does not render without {kind} of {name};"
                " later ones do, since 5.0.1",
                expected=f"{kind} with cpu and memory",
                seen="null",
                remedy=f"State the {kind} that you want, or upgrade the chart to 5.0.1 or later.",
            )


def _left_empty(release: Release, name: str, path: tuple[str, ...]) -> Iterator[Hit]:
    """One null under limits or requests, where the template writes the name with nothing behind it."""
    for kind in ("limits", "requests"):
        for resource, node in (release.user.at(*path, kind) or Node(value=None)).map.items():
            if resource in ("cpu", "memory") and node.value is None and node.place is not None:
                yield Hit(
                    rule="brainstore.limits-can-be-removed",
                    verdict=Verdict.WARN,
                    place=node.place,
                    key=release.key(*path, kind, resource),
                    summary=f"chart {release.chart.version} does not take {kind}.{resource} of {name} away: it renders"
                    " the name with nothing behind it",
                    expected=f"{kind} with cpu and memory",
                    seen="null",
                    remedy=f"State {kind}.{resource}, or upgrade the chart to 5.0.1 or later.",
                )


def _null_resources(release: Release, name: str, path: tuple[str, ...]) -> Iterator[Hit]:
    renders = removable(release, path) and not (path[0] == "brainstore" and release.chart.since("6.2.2"))
    yield Hit(
        rule="brainstore.limits-can-be-removed",
        verdict=Verdict.WARN if renders else Verdict.FAIL,
        place=line_of_key(release, *path),
        key=release.key(*path),
        summary=f"without resources {name} is the first to be evicted (BestEffort)"
        if renders
        else f"chart {release.chart.version} does not render without resources of {name}",
        expected="requests, and limits or limits: null",
        seen="null",
        remedy="State requests; take limits away with limits: null (chart 5.0.1 and later).",
    )


def removable(release: Release, path: tuple[str, ...]) -> bool:
    """Whether the template hands resources on as a whole, instead of reading limits.cpu itself."""
    return path[0] != "brainstore" or not release.chart.between("2.1.0", "5.0.0")


def _inherited(release: Release, name: str, path: tuple[str, ...]) -> Iterator[Hit]:
    """Limits that stay though the file reads as if there were none."""
    user = release.user.at(*path)
    limits = release.values.at(*path, "limits")
    if user is None or user.value is None or limits is None or not limits.map:
        return
    said = user.at("limits")
    stay = ", ".join(f"{key} {node.text}" for key, node in limits.map.items())
    if said is not None and isinstance(said.value, Mapping) and not said.map:
        yield _stays(release, name, (*path, "limits"), stay, "{} changes nothing")
    elif isinstance(user.value, Mapping) and not user.map:
        yield _stays(release, name, path, stay, "{} changes nothing")
    elif said is None and path[0] == "brainstore" and _lowered(release, path):
        yield _stays(release, name, (*path, "requests"), stay, "limits that are not stated are the chart's")


def _lowered(release: Release, path: tuple[str, ...]) -> bool:
    """Whether pods of one class by the chart's values (request = limit) request less than the limits that stay."""
    defaults = release.chart.defaults
    if any(
        quantity(defaults.text_at(*path, "requests", one)) != quantity(defaults.text_at(*path, "limits", one))
        for one in ("cpu", "memory")
    ):
        return False
    requests, limits = release.values.at(*path, "requests"), release.values.at(*path, "limits")
    below = [
        (quantity(requests.text_at(one)), quantity(limits.text_at(one)))
        for one in ("cpu", "memory")
        if requests is not None and limits is not None
    ]
    return all(asked is not None and most is not None and asked <= most for asked, most in below) and any(
        asked is not None and most is not None and asked < most for asked, most in below
    )


def quality(resources: Node | None) -> str:
    """The class of quality of service that Kubernetes gives a pod of one container with these resources.

    Source: Kubernetes, "Pod Quality of Service Classes"; a request that is not stated is the limit.
    """
    requests = (resources.at("requests") if resources else None) or Node(value=None)
    limits = (resources.at("limits") if resources else None) or Node(value=None)
    asked = {name: one for name, node in requests.map.items() if (one := quantity(node.text))}
    most = {name: one for name, node in limits.map.items() if (one := quantity(node.text))}
    if not asked and not most:
        return "BestEffort"
    sized = all(name in most and asked.get(name, most[name]) == most[name] for name in ("cpu", "memory"))
    return "Guaranteed" if sized else "Burstable"


def _stays(release: Release, name: str, path: tuple[str, ...], stay: str, why: str) -> Hit:
    old = "" if removable(release, path) else " (chart 5.0.1 and later)"
    at = path[: path.index("resources") + 1]
    kind = quality(release.values.at(*at))
    return Hit(
        rule="brainstore.limits-are-meant",
        verdict=Verdict.WARN,
        place=line_of_key(release, *path),
        key=release.key(*path),
        summary=f"{name} keeps the chart's limits ({stay}): Helm merges maps, so {why}; its pods are {kind}",
        expected="limits: null, or the limits that you mean",
        seen="{}" if why.startswith("{}") else "requests alone",
        remedy=f"Write limits: null to take them away{old}, or state them.",
        fix="null" if why.startswith("{}") and path[-1] == "limits" and removable(release, path) else None,
    )


def _brought_back(release: Release, name: str, path: tuple[str, ...]) -> Iterator[Hit]:
    """A null of an earlier file that a later one undoes in part: the chart's other limit is back."""
    node = release.user.at(*path, "limits")
    if node is None or node.place is None or not node.map or len(release.files) < 2:
        return
    removed = any((one := file.at(*path, "limits")) is not None and one.value is None for file in release.files[:-1])
    missing = [key for key in ("cpu", "memory") if node.at(key) is None]
    if removed and missing:
        yield _stays(
            release, name, (*path, "limits"), f"{missing[0]} among them", "a null of an earlier file is undone"
        )


def _dropped(release: Release, name: str, path: tuple[str, ...]) -> Iterator[Hit]:
    if removable(release, path):
        return
    for kind in ("requests", "limits"):
        for resource, node in (release.user.at(*path, kind) or Node(value=None)).map.items():
            if resource not in ("cpu", "memory") and node.place is not None:
                yield Hit(
                    rule="config.keys-are-read",
                    verdict=Verdict.WARN,
                    place=node.place,
                    key=release.key(*path, kind, resource),
                    summary=f"chart {release.chart.version} hands on only cpu and memory of {name}:"
                    f" {resource} is dropped",
                    remedy="Upgrade the chart to 5.0.1 or later, or remove the key.",
                )


def _rendered(container: Container) -> Iterator[Hit]:
    requests = container.node.at("resources", "requests")
    limits = container.node.at("resources", "limits")
    for resource, node in (requests.map if requests else {}).items():
        limit = limits.at(resource) if limits else None
        asked, most = quantity(node.text), quantity(limit.text) if limit is not None else None
        if asked is not None and most is not None and asked > most and node.place is not None and limit is not None:
            yield Hit(
                rule="brainstore.requests-fit-limits",
                verdict=Verdict.FAIL,
                place=node.place,
                key=f"{container.workload}.resources.requests.{resource}",
                summary=f"{resource} {node.text} is requested above the limit of {limit.text}:"
                " Kubernetes refuses the pods",
                expected=f"at most {limit.text}",
                seen=node.text or "",
                remedy=f"Raise limits.{resource}, or lower the request.",
            )
