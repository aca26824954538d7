"""What rules share: where to point, quantities, UUIDs, and facts of the chart that several rules need."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from btdiag.lint.house import Verdict
from btdiag.lint.nodes import Node, Position
from btdiag.lint.subjects import Call, Hit, Release

ROLES = ("reader", "fastreader", "writer")
UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(m|[kMGTPE]|[KMGTPE]i|[eE][-+]?\d+)?")
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
_UNITS |= {f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", 1)}


def line_of_key(release: Release, *path: str) -> Position:
    """The line of a key, or of the deepest key above it that the user's files have."""
    place = release.user.nearest(*path).place if path else None  # what a null takes away is found there, too
    fallback = next((node.place for node in release.files if node.place is not None), None)
    return place or fallback or Position(file="-", line=1)


def roles(release: Release) -> tuple[str, ...]:
    """Brainstore's roles at this version of the chart."""
    if release.chart.since("5.0.0"):
        return ROLES
    return ("reader", "writer") if release.chart.since("2.0.0") else ()


def quantity(text: str | None) -> Decimal | None:
    """A quantity of Kubernetes ("2", "500m", "16Gi") as a number; None if it is none.

    Source: k8s.io/apimachinery resource.Quantity.
    """
    match = _QUANTITY.fullmatch((text or "").strip()) if len(text or "") < 40 else None
    if match is None:
        return None
    number, unit = Decimal(match[1]), match[2] or ""
    if unit == "m":
        return number / 1000
    if unit[:1] in "eE" and unit[1:].lstrip("+-").isdigit():
        try:
            return number * Decimal(10) ** min(int(unit[1:]), 30)
        except InvalidOperation:
            return None
    return number * _UNITS[unit]


def container_paths(release: Release) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(name for a person, path of its values) of each component that has a container."""
    yield "the API", ("api",)
    if not release.chart.since("2.0.0"):
        yield "Brainstore", ("brainstore",)
    for role in roles(release):
        yield f"Brainstore's {role}", ("brainstore", role)
    if release.values.text_at("aiGateway", "enabled") == "true":
        yield "the gateway", ("aiGateway",)


def empty(node: Node | None) -> bool:
    """Whether templates take it for nothing: absent, null, false, 0, "" or empty."""
    if node is not None and not node.known:
        return False
    return node is None or node.value in (None, False, 0, "") or (node.text is None and not (node.map or node.items))


def argument_hit(call: Call, rule: str, name: str, summary: str, **more: object) -> Hit:
    """A hit at an argument of a call, or at the call where the argument is not given."""
    node = call.arguments.get(name)
    place = node.place if node is not None and node.place is not None else call.place
    verdict = more.pop("verdict", Verdict.FAIL)
    assert isinstance(verdict, Verdict)
    texts = {key: str(value) for key, value in more.items()}
    return Hit(rule=rule, verdict=verdict, place=place, key=name, summary=summary, **texts)


def azure_driver(release: Release) -> bool:
    """Whether local disks come from Azure's container storage driver."""
    return (
        release.values.text_at("cloud") == "azure"
        and release.values.text_at("azure", "enableAzureContainerStorageDriver") == "true"
    )
