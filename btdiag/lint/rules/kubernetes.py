"""Values that render, and that Kubernetes refuses; nulls without which the chart does not render.

Found by rendering every version of the chart and holding the result against the schemas of Kubernetes: labels,
annotations, node selectors and names are text; templates reach into maps that a null takes away.
"""

from __future__ import annotations

from collections.abc import Iterator

from btdiag.lint.house import Verdict
from btdiag.lint.nodes import Node, Path, walk
from btdiag.lint.rules.common import quantity, roles
from btdiag.lint.rules.resources import no_quantity
from btdiag.lint.rules.volumes import reads_ephemeral, reads_size
from btdiag.lint.subjects import Hit, Release, Subjects

_TEXTS = ("labels", "podLabels", "nodeSelector", "annotations", "namespaceAnnotations")
_NAMES = (("name",), ("service", "name"), ("service", "portName"), ("service", "type"), ("image", "pullPolicy"))
_REACHED = {"annotations", "labels", "podLabels", "image", "service", "serviceAccount", "healthServer", "tmpVolume"}
_WHOLE = {("api",), ("brainstore",), ("aiGateway",), ("virtualService",), ("objectStorage",), ("global",)}
_PARTS = ("api", "brainstore", "aiGateway")


def check(subjects: Subjects) -> Iterator[Hit]:
    """Every release."""
    for release in subjects.releases:
        yield from _nulls(release)
        yield from _texts(release)
        yield from _sizes(release)


def _nulls(release: Release) -> Iterator[Hit]:
    for path, node in walk(release.user):
        if path and node.value is None and node.place is not None and _needed(release, path):
            name = ".".join(path)
            yield Hit(
                rule="config.types-fit",
                verdict=Verdict.FAIL,
                place=node.place,
                key=release.key(*path),
                summary=f"{name[:100]} is null, and the templates read below it: the chart does not render",
                expected="the keys that you want to change, or nothing at all",
                seen="null",
                remedy="Leave the key out, or write what is below it: null takes the chart's values away.",
            )


def _needed(release: Release, path: Path) -> bool:
    """Whether the chart does not render when a null takes this map of its values away."""
    standard = release.chart.defaults.at(*path)
    if standard is None or standard.text is not None or standard.items:
        return False
    if path[0] in ("aiGateway", "virtualService") and len(path) > 1:
        deployed = release.values.text_at(path[0], "enabled") == "true"
        return deployed and path[-1] in _REACHED and (path[0] == "aiGateway" or path[-1] == "labels")
    if path in _WHOLE or path == ("objectStorage", release.values.text_at("cloud")):
        return True
    if path[0] == "brainstore" and path[1:] in (("reader",), ("writer",)):
        return True  # a fast reader that is taken away has a rule of its own
    if path[0] == "brainstore" and path[-1] == "volume":
        return release.chart.since("6.2.2")
    return path[-1] in _REACHED and (path[0] in _PARTS or path == ("global", "labels"))


def _texts(release: Release) -> Iterator[Hit]:
    for path, node in walk(release.user):
        if not isinstance(node.value, (bool, int, float)) or node.place is None or not release.chart.reads(path):
            continue
        if _is_text(path):
            yield Hit(
                rule="config.types-fit",
                verdict=Verdict.FAIL,
                place=node.place,
                key=release.key(*path),
                summary=f"{'.'.join(path)[:100]} is a number or a boolean: Kubernetes takes only text here",
                expected="a value in quotes",
                seen=node.text or "",
                remedy="Put the value into quotes.",
                fix=f'"{node.text}"',
            )


def _is_text(path: Path) -> bool:
    """Whether Kubernetes takes only text at a path: the values of labels, annotations and selectors, and names."""
    if any(name in _TEXTS for name in path[:-1]):
        return path[0] in (*_PARTS, "global", "virtualService")
    return path[0] in _PARTS and (path[-1:] in _NAMES or path[-2:] in _NAMES)


def _sizes(release: Release) -> Iterator[Hit]:
    for role in roles(release):
        paths = [("volume", "size")] if reads_size(release) else []
        if release.chart.since("6.2.2"):
            paths += [("volume", "sizeLimit"), ("tmpVolume", "sizeLimit")]
        if reads_ephemeral(release):
            paths += [("ephemeralStorage", "request"), ("ephemeralStorage", "limit")]
        for path in paths:
            yield from _size(release, ("brainstore", role, *path))


def _size(release: Release, path: Path) -> Iterator[Hit]:
    node = release.values.at(*path) or Node(value=None)
    size = quantity(node.text)
    if node.place is not None and node.text and (size is None or size < 0):
        yield no_quantity(node, release.key(*path))
