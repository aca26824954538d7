"""Cache volumes of Brainstore: sizes that a cloud requires, ignores, or that are smaller than the cache."""

from __future__ import annotations

from collections.abc import Iterator

from btdiag.lint.house import Verdict
from btdiag.lint.rules.buckets import BUCKETS
from btdiag.lint.rules.common import azure_driver, empty, line_of_key, quantity, roles
from btdiag.lint.subjects import Hit, Release, Subjects


def check(subjects: Subjects) -> Iterator[Hit]:
    """Every role of every release."""
    for release in subjects.releases:
        for role in roles(release):
            yield from _volume(release, role)
        yield from _azure(release)


def _autopilot(release: Release) -> bool:
    return release.values.text_at("cloud") == "google" and release.values.text_at("google", "mode") == "autopilot"


def _azure(release: Release) -> Iterator[Hit]:
    if not (azure_driver(release) and release.chart.since("3.0.0")):
        return
    for role in roles(release):
        path = ("brainstore", role, "volume", "size")
        if empty(release.values.at(*path)):
            place = line_of_key(release, *path)
            if release.user.at("brainstore") is None:
                place = line_of_key(release, "cloud")
            yield Hit(
                rule="brainstore.azure-volumes-are-sized",
                verdict=Verdict.FAIL,
                place=place,
                key=release.key(*path),
                summary=f"brainstore.{role}.volume.size is required on Azure: the chart does not render",
                expected="the size of the local disks, above objectStoreCacheFileSize",
                remedy=f"Set {release.key(*path)}, and objectStoreCacheFileSize below it.",
            )


def reads_size(release: Release) -> bool:
    """Whether volume.size counts: on Azure with the driver and on GKE Autopilot."""
    on_azure = azure_driver(release) and release.chart.since("3.0.0")
    return on_azure or (_autopilot(release) and release.chart.since("2.1.0"))


def reads_ephemeral(release: Release) -> bool:
    """Whether ephemeralStorage counts: on AWS and on GKE Autopilot, since chart 6.2.2."""
    return (release.values.text_at("cloud") == "aws" or _autopilot(release)) and release.chart.since("6.2.2")


def _volume(release: Release, role: str) -> Iterator[Hit]:
    base = ("brainstore", role)
    sized = reads_size(release)
    size = release.values.at(*base, "volume", "size")
    cloud = release.values.text_at("cloud")
    idle = not sized and cloud in BUCKETS and release.chart.reads((*base, "volume", "size"))
    if size is not None and size.given and size.text and idle:
        yield _unused(release, (*base, "volume", "size"))
    ephemeral = reads_ephemeral(release)
    for name in ("request", "limit"):
        node = release.values.at(*base, "ephemeralStorage", name)
        idle = not ephemeral and cloud in BUCKETS and release.chart.since("6.2.2")
        if node is not None and node.given and node.text and idle:
            yield _unused(release, (*base, "ephemeralStorage", name))
    bounds = [("volume", "size")] if sized else []
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
            place=line_of_key(release, *at),
            key=release.key(*at),
            summary=f"the cache of Brainstore's {base[1]} may grow to {cache.text}, its volume ends at {node.text}",
            expected=f"objectStoreCacheFileSize below {node.text}",
            seen=cache.text or "",
            remedy=f"Set {release.key(*base, 'objectStoreCacheFileSize')} below {node.text}.",
        )


def _unused(release: Release, path: tuple[str, ...]) -> Hit:
    cloud = release.values.text_at("cloud")
    mode = f" with google.mode {release.values.text_at('google', 'mode')}" if cloud == "google" else ""
    return Hit(
        rule="brainstore.volume-settings-count",
        verdict=Verdict.WARN,
        place=line_of_key(release, *path),
        key=release.key(*path),
        summary=f"{'.'.join(path[2:])} does nothing on {cloud}{mode}: the volume is as large as the node lets it be",
        remedy="Remove it, and size the node's disk; volume.sizeLimit bounds the cache volume (chart 6.2.2 and later).",
    )
