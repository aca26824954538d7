"""Fast readers: what they do not inherit from the reader, switches that are none, what an upgrade adds."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from btdiag.lint import merge
from btdiag.lint.house import Verdict
from btdiag.lint.nodes import Node, plain_value
from btdiag.lint.rules.buckets import BUCKETS
from btdiag.lint.rules.common import line_of_key, quantity
from btdiag.lint.rules.resources import removable
from btdiag.lint.rules.volumes import reads_ephemeral, reads_size
from btdiag.lint.subjects import Hit, Release, Subjects

_MIRRORED = (
    "resources", "cacheDir", "objectStoreCacheMemoryLimit", "objectStoreCacheFileSize", "volume", "ephemeralStorage",
    "tmpVolume", "extraEnvVars", "nodeSelector", "tolerations", "affinity", "extraContainers", "extraVolumes",
    "securityContext", "podSecurityContext",
)  # fmt: skip


def check(subjects: Subjects) -> Iterator[Hit]:
    """Every release."""
    for release in subjects.releases:
        yield from _mirror(release)
        yield from _fast_readers(release)
        yield from _growth(release)


def _mirror(release: Release) -> Iterator[Hit]:
    """What is set for the reader and left out for the fast reader, which inherits nothing."""
    reader, fast = release.user.at("brainstore", "reader"), release.user.at("brainstore", "fastreader")
    if (
        reader is None
        or not reader.map
        or not release.chart.since("5.0.0")
        or (fast is not None and fast.value is None)
    ):
        return
    for key in _MIRRORED:
        node = reader.at(key)
        if node is None or node.place is None or not release.chart.reads(("brainstore", "reader", key)):
            continue
        if (fast is not None and fast.at(key) is not None) or (key == "resources" and _breaks(release, node)):
            continue
        ours, theirs = (
            release.values.at("brainstore", "reader", key),
            release.values.at("brainstore", "fastreader", key),
        )
        if _bare(ours) != _bare(theirs) and not _idle(release, key):
            yield Hit(
                rule="brainstore.fast-reader-mirrors-reader",
                verdict=Verdict.WARN,
                place=node.place,
                key=release.key("brainstore", "reader", key),
                summary=f"the fast reader inherits nothing from the reader: it runs without its {key}",
                expected=f"the same under {release.key('brainstore', 'fastreader', key)}",
                remedy=f"Set {release.key('brainstore', 'fastreader', key)} as well.",
            )


def _breaks(release: Release, resources: Node) -> bool:
    """Whether the chart does not render with them at all, which is said by a rule of its own."""
    nulls = [resources.at(name) for name in ("limits", "requests")]
    taken = resources.value is None or any(node is not None and node.value is None for node in nulls)
    return taken and not removable(release, ("brainstore", "reader", "resources"))


def _idle(release: Release, key: str) -> bool:
    """Whether a setting does nothing for the reader either, on this cloud."""
    base = ("brainstore", "reader")
    if key == "ephemeralStorage":
        return release.values.text_at("cloud") in BUCKETS and not reads_ephemeral(release)
    limited = release.values.text_at(*base, "volume", "sizeLimit") and release.chart.since("6.2.2")
    return key == "volume" and release.values.text_at("cloud") in BUCKETS and not (reads_size(release) or limited)


def _bare(node: Node | None) -> object:
    value = plain_value(node) if node is not None else None
    return value or None  # an empty list and none at all come to the same


def _fast_readers(release: Release) -> Iterator[Hit]:
    if not release.chart.since("5.0.0"):
        return
    node = release.user.at("brainstore", "fastreader")
    if node is not None and node.value is None and node.place is not None:
        yield _no_switch(release, ("brainstore", "fastreader"), node, "the chart does not render without fast readers")
    replicas = release.user.at("brainstore", "fastreader", "replicas")
    if replicas is not None and replicas.place is not None and replicas.text == "0":
        why = "the API still sends its queries to fast readers, and there are none"
        yield _no_switch(release, ("brainstore", "fastreader", "replicas"), replicas, why)


def _no_switch(release: Release, path: tuple[str, ...], node: Node, why: str) -> Hit:
    assert node.place is not None
    return Hit(
        rule="brainstore.fast-readers-run",
        verdict=Verdict.FAIL,
        place=node.place,
        key=release.key(*path),
        summary=f"fast readers have no off switch in the chart: {why}",
        expected="at least one replica",
        seen=node.text or "null",
        remedy="Run at least one small fast reader: the chart cannot be without.",
    )


def _growth(release: Release) -> Iterator[Hit]:
    """What an upgrade adds to the requests of Brainstore with the same values."""
    if release.before is None:
        return
    old = merge.coalesced(release.user, release.before.defaults)
    before, after = (
        _requested(old, release.before.since("5.0.0")),
        _requested(release.values, release.chart.since("5.0.0")),
    )
    if after[0] > before[0] or after[1] > before[1]:
        gib = 1024**3
        yield Hit(
            rule="brainstore.capacity-is-there",
            verdict=Verdict.WARN,
            place=line_of_key(release, "brainstore"),
            key=release.key("brainstore"),
            summary=f"chart {release.before.version} to {release.chart.version}: Brainstore requests"
            f" {before[0].normalize():f} CPU and {before[1] / gib:.0f} GiB now, {after[0].normalize():f} CPU and"
            f" {after[1] / gib:.0f} GiB then, and twice that during a rollout",
            remedy="Add nodes before the upgrade, or state replicas and resources.",
        )


def _requested(values: Node, fast: bool) -> tuple[Decimal, Decimal]:
    cpu = memory = Decimal(0)
    for role in ("reader", "writer", *(("fastreader",) if fast else ())):
        node = values.at("brainstore", role)
        if node is not None:
            count = quantity(node.text_at("replicas")) or Decimal(1 if node.at("replicas") else 0)
            cpu += count * (quantity(node.text_at("resources", "requests", "cpu")) or 0)
            memory += count * (quantity(node.text_at("resources", "requests", "memory")) or 0)
    return cpu, memory
