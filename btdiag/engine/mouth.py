"""Where everything that btdiag says leaves it: no text gets to a terminal or a log before it has been made harmless.

Reports escape what they show already. Everything else (lists, explanations, errors, the lab, what a library prints) may
hold names, docstrings and messages of a user's files, of the environment or of stored reports. Only text that was
escaped before and coloured by ourselves goes past, through `painted`.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO, cast

from btdiag.report.escape import block


class CannotWriteError(Exception):
    """Standard output or standard error takes nothing more (a full disk); the text is one line."""


class Mouth(io.TextIOBase):
    """A text stream that makes every character visible which could hijack a terminal or reorder text; line breaks and
    tabs stay. Closing it only flushes: code that was merely loaded may not silence what btdiag has to say."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self.painted = stream
        self._name = name

    def write(self, text: str) -> int:
        """Write the text, escaped."""
        self._done(lambda: self.painted.write(block(text)))
        return len(text)

    def flush(self) -> None:
        """Hand on what is buffered."""
        self._done(self.painted.flush)

    def close(self) -> None:
        """Flush; stays open."""
        with suppress(CannotWriteError, OSError, ValueError):
            self.flush()

    def writable(self) -> bool:
        """It is."""
        return True

    def isatty(self) -> bool:
        """Whether a terminal is at the other end."""
        return self.painted.isatty()

    def fileno(self) -> int:
        """The descriptor below, which knows the terminal's width."""
        return self.painted.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # read only here, as in every stream of io
        """The encoding of the stream below."""
        return self.painted.encoding

    def _done(self, act: Callable[[], object]) -> None:
        try:
            act()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CannotWriteError(f"{self._name} cannot be written: {error.strerror}") from None


def painted(stream: TextIO) -> TextIO:
    """The stream below a mouth, for text that is harmless already and holds colours of our own."""
    return stream.painted if isinstance(stream, Mouth) else stream


def install() -> None:
    """Put a mouth in place of standard output and standard error."""
    sys.stdout = cast(TextIO, Mouth(_own(sys.stdout, line_buffering=False), "standard output"))
    sys.stderr = cast(TextIO, Mouth(_own(sys.stderr, line_buffering=True), "standard error"))


def _own(stream: TextIO | None, *, line_buffering: bool) -> TextIO:
    """The same on a descriptor of our own, so that nobody else's closing reaches it. An encoding that lacks a character
    gets an escape for it; a stream that was closed when the program began takes everything and keeps nothing."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    try:
        descriptor = os.dup(stream.fileno())
    except (OSError, ValueError):
        return stream
    return open(
        descriptor,
        "w",
        buffering=1 if line_buffering or stream.isatty() else -1,
        encoding=stream.encoding,
        errors=_IN_ASCII,
    )


_MARKS = {"✓": "+", "✗": "x", "·": ".", "→": "->", "…": "...", "×": "x", "●": "*"}
_IN_ASCII = "btdiag-marks"


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """A plain sign for those of our own marks that an encoding lacks, an escape for everything else."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    escaped = (_MARKS.get(one, one.encode("ascii", "backslashreplace").decode()) for one in lacking)
    return "".join(escaped), error.end


codecs.register_error(_IN_ASCII, _in_ascii)
