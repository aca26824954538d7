"""Configuration files as flat leaves: Helm values, manifests, compose files (YAML), Terraform (HCL), JSON, env files.

Every format comes to the same: the path of keys to a scalar, its text, and where it stands. Nothing is evaluated or
rendered, and what is read here may hold secrets: only config/declared.py decides what is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from btdiag.config.values import UsageError, printable

MAX_BYTES = 4 * 1024 * 1024  # parsers of YAML and HCL need a second for about one of them
MAX_JSON_BYTES = 64 * 1024 * 1024  # a plan names every resource with every attribute
MAX_LEAVES = 500_000  # aliases of YAML can make few lines into billions
MAX_DEPTH = 60
_ENV_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")
_YAML = (".yaml", ".yml")
_IN_FOLDER = (*_YAML, ".tf", ".tfvars", ".json", ".env")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One scalar of a file: its text without quotes ("true" for a boolean), or the HCL expression as "${...}"."""

    path: tuple[str, ...]
    value: str
    file: str
    position: str = ""

    @property
    def where(self) -> str:
        """For a person: "values.yaml line 7", "main.tf at module.data_plane.enable_ecs_api"."""
        return f"{self.file} {self.position}".rstrip()


def leaves(path: Path) -> tuple[Leaf, ...]:
    """The scalars of a file, or of the files that stand directly in a folder; UsageError if one cannot be read.

    Templates and other tools' dialects of JSON are passed over in a folder, for nobody named them.
    """
    if not path.is_dir():
        return tuple(_file(path, _text(path)))
    files = [file for file in _listed(path) if file.suffix in _IN_FOLDER or file.name == ".env"]
    if not files:
        raise UsageError(f"--config {path}: no Helm, Terraform or env file lies directly in this folder")
    found: list[Leaf] = []
    for file in files:
        text = _text(file)
        try:
            found += _file(file, text)
        except UsageError:
            if not (file.suffix == ".json" or (file.suffix in _YAML and "{{" in text)):
                raise
    return tuple(found)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if file.is_file())
    except OSError as error:
        raise UsageError(f"--config {folder}: {error.strerror or 'cannot be read'}") from None


def _file(path: Path, text: str) -> Iterator[Leaf]:
    try:
        if path.suffix in _YAML:
            found = _yaml(text, path.name)
        elif path.suffix == ".json":
            found = _json(text, path.name)
        elif path.suffix in (".tf", ".tfvars"):
            found = _hcl(text, path.name)
        else:
            found = _env(text, path)
        for number, leaf in enumerate(found):
            if number == MAX_LEAVES:
                raise UsageError(f"--config {path}: holds more than {MAX_LEAVES:,} values")
            yield leaf
    except RecursionError:
        raise UsageError(f"--config {path}: is nested more deeply than any configuration") from None
    except ValueError as error:
        raise UsageError(f"--config {path}: {printable(str(error))}") from None


def _text(path: Path) -> str:
    limit = MAX_JSON_BYTES if path.suffix == ".json" else MAX_BYTES
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise UsageError(f"--config {path}: is larger than {limit // 1024 // 1024} MiB")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"--config {path}: {error.strerror or 'cannot be read'}") from None
    except UnicodeDecodeError:
        raise UsageError(f"--config {path}: is not UTF-8 text") from None


def _yaml(text: str, name: str) -> Iterator[Leaf]:
    """Composed, never constructed: no tag of the file makes an object."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        for document in YAML(typ="safe", pure=True).compose_all(text):
            yield from _nodes(document, (), name)
    except MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        advice = ": hand over the values, or what helm template prints" if "{{" in text else ""
        raise ValueError(f"is not YAML{line}{advice}") from None
    except YAMLError:
        raise ValueError("is not YAML") from None


def _nodes(node: Any, path: tuple[str, ...], name: str) -> Iterator[Leaf]:
    """The scalars under a node; what a merge key (<<) brings in stands where it was merged."""
    if len(path) > MAX_DEPTH:
        raise RecursionError
    if node is None:
        return
    if node.id == "mapping":
        for key, value in node.value:
            if key.id == "scalar":
                yield from _nodes(value, path if key.value == "<<" else (*path, key.value), name)
    elif node.id == "sequence":
        for index, item in enumerate(node.value):
            yield from _nodes(item, (*path, str(index)), name)
    elif path and not node.tag.endswith(":null"):
        yield Leaf(path=path, value=node.value, file=name, position=f"line {node.start_mark.line + 1}")


def _hcl(text: str, name: str) -> Iterator[Leaf]:
    import hcl2
    from lark.exceptions import LarkError

    options = hcl2.SerializationOptions(
        with_comments=False, explicit_blocks=False, strip_string_quotes=True, preserve_heredocs=False
    )
    try:
        tree = hcl2.loads(text if text.endswith("\n") else text + "\n", serialization_options=options)
    except LarkError as error:
        line = getattr(error, "line", None)
        raise ValueError("is not Terraform's language" + (f" in line {line}" if line and line > 0 else "")) from None
    yield from _tree(tree, (), name)


def _json(text: str, name: str) -> Iterator[Leaf]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON in line {error.lineno}") from None
    yield from _tree(_planned(document), (), name)


def _planned(document: Any) -> Any:
    """Of what `terraform show -json` prints, only what will be; the rest repeats it, or tells what was."""
    return document["planned_values"] if isinstance(document, dict) and "planned_values" in document else document


def _tree(value: Any, path: tuple[str, ...], name: str) -> Iterator[Leaf]:
    if len(path) > MAX_DEPTH:
        raise RecursionError
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _tree(item, (*path, str(key).strip('"')), name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _tree(item, (*path, str(index)), name)
    elif isinstance(value, str) and path[-1:] == ("container_definitions",) and value.lstrip().startswith("["):
        yield from _tree(json.loads(value), path, name)
    elif path and value is not None:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        shown = ".".join(key for key in path if not key.isdecimal())
        yield Leaf(path=path, value=text, file=name, position=f"at {shown}" if shown else "")


def _env(text: str, path: Path) -> Iterator[Leaf]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _ENV_LINE.fullmatch(line)
        if not match and path.suffix != ".env" and not path.name.startswith(".env"):
            raise ValueError(f"is neither .yaml, .json, .tf, .tfvars nor an env file: line {number} is not NAME=VALUE")
        if match:
            yield Leaf(path=(match[1],), value=_unquoted(match[2]), file=path.name, position=f"line {number}")


def _unquoted(value: str) -> str:
    """As docker and shells read it: quotes taken away, a comment after white space cut off outside of them."""
    if value[:1] in ("'", '"') and (end := value.find(value[0], 1)) > 0:
        return value[1:end]
    return re.split(r"\s#", value, maxsplit=1)[0].strip()
