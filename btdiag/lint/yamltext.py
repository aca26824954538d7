"""YAML as Helm reads it, with positions. Composed and never constructed: no tag of a file makes an object.

Helm reads YAML 1.1 (yes, on and n are booleans), keeps the last of two equal keys and knows merge keys. Bounds: bytes
and depth before parsing (a parser needs a second for 100 kB and recurses), values after aliases are counted.
Source: https://yaml.org/type/ (bool, int, float, null, merge).
"""

from __future__ import annotations

import re
import warnings
from typing import Any

from btdiag.lint.house import UsageError
from btdiag.lint.nodes import Document, Duplicate, Node, NotEvaluated, Path, Position, Value, moved

MAX_DEPTH = 60
MAX_VALUES = 200_000
MAX_FLOW = 100_000  # brackets and commas of one file: the parser needs seconds for more
_PLACEHOLDER = re.compile(r"\$\{\w|\$\(\w|\{\{")
_BOOL = re.compile(r"y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON|n|N|no|No|NO|false|False|FALSE|off|Off|OFF")
_TRUE = re.compile(r"y|yes|true|on", re.IGNORECASE)
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]*|0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+)")
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NULL = {"", "~", "null", "Null", "NULL"}
_STR = "tag:yaml.org,2002:str"
_KEY_IS_NONE = "has a map or a list for a key: a template, it seems; hand over the values, or what helm template prints"
_TEMPLATE = re.compile(r"\{\{-?\s*(?:[.$]|\w+\s|end)")


def documents(text: str, file: str) -> tuple[Document, ...]:
    """The documents of a file. UsageError with the position if it is not YAML, or larger or deeper than any
    configuration; it says so if the file is a template."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    if _deep(text):
        raise UsageError(f"{file}: is nested more deeply, or holds more, than any configuration")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of anchors that are used again, with lines of the file
            composed = list(YAML(typ="safe", pure=True).compose_all(text))
        return tuple(_Reader(file).document(node) for node in composed if node is not None)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise UsageError(f"{file}{where}: {_complaint(text)}") from None
    except (YAMLError, ValueError):
        raise UsageError(f"{file}: {_complaint(text)}") from None
    except RecursionError:
        raise UsageError(f"{file}: is nested more deeply than any configuration") from None


def _complaint(text: str) -> str:
    if _TEMPLATE.search(text):
        return "is a template, not YAML: hand over the values, or what helm template prints"
    return "is not YAML"


def _deep(text: str) -> bool:
    """Whether brackets nest, or are more, than the parser can take; a bracket in a string counts too."""
    depth = most = 0
    found = re.findall(r"[\[\]{}]", text)
    if len(found) + text.count("- - ") + text.count(",") > MAX_FLOW:
        return True
    for bracket in found:
        depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
        most = max(most, depth)
    return most > MAX_DEPTH * 2 or "- " * MAX_DEPTH in text or "? " * MAX_DEPTH in text


class _Reader:
    """Turns the nodes of one file into ours; remembers what aliases share, and counts it."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._done: dict[int, tuple[Node, int]] = {}
        self._open: set[int] = set()
        self._duplicates: list[Duplicate] = []

    def document(self, root: Any) -> Document:
        self._duplicates = []
        node, _ = self._node(root, ())
        return Document(file=self._file, root=node, duplicates=tuple(self._duplicates))

    def _node(self, node: Any, path: Path) -> tuple[Node, int]:
        if id(node) in self._done:
            return self._done[id(node)]
        if id(node) in self._open:
            raise UsageError(f"{self._where(node)}: an alias holds itself")
        if len(path) > MAX_DEPTH:
            raise UsageError(f"{self._where(node)}: is nested more deeply than any configuration")
        self._open.add(id(node))
        value, size = self._value(node, path)
        self._open.discard(id(node))
        if size > MAX_VALUES:
            raise UsageError(f"{self._where(node)}: holds more than {MAX_VALUES:,} values")
        self._done[id(node)] = Node(value=value, place=self._place(node)), size
        return self._done[id(node)]

    def _value(self, node: Any, path: Path) -> tuple[Value, int]:
        if node.id == "scalar":
            return _scalar(node), 1
        size = 1
        if node.id == "sequence":
            items: list[Node] = []
            for index, item in enumerate(node.value):
                child, more = self._node(item, (*path, str(index)))
                items.append(moved(child, self._place(item)))
                size += more
            return tuple(items), size
        members: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, item in node.value:
            child, more = self._node(item, (*path, str(key.value)[:80]))
            size += more
            if key.id != "scalar":
                raise UsageError(f"{self._where(key)}: {_KEY_IS_NONE}")
            if key.value == "<<" and not key.style:
                merged |= self._merge(child)
            else:
                self._member(members, _key(key), key, child, path)
        return {**{name: child for name, child in merged.items() if name not in members}, **members}, size

    def _member(self, members: dict[str, Node], name: str, key: Any, child: Node, path: Path) -> None:
        place = self._place(key)
        before = members.pop(name, None)  # the last one counts, and stands last
        if before is not None and before.place is not None:
            self._duplicates.append(Duplicate(path=(*path, name), first=before.place, second=place))
        members[name] = moved(child, place)

    def _merge(self, child: Node) -> dict[str, Node]:
        maps = child.items or (child,)
        return {name: node for one in reversed(maps) for name, node in one.map.items()}

    def _place(self, node: Any) -> Position:
        mark = node.start_mark
        return Position(file=self._file, line=mark.line + 1, column=mark.column + 1)

    def _where(self, node: Any) -> str:
        return f"{self._file}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def _key(node: Any) -> str:
    """A key as JSON has it: an unquoted "on" is the key "true"."""
    value = _scalar(node)
    return str(value).lower() if isinstance(value, bool) else str(node.value)


def _scalar(node: Any) -> Value:
    text: str = node.value
    if _PLACEHOLDER.search(text):
        return NotEvaluated()  # envsubst, compose, vals or tpl put the value in
    if node.style or (node.tag == _STR and not _BOOL.fullmatch(text)):
        return text
    if text in _NULL:
        return None
    if _BOOL.fullmatch(text):
        return bool(_TRUE.fullmatch(text))
    if len(text) < 40:  # longer numbers are no settings, and slow to read
        if _INT.fullmatch(text):
            return _integer(text.replace("_", ""))
        if _FLOAT.fullmatch(text):
            return float(text.replace("_", ""))
    return text


def _integer(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    if digits[:2] in ("0x", "0b", "0o"):
        return sign * int(digits, 0)
    return sign * int(digits, 8 if len(digits) > 1 and digits[0] == "0" else 10)
