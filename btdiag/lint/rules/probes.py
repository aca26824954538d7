"""Health checks: /status latches, dead keys, two handlers, ports that no longer match.

Once /status answers "not ready" it never recovers (charts 3.0.3 to 4.1.0 ask it by default); GET / is the right probe.
The probes of all of Brainstore's roles are brainstore.readinessProbe and brainstore.livenessProbe.
"""

from __future__ import annotations

from collections.abc import Iterator

from btdiag.lint.house import Verdict
from btdiag.lint.nodes import Node, Position
from btdiag.lint.rules.common import ROLES, line_of_key
from btdiag.lint.subjects import Container, Hit, Release, Subjects

HANDLERS = ("httpGet", "tcpSocket", "exec", "grpc")
KINDS = ("readinessProbe", "livenessProbe")
_HAVE = "3.0.3"


def check(subjects: Subjects) -> Iterator[Hit]:
    """Every probe of every release and of every rendered container, and the ports of Services."""
    for release in subjects.releases:
        yield from _dead(release)
        for component in ("api", "brainstore", "aiGateway"):
            for kind in KINDS:
                if release.chart.reads((component, kind)):
                    yield from _probe(release, component, kind)
        yield from _default_status(release)
    for container in subjects.containers:
        yield from _rendered(container)


def _probe(release: Release, component: str, kind: str) -> Iterator[Hit]:
    probe = release.values.at(component, kind)
    if probe is None or not probe.given or not probe.map:
        return
    present = [name for name in HANDLERS if (one := probe.at(name)) is not None and one.value is not None]
    if len(present) != 1:
        user = release.user.at(component, kind) or probe
        named = next((name for name in present if user.at(name) is not None), None)
        at = (component, kind, named) if named else (component, kind)
        yield _handlers(line_of_key(release, *at), release.key(component, kind), present)
    path = probe.at("httpGet", "path")
    if component != "aiGateway" and path is not None and path.given and _is_status(path.text):
        yield _status(release, component, kind)


def _is_status(text: str | None) -> bool:
    return (text or "").rstrip("/") in ("/status", "status", "/apiserver/status")


def _handlers(place: Position, key: str, present: list[str]) -> Hit:
    what = " and ".join(present) if present else "no handler"
    return Hit(
        rule="brainstore.probes-have-one-handler",
        verdict=Verdict.FAIL,
        place=place,
        key=key,
        summary=f"the probe has {what}: Kubernetes takes exactly one"
        + (", and Helm keeps the chart's httpGet beside another one" if len(present) > 1 else ""),
        expected="one of httpGet, tcpSocket, exec, grpc",
        seen=what,
        remedy="Write httpGet: null beside the handler that you want." if len(present) > 1 else "State one handler.",
    )


def _status(release: Release, component: str, kind: str) -> Hit:
    at = (component, kind, "httpGet", "path")
    node = release.values.at(*at)
    return Hit(
        rule="brainstore.readiness-recovers",
        verdict=Verdict.FAIL,
        place=line_of_key(release, *at),
        key=release.key(*at),
        summary="/status never recovers once it has failed: the pod stays out of service until it is restarted",
        expected="/",
        seen=(node.text or "") if node else "",
        remedy="Ask for / on the port of the chart's default, or remove the override (chart 5.0.0 and later).",
    )


def _default_status(release: Release) -> Iterator[Hit]:
    """The chart's own default, where nothing replaces it."""
    if not release.chart.between(_HAVE, "4.1.0"):
        return
    asked = [
        component
        for component in ("api", "brainstore")
        if (path := release.values.at(component, "readinessProbe", "httpGet", "path")) is not None
        and not path.given
        and _is_status(path.text)
    ]
    if asked:
        yield Hit(
            rule="brainstore.readiness-recovers",
            verdict=Verdict.WARN,
            place=line_of_key(release),
            key=release.key(asked[0], "readinessProbe"),
            summary=f"chart {release.chart.version} asks /status for readiness, which never recovers once it failed",
            expected="/, as charts since 5.0.0 do",
            seen="/status",
            remedy="Upgrade the chart to 5.0.0 or later, or set path: / and the port of the service (8000, 4000).",
        )


def _dead(release: Release) -> Iterator[Hit]:
    for role in ROLES:
        for kind in (*KINDS, "startupProbe"):
            node = release.user.at("brainstore", role, kind)
            if node is not None and node.place is not None:
                shared = f"brainstore.{kind}" if kind != "startupProbe" else "brainstore.livenessProbe"
                yield Hit(
                    rule="brainstore.probes-are-read",
                    verdict=Verdict.WARN,
                    place=node.place,
                    key=release.key("brainstore", role, kind),
                    summary=f"no template reads {kind} of one role: it changes nothing, and removing it neither",
                    expected=release.key(*shared.split(".")),
                    remedy=f"Set {release.key(*shared.split('.'))}, which counts for all roles.",
                )


def _rendered(container: Container) -> Iterator[Hit]:
    for kind in (*KINDS, "startupProbe"):
        probe = container.node.at(kind)
        if probe is None or not probe.map or probe.place is None:
            continue
        present = [name for name in HANDLERS if (one := probe.at(name)) is not None and one.value is not None]
        key = f"{container.workload}.{kind}"
        if len(present) != 1:
            last = probe.at(present[-1]) if present else None
            yield _handlers(last.place if last and last.place else probe.place, key, present)
        path = probe.at("httpGet", "path") or Node(value=None)
        if container.role in ("api", "brainstore") and _is_status(path.text) and path.place is not None:
            yield Hit(
                rule="brainstore.readiness-recovers",
                verdict=Verdict.FAIL,
                place=path.place,
                key=f"{key}.httpGet.path",
                summary="/status never recovers once it has failed: the pod stays out of service until it is restarted",
                expected="/",
                seen=path.text or "",
                remedy="Ask for / on the port of the service.",
            )
