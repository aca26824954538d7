"""Helm's merge, as `helm template` does it: `-f` files first, then what the chart sets.

Files: maps merge, everything else is replaced, null included. Then the chart: a null in the values takes the chart's
value away; a map meets a map member by member; what differs in kind is the user's.
Source: helm pkg/chartutil/coalesce.go and pkg/cli/values, proved by tests against the binary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from btdiag.lint.nodes import Node


def merged_values(values: Iterable[Node]) -> Node:
    """The values of several files, later ones winning."""
    merged = Node(value={})
    for one in values:
        merged = _over(merged, one)
    return merged


def _over(below: Node, above: Node) -> Node:
    if not isinstance(below.value, Mapping) or not isinstance(above.value, Mapping):
        return above
    members = dict(below.value)
    for key, node in above.value.items():
        members[key] = _over(members[key], node) if key in members else node
    return Node(value=members, place=above.place or below.place)


def coalesced(user: Node, chart: Node) -> Node:
    """The values in effect: what the user gives over what the chart sets. Both are maps."""
    members: dict[str, Node] = {}
    for key, node in user.map.items():
        standard = chart.map.get(key)
        if node.value is None and standard is not None:
            continue
        if isinstance(node.value, Mapping) and standard is not None and isinstance(standard.value, Mapping):
            node = coalesced(node, standard)
        members[key] = node
    for key, standard in chart.map.items():
        if key not in user.map:
            members[key] = standard
    return Node(value=members, place=user.place)
