"""Env files and JSON, with positions."""

from __future__ import annotations

import json
import re

from btdiag.lint.house import UsageError
from btdiag.lint.nodes import Document, Duplicate, Node, Path, Position, Value

MAX_DEPTH = 60
_LINE = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=(.*)", re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?\d{1,40}(\.\d{1,40})?([eE][-+]?\d{1,3})?")
_DECODER = json.JSONDecoder()
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


def env(text: str, file: str) -> Document:
    """The variables of an env file as compose and shells read it: quotes and comments taken away; the last one of a
    name counts. UsageError with the line if a line is no NAME=VALUE."""
    found: dict[str, Node] = {}
    duplicates: list[Duplicate] = []
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None and re.fullmatch(r"(?:export\s+)?[A-Za-z_]\w*", bare):
            continue  # a name alone hands the variable through
        if match is None:
            raise UsageError(f"{file}:{number}: is not NAME=VALUE")
        place = Position(file=file, line=number, column=line.index(match[1]) + 1)
        before = found.pop(match[1], None)
        if before is not None and before.place is not None:
            duplicates.append(Duplicate(path=(match[1],), first=before.place, second=place))
        found[match[1]] = Node(value=unquoted(match[2]), place=place)
    return Document(file=file, root=Node(value=found, place=Position(file=file, line=1)), duplicates=tuple(duplicates))


def unquoted(value: str) -> str:
    """A value without its quotes, and without the comment behind it."""
    value = value.strip()
    if value[:1] in ("'", '"') and (end := value.find(value[0], 1)) > 0:
        return value[1:end]
    cut = re.search(r"(?:^|[ \t])#", value)
    return value[: cut.start()].rstrip() if cut else value


def json_document(text: str, file: str) -> Document:
    """A JSON file; UsageError with the position if it is none. A duplicate key is kept for a rule."""
    try:
        return _Json(text, file).document()
    except (json.JSONDecodeError, StopIteration, IndexError, ValueError) as error:
        place = f":{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise UsageError(f"{file}{place}: is not JSON") from None


class _Json:
    """A reader that knows where it is: json.loads does not tell."""

    def __init__(self, text: str, file: str) -> None:
        self._text, self._file = text, file
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._duplicates: list[Duplicate] = []
        self._line = 0

    def document(self) -> Document:
        start = self._skip(0)
        value, end = self._value(start, ())
        if self._skip(end) != len(self._text):
            raise json.JSONDecodeError("more", self._text, end)
        root = Node(value=value, place=Position(file=self._file, line=1))
        return Document(file=self._file, root=root, duplicates=tuple(self._duplicates))

    def _skip(self, position: int) -> int:
        match = _SPACE.match(self._text, position)
        return match.end() if match else position

    def _value(self, position: int, path: Path) -> tuple[Value, int]:
        if len(path) > MAX_DEPTH:
            raise UsageError(f"{self._file}:{self._place(position).line}: is nested more deeply than any configuration")
        first = self._text[position]
        if first == "{":
            return self._object(position, path)
        if first == "[":
            return self._array(position, path)
        if first == '"':
            return self._string(position)
        for word, value in _WORDS.items():
            if self._text.startswith(word, position):
                return value, position + len(word)
        match = _NUMBER.match(self._text, position)
        if match is None:
            raise json.JSONDecodeError("no value", self._text, position)
        number = match.group()
        return (float(number) if match[1] or match[2] else int(number)), match.end()

    def _object(self, position: int, path: Path) -> tuple[Value, int]:
        members: dict[str, Node] = {}
        position = self._skip(position + 1)
        while self._text[position] != "}":
            if self._text[position] != '"':
                raise json.JSONDecodeError("no key", self._text, position)
            place = self._place(position)
            key, position = self._string(position)
            position = self._skip(position)
            if self._text[position] != ":":
                raise json.JSONDecodeError("no colon", self._text, position)
            value, position = self._value(self._skip(position + 1), (*path, key[:80]))
            before = members.pop(key, None)
            if before is not None and before.place is not None:
                self._duplicates.append(Duplicate(path=(*path, key), first=before.place, second=place))
            members[key] = Node(value=value, place=place)
            position = self._next(position, "}")
        return members, position + 1

    def _array(self, position: int, path: Path) -> tuple[Value, int]:
        items: list[Node] = []
        position = self._skip(position + 1)
        while self._text[position] != "]":
            place = self._place(position)
            value, position = self._value(position, (*path, str(len(items))))
            items.append(Node(value=value, place=place))
            position = self._next(position, "]")
        return tuple(items), position + 1

    def _string(self, position: int) -> tuple[str, int]:
        text, end = _DECODER.raw_decode(self._text, position)
        assert isinstance(text, str)
        return text, end

    def _next(self, position: int, end: str) -> int:
        """Behind a comma, or at the end."""
        position = self._skip(position)
        if self._text[position] == end:
            return position
        if self._text[position] != ",":
            raise json.JSONDecodeError("no comma", self._text, position)
        return self._skip(position + 1)

    def _place(self, position: int) -> Position:
        """Read from left to right, so that the line is found by going on from the last one."""
        while self._line + 1 < len(self._starts) and self._starts[self._line + 1] <= position:
            self._line += 1
        return Position(file=self._file, line=self._line + 1, column=position - self._starts[self._line] + 1)
