"""Keys that no template of the chart reads, keys that stand twice, values of the wrong type.

The chart has no schema: a misspelt key changes nothing, and nothing says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from btdiag.lint.house import Verdict
from btdiag.lint.nodes import Node, Path
from btdiag.lint.subjects import Hit, Release, Subjects
from btdiag.lint.tables import version_key

_PROBES = {"readinessProbe", "livenessProbe", "startupProbe"}
_MEANT = {
    ("api", "env"): "api.extraEnvVars",
    ("api", "extraEnv"): "api.extraEnvVars",
    ("api", "envFrom"): "api.extraEnvVars",
    ("apiHandler",): "api",
    ("image",): "api.image and brainstore.image",
    ("controlPlaneTelemetry",): "global.controlPlaneTelemetry",
    (
        "azureKeyVaultCSI",
    ): "azure.keyVaultName, azure.keyVaultCSIclientID and azureKeyVaultDriver (chart 3.0.0 and later)",
    ("brainstore", "fastReader"): "brainstore.fastreader",
    ("objectStorage", "gcp"): "objectStorage.google",
    ("objectStorage", "google", "responseBucket"): "objectStorage.google.apiBucket",
    ("brainstore", "replicas"): "brainstore.reader.replicas, fastreader and writer",
    ("brainstore", "resources"): "brainstore.reader.resources, fastreader and writer",
    ("brainstore", "extraEnvVars"): "brainstore.reader.extraEnvVars, fastreader and writer",
    ("brainstore", "reader", "image"): "brainstore.image",
    ("brainstore", "fastreader", "image"): "brainstore.image",
    ("brainstore", "writer", "image"): "brainstore.image",
}
_BOUND = {"replicas"}
_TELLING = ("objectStorage", "brainstore", "aiGateway", "skipPgForBrainstoreObjects", "brainstoreWalFooterVersion")


def check(subjects: Subjects) -> Iterator[Hit]:
    """Every release, and keys that stand twice anywhere."""
    for release in subjects.releases:
        yield from _ignored(release)
        yield from _types(release)
        yield from _outside(release)
    for double in subjects.duplicates:
        yield Hit(
            rule="config.keys-stand-once",
            verdict=Verdict.FAIL,
            place=double.second,
            key=".".join(double.path),
            summary=f"{double.path[-1][:60]} stands twice in one map (line {double.first.line}): the last one counts",
            remedy="Keep one of them.",
        )


def _ignored(release: Release) -> Iterator[Hit]:
    for key, node in release.user.map.items():
        if not key.startswith((".", "_", "x-")) and key != release.prefix:
            yield from _unread(release, (key,), node)


def _outside(release: Release) -> Iterator[Hit]:
    """Keys of ours at the top of an umbrella chart's values: it hands on what is below the dependency's name."""
    names = {*_TELLING, *(("api", "cloud") if release.alone else ())}
    for root in release.outside:
        for key, node in root.map.items():
            if key in names and node.place is not None:
                yield Hit(
                    rule="config.keys-are-read",
                    verdict=Verdict.WARN,
                    place=node.place,
                    key=key,
                    summary=f"{key} stands outside of {release.prefix}, the dependency: it never reaches the chart",
                    expected=f"{release.prefix}.{key}",
                    remedy=f"Move it below {release.prefix}.",
                )


def _unread(release: Release, path: Path, node: Node) -> Iterator[Hit]:
    chart = release.chart
    if node.place is None or (path == ("global",) and not node.map):
        return
    if not chart.reads(path):
        if release.prefix and path[0] == "global":
            return  # an umbrella's globals are for other charts too
        if path[0] == "brainstore" and len(path) > 1 and path[-1] in _PROBES:
            return  # said by a rule of its own
        if release.chart.defaults.at(*path) is not None:
            return  # the chart's own file has it: copied, and harmless
        yield _no_template(release, path, node)
        return
    standard = chart.defaults.at(*path)
    whole = any(chart.reads_whole(path[:depth]) for depth in range(1, len(path) + 1))
    if not whole and isinstance(node.value, Mapping) and (standard is None or isinstance(standard.value, Mapping)):
        for key, child in node.map.items():
            yield from _unread(release, (*path, key), child)


def _no_template(release: Release, path: Path, node: Node) -> Hit:
    life = release.chart.life(path)
    meant = _MEANT.get(path) or _near(release, path)
    if life and version_key(life[0]) > version_key(release.chart.version):
        why, remedy = f"it came with chart {life[0]}", f"Upgrade the chart to {life[0]} or later, or remove the key."
    elif life and life[1]:
        why, remedy = f"it went after chart {life[1]}", "Remove the key."
    else:
        why, remedy = "no version does", "Remove the key."
    if meant and not (life and version_key(life[0]) > version_key(release.chart.version)):
        remedy = f"Write {meant}."
    assert node.place is not None
    return Hit(
        rule="config.keys-are-read",
        verdict=Verdict.WARN,
        place=node.place,
        key=release.key(*path),
        summary=f"chart {release.chart.version} does not read {'.'.join(path)[:100]} ({why}): the setting is lost",
        expected=meant or "",
        remedy=remedy,
    )


def _near(release: Release, path: Path) -> str:
    names = release.chart.siblings(path[:-1])
    lowered = {name.lower(): name for name in names}
    near = get_close_matches(path[-1].lower().replace("-", "").replace("_", ""), list(lowered), 1, 0.75)
    return ".".join((*path[:-1], lowered[near[0]])) if near else ""


def _types(release: Release) -> Iterator[Hit]:
    yield from _kinds(release, (), release.user, release.chart.defaults)


def _kinds(release: Release, path: Path, user: Node, standard: Node) -> Iterator[Hit]:
    for key, node in user.map.items():
        known = standard.map.get(key)
        at = (*path, key)
        if key in _BOUND and node.value is None and node.place is not None and known is not None:
            yield _no_count(release, at, node)
        if known is None or known.value is None or node.value is None or node.place is None or not node.known:
            continue
        if key in ("extraEnvVars", "controlPlaneTelemetry"):
            continue  # rules of their own
        ours, theirs = _kind(node), _kind(known)
        if not (node.map or node.items or node.text or known.map or known.items or known.text):
            continue  # one nothing for another
        if ours != theirs and not (theirs == "list" and not known.items and ours == "text" and not node.text):
            yield _wrong(release, at, node, f"is a {ours}, the chart takes a {theirs}", f"a {theirs}")
        elif ours == "map":
            yield from _kinds(release, at, node, known)
        elif key in _BOUND and not re.fullmatch(r"\d{1,6}", node.text or ""):
            yield _wrong(release, at, node, "is no whole number", "a whole number")


def _no_count(release: Release, path: Path, node: Node) -> Hit:
    assert node.place is not None
    return Hit(
        rule="config.types-fit",
        verdict=Verdict.WARN,
        place=node.place,
        key=release.key(*path),
        summary=f"{'.'.join(path)[:100]} is null, which takes the chart's number away: Kubernetes runs one pod",
        expected="a whole number",
        seen="null",
        remedy="Write the number of pods, or leave the key out for the chart's.",
    )


def _kind(node: Node) -> str:
    if isinstance(node.value, Mapping):
        return "map"
    return "list" if isinstance(node.value, tuple) else "text"


def _wrong(release: Release, path: Path, node: Node, what: str, expected: str) -> Hit:
    assert node.place is not None
    return Hit(
        rule="config.types-fit",
        verdict=Verdict.FAIL,
        place=node.place,
        key=release.key(*path),
        summary=f"{'.'.join(path)[:100]} {what}",
        expected=expected,
        remedy=f"Write {expected}.",
    )
