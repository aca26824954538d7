"""Where Brainstore keeps what: the buckets of each cloud and the addresses that follow from them.

Since chart 5.1.0 the addresses of the response cache and of code bundles follow from the buckets, for all roles;
extraEnvVars win over them, on their own role only.
"""

from __future__ import annotations

from collections.abc import Iterator

from btdiag.lint.house import Verdict
from btdiag.lint.nodes import Node
from btdiag.lint.rules.common import empty, line_of_key, roles
from btdiag.lint.subjects import Call, Hit, Release, Subjects

BUCKETS = {
    "aws": ("brainstoreBucket", "responseBucket", "codeBundleBucket"),
    "google": ("brainstoreBucket", "apiBucket"),
    "azure": ("storageAccountName",),
}


ADDRESSES = ("BRAINSTORE_RESPONSE_CACHE_URI", "BRAINSTORE_CODE_BUNDLE_URI")
_ARGUMENTS = {
    "brainstore_extra_env_vars": "readers",
    "brainstore_extra_env_vars_writer": "writers",
    "brainstore_extra_env_vars_fast_reader": "fast readers",
}


def check(subjects: Subjects) -> Iterator[Hit]:
    """Every release, every call of a module."""
    for release in subjects.releases:
        yield from _buckets(release)
        yield from _addresses(release)
    for call in subjects.calls:
        yield from _modules_addresses(call)


def _buckets(release: Release) -> Iterator[Hit]:
    """Buckets that are named in part: an overlay names none."""
    cloud = release.values.text_at("cloud")
    store = release.user.at("objectStorage", cloud)
    if cloud not in BUCKETS or release.user.at("objectStorage") is None:
        return
    for name in BUCKETS[cloud]:
        if empty(release.values.at("objectStorage", cloud, name)):
            at = ("objectStorage", cloud, name) if store is not None else ("objectStorage",)
            yield Hit(
                rule="config.buckets-are-set",
                verdict=Verdict.WARN,
                place=line_of_key(release, *at),
                key=release.key("objectStorage", cloud, name),
                summary=f"{name} is empty: what belongs there is not configured, and nothing says so",
                expected="the name that the Terraform module put out",
                remedy=f"Set {release.key('objectStorage', cloud, name)}.",
            )


def derived(release: Release) -> dict[str, str]:
    """The addresses that the chart derives at this version; a variable is missing where its bucket is."""
    cloud, store = (
        release.values.text_at("cloud"),
        release.values.at("objectStorage", release.values.text_at("cloud")) or Node(value=None),
    )
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
            name, node = item.text_at("name"), item.at("value")
            if name not in known or node is None or not node.known or item.place is None:
                continue
            value = node.text or ""
            if value.rstrip("/") != known[name].rstrip("/"):
                said = "this is another" if value else "this takes it away"
                yield Hit(
                    rule="brainstore.addresses-are-derived",
                    verdict=Verdict.WARN,
                    place=node.place or item.place,
                    key=release.key(*path, str(index), "value"),
                    summary=f"{name} follows from the buckets since chart 5.1.0; {said}, for the {role} alone",
                    expected=known[name],
                    seen=value[:200] or "nothing",
                    remedy="Remove the variable, or set the bucket that is meant.",
                )


def _modules_addresses(call: Call) -> Iterator[Hit]:
    """The same variables in the AWS module, which derives them since v4.4.0 (brainstore-ec2, user_data)."""
    if call.module.cloud != "aws" or not call.module.since("4.4.0"):
        return
    for argument, roles_ in _ARGUMENTS.items():
        node = call.arguments.get(argument)
        for name in ADDRESSES:
            value = node.at(name) if node is not None else None
            if value is not None and value.known and value.place is not None:
                yield Hit(
                    rule="brainstore.addresses-are-derived",
                    verdict=Verdict.WARN,
                    place=value.place,
                    key=f"{argument}.{name}",
                    summary=f"the module makes {name} out of its buckets since v4.4.0; this one is for {roles_} alone",
                    expected="the module's own",
                    seen=(value.text or "")[:200] or "nothing",
                    remedy="Remove the variable: the module sets it for all roles.",
                )
