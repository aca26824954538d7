"""Blocks of a file that may be packed, and damaged: what came before the damage counts."""

from __future__ import annotations

import zlib
from collections.abc import Callable

BROKEN = (OSError, EOFError, zlib.error)
"""What a cut or damaged packed file raises while it is read."""


def block_of(read: Callable[[int], bytes], size: int) -> bytes:
    """What `read` gives; nothing at the end, and nothing where a packed file is damaged."""
    try:
        return read(size)
    except BROKEN:
        return b""
    except Exception as error:
        if type(error).__module__.startswith("zstandard"):
            return b""
        raise
