"""Large plain files on all processors: each reads a part of its own, and the parts are put together in their order.

What a part does not see is which connections were idle when it begins: some hundred ages of millions.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise

from btdiag.logs import reading
from btdiag.logs.account import FileAccount

LARGE = 48 << 20
"""Bytes from which on a second process pays: it takes a quarter of a second to begin."""

_MOST_PARTS = 8
_FIRST_LINES = 64
_ALONE = {"varnishlog"}  # its records have many lines, and do not say where they end


def parts_of_file(path: str) -> int:
    """In how many parts a file is read: one for what is small, packed, piped or made of long records."""
    if path == "-":
        return 1
    try:
        about = os.stat(path)
    except OSError:
        return 1
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not stat.S_ISREG(about.st_mode) or about.st_size < LARGE or processors < 2 or reading.is_packed_file(path):
        return 1
    account = FileAccount(path)
    account.prime(_first_lines(path))
    return 1 if _ALONE & set(account.reader.used) else min(processors, _MOST_PARTS)


def read_log(path: str, node: str, count: int) -> FileAccount:
    """The account of a file read in parts."""
    edges = reading.edges(path, count)
    with ProcessPoolExecutor(count) as pool:
        done = [pool.submit(part, path, node, begin, end) for begin, end in pairwise(edges)]
        whole, *later = [one.result() for one in done]
    for one in later:
        whole.absorb(one)
    return whole


def _first_lines(path: str) -> Iterator[bytes]:
    with reading.opened_log(path) as file:
        for number, line in reading.log_lines(file):
            if number > _FIRST_LINES:
                return
            yield line


def part(path: str, node: str, begin: int, end: int) -> FileAccount:
    """The account of the bytes of a file between two edges."""
    account = FileAccount(path, node)
    if begin:
        account.prime(_first_lines(path))
    with reading.opened_log(path) as file, io.BufferedReader(reading.Part(file, begin, end), reading.BLOCK) as limited:
        account.read(reading.log_lines(limited))
    return account
