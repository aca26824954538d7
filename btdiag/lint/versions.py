"""Which version of the chart and of the modules files ask for, where they say so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from btdiag.lint.nodes import Node
from btdiag.lint.tables import is_version, newest_chart, newest_module

__all__ = ["chart", "dependency", "module_source", "namespace", "newest_chart", "newest_module"]

_SOURCE = re.compile(
    r"braintrustdata/terraform-(?:(aws|azure|google)-)?braintrust-data-plane|"
    r"(?:^|/)braintrustdata/braintrust-data-plane/(aws|azurerm|google)"
)
_REF = re.compile(r"[?&]ref=([^&\s]+)")
_REGISTRY = {"azurerm": "azure"}


def chart(named: str | None, metadata: Node | None, lock: Node | None, helmfiles: Sequence[Node]) -> str | None:
    """The chart's version: named, locked, a dependency's, a helmfile's or the chart's own; None if nothing says it."""
    if named is not None:
        return named
    candidates = [one.text_at("version") for one in (*_dependencies(lock), *_dependencies(metadata))]
    candidates += [release.text_at("version") for release in helmfile_releases(helmfiles)]
    if metadata is not None and metadata.text_at("name") == "braintrust":
        candidates.append(metadata.text_at("version"))
    return next((version.removeprefix("v") for version in candidates if is_version(version)), None)


def namespace(helmfiles: Sequence[Node]) -> str | None:
    """The namespace that a helmfile installs into."""
    return next((one.text_at("namespace") for one in helmfile_releases(helmfiles) if one.text_at("namespace")), None)


def helmfile_releases(helmfiles: Sequence[Node]) -> Iterator[Node]:
    """The releases of our chart in helmfiles."""
    for file in helmfiles:
        for release in (file.at("releases") or file).items:
            if release.text_at("chart").rsplit("/", 1)[-1] == "braintrust":
                yield release


def dependency(metadata: Node | None, lock: Node | None, roots: Sequence[Node]) -> str:
    """The key under which an umbrella chart has our values; "" if the values are the chart's own."""
    found = [*_dependencies(metadata), *_dependencies(lock)]
    if found:
        return found[0].text_at("alias") or found[0].text_at("name")
    inner = [root.at("braintrust") for root in roots]
    ours = {"objectStorage", "brainstore", "cloud", "api"}
    return "braintrust" if any(node is not None and ours & set(node.map) for node in inner) else ""


def _dependencies(node: Node | None) -> list[Node]:
    listed = (node.at("dependencies") or node).items if node is not None else ()
    return [one for one in listed if one.text_at("name") == "braintrust"]


def module_source(source: str) -> tuple[str, str | None] | None:
    """(cloud, version or None) of a module's source; None if it is not ours. Without a cloud it is the AWS module,
    which had its repository alone at first."""
    match = _SOURCE.search(source)
    if match is None or "//" in source[match.end() :]:  # one of its inner modules has other variables
        return None
    cloud = match[1] or _REGISTRY.get(match[2] or "", match[2]) or "aws"
    ref = _REF.search(source)
    return cloud, ref[1] if ref and is_version(ref[1]) else None
