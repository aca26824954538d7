"""The only code here that touches files: opens what was named, unpacks it, and gives out lines or records, bounded.

Plain, gzip and zstd are told by their first bytes; a folder is walked without following links; a rotated set comes in
the order of time. A line is cut at LONGEST; what unpacks without end is read on, never kept.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import stat
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from btdiag.logs import arrays
from btdiag.logs.house import UsageError, plain
from btdiag.logs.recognition import LONGEST

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK = 1 << 20
MAX_FILES = 5_000
_MAX_DEPTH = 12
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_ROTATED = re.compile(r"^(.*?)(?:[.-](\d{8}(?:[-_]?\d{0,6})))?(?:\.(\d{1,5}))?(\.gz|\.zst)?$")
_SKIPPED = {".git", "node_modules", ".venv", "__pycache__"}
_NO_LOG = (
    ".json.meta", ".md", ".py", ".sh", ".conf", ".html", ".png", ".zip", ".tar", ".xz", ".yaml", ".yml", ".toml",
    ".pem", ".key", ".crt",
)  # fmt: skip
_RECORD = re.compile(rb"^\*+ +<< ")


def log_files(paths: Sequence[str]) -> list[str]:
    """The files behind the paths in the order of time within a rotated set; `-` is stdin. UsageError for none."""
    found: list[str] = []
    for path in paths:
        if path == "-":
            found.append(path)
        elif os.path.isdir(path):
            listed = list(_walk(path, 0))
            if len(listed) > MAX_FILES:
                raise UsageError(f"{plain(path)}: holds more than {MAX_FILES:,} files: name a folder below it")
            found += sorted(listed, key=_rotation)
        else:
            found.append(path)
    named = [path for path in paths if path != "-" and not os.path.isdir(path)]
    return sorted(found, key=_rotation) if len(named) > 1 and len(named) == len(found) else found


def _rotation(path: str) -> tuple[str, int, str, int]:
    """Older files of a set first: `access.log.2.gz` before `access.log.1` before `access.log`; dates ascend."""
    match = _ROTATED.match(path)
    assert match is not None
    base, date, number, _ = match.groups()
    return base or "", 0 if date or number else 1, date or "", -int(number or 0)


def _walk(folder: str, depth: int) -> Iterator[str]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        if not depth:
            raise UsageError(f"{plain(folder)}: {error.strerror or 'cannot be read'}") from None
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if depth < _MAX_DEPTH and entry.name not in _SKIPPED:
                yield from _walk(entry.path, depth + 1)
        elif entry.is_file() and not entry.name.startswith(".") and not entry.name.endswith(_NO_LOG):
            yield entry.path


@contextmanager
def opened_log(path: str) -> Iterator[BinaryIO]:
    """The file, unpacked while it is read. UsageError for what cannot be opened, or is no regular file or pipe."""
    if path == "-":
        yield unpacking(sys.stdin.buffer)
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0))
        mode = os.fstat(descriptor).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            os.close(descriptor)
            raise UsageError(f"{plain(path)}: is no file that can be read")
        if stat.S_ISFIFO(mode) and hasattr(os, "set_blocking"):
            os.set_blocking(descriptor, True)
    except (OSError, ValueError) as error:
        raise UsageError(f"{plain(path)}: {getattr(error, 'strerror', None) or 'cannot be read'}") from None
    with os.fdopen(descriptor, "rb", buffering=BLOCK) as file:
        yield unpacking(file)


def unpacking(raw: BinaryIO) -> BinaryIO:
    """What gzip and zstd hold, told by the first bytes, while it is read; else the file itself."""
    file = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, raw), BLOCK)
    magic = file.peek(4)[:4]
    if magic.startswith(_GZIP):
        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    if magic == _ZSTD:
        return _zstd(file)
    return file


def _zstd(file: BinaryIO) -> BinaryIO:
    import zstandard  # only who has such a file needs it

    return zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(file, read_across_frames=True)


def is_packed_file(path: str) -> bool:
    """Whether a file is gzip or zstd by its first bytes."""
    with open(path, "rb") as file:
        magic = file.read(4)
    return magic.startswith(_GZIP) or magic == _ZSTD


class Part(io.RawIOBase):
    """The bytes of a plain file between two places, as a file of its own."""

    def __init__(self, file: BinaryIO, begin: int, end: int) -> None:
        file.seek(begin)
        self._file, self._left = file, end - begin

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """As a file does: 0 at its end."""
        room = memoryview(buffer)
        data = self._file.read(min(len(room), self._left))
        self._left -= len(data)
        room[: len(data)] = data
        return len(data)


def edges(path: str, count: int) -> list[int]:
    """Where a file is to be cut into so many parts: always after the end of a line."""
    size = os.stat(path).st_size
    found = [0]
    with open(path, "rb") as file:
        for part in range(1, count):
            file.seek(size * part // count)
            while (line := file.readline(LONGEST)) and not line.endswith(b"\n"):
                pass
            found.append(max(file.tell(), found[-1]))
    return [*found, size]


BROKEN = (OSError, EOFError, zlib.error)
"""What a cut or damaged packed file raises while it is read; what came before it counts."""


def log_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(line number, line without its end), a line longer than LONGEST cut; varnishlog's groups as one record each,
    under the number of their first line. Ends quietly where a packed file is damaged."""
    head = file.peek(256)[:256] if isinstance(file, io.BufferedReader | gzip.GzipFile) else b""
    if arrays.begins(head):
        yield from arrays.records(file)
        return
    number = 0
    record: list[bytes] = []
    begun = 0
    for line in _split(file):
        number += 1
        if record:
            if not line or _is_request(line):
                yield begun, b"\n".join(record)
                record = []
            elif line[:1] in b"-*" or line[:1] == b" ":
                if len(record) < 20_000:
                    record.append(line)
                continue
            else:
                yield begun, b"\n".join(record)
                record = []
        if line[:1] == b"*" and _RECORD.match(line):
            record, begun = [line], number
            continue
        yield number, line
    if record:
        yield begun, b"\n".join(record)


def _is_request(line: bytes) -> bool:
    return line.startswith(b"*   <<")


def _split(file: BinaryIO) -> Iterator[bytes]:
    rest = b""
    cut = False
    read = getattr(file, "read1", file.read)
    while True:
        try:
            block = read(BLOCK)
        except BROKEN:
            break
        except Exception as error:
            if type(error).__module__.startswith("zstandard"):
                break
            raise
        if not block:
            break
        pieces = (rest + block).split(b"\n")
        rest = pieces.pop()
        for piece in pieces:
            if cut:
                cut = False
                continue
            yield piece[:-1] if piece.endswith(b"\r") else piece
        if len(rest) > LONGEST:
            if not cut:
                yield rest[: LONGEST + 1]
            cut, rest = True, b""
    if rest and not cut:
        yield rest
