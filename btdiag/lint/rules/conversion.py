"""Whether a value converts to a type of Terraform's language, as Terraform does it before it hands a variable over.

Numbers and booleans become text, and text becomes one of them where it reads like one; a list and a set take each
other; an object must have all its attributes but the optional ones, and more than it declares are dropped.
Source: Terraform, "Type Constraints" (conversion of primitive types, of complex types, optional attributes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from btdiag.lint.nodes import Node

_NUMBER = re.compile(r"\s*[-+]?\d+(\.\d+)?([eE][-+]?\d+)?\s*")


def mismatch(node: Node, kind: str) -> str:
    """Why a value does not convert to a type ("" if it does, or if that cannot be told)."""
    value = node.value
    name, _, inner = kind.partition("(")
    inner = inner.removesuffix(")")
    if name == "number":
        return "" if _is_number(value) else "no number"
    if name == "bool":
        return "" if isinstance(value, bool) or value in ("true", "false") else "no boolean"
    if name == "string":
        return "a list or a map, not a text" if isinstance(value, (tuple, Mapping)) else ""
    if name in ("list", "set"):
        return _items(value, inner)
    if name == "map":
        return _members(value, inner)
    return _attributes(value, inner) if name == "object" else ""


def _wrong(node: Node, kind: str) -> str:
    return mismatch(node, kind) if node.known and node.value is not None else ""


def _items(value: object, inner: str) -> str:
    if not isinstance(value, tuple):
        return "no list"
    wrong = next((said for item in value if (said := _wrong(item, inner))), "")
    return f"a list with an item that is {wrong}" if wrong else ""


def _members(value: object, inner: str) -> str:
    if not isinstance(value, Mapping):
        return "no map"
    wrong = next((said for one in value.values() if (said := _wrong(one, inner))), "")
    return f"a map with a value that is {wrong}" if wrong else ""


def _attributes(value: object, inner: str) -> str:
    if not isinstance(value, Mapping):
        return "no map"
    for name, kind in _declared(inner.removeprefix("{").removesuffix("}")):
        optional = kind.startswith("optional(")
        kind = kind.removeprefix("optional(").removesuffix(")") if optional else kind
        if name not in value:
            if not optional:
                return f"a map without {name}"
        elif wrong := _wrong(value[name], kind):
            return f"a map whose {name} is {wrong}"
    return ""


def _declared(text: str) -> Iterator[tuple[str, str]]:
    """(name, type) of each attribute of an object's type: "a = string, b = list(number)"."""
    depth = start = 0
    for position, letter in enumerate(f"{text},"):
        depth += (letter in "({") - (letter in ")}")
        if letter == "," and not depth:
            name, separator, kind = text[start:position].partition("=")
            start = position + 1
            if separator:
                yield name.strip(), kind.strip()


def _is_number(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, (int, float)) or (isinstance(value, str) and _NUMBER.fullmatch(value) is not None)
