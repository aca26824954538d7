"""Ports that no longer match: a Service, the server behind it, and the probes that ask it.

Brainstore listens on its service.port, and its probes stay where they are. The API server listens on 8000 unless
TS_API_PORT says otherwise, whatever api.service.port is; its health server has a port of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from btdiag.lint.house import Verdict
from btdiag.lint.rules.common import line_of_key, roles
from btdiag.lint.subjects import Hit, Release, Subjects

_PROBED = "3.0.3"
_KINDS = ("readinessProbe", "livenessProbe")


def check(subjects: Subjects) -> Iterator[Hit]:
    """Every release."""
    for release in subjects.releases:
        for role in roles(release):
            yield from _brainstore(release, role)
        yield from _api(release)
        yield from _gateway(release)


def _asked(release: Release, component: str, kind: str) -> str:
    """The port that a probe asks, where it is a number."""
    port = release.values.text_at(component, kind, "httpGet", "port")
    return port if port.isdigit() else ""


def _brainstore(release: Release, role: str) -> Iterator[Hit]:
    path = ("brainstore", role, "service", "port")
    port = release.values.at(*path)
    if port is None or port.text is None or not release.chart.since(_PROBED):
        return
    for kind in _KINDS:
        probe = release.values.at("brainstore", kind, "httpGet", "port")
        asked = _asked(release, "brainstore", kind)
        if probe is not None and asked and asked != port.text and (port.given or probe.given):
            at = path if port.given else ("brainstore", kind, "httpGet", "port")
            yield _hit(release, at, f"Brainstore's {role} listens on {port.text}, the probes ask {asked}", "4000")
            return


def _api(release: Release) -> Iterator[Hit]:
    """The server's port against the Service's, and each probe against the server's and the health server's."""
    path = ("api", "service", "port")
    port = release.values.at(*path)
    listed = release.values.at("api", "extraEnvVars")
    own = [item for item in (listed.items if listed else ()) if item.text_at("name") == "TS_API_PORT"]
    server = own[-1].text_at("value") if own else "8000"
    if not server.isdigit():
        return  # from somewhere else
    if port is not None and port.text is not None and port.text != server and (port.given or own):
        moved: tuple[str, ...] = path if port.given else ("api", "extraEnvVars")
        why = f"the API server listens on {server}, the Service leads to {port.text}"
        yield _hit(release, moved, why, server)
        return
    health = release.values.text_at("api", "healthServer", "port") if release.chart.since("3.0.4") else "8001"
    for kind in _KINDS if release.chart.since(_PROBED) else ():
        asked = _asked(release, "api", kind)
        if asked and asked not in (server, health):
            at = _cause(release, kind, server)
            why = f"the {kind} asks {asked}, the API server listens on {server}, its health server on {health}"
            yield _hit(release, at, why, server)
            return


def _cause(release: Release, kind: str, server: str) -> tuple[str, ...]:
    """The key to point at: the probe's port where the user set it, else the port that moved away from it."""
    probe = release.values.at("api", kind, "httpGet", "port")
    if probe is not None and probe.given:
        return ("api", kind, "httpGet", "port")
    return ("api", "extraEnvVars") if server != "8000" else ("api", "healthServer", "port")


def _gateway(release: Release) -> Iterator[Hit]:
    if release.values.text_at("aiGateway", "enabled") != "true":
        return
    port = release.values.at("aiGateway", "service", "port")
    asked = sorted({one for kind in _KINDS if (one := _asked(release, "aiGateway", kind))})
    other = [one for one in asked if port is not None and one != port.text]
    if port is not None and port.given and other:
        why = f"the gateway's Service leads to {port.text}, its probes ask {other[0]}"
        yield _hit(release, ("aiGateway", "service", "port"), why, "8080")


def _hit(release: Release, path: tuple[str, ...], why: str, expected: str) -> Hit:
    node = release.values.at(*path)
    return Hit(
        rule="config.ports-match",
        verdict=Verdict.FAIL,
        place=line_of_key(release, *path),
        key=release.key(*path),
        summary=f"the ports do not match: {why}",
        expected=expected,
        seen=(node.text or "") if node else "",
        remedy=f"Leave the port at {expected}, or change what is named here along with it.",
    )
