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

from btdiag.config.reading import KIB, MIB, files_in, read_text
from btdiag.config.values import UsageError, printable

# The parsers of YAML and HCL are written in Python, and each needs some 30 microseconds for the least piece.
MAX_BYTES = MIB
MAX_HCL_BYTES = 256 * KIB
MAX_JSON_BYTES = 8 * MIB  # a plan names every resource with every attribute
MAX_ENTRIES = 10_000  # of a folder
MAX_FILES = 500
MAX_DEPTH = 60
MAX_KEY = 1024  # characters; YAML's own limit for a key in one line
_ENV_NAME = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*")
_HCL_PIECE = re.compile(r"\w+|[^\w\s]")
_YAML = (".yaml", ".yml")
_IN_FOLDER = (*_YAML, ".tf", ".tfvars", ".json", ".env")


class Meter:
    """What is left for all files of one run: many small ones keep a parser as busy as a large one, and aliases of YAML
    can make few lines into billions."""

    def __init__(self) -> None:
        self._left = {
            "bytes of YAML, HCL and env files": 3 * MIB,
            "bytes of JSON": MAX_JSON_BYTES,
            "values and keys of YAML": 100_000,
            "words and signs of HCL": 60_000,
            "values of JSON": 500_000,
            "values": 150_000,
        }
        self._most = dict(self._left)

    def take(self, what: str, number: int = 1) -> None:
        """Count so many of them; ValueError, in words, when they are more than all files together may have."""
        self._left[what] -= number
        if self._left[what] < 0:
            raise ValueError(
                f"with this file there are more than {self._most[what]:,} {what}: name fewer or smaller files"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One scalar of a file: its text without quotes ("true" for a boolean), or the HCL expression as "${...}"."""

    path: tuple[str, ...]
    value: str
    file: str
    line: int = 0  # 0 where the format's parser does not tell

    @property
    def where(self) -> str:
        """For a person: "values.yaml line 7", "main.tf at module.data_plane.enable_ecs_api"."""
        if self.line:
            return f"{self.file} line {self.line}"
        shown = ".".join(key for key in self.path if not key.isdecimal())
        return f"{self.file} at {shown}" if shown else self.file


def leaves(path: Path, meter: Meter | None = None) -> tuple[Leaf, ...]:
    """The scalars of a file, or of the files that stand directly in a folder; UsageError if one cannot be read, or if
    there is more than `meter` has left.

    Templates and other tools' dialects of JSON are passed over in a folder, for nobody named them.
    """
    meter = meter or Meter()
    if not path.is_dir():
        return tuple(_file(path, _text(path), meter))
    files = [
        file for file in files_in(path, MAX_ENTRIES, "--config") if file.suffix in _IN_FOLDER or file.name == ".env"
    ]
    if not files:
        raise UsageError(f"--config {_shown(path)}: no Helm, Terraform or env file lies directly in this folder")
    if len(files) > MAX_FILES:
        raise UsageError(f"--config {_shown(path)}: {len(files)} files are too many: name those that are deployed")
    found: list[Leaf] = []
    for file in files:
        text = _text(file)
        try:
            found += _file(file, text, meter)
        except NotThisFormat:
            if not (file.suffix == ".json" or (file.suffix in _YAML and "{{" in text)):
                raise
    return tuple(found)


class NotThisFormat(UsageError):
    """The text is not what the file's name promises."""


def _file(path: Path, text: str, meter: Meter) -> Iterator[Leaf]:
    kind = path.suffix if path.suffix in (".json", ".tf", ".tfvars") else ".yaml" if path.suffix in _YAML else ""
    try:
        meter.take("bytes of JSON" if kind == ".json" else "bytes of YAML, HCL and env files", len(text))
        if kind == ".yaml":
            yield from _yaml(text, path.name, meter)
        elif kind == ".json":
            yield from _json(text, path.name, meter)
        elif kind:
            yield from _hcl(text, path.name, meter)
        else:
            yield from _env(text, path, meter)
    except RecursionError:
        raise UsageError(f"--config {_shown(path)}: is nested more deeply than any configuration") from None
    except _Unparsed as error:
        raise NotThisFormat(f"--config {_shown(path)}: {error}") from None
    except ValueError as error:
        raise UsageError(f"--config {_shown(path)}: {printable(_own_words(error))}") from None


class _Unparsed(Exception):
    """What a parser has to say, in our words."""


def _own_words(error: ValueError) -> str:
    return "has a number of thousands of digits" if "integer string conversion" in str(error) else str(error)


def _shown(path: Path) -> str:
    return printable(str(path))


def _text(path: Path) -> str:
    limit = {".json": MAX_JSON_BYTES, ".tf": MAX_HCL_BYTES, ".tfvars": MAX_HCL_BYTES}.get(path.suffix, MAX_BYTES)
    return read_text(path, limit, "--config")


def _yaml(text: str, name: str, meter: Meter) -> Iterator[Leaf]:
    """Composed, never constructed: no tag of the file makes an object."""
    from ruamel.yaml import YAML
    from ruamel.yaml.composer import MaxDepthExceededError
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.parser import Parser

    class Counting(Parser):
        """Stops where there is more than a configuration has, before it has been composed."""

        def get_event(self) -> Any:
            meter.take("values and keys of YAML")
            return super().get_event()

    reader = YAML(typ="safe", pure=True)
    reader.Parser = Counting
    reader.composer.warn_double_anchors = False
    reader.max_depth = MAX_DEPTH
    try:
        for document in reader.compose_all(text):
            yield from _nodes(document, (), name, meter)
    except MaxDepthExceededError:
        raise RecursionError from None
    except MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        advice = ": hand over the values, or what helm template prints" if "{{" in text else ""
        raise _Unparsed(f"is not YAML{line}{advice}") from None
    except YAMLError:
        raise _Unparsed("is not YAML") from None


def _nodes(node: Any, path: tuple[str, ...], name: str, meter: Meter) -> Iterator[Leaf]:
    """The scalars under a node; what a merge key (<<) brings in stands where it was merged."""
    if node is None:
        return
    _step(path, meter)
    if node.id == "mapping":
        for key, value in node.value:
            if key.id == "scalar":
                yield from _nodes(value, path if key.value == "<<" else (*path, key.value), name, meter)
    elif node.id == "sequence":
        for index, item in enumerate(node.value):
            yield from _nodes(item, (*path, str(index)), name, meter)
    elif path and not node.tag.endswith(":null"):
        yield Leaf(path=path, value=node.value, file=name, line=node.start_mark.line + 1)


def _step(path: tuple[str, ...], meter: Meter) -> None:
    """Each step into a value counts, also one that ends in nothing: aliases make billions of empty lists too."""
    meter.take("values")
    if len(path) > MAX_DEPTH:
        raise RecursionError
    if path and len(path[-1]) > MAX_KEY:
        raise ValueError(f"has a key of more than {MAX_KEY:,} characters")


def _hcl(text: str, name: str, meter: Meter) -> Iterator[Leaf]:
    import hcl2
    from lark.exceptions import LarkError

    meter.take("words and signs of HCL", sum(1 for _ in _HCL_PIECE.finditer(text)))
    options = hcl2.SerializationOptions(
        with_comments=False, explicit_blocks=False, strip_string_quotes=True, preserve_heredocs=False
    )
    try:
        tree = hcl2.loads(text if text.endswith("\n") else text + "\n", serialization_options=options)
    except LarkError as error:
        line = getattr(error, "line", None)
        raise _Unparsed("is not Terraform's language" + (f" in line {line}" if line and line > 0 else "")) from None
    yield from _tree(tree, (), name, meter)


def _json(text: str, name: str, meter: Meter) -> Iterator[Leaf]:
    meter.take("values of JSON", text.count(",") + text.count("[") + text.count("{"))
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise _Unparsed(f"is not JSON in line {error.lineno}") from None
    yield from _tree(_planned(document), (), name, meter)


def _planned(document: Any) -> Any:
    """Of what `terraform show -json` prints, only what will be; the rest repeats it, or tells what was."""
    return document["planned_values"] if isinstance(document, dict) and "planned_values" in document else document


def _tree(value: Any, path: tuple[str, ...], name: str, meter: Meter) -> Iterator[Leaf]:
    _step(path, meter)
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _tree(item, (*path, str(key).strip('"')), name, meter)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _tree(item, (*path, str(index)), name, meter)
    elif isinstance(value, str) and path[-1:] == ("container_definitions",) and value.lstrip().startswith("["):
        try:
            definitions = json.loads(value)
        except json.JSONDecodeError:
            raise ValueError("has container_definitions that are not JSON") from None
        yield from _tree(definitions, path, name, meter)
    elif path and value is not None:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        yield Leaf(path=path, value=text, file=name)


def _env(text: str, path: Path, meter: Meter) -> Iterator[Leaf]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        meter.take("values")
        name, equals, value = line.strip().partition("=")
        match = _ENV_NAME.fullmatch(name)
        if match and equals:
            yield Leaf(path=(match[1],), value=_unquoted(value.strip()), file=path.name, line=number)
        elif path.suffix != ".env" and not path.name.startswith(".env"):
            raise _Unparsed(f"is neither .yaml, .json, .tf, .tfvars nor an env file: line {number} is not NAME=VALUE")


def _unquoted(value: str) -> str:
    """As docker and shells read it: quotes taken away, a comment after white space cut off outside of them."""
    if value[:1] in ("'", '"') and (end := value.find(value[0], 1)) > 0:
        return value[1:end]
    return re.split(r"\s#", value, maxsplit=1)[0].strip()
