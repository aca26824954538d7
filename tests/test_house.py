"""One concept, one place: no public function's name twice; no long function."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
LONGEST_FUNCTION = 40

# Names that several modules have, each with what it says there.
SHARED = {
    "check": "a rule of `btdiag lint`: its subjects in, its hits out; a module a rule",
    "converse": "one request on one connection, in the words of a version of HTTP; a module a version",
    "main": "where a process begins",
    "render": "a report in one format; a module a format",
    "run": "the command, and the same for programs",
    "lint": "the command, and the same for programs",
    "logs": "the command, and the same for programs",
}
# Claims: the name and the family are the id, and two families may claim the same.
CLAIM = "check_"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def modules() -> dict[str, ast.Module]:
    found = [path for room in ("btdiag", "checks") for path in sorted((ROOT / room).rglob("*.py"))]
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in found}


def test_no_two_modules_have_a_public_function_of_one_name() -> None:
    places: dict[str, set[str]] = defaultdict(set)
    for path, module in modules().items():
        for node in module.body:
            if isinstance(node, Function) and not node.name.startswith(("_", CLAIM)):
                places[node.name].add(path)
    twice = {name: paths for name, paths in places.items() if len(paths) > 1}
    assert {name: paths for name, paths in twice.items() if name not in SHARED} == {}
    assert SHARED.keys() <= twice.keys()


def test_a_function_fits_on_a_screen() -> None:
    long = {
        f"{path}:{node.name}": node.end_lineno - node.lineno + 1
        for path, module in modules().items()
        for node in ast.walk(module)
        if isinstance(node, Function) and node.end_lineno and node.end_lineno - node.lineno >= LONGEST_FUNCTION
    }
    assert long == {}
