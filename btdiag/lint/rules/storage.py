"""Where Brainstore keeps what: buckets and derived addresses, cache volumes, the fast reader as a mirror, growth.

Since chart 5.1.0 the addresses of the response cache and of code bundles follow from the buckets, for all roles;
extraEnvVars win over them, on their own role only.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from btdiag.lint import merge
from btdiag.lint.house import Verdict
from btdiag.lint.nodes import Node, plain_value
from btdiag.lint.rules.common import empty, place_of, quantity, roles
from btdiag.lint.subjects import Hit, Release, Subjects

_MIRRORED = (
    "resources", "cacheDir", "objectStoreCacheMemoryLimit", "objectStoreCacheFileSize", "volume", "ephemeralStorage",
    "tmpVolume", "extraEnvVars", "nodeSelector", "tolerations", "affinity", "extraContainers", "extraVolumes",
    "securityContext", "podSecurityContext",
)  # fmt: skip
_BUCKETS = {
    "aws": ("brainstoreBucket", "responseBucket", "codeBundleBucket"),
    "google": ("brainstoreBucket", "apiBucket"),
    "azure": ("storageAccountName",),
}


def check(subjects: Subjects) -> Iterator[Hit]:
    """Every release."""
    for release in subjects.releases:
        yield from _buckets(release)
        yield from _addresses(release)
        for role in roles(release):
            yield from _volume(release, role)
        yield from _azure(release)
        yield from _mirror(release)
        yield from _fast_readers(release)
        yield from _growth(release)


def _cloud(release: Release) -> str:
    return release.values.text_at("cloud")


def _buckets(release: Release) -> Iterator[Hit]:
    """Buckets that are named in part: an overlay names none."""
    cloud = _cloud(release)
    store = release.user.at("objectStorage", cloud)
    if cloud not in _BUCKETS or release.user.at("objectStorage") is None:
        return
    for name in _BUCKETS[cloud]:
        if empty(release.values.at("objectStorage", cloud, name)):
            at = ("objectStorage", cloud, name) if store is not None else ("objectStorage",)
            yield Hit(
                rule="config.buckets-are-set",
                verdict=Verdict.WARN,
                place=place_of(release, *at),
                key=release.key("objectStorage", cloud, name),
                summary=f"{name} is empty: what belongs there is not configured, and nothing says so",
                expected="the name that the Terraform module put out",
                remedy=f"Set {release.key('objectStorage', cloud, name)}.",
            )


def derived(release: Release) -> dict[str, str]:
    """The addresses that the chart derives at this version; a variable is missing where its bucket is."""
    cloud, store = _cloud(release), release.values.at("objectStorage", _cloud(release)) or Node(value=None)
    if not release.chart.since("5.1.0"):
        return {}
    found = {}
    if cloud == "aws":
        found = {
            "BRAINSTORE_RESPONSE_CACHE_URI": ("s3://", store.text_at("responseBucket"), "/brainstore-cache"),
            "BRAINSTORE_CODE_BUNDLE_URI": ("s3://", store.text_at("codeBundleBucket"), ""),
        }
    elif cloud == "google":
        found = {
            "BRAINSTORE_RESPONSE_CACHE_URI": ("gs://", store.text_at("apiBucket"), "/brainstore-cache"),
            "BRAINSTORE_CODE_BUNDLE_URI": ("gs://", store.text_at("apiBucket"), ""),
        }
    elif cloud == "azure":
        found = {
            "BRAINSTORE_RESPONSE_CACHE_URI": ("az://", store.text_at("responseContainer"), "/brainstore-cache"),
            "BRAINSTORE_CODE_BUNDLE_URI": ("az://", store.text_at("codeBundleContainer"), ""),
        }
    return {name: "".join(parts) for name, parts in found.items() if parts[1]}


def _addresses(release: Release) -> Iterator[Hit]:
    known = derived(release)
    for role in roles(release):
        path = ("brainstore", role, "extraEnvVars")
        for index, item in enumerate((release.values.at(*path) or Node(value=None)).items):
            name, value = item.text_at("name"), item.text_at("value")
            if name in known and value and value.rstrip("/") != known[name].rstrip("/") and item.place is not None:
                node = item.at("value")
                yield Hit(
                    rule="brainstore.addresses-are-derived",
                    verdict=Verdict.WARN,
                    place=node.place if node is not None and node.place is not None else item.place,
                    key=release.key(*path, str(index), "value"),
                    summary=f"{name} follows from the buckets since chart 5.1.0; this is another, for the {role} alone",
                    expected=known[name],
                    seen=value[:200],
                    remedy="Remove the variable, or set the bucket that is meant.",
                )


def _driver(release: Release) -> bool:
    return _cloud(release) == "azure" and release.values.text_at("azure", "enableAzureContainerStorageDriver") == "true"


def _autopilot(release: Release) -> bool:
    return _cloud(release) == "google" and release.values.text_at("google", "mode") == "autopilot"


def _azure(release: Release) -> Iterator[Hit]:
    if not (_driver(release) and release.chart.since("3.0.0")):
        return
    for role in roles(release):
        path = ("brainstore", role, "volume", "size")
        if empty(release.values.at(*path)):
            place = place_of(release, *path)
            if release.user.at("brainstore") is None:
                place = place_of(release, "cloud")
            yield Hit(
                rule="brainstore.azure-volumes-are-sized",
                verdict=Verdict.FAIL,
                place=place,
                key=release.key(*path),
                summary=f"brainstore.{role}.volume.size is required on Azure: the chart does not render",
                expected="the size of the local disks, above objectStoreCacheFileSize",
                remedy=f"Set {release.key(*path)}, and objectStoreCacheFileSize below it.",
            )


def _reads_size(release: Release) -> bool:
    on_azure = _driver(release) and release.chart.since("3.0.0")
    return on_azure or (_autopilot(release) and release.chart.since("2.1.0"))


def _ephemeral(release: Release) -> bool:
    return (_cloud(release) == "aws" or _autopilot(release)) and release.chart.since("6.2.2")


def _volume(release: Release, role: str) -> Iterator[Hit]:
    base = ("brainstore", role)
    reads_size = _reads_size(release)
    size = release.values.at(*base, "volume", "size")
    cloud = _cloud(release)
    idle = not reads_size and cloud in _BUCKETS and release.chart.reads((*base, "volume", "size"))
    if size is not None and size.given and size.text and idle:
        yield _unused(release, (*base, "volume", "size"))
    ephemeral = _ephemeral(release)
    for name in ("request", "limit"):
        node = release.values.at(*base, "ephemeralStorage", name)
        idle = not ephemeral and cloud in _BUCKETS and release.chart.since("6.2.2")
        if node is not None and node.given and node.text and idle:
            yield _unused(release, (*base, "ephemeralStorage", name))
    bounds = [("volume", "size")] if reads_size else []
    bounds += [("volume", "sizeLimit")] if release.chart.since("6.2.2") else []
    bounds += [("ephemeralStorage", "limit")] if ephemeral else []
    yield from _cache(release, base, bounds)


def _cache(release: Release, base: tuple[str, ...], bounds: list[tuple[str, str]]) -> Iterator[Hit]:
    cache = release.values.at(*base, "objectStoreCacheFileSize")
    most = quantity(cache.text) if cache is not None else None
    found = [(size, path) for path in bounds if (size := quantity(release.values.text_at(*base, *path))) is not None]
    if most is None or cache is None or not found:
        return
    size, path = min(found)
    node = release.values.at(*base, *path)
    if most > size and node is not None and (node.given or cache.given):
        at = (*base, *path) if node.given else (*base, "objectStoreCacheFileSize")
        yield Hit(
            rule="brainstore.cache-fits-volume",
            verdict=Verdict.WARN,
            place=place_of(release, *at),
            key=release.key(*at),
            summary=f"the cache of Brainstore's {base[1]} may grow to {cache.text}, its volume ends at {node.text}",
            expected=f"objectStoreCacheFileSize below {node.text}",
            seen=cache.text or "",
            remedy=f"Set {release.key(*base, 'objectStoreCacheFileSize')} below {node.text}.",
        )


def _unused(release: Release, path: tuple[str, ...]) -> Hit:
    cloud = _cloud(release)
    mode = f" with google.mode {release.values.text_at('google', 'mode')}" if cloud == "google" else ""
    return Hit(
        rule="brainstore.volume-settings-count",
        verdict=Verdict.WARN,
        place=place_of(release, *path),
        key=release.key(*path),
        summary=f"{'.'.join(path[2:])} does nothing on {cloud}{mode}: the volume is as large as the node lets it be",
        remedy="Remove it, and size the node's disk; volume.sizeLimit bounds the cache volume (chart 6.2.2 and later).",
    )


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
        if fast is not None and fast.at(key) is not None:
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


def _idle(release: Release, key: str) -> bool:
    """Whether a setting does nothing for the reader either, on this cloud."""
    base = ("brainstore", "reader")
    if key == "ephemeralStorage":
        return _cloud(release) in _BUCKETS and not _ephemeral(release)
    limited = release.values.text_at(*base, "volume", "sizeLimit") and release.chart.since("6.2.2")
    return key == "volume" and _cloud(release) in _BUCKETS and not (_reads_size(release) or limited)


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
            place=place_of(release, "brainstore"),
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
