"""Which files of values go together, for which chart, version and namespace."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from btdiag.lint import merge, versions
from btdiag.lint.gathered import Gathered
from btdiag.lint.nodes import Document, Node
from btdiag.lint.reading import Source
from btdiag.lint.subjects import LintOptions, Release
from btdiag.lint.tables import Chart

_PRINTED = ("USER-SUPPLIED VALUES", "COMPUTED VALUES")


def unwrapped(root: Node) -> Node:
    """Without the heading that `helm get values` prints."""
    members = {key: node for key, node in root.map.items() if key not in _PRINTED}
    return Node(value=members, place=root.place)


def releases_of(found: Gathered, options: LintOptions, assumed: dict[str, str]) -> Iterator[Release]:
    named = [(source, document) for source, document in found.values if source.named]
    groups = [named] if named else []
    folders: dict[str, list[tuple[Source, Document]]] = {}
    for source, document in found.values:
        if not source.named:
            folders.setdefault(source.folder, []).append((source, document))
    for folder, files in folders.items():
        groups += [
            group for group in _overlays(files) if not (len(group) == 1 and _chart_itself(folder, group[0], found))
        ]
    for group in groups:
        yield _release(group, found, options, assumed)


def _overlays(files: Sequence[tuple[Source, Document]]) -> list[list[tuple[Source, Document]]]:
    """In a folder, values.yaml under each of the others: which of them go together is not known."""
    base = [one for one in files if os.path.splitext(os.path.basename(one[0].name))[0] == "values"]
    others = [one for one in files if one not in base]
    return [[*base, other] for other in others] or [base]


def _chart_itself(folder: str, only: tuple[Source, Document], found: Gathered) -> bool:
    """Whether these are the defaults in a copy of the chart, which are meant to be overridden."""
    metadata = found.charts.get(folder)
    named = metadata is not None and metadata.text_at("name") == "braintrust"
    return named and os.path.splitext(os.path.basename(only[0].name))[0] == "values"


def _release(
    group: Sequence[tuple[Source, Document]], found: Gathered, options: LintOptions, assumed: dict[str, str]
) -> Release:
    folder = group[0][0].folder
    roots = [unwrapped(document.root) for _, document in group]
    metadata, lock = found.charts.get(folder), found.locks.get(folder)
    prefix = versions.dependency(metadata, lock, roots)
    helmfiles = [node for place, node in found.helmfiles if _leads(place, node, group)]
    version = versions.chart(options.chart, metadata, lock, helmfiles)
    if version is None:
        version = versions.newest_chart()
        assumed["chart"] = version
    chart = Chart(version=version)
    files = [_inner(root, prefix) for root in roots]
    user = merge.merged_values(files)
    before = Chart(version=options.upgrade_from) if options.upgrade_from else None
    return Release(
        chart=chart,
        files=tuple(files),
        user=user,
        values=merge.coalesced(user, chart.defaults),
        prefix=prefix,
        namespace=options.namespace or versions.namespace(helmfiles),
        before=before,
        outside=tuple(roots) if prefix else (),
        alone=metadata is not None and len((metadata.at("dependencies") or metadata).items) == 1,
    )


def _leads(folder: str, helmfile: Node, group: Sequence[tuple[Source, Document]]) -> bool:
    """Whether a helmfile deploys these values: it names one of the files, or names none and lies beside them."""
    named = [item.text for one in versions.helmfile_releases([helmfile]) for item in (one.at("values") or one).items]
    paths = {os.path.normpath(os.path.join(folder, text)) for text in named if text}
    if paths:
        return any(source.name in paths for source, _ in group)
    return any(source.folder == folder for source, _ in group)


def _inner(root: Node, prefix: str) -> Node:
    """The values of the dependency; an umbrella's `global` reaches it too."""
    if not prefix:
        return root
    inner = root.at(prefix) or Node(value={})
    shared = root.at("global")
    if shared is None or not isinstance(shared.value, Mapping):
        return inner
    return merge.merged_values([inner, Node(value={"global": shared}, place=inner.place)])
