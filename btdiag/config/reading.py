"""Every file that a user names is opened here: regular files alone, never more of one than its limit, without waiting.

A named pipe waits for a writer that may never come, a device has no end, and opening one may do something.
"""

from __future__ import annotations

import os
import stat
from itertools import islice
from pathlib import Path

from btdiag.config.values import UsageError, printable

KIB, MIB = 1024, 1024 * 1024
PEM_BYTES = 4 * MIB  # the certificates of a whole system are a quarter of a megabyte
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
# Between the look at a path and its opening it can become a pipe: the open must not wait then.
_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"))


def read_bytes(path: Path, limit: int, what: str) -> bytes:
    """The content of a regular file of at most `limit` bytes; UsageError, beginning with `what` (the option that named
    it, "" for an argument), for anything else."""
    try:
        _must_be_file(os.stat(path), path, what)
        descriptor = os.open(path, _FLAGS)
        try:
            _must_be_file(os.fstat(descriptor), path, what)
            return _bounded(descriptor, limit, _named(what, path))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UsageError(_unreadable(path, what, error)) from None
    except ValueError:
        raise UsageError(f"{_named(what, path)}: is no path") from None


def read_text(path: Path, limit: int, what: str) -> str:
    """The same as text in UTF-8, with or without a byte order mark."""
    return _text(read_bytes(path, limit, what), _named(what, path))


def read_stdin(limit: int, what: str) -> str:
    """Standard input as text: of any kind, for whoever asks for it waits for its end."""
    shown = f"{what} -".lstrip()
    try:
        return _text(_bounded(0, limit, shown), shown)
    except OSError as error:
        raise UsageError(f"{shown}: cannot be read: {error.strerror}") from None


def files_in(folder: Path, most: int, what: str) -> list[Path]:
    """The regular files that lie directly in a folder of at most `most` entries, in order of their names."""
    try:
        with os.scandir(folder) as entries:
            found = list(islice(entries, most + 1))
        if len(found) > most:
            raise UsageError(f"{what} {printable(str(folder))}: holds more than {most:,} entries: name the files")
        return sorted(folder / entry.name for entry in found if _is_file(entry))
    except OSError as error:
        raise UsageError(_unreadable(folder, what, error)) from None


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads in a circle
        return False


def _must_be_file(status: os.stat_result, path: Path, what: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "no file")
        raise UsageError(f"{_named(what, path)}: cannot be read: it is {kind}, and only plain files are read")


def _bounded(descriptor: int, limit: int, shown: str) -> bytes:
    pieces, left = [], limit + 1
    while left > 0 and (piece := os.read(descriptor, min(left, MIB))):
        pieces.append(piece)
        left -= len(piece)
    if left <= 0:
        raise UsageError(f"{shown}: is larger than {size_in_words(limit)}")
    return b"".join(pieces)


def size_in_words(limit: int) -> str:
    """A limit for a person: "64 KiB", "4 MiB"."""
    return f"{limit // MIB} MiB" if limit >= MIB else f"{limit // KIB} KiB"


def _text(content: bytes, shown: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{shown}: is not UTF-8 text") from None


def _unreadable(path: Path, what: str, error: OSError) -> str:
    return f"{_named(what, path)}: cannot be read: {error.strerror or type(error).__name__}"


def _named(what: str, path: Path) -> str:
    return f"{what} {printable(str(path))}".lstrip()
