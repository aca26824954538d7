"""Keys and values of the chart: what no template reads, wrong types, traps between settings.

The chart has no schema: a misspelt key changes nothing, and nothing says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from btdiag.lint.house import Verdict
from btdiag.lint.nodes import Node, Path
from btdiag.lint.rules.common import UUID, empty, place_of
from btdiag.lint.subjects import Hit, Release, Subjects
from btdiag.lint.tables import number

CLOUDS = ("aws", "azure", "google")
PLACEHOLDER = "<your org name on Braintrust>"
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
_MODES = ("", "off", "proxy", "warn", "reject")
_SECRETS = ("REDIS_URL", "PG_URL", "BRAINSTORE_LICENSE_KEY", "FUNCTION_SECRET_KEY", "AZURE_STORAGE_CONNECTION_STRING")
_BOUND = {"replicas"}


def check(subjects: Subjects) -> Iterator[Hit]:
    """Every release, and keys that stand twice anywhere."""
    for release in subjects.releases:
        yield from _ignored(release)
        yield from _types(release)
        yield from _cloud(release)
        yield from _organisation(release)
        yield from _namespace(release)
        yield from _images(release)
        yield from _gateway(release)
        yield from _virtual_service(release)
        yield from _words(release)
        yield from _vault(release)
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
    if life and number(life[0]) > number(release.chart.version):
        why, remedy = f"it came with chart {life[0]}", f"Upgrade the chart to {life[0]} or later, or remove the key."
    elif life and life[1]:
        why, remedy = f"it went after chart {life[1]}", "Remove the key."
    else:
        why, remedy = "no version does", "Remove the key."
    if meant and not (life and number(life[0]) > number(release.chart.version)):
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
            yield _wrong(release, at, node, "is no number", "a whole number")


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
            place=place_of(release, "cloud")
            if cloud is not None and cloud.given
            else place_of(release, "objectStorage"),
            key=release.key("cloud"),
            summary=f'cloud is "{text[:40]}": nothing of objectStorage is used, and nothing says so',
            expected="aws, azure or google",
            seen=text[:40] or "nothing",
            remedy=f"Write cloud: {meant}." if meant else "Write cloud: aws, azure or google.",
            fix=meant if meant and cloud is not None and cloud.given else None,
        )
    if text == "google" and release.chart.since("3.1.0") and release.whole:
        account = ("brainstore", "serviceAccount", "googleServiceAccount")
        if empty(release.values.at(*account)):
            known = release.user.at("brainstore") is not None
            yield _required(release, account if known else ("cloud",), account, "on Google")
    if release.values.text_at("api", "enableGcsAuth") == "true" and release.chart.since("3.1.0"):
        account = ("api", "serviceAccount", "googleServiceAccount")
        if empty(release.values.at(*account)) and release.whole:
            yield _required(release, ("api", "enableGcsAuth"), account, "with api.enableGcsAuth")
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


def _required(release: Release, at: Path, key: Path, when: str) -> Hit:
    return Hit(
        rule="config.required-values-are-set",
        verdict=Verdict.FAIL,
        place=place_of(release, *at),
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
                place=place_of(release, "global", "orgName"),
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
            place=user.place if user is not None and user.place else place_of(release, "global", "orgName"),
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
            place=place_of(release, "global", "namespace"),
            key=release.key("global", "namespace"),
            summary=f"installed into {installed}, but the API looks for Brainstore in {named or 'no namespace'}",
            expected=installed,
            seen=named,
            remedy=f"Set {release.key('global', 'namespace')} to {installed}.",
        )


def _images(release: Release) -> Iterator[Hit]:
    """An image older than what the settings write: the format cannot be read, and there is no way back."""
    if not release.chart.since("5.1.0"):
        return
    footer = release.values.text_at("brainstoreWalFooterVersion")
    skipped = release.values.text_at("skipPgForBrainstoreObjects")
    for component in ("api", "brainstore"):
        tag = release.values.at(component, "image", "tag")
        if tag is None or not tag.given or not _older(tag.text, "2.0.0"):
            continue
        what = [f"brainstoreWalFooterVersion {footer}"] if footer in ("v2", "v3") else []
        what += [f"skipPgForBrainstoreObjects {skipped[:40]}"] if skipped else []
        if what:
            yield Hit(
                rule="config.images-fit-settings",
                verdict=Verdict.WARN,
                place=place_of(release, component, "image", "tag"),
                key=release.key(component, "image", "tag"),
                summary=f"{tag.text} is older than {' and '.join(what)}, which the chart sets unless told otherwise:"
                " images before 2.0 cannot read it, and it cannot be undone",
                expected="v2.0.0 or later",
                seen=tag.text or "",
                remedy='Pin v2.0.0 or later, or set both settings to "" until the images are.',
            )
    api = release.values.at("api", "image", "tag")
    custom = release.values.text_at("api", "customCA", "enabled") == "true"
    if api is not None and api.given and custom and _older(api.text, "2.9.0"):
        yield _too_old(release, api.text or "", "api.customCA", "2.9.0")
    if api is not None and api.given and _older(api.text, "2.6.0"):
        for key in ("btqlAuditLogsStrictOrgIds", "btqlAuditLogsBestEffortOrgIds"):
            listed = release.values.at(key)
            if listed is not None and listed.items:
                yield _too_old(release, api.text or "", key, "2.6.0")


def _too_old(release: Release, tag: str, what: str, least: str) -> Hit:
    return Hit(
        rule="config.images-fit-settings",
        verdict=Verdict.WARN,
        place=place_of(release, "api", "image", "tag"),
        key=release.key("api", "image", "tag"),
        summary=f"{tag[:40]} does not know {what}: it came with v{least}",
        expected=f"v{least} or later",
        seen=tag[:40],
        remedy=f"Pin v{least} or later.",
    )


def _older(tag: str | None, least: str) -> bool:
    return (
        re.fullmatch(r"v?\d+\.\d+\.\d+([-+].*)?", tag or "") is not None and number(tag or "")[:3] < number(least)[:3]
    )


def _gateway(release: Release) -> Iterator[Hit]:
    gateway = release.values.at("aiGateway")
    if gateway is None or not release.chart.since("6.6.0"):
        return
    use = gateway.at("useGateway")
    if use is not None and use.given and use.text == "true" and gateway.text_at("enabled") != "true":
        yield Hit(
            rule="config.gateway-is-enabled",
            verdict=Verdict.FAIL,
            place=place_of(release, "aiGateway", "useGateway"),
            key=release.key("aiGateway", "useGateway"),
            summary="the API is sent to a gateway that is not deployed: aiGateway.enabled is not true",
            expected="aiGateway.enabled: true",
            remedy="Set aiGateway.enabled: true first, and useGateway once its pods are ready.",
        )


def _virtual_service(release: Release) -> Iterator[Hit]:
    if release.values.text_at("virtualService", "enabled") != "true" or not release.chart.since("3.1.1"):
        return
    name = release.values.text_at("api", "service", "name") or release.values.text_at("api", "name")
    port = release.values.text_at("api", "service", "port")
    http = release.values.at("virtualService", "http")
    routes = [route for rule in (http.items if http else ()) for route in (rule.at("route") or rule).items]
    destinations = [one for route in routes if (one := route.at("destination")) is not None]
    ours = [one for one in destinations if one.text_at("host").split(".")[0] in (name, "braintrust-api")]
    wrong = [
        one
        for one in ours
        if one.text_at("host").split(".")[0] != name or one.text_at("port", "number") not in ("", port)
    ]
    if not wrong:
        return
    at = ("virtualService", "http")
    place = place_of(release, *at)
    if not (http is not None and http.given):
        place = place_of(release, "virtualService", "enabled")
    host, number_ = wrong[0].text_at("host"), wrong[0].text_at("port", "number")
    yield Hit(
        rule="config.virtual-service-leads-to-the-api",
        verdict=Verdict.FAIL,
        place=place,
        key=release.key(*at),
        summary=f"the route leads to {host}:{number_}, the API's Service is {name}:{port}",
        expected=f"{name}:{port}",
        seen=f"{host}:{number_}",
        remedy=f"Set {release.key(*at)} with destination host {name} and port {port}.",
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
    yield from _audit(release)


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
        place=item.place if item is not None and item.place else place_of(release, key),
        key=release.key(key),
        summary=summary,
        expected="UUIDs of organisations in one of the lists",
        remedy="Keep one list, with the ids of organisations as the settings page shows them.",
    )


def _vault(release: Release) -> Iterator[Hit]:
    """The list of secrets is replaced, not merged: what it leaves out, no pod gets."""
    path = ("azureKeyVaultDriver", "secrets")
    node = release.user.at(*path)
    azure = release.values.text_at("cloud") == "azure"
    driver = release.values.text_at("azure", "enableAzureKeyVaultDriver") == "true"
    if node is None or node.place is None or not (azure and driver and release.chart.since("3.0.0")):
        return
    named = {item.text_at("kubernetesSecretKey") for item in node.items}
    missing = [name for name in _SECRETS if name not in named]
    if missing:
        yield Hit(
            rule="retention.secrets-are-listed",
            verdict=Verdict.FAIL,
            place=node.place,
            key=release.key(*path),
            summary=f"the list replaces the chart's, and lacks {', '.join(missing)}: pods that name it do not start",
            expected="all five secrets",
            remedy="Add an entry for each of them.",
        )
