"""What leaves the data plane: the types of telemetry, wherever they are set.

Source: chart values.yaml (controlPlaneTelemetry), terraform-aws variables.tf (monitoring_telemetry). The chart hands
the text through unchecked, the AWS module checks it since v2.3.3.
"""

from __future__ import annotations

from collections.abc import Iterator

from btdiag.lint.house import Verdict
from btdiag.lint.nodes import Position
from btdiag.lint.rules.common import line_of_key
from btdiag.lint.subjects import Call, Hit, Release, Subjects

TYPES = ("status", "metrics", "usage", "memprof", "logs", "traces")
VARIABLES = ("CONTROL_PLANE_TELEMETRY", "BRAINSTORE_CONTROL_PLANE_TELEMETRY", "GATEWAY_TELEMETRY")
_LEAKS = {"logs": "application logs", "traces": "traces of requests"}


def check(subjects: Subjects) -> Iterator[Hit]:
    """Every place that sets the types of telemetry."""
    for release in subjects.releases:
        yield from _release(release)
    for call in subjects.calls:
        yield from _call(call)
    for variables in subjects.variables:
        for setting in variables.settings:
            if setting.name in VARIABLES and setting.text is not None and setting.place is not None:
                yield from _types(setting.text, setting.place, setting.key, Verdict.WARN)
            elif setting.name == "DISABLE_SYSADMIN_TELEMETRY" and setting.place is not None:
                yield from _sysadmin(setting.text, setting.place, setting.key)


def _release(release: Release) -> Iterator[Hit]:
    path = ("global", "controlPlaneTelemetry")
    node = release.user.at(*path)
    if node is None or not node.known or not release.chart.since("2.0.0"):
        return
    place, key = line_of_key(release, *path), release.key(*path)
    if node.place is not None:
        place = node.place
    if node.items or node.map:
        kind = "list" if node.items else "map"
        yield Hit(
            rule="telemetry.types-are-known",
            verdict=Verdict.WARN,
            place=place,
            key=key,
            summary=f"the {kind} is rendered as one odd text: the types are one text with commas",
            expected="status,metrics,usage",
            remedy="Write the types as one text: status,metrics,usage.",
        )
        return
    yield from _types(node.text or "", place, key, Verdict.WARN)


def _call(call: Call) -> Iterator[Hit]:
    node = call.arguments.get("monitoring_telemetry")
    if node is None or node.place is None or "monitoring_telemetry" not in call.module.variables or not node.known:
        return
    if node.value is None:
        yield Hit(
            rule="telemetry.types-are-known",
            verdict=Verdict.FAIL,
            place=node.place,
            key="monitoring_telemetry",
            summary="null breaks the module's own check: the plan fails",
            expected='a text; "" switches telemetry off',
            seen="null",
            remedy='Leave the argument out for the default, or write "" to switch telemetry off.',
        )
        return
    if node.text is None:
        return  # a list: the type is wrong, which another rule says
    words = ",".join(word.strip() for word in node.text.split(","))
    yield from _types(words, node.place, "monitoring_telemetry", Verdict.FAIL)
    yield from _gateway(call, words, node.place)


def _gateway(call: Call, words: str, place: Position) -> Iterator[Hit]:
    """The gateway on ECS sends to its fixed endpoint whatever this variable says (modules/gateway-ecs/main.tf); with
    the vendor's own observability it sends to an agent beside it, since v5.6.0."""
    observed = call.value("internal_observability_api_key") != "" and call.module.since("5.6.0")
    runs = call.on("create_ai_gateway") or call.on("enable_ai_gateway")
    if words == "" and call.module.since("5.5.0") and runs and not observed:
        yield Hit(
            rule="telemetry.gateway-follows",
            verdict=Verdict.WARN,
            place=place,
            key="monitoring_telemetry",
            summary="the AI gateway of this module sends its telemetry all the same: it does not read this variable",
            remedy="HclBlock the gateway's way to www.braintrust.dev/api/pulse/otel, or ask Braintrust support.",
        )


def _types(text: str, place: Position, key: str, unknown: Verdict) -> Iterator[Hit]:
    if text.strip() == "":
        yield Hit(
            rule="telemetry.support-sees-the-deployment",
            verdict=Verdict.WARN,
            place=place,
            key=key,
            summary="telemetry is switched off: Braintrust support cannot see the state of this data plane",
            expected="status,metrics,usage",
            seen="nothing",
            remedy="Keep at least status and metrics, unless your rules forbid it.",
        )
        return
    words = text.split(",")
    odd = [word for word in words if word not in TYPES]
    if odd:
        known = [word.strip().lower() for word in words]
        safe = all(word in TYPES for word in known)
        yield Hit(
            rule="telemetry.types-are-known",
            verdict=unknown,
            place=place,
            key=key,
            summary=f"{_said(odd)} no type of telemetry that is documented",
            expected=f"of {', '.join(TYPES)}; lower case, no blanks",
            seen=text[:100],
            remedy=f"Write {','.join(known)}." if safe else f"The types are {', '.join(TYPES)}.",
            fix=",".join(known) if safe else None,
        )
    yield from _leaks(words, text, place, key)


def _leaks(words: list[str], text: str, place: Position, key: str) -> Iterator[Hit]:
    for word in dict.fromkeys(word.strip().lower() for word in words):
        if word in _LEAKS:
            yield Hit(
                rule="telemetry.data-stays",
                verdict=Verdict.WARN,
                place=place,
                key=key,
                summary=f'"{word}" sends {_LEAKS[word]} to the control plane: they may hold what customers sent',
                expected="status,metrics,usage",
                seen=text[:100],
                remedy=f"Leave {word} out, unless support asked for it and your rules allow it.",
            )


def _said(words: list[str]) -> str:
    shown = ", ".join(f'"{word[:40]}"' for word in words[:4])
    return f"{shown} is" if len(words) == 1 else f"{shown} are"


def _sysadmin(text: str | None, place: Position, key: str) -> Iterator[Hit]:
    if text is not None and text not in ("true", "false", ""):
        yield Hit(
            rule="telemetry.sysadmin-value",
            verdict=Verdict.WARN,
            place=place,
            key=key,
            summary=f'"{text[:40]}" is not the documented value: only "true" switches the sysadmin endpoints off',
            expected="true",
            seen=text[:40],
            remedy='Write "true".',
            fix="true" if text.strip().lower() in ("true", "1", "yes", "on") else None,
        )
