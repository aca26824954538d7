"""Terraform's language as blocks with positions. Literals are read; nothing is evaluated.

The grammar is python-hcl2's; it takes an attribute twice, which Terraform refuses: duplicates are kept for a rule.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from btdiag.lint.house import UsageError
from btdiag.lint.nodes import Duplicate, HclBlock, Node, NotEvaluated, Position, Value

MAX_DEPTH = 60
MAX_BRACKETS = 60_000
_ELISION = re.compile(r"\s*(?:#|//)\s*(?:\.{3}|\u2026)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


def blocks(text: str, file: str) -> HclBlock:
    """The file as one block; UsageError with the position if it is not Terraform's language."""
    import hcl2
    from lark.exceptions import LarkError

    _bounded(text, file)
    try:
        tree = hcl2.parses_to_tree(text if text.endswith("\n") else text + "\n")
    except LarkError as error:
        line, column = getattr(error, "line", -1), getattr(error, "column", 1)
        where = f":{line}:{column}" if isinstance(line, int) and line > 0 else ""
        raise UsageError(f"{file}{where}: is not Terraform's language") from None
    except RecursionError:
        raise UsageError(f"{file}: is nested more deeply than any configuration") from None
    body = next((child for child in tree.children if getattr(child, "data", "") == "body"), None)
    return _with_elisions(_Reader(file).body(body, "", (), Position(file=file, line=1)), text)


def _with_elisions(body: HclBlock, text: str) -> HclBlock:
    """The file with the blocks marked that say by a comment that something is left out, as examples do."""
    lines = text.splitlines()
    ends = [*(block.place.line - 1 for block in body.blocks[1:]), len(lines)]
    marked = tuple(
        replace(block, elided=any(_ELISION.match(line) for line in lines[block.place.line : end]))
        for block, end in zip(body.blocks, ends, strict=False)
    )
    return replace(body, blocks=marked)


def _bounded(text: str, file: str) -> None:
    depth = 0
    brackets = re.findall(r"[\[\]{}()]|\n", text)
    if sum(bracket != "\n" for bracket in brackets) > MAX_BRACKETS:
        raise UsageError(f"{file}: holds more than any configuration")
    line = 1
    for bracket in brackets:
        line += bracket == "\n"
        depth += (bracket in "[{(") - (bracket in ")}]") if bracket != "\n" else 0
        if depth > MAX_DEPTH:
            raise UsageError(f"{file}:{line}: is nested more deeply than any configuration")


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file

    def body(self, tree: Any, kind: str, labels: tuple[str, ...], place: Position) -> HclBlock:
        attributes: dict[str, Node] = {}
        inner: list[HclBlock] = []
        duplicates: list[Duplicate] = []
        for child in tree.children if tree is not None else ():
            data = getattr(child, "data", "")
            if data == "attribute":
                self._attribute(child, attributes, duplicates)
            elif data == "block":
                inner.append(self._block(child))
        return HclBlock(
            type=kind,
            labels=labels,
            place=place,
            attributes=attributes,
            blocks=tuple(inner),
            duplicates=tuple(duplicates),
        )

    def _attribute(self, tree: Any, into: dict[str, Node], duplicates: list[Duplicate]) -> None:
        name = _name(tree.children[0])
        place = self._place(tree.children[0])
        before = into.get(name)
        if before is not None and before.place is not None:
            duplicates.append(Duplicate(path=(name,), first=before.place, second=place))
        into[name] = Node(value=self._value(tree.children[-1]), place=place)

    def _block(self, tree: Any) -> HclBlock:
        heads = [child for child in tree.children if getattr(child, "data", "") in ("identifier", "string")]
        body = next((child for child in tree.children if getattr(child, "data", "") == "body"), None)
        return self.body(body, _name(heads[0]), tuple(map(_name, heads[1:])), self._place(heads[0]))

    def _value(self, tree: Any) -> Value:
        data = getattr(tree, "data", "")
        inner = [child for child in getattr(tree, "children", ()) if getattr(child, "data", "") or _bare(child)]
        if data == "expr_term":
            terms = [child for child in inner if getattr(child, "data", "")]
            return self._value(terms[0]) if len(terms) == 1 else NotEvaluated()
        reader = getattr(self, f"_{data}", None) if data in _READ else None
        value: Value = (
            reader(tree) if reader else NotEvaluated(refers=_reference(tree), mentions=_flat(tree).strip()[:200])
        )
        return value

    def _string(self, tree: Any) -> Value:
        parts = [child for child in tree.children if getattr(child, "data", "") == "string_part"]
        if any(getattr(token, "data", "") for part in parts for token in part.children):
            only = parts[0].children[0] if len(parts) == 1 and len(parts[0].children) == 1 else None
            terms = [child for child in getattr(only, "children", ()) if getattr(child, "data", "")]
            return self._value(terms[0]) if len(terms) == 1 else NotEvaluated()
        return _unescaped("".join(str(token) for part in parts for token in part.children))

    def _literal_value(self, tree: Any) -> Value:
        return {"true": True, "false": False}.get(str(tree.children[0]).strip())

    def _int_lit(self, tree: Any) -> Value:
        digits = "".join(map(str, tree.children)).strip()
        return int(digits) if len(digits) < 40 else NotEvaluated()

    def _float_lit(self, tree: Any) -> Value:
        return float("".join(map(str, tree.children)).strip()[:40])

    def _unary_op(self, tree: Any) -> Value:
        value = self._value(tree.children[-1])
        minus = str(tree.children[0]).strip() == "-"
        return -value if minus and isinstance(value, (int, float)) and not isinstance(value, bool) else NotEvaluated()

    def _tuple(self, tree: Any) -> Value:
        terms = [child for child in tree.children if _is_expression(child)]
        return tuple(Node(value=self._value(term), place=self._place(term)) for term in terms)

    def _object(self, tree: Any) -> Value:
        members: dict[str, Node] = {}
        for element in tree.children:
            if getattr(element, "data", "") == "object_elem":
                key = element.children[0]
                place = self._place(key)
                members[_name(key)] = Node(value=self._value(element.children[-1]), place=place)
        return members

    def _place(self, tree: Any) -> Position:
        meta = tree.meta if hasattr(tree, "meta") else tree
        return Position(file=self._file, line=getattr(meta, "line", 1), column=getattr(meta, "column", 1))


_READ = {"string", "literal_value", "int_lit", "float_lit", "unary_op", "tuple", "object"}


def _bare(child: Any) -> bool:
    return not hasattr(child, "data") and bool(str(child).strip())


def _is_expression(child: Any) -> bool:
    return getattr(child, "data", "") not in ("", "new_line_or_comment")


def _name(tree: Any) -> str:
    """A name or a key: identifiers and quoted strings alike."""
    return _flat(tree).strip().strip('"')


def _flat(tree: Any) -> str:
    """The text of a tree, without recursion: what it holds may be deep."""
    found: list[str] = []
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if hasattr(one, "data"):
            if one.data != "new_line_or_comment":
                waiting.extend(reversed(one.children))
        else:
            found.append(str(one))
    return "".join(found)


def _reference(tree: Any) -> str:
    text = _flat(tree).strip()
    return text if re.fullmatch(r"(?:var|local)\.\w{1,100}", text) else ""


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text.replace("$${", "${")
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), text).replace("$${", "${")
