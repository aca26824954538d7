"""What a file says, with the place of every key and value. Frozen; every syntax comes to the same.

A map is a dict of nodes, a list a tuple of nodes. What only another tool can evaluate is UNKNOWN: no rule judges it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

Value: TypeAlias = "Mapping[str, Node] | tuple[Node, ...] | str | int | float | bool | NotEvaluated | None"
Path: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A position in a file; line and column count from 1."""

    file: str
    line: int
    column: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NotEvaluated:
    """A value that only Terraform or a template can give; `refers` is the name if it is a plain reference (var.x),
    `mentions` the beginning of the expression, which tells what it is about and is never shown."""

    refers: str = ""
    mentions: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One value. `place` is where its key stands (for an item of a list, the item); None for a chart's default."""

    value: Value
    place: Position | None = None

    @property
    def given(self) -> bool:
        """Whether a user's file says it, and not the chart."""
        return self.place is not None

    @property
    def map(self) -> Mapping[str, Node]:
        """The members; empty if this is no map."""
        return self.value if isinstance(self.value, Mapping) else {}

    @property
    def items(self) -> tuple[Node, ...]:
        """The items; empty if this is no list."""
        return self.value if isinstance(self.value, tuple) else ()

    @property
    def known(self) -> bool:
        return not isinstance(self.value, NotEvaluated)

    @property
    def text(self) -> str | None:
        """A scalar as templates print it ("true", "8000"); None for maps, lists, null and what is unknown."""
        if self.value is None or isinstance(self.value, (Mapping, tuple, NotEvaluated)):
            return None
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        if isinstance(self.value, float) and self.value.is_integer():
            return str(int(self.value))
        return str(self.value)

    def at(self, *keys: str) -> Node | None:
        """The node under a path of keys, or None."""
        node: Node | None = self
        for key in keys:
            node = node.map.get(key) if node is not None else None
        return node

    def text_at(self, *keys: str) -> str:
        """The scalar under a path as text; "" where there is none."""
        node = self.at(*keys)
        return (node.text or "") if node is not None else ""

    def nearest(self, *keys: str) -> Node:
        """The deepest node on a path that a user's file gives; this node if none is."""
        best: Node = self
        node: Node | None = self
        for key in keys:
            node = node.map.get(key) if node is not None else None
            if node is None:
                break
            if node.given:
                best = node
        return best


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """A key that stands twice in one map; the second counts for most readers."""

    path: Path
    first: Position
    second: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document of a file: a YAML or JSON document, or an env file (a map of its variables)."""

    file: str
    root: Node
    duplicates: tuple[Duplicate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HclBlock:
    """A block of Terraform's language; the file itself is one without a type. `elided` says that a comment stands for
    the rest of it ("# ... your existing configuration ...")."""

    type: str
    labels: tuple[str, ...]
    place: Position
    attributes: Mapping[str, Node]
    blocks: tuple[HclBlock, ...] = ()
    duplicates: tuple[Duplicate, ...] = field(default=())
    elided: bool = False

    def named(self, kind: str) -> Iterator[HclBlock]:
        """The blocks of a type directly inside."""
        return (block for block in self.blocks if block.type == kind)

    def get(self, name: str) -> Node:
        """An attribute; a null without a place if it is not set."""
        return self.attributes.get(name, Node(value=None))


def walk(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """The node and all below it, with their paths; items of lists by number."""
    yield path, node
    for key, child in node.map.items():
        yield from walk(child, (*path, key))
    for index, child in enumerate(node.items):
        yield from walk(child, (*path, str(index)))


def plain_value(node: Node) -> object:
    """The bare value: dicts, lists and scalars, as JSON has them; an unknown one as None."""
    if isinstance(node.value, Mapping):
        return {key: plain_value(child) for key, child in node.value.items()}
    if isinstance(node.value, tuple):
        return [plain_value(child) for child in node.value]
    return None if isinstance(node.value, NotEvaluated) else node.value


def default(value: object) -> Node:
    """A bare value as a node without places: what a chart sets."""
    if isinstance(value, dict):
        return Node(value={str(key): default(child) for key, child in value.items()})
    if isinstance(value, (list, tuple)):
        return Node(value=tuple(default(child) for child in value))
    assert value is None or isinstance(value, (str, int, float))
    return Node(value=value)


def moved(node: Node, place: Position | None) -> Node:
    """The same value under another key."""
    return replace(node, place=place)
