"""Values that the templates take for something else: cloud, organisation, namespace, words, lists of audit logs.

A word that no template knows falls through, and nothing says so; what is required breaks the rendering.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from btdiag.lint.house import Verdict
from btdiag.lint.nodes import Node, Path
from btdiag.lint.rules.common import UUID, empty, line_of_key
from btdiag.lint.subjects import Hit, Release, Subjects

CLOUDS = ("aws", "azure", "google")
PLACEHOLDER = "<your org name on Braintrust>"
_MODES = ("", "off", "proxy", "warn", "reject")


def check(subjects: Subjects) -> Iterator[Hit]:
    """Every release."""
    for release in subjects.releases:
        yield from _cloud(release)
        yield from _accounts(release)
        yield from _organisation(release)
        yield from _namespace(release)
        yield from _words(release)
        yield from _audit(release)


def _cloud(release: Release) -> Iterator[Hit]:
    cloud = release.values.at("cloud")
    if cloud is not None and not cloud.known:
        return
    text = (cloud.text or "") if cloud is not None else ""
    if text not in CLOUDS and ((cloud is not None and cloud.given) or release.whole):
        meant = {"gcp": "google", "gke": "google", "gcs": "google", "eks": "aws", "aks": "azure"}.get(text.lower())
        meant = meant or (text.lower() if text.lower() in CLOUDS else None)
        yield Hit(
            rule="config.cloud-is-known",
            verdict=Verdict.FAIL,
            place=line_of_key(release, "cloud")
            if cloud is not None and cloud.given
            else line_of_key(release, "objectStorage"),
            key=release.key("cloud"),
            summary=f'cloud is "{text[:40]}": nothing of objectStorage is used, and nothing says so',
            expected="aws, azure or google",
            seen=text[:40] or "nothing",
            remedy=f"Write cloud: {meant}." if meant else "Write cloud: aws, azure or google.",
            fix=meant if meant and cloud is not None and cloud.given else None,
        )


def _accounts(release: Release) -> Iterator[Hit]:
    """The accounts that the chart requires on Google."""
    text = release.values.text_at("cloud")
    if text == "google" and release.chart.since("3.1.0") and release.whole:
        account = ("brainstore", "serviceAccount", "googleServiceAccount")
        if empty(release.values.at(*account)):
            known = release.user.at("brainstore") is not None
            yield _required(release, account if known else ("cloud",), account, "on Google")
    if release.values.text_at("api", "enableGcsAuth") == "true" and release.chart.since("3.1.0"):
        account = ("api", "serviceAccount", "googleServiceAccount")
        if empty(release.values.at(*account)) and release.whole:
            yield _required(release, ("api", "enableGcsAuth"), account, "with api.enableGcsAuth")


def _required(release: Release, at: Path, key: Path, when: str) -> Hit:
    return Hit(
        rule="config.required-values-are-set",
        verdict=Verdict.FAIL,
        place=line_of_key(release, *at),
        key=release.key(*key),
        summary=f"{'.'.join(key)} is required {when}: the chart does not render",
        remedy=f"Set {release.key(*key)}.",
    )


def _choice(release: Release, path: Path, node: Node, words: tuple[str, ...], verdict: Verdict) -> Hit:
    assert node.place is not None
    shown = ", ".join(word or '""' for word in words)
    near = next((word for word in words if word and word.lower() == (node.text or "").strip().lower()), None)
    return Hit(
        rule="config.values-are-known",
        verdict=verdict,
        place=node.place,
        key=release.key(*path),
        summary=f'{".".join(path)} is "{(node.text or "")[:40]}", which nothing knows',
        expected=shown,
        seen=(node.text or "")[:40],
        remedy=f"Write {near}." if near else f"Write one of {shown}.",
        fix=near,
    )


def _organisation(release: Release) -> Iterator[Hit]:
    name = release.values.at("global", "orgName")
    if name is not None and not name.known:
        return
    text = (name.text or "").strip() if name is not None else ""
    if text == PLACEHOLDER:
        if release.whole or (name is not None and name.given):
            yield Hit(
                rule="config.organisation-is-set",
                verdict=Verdict.FAIL,
                place=line_of_key(release, "global", "orgName"),
                key=release.key("global", "orgName"),
                summary="global.orgName is not set: the API is told a placeholder, and refuses every organisation",
                expected="the organisation's name",
                seen=PLACEHOLDER,
                remedy=f"Set {release.key('global', 'orgName')}.",
            )
        return
    if text not in ("", "*") or not release.chart.since("6.7.1"):
        return
    listed = release.values.at("api", "extraEnvVars")
    named = any(item.text_at("name") == "PRIMARY_ORG_NAME" for item in (listed.items if listed else ()))
    if not named and not release.values.text_at("global", "primaryOrgName").strip():
        user = release.user.at("global", "orgName")
        yield Hit(
            rule="retention.primary-organisation-is-set",
            verdict=Verdict.FAIL,
            place=user.place if user is not None and user.place else line_of_key(release, "global", "orgName"),
            key=release.key("global", "primaryOrgName"),
            summary="global.primaryOrgName is required where orgName is empty or *: the chart does not render",
            expected="the organisation that manages service tokens",
            seen=text or "nothing",
            remedy=f"Set {release.key('global', 'primaryOrgName')}.",
        )


def _namespace(release: Release) -> Iterator[Hit]:
    installed = release.namespace
    if installed is None or release.values.text_at("global", "createNamespace") == "true":
        return
    node = release.values.at("global", "namespace")
    named = release.values.text_at("global", "namespace")
    if named != installed and (node is None or node.known):
        yield Hit(
            rule="config.namespace-matches",
            verdict=Verdict.FAIL,
            place=line_of_key(release, "global", "namespace"),
            key=release.key("global", "namespace"),
            summary=f"installed into {installed}, but the API looks for Brainstore in {named or 'no namespace'}",
            expected=installed,
            seen=named,
            remedy=f"Set {release.key('global', 'namespace')} to {installed}.",
        )


def _words(release: Release) -> Iterator[Hit]:
    values = release.values
    mode = values.at("api", "unsafeUrlRequestMode")
    if (
        mode is not None
        and mode.given
        and mode.known
        and release.chart.since("6.7.1")
        and (mode.text or "") not in _MODES
    ):
        yield _choice(release, ("api", "unsafeUrlRequestMode"), mode, _MODES, Verdict.WARN)
    if release.chart.since("5.1.0"):
        footer = values.at("brainstoreWalFooterVersion")
        if footer is not None and footer.given and footer.known and (footer.text or "") not in ("", "v1", "v2", "v3"):
            yield _choice(release, ("brainstoreWalFooterVersion",), footer, ("", "v1", "v2", "v3"), Verdict.FAIL)
        skip = values.at("skipPgForBrainstoreObjects")
        if (
            skip is not None
            and skip.given
            and skip.known
            and not re.match(r"$|all$|(?:include|exclude):.", skip.text or "")
        ):
            words = ("", "all", "include:...", "exclude:...")
            yield _choice(release, ("skipPgForBrainstoreObjects",), skip, words, Verdict.FAIL)
    google, modes = values.at("google", "mode"), ("autopilot", "standard")
    on_google = values.text_at("cloud") == "google" and release.chart.since("2.1.0")
    if google is not None and google.given and google.known and on_google and google.text not in modes:
        yield _choice(release, ("google", "mode"), google, modes, Verdict.WARN)
    locks = release.values.at("brainstore", "locksBackend")
    backends = ("redis", "objectStorage")
    if (
        locks is not None
        and locks.given
        and locks.known
        and release.chart.since("2.1.0")
        and locks.text not in backends
    ):
        yield _choice(release, ("brainstore", "locksBackend"), locks, backends, Verdict.FAIL)


def _audit(release: Release) -> Iterator[Hit]:
    strict, loose = "btqlAuditLogsStrictOrgIds", "btqlAuditLogsBestEffortOrgIds"
    if not release.chart.since("6.9.2"):
        return
    lists = {key: release.values.at(key) for key in (strict, loose)}
    if all(node is not None and node.items for node in lists.values()):
        yield _audit_hit(release, loose, "the two lists of audit logs exclude each other: the chart does not render")
    for key, node in lists.items():
        for item in node.items if node else ():
            if item.known and (not UUID.fullmatch(item.text or "") or (item.text or "").lower() != item.text):
                yield _audit_hit(release, key, "an entry is no UUID in lower case: the chart does not render", item)


def _audit_hit(release: Release, key: str, summary: str, item: Node | None = None) -> Hit:
    return Hit(
        rule="audit.lists-are-valid",
        verdict=Verdict.FAIL,
        place=item.place if item is not None and item.place else line_of_key(release, key),
        key=release.key(key),
        summary=summary,
        expected="UUIDs of organisations in one of the lists",
        remedy="Keep one list, with the ids of organisations as the settings page shows them.",
    )
