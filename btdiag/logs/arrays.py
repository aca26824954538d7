"""JSON arrays, as `gcloud logging read --format json` prints them and Azure stores them, as one record a line.

Read piece by piece: a file may be larger than memory, and cut anywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from btdiag.logs.blocks import block_of

_BEGIN = re.compile(rb'^\s*(?:\{\s*"[Rr]ecords"\s*:\s*)?\[\s*\{')
_BETWEEN = re.compile(r"[\s,]*")
_BLOCK = 1 << 18
_LONGEST = 1 << 20  # characters of one record


def begins(head: bytes) -> bool:
    """Whether the first bytes of a file are those of an array of objects."""
    return _BEGIN.match(head) is not None


def records(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(line number, record on one line). Ends where the array does, or where it is no JSON any more."""
    decoder = json.JSONDecoder()
    text, line, ended = "", 1, False
    opened = False
    while True:
        if not opened and "[" in text:
            line += text.count("\n", 0, text.index("[") + 1)
            text, opened = text.partition("[")[2], True
        start = _BETWEEN.match(text)
        assert start is not None
        line += text.count("\n", 0, start.end())
        text = text[start.end() :]
        try:
            if not opened or not text:
                raise ValueError
            value, length = decoder.raw_decode(text)
        except (ValueError, RecursionError):
            if ended or len(text) > _LONGEST or (opened and text.startswith("]")):
                return
            more = block_of(file.read, _BLOCK)
            ended = not more
            text += more.decode("utf-8", "replace")
            continue
        yield line, json.dumps(value).encode()
        line += text.count("\n", 0, length)
        text = text[length:]
