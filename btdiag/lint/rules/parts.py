"""Parts of a deployment that must fit each other: images and settings, gateway and API, route and Service, secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from btdiag.lint.house import Verdict
from btdiag.lint.rules.common import line_of_key
from btdiag.lint.subjects import Hit, Release, Subjects
from btdiag.lint.tables import version_key

_SECRETS = ("REDIS_URL", "PG_URL", "BRAINSTORE_LICENSE_KEY", "FUNCTION_SECRET_KEY", "AZURE_STORAGE_CONNECTION_STRING")


def check(subjects: Subjects) -> Iterator[Hit]:
    """Every release."""
    for release in subjects.releases:
        yield from _images(release)
        yield from _gateway(release)
        yield from _virtual_service(release)
        yield from _vault(release)


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
                place=line_of_key(release, component, "image", "tag"),
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
        place=line_of_key(release, "api", "image", "tag"),
        key=release.key("api", "image", "tag"),
        summary=f"{tag[:40]} does not know {what}: it came with v{least}",
        expected=f"v{least} or later",
        seen=tag[:40],
        remedy=f"Pin v{least} or later.",
    )


def _older(tag: str | None, least: str) -> bool:
    return (
        re.fullmatch(r"v?\d+\.\d+\.\d+([-+].*)?", tag or "") is not None
        and version_key(tag or "")[:3] < version_key(least)[:3]
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
            place=line_of_key(release, "aiGateway", "useGateway"),
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
        if one.text_at("host").split(".")[0] != name or one.text_at("port", "version_key") not in ("", port)
    ]
    if not wrong:
        return
    at = ("virtualService", "http")
    place = line_of_key(release, *at)
    if not (http is not None and http.given):
        place = line_of_key(release, "virtualService", "enabled")
    host, number_ = wrong[0].text_at("host"), wrong[0].text_at("port", "version_key")
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
