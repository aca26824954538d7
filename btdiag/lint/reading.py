"""The only code here that touches files: what was named is read, bounded, in the order in which it was named.

Regular files only (a pipe or a device would hang), opened without waiting; a folder is walked without following links,
without folders that hold others' code, and reads only files whose name may matter.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from btdiag.lint.house import UsageError

MAX_BYTES = 1024 * 1024  # the parsers need a second for 100 kB
MAX_HCL_BYTES = 512 * 1024
MAX_JSON_BYTES = 16 * 1024 * 1024  # a plan names every resource with every attribute
MAX_BESIDE = 200  # files of one folder of Terraform's beside one that was named
MAX_FILES = 20_000  # that may matter, of one folder; what speaks of nothing of ours is read and not parsed
MAX_ENTRIES = 200_000  # of one folder, whether they matter or not
MAX_DEPTH = 30
SUFFIXES = (".yaml", ".yml", ".tf", ".tfvars", ".json", ".env")
_CHARTS = ("Chart.yaml", "Chart.lock", "requirements.yaml", "requirements.lock")
_SKIPPED = {".git", ".terraform", "node_modules", ".venv", "venv", "__pycache__", ".tox", ".idea", "site-packages"}
_NO_JSON = {"package.json", "package-lock.json", "tsconfig.json", "composer.json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The text of one file. `name` is how it was named; `folder` where it lies; `named` whether the user named it, or
    a folder above it."""

    name: str
    folder: str
    text: str
    named: bool


def sources(paths: Sequence[str]) -> list[Source]:
    """The files behind the paths; `-` is stdin. UsageError for what cannot be read."""
    found: list[Source] = []
    for path in paths:
        if path == "-":
            found.append(Source(name="-", folder="-", text=_decoded(_stdin(), "-"), named=True))
        elif os.path.isdir(path):
            found += _of_folder(path)
        else:
            found.append(_source(path, named=True))
    return [*found, *_beside(found)]


def _beside(found: Sequence[Source]) -> Iterator[Source]:
    """What lies beside a file that was named, and says how to read it: the chart that values are for, with its lock,
    and the rest of a folder of Terraform's, which declares variables."""
    have = {source.name for source in found}
    folders = {source.folder for source in found if source.named and source.name.endswith((".yaml", ".yml"))}
    names = [os.path.join(folder, name) for folder in sorted(folders) for name in _CHARTS]
    roots = {source.folder for source in found if source.named and source.name.endswith(".tf")}
    for folder in sorted(roots):
        try:
            listed = sorted(entry.name for entry in os.scandir(folder or ".") if entry.is_file())
        except OSError:
            continue
        names += [os.path.join(folder, name) for name in listed[:MAX_BESIDE] if name.endswith(".tf")]
    for name in names:
        if name not in have and os.path.isfile(name):
            try:
                yield _source(name, named=False)
            except UsageError:
                continue  # nobody named it


def _of_folder(folder: str) -> list[Source]:
    files: list[str] = []
    for file in _walk(folder):
        files.append(file)
        if len(files) > MAX_FILES:
            raise UsageError(f"{folder}: holds more than {MAX_FILES:,} files that may matter: name a folder below it")
    found: list[Source] = []
    for file in sorted(files):
        try:
            found.append(_source(file, named=False))
        except UsageError as error:
            if "larger than" in str(error) or "text" in str(error):
                continue  # nobody named it
            raise
    return found


def _walk(folder: str) -> Iterator[str]:
    entries = 0
    waiting = [(folder, 0)]
    while waiting:
        place, depth = waiting.pop()
        try:
            listed = sorted(os.scandir(place), key=lambda entry: entry.name)
        except OSError as error:
            if place == folder:
                raise UsageError(f"{folder}: {error.strerror or 'cannot be read'}") from None
            continue
        entries += len(listed)
        if entries > MAX_ENTRIES:
            raise UsageError(f"{folder}: holds more than {MAX_ENTRIES:,} files: name a folder below it")
        for entry in listed:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _SKIPPED and depth < MAX_DEPTH:
                    waiting.append((entry.path, depth + 1))
            elif _may_matter(entry.name) and _is_file(entry):
                yield entry.path


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads to itself
        return False


def _may_matter(name: str) -> bool:
    if name.startswith(".") and not name.startswith(".env"):
        return False
    return (name.endswith(SUFFIXES) or name.startswith(".env") or name == "Chart.lock") and name not in _NO_JSON


def _source(path: str, *, named: bool) -> Source:
    name = os.path.normpath(path)
    return Source(name=name, folder=os.path.dirname(name), text=_decoded(_content(path, name), name), named=named)


def _content(path: str, name: str) -> bytes:
    limits = {".json": MAX_JSON_BYTES, ".tf": MAX_HCL_BYTES, ".tfvars": MAX_HCL_BYTES}
    limit = limits.get(os.path.splitext(name)[1], MAX_BYTES)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UsageError(f"{name}: is no regular file")
            content = file.read(limit + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"{name}: {getattr(error, 'strerror', None) or 'cannot be read'}") from None
    if len(content) > limit:
        raise UsageError(f"{name}: is larger than {limit // 1024:,} KiB")
    return content


def _stdin() -> bytes:
    content = sys.stdin.buffer.read(MAX_JSON_BYTES + 1)
    if len(content) > MAX_JSON_BYTES:
        raise UsageError(f"-: is larger than {MAX_JSON_BYTES // 1024 // 1024} MiB")
    return content


def _decoded(content: bytes, name: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{name}:{line}: is not UTF-8 text") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UsageError(f"{name}:{line}: is binary, not text")
    return text


def text_of(path: str) -> str:
    """One file that an option names, read like the others."""
    return _source(str(Path(path)), named=True).text
