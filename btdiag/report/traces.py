"""Finds what a text shares with known secrets, in whatever clothes it comes back: a server may echo what it was sent.

A text is looked at as ASCII letters and digits alone, without case: as it stands, and as it reads when percent
encoding, HTML entities, backslash escapes and quoted-printable are undone, up to three times over. It is compared with
every secret as it is, and in hex, base32, base64 (twice, too), ASCII85, base85 and decimal codes, at every alignment,
forwards and backwards. A run of RUN letters and digits in common is a trace: so beginnings, ends and halves of a secret
are found, and what stands between its characters (blanks, line ends, invisible characters, separators) hides nothing.

What cannot be found: a secret that was encrypted, compressed, or changed letter by letter (rot13), and pieces shorter
than RUN. Pure; the time grows linearly with the text.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

RUN = 8
"""Letters and digits in a row that a text and a secret must share: ten characters of a key have as many."""
_STEP = RUN // 2
_ROUNDS = 3
_ESCAPED = re.compile(
    rb"%[0-9a-fA-F]{2}|=[0-9a-fA-F]{2}|=[ \t]*\r?\n|&#[0-9]{1,7};|&#[xX][0-9a-fA-F]{1,6};|&[a-zA-Z]{2,31};"
    rb"|\\u[0-9a-fA-F]{4}|\\u\{[0-9a-fA-F]{1,6}\}|\\x[0-9a-fA-F]{2}|\\[0-7]{3}|\\[/\"'\\bfnrt0]"
)
_KEPT = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_DROPPED = bytes(set(range(256)) - _KEPT)
_LOWER = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"abcdefghijklmnopqrstuvwxyz")
_PUBLIC_WORDS = b"braintrust authorization proxyauthorization bearer contenttype applicationjson localhost password"


@dataclass(frozen=True, slots=True)
class Traces:
    """What known secrets look like: every run of RUN letters and digits, with the number of its secret."""

    runs: dict[bytes, int]
    halves: frozenset[bytes]

    @classmethod
    def of(cls, secrets: Iterable[Iterable[str]]) -> Traces:
        """The traces of these secrets, each with its parts, counted from 1 in their order; one with fewer than RUN
        letters and digits has none, nor have words that every report holds."""
        runs: dict[bytes, int] = {}
        for number, parts in enumerate(secrets, start=1):
            for form in (form for part in parts for form in _forms(part.encode("utf-8", "surrogatepass"))):
                plain = _plain(form)
                for one in (plain, plain[::-1]):
                    for start in range(len(one) - RUN + 1):
                        run = one[start : start + RUN]
                        if run not in _PUBLIC:
                            runs.setdefault(run, number)
        return cls(runs, frozenset(run[start : start + _STEP] for run in runs for start in range(RUN - _STEP + 1)))

    def spans(self, text: str) -> list[tuple[int, int, int]]:
        """Where the text shares a run with a secret: (begin, end, number of the secret), in order, without overlaps."""
        if not self.runs or len(text) < RUN:
            return []
        found = [span for view in _views(text) if self._suspicious(view.plain) for span in self._spans(view)]
        return _merged(found)

    def _suspicious(self, plain: bytes) -> bool:
        """Every run in common covers a piece of _STEP that begins at a multiple of _STEP: one look in four will do."""
        halves = self.halves
        return any(plain[at : at + _STEP] in halves for at in range(0, len(plain) - _STEP + 1, _STEP))

    def _spans(self, view: _View) -> Iterator[tuple[int, int, int]]:
        plain, runs = view.plain, self.runs
        for at in range(len(plain) - RUN + 1):
            number = runs.get(plain[at : at + RUN])
            if number is not None:
                yield *view.origin(at, at + RUN), number


class _View:
    """A text as letters and digits, and which part of the original each of them comes from.

    `raw` are the bytes that the original reads as; `begins` and `ends` give for each of them its place in the original,
    None where it is the original's own UTF-8.
    """

    def __init__(self, text: str, raw: bytes, begins: list[int] | None, ends: list[int] | None) -> None:
        self._text = text
        self._raw = raw
        self._begins, self._ends = begins, ends
        self.plain = _plain(raw)
        self._kept: list[int] | None = None

    def origin(self, begin: int, end: int) -> tuple[int, int]:
        """The part of the original that a run of letters and digits comes from."""
        if self._kept is None:
            self._kept = [at for at, byte in enumerate(self._raw) if byte in _KEPT]
            if self._begins is None:
                self._begins, self._ends = _places(self._text)
        assert self._begins is not None
        assert self._ends is not None
        return self._begins[self._kept[begin]], self._ends[self._kept[end - 1]]


def _views(text: str) -> Iterator[_View]:
    """The text as it stands, and as it reads when what is escaped in it is undone, once and again."""
    raw = text.encode("utf-8", "surrogatepass")
    begins: list[int] | None = None
    ends: list[int] | None = None
    yield _View(text, raw, begins, ends)
    for _ in range(_ROUNDS):
        if _ESCAPED.search(raw) is None:
            return
        if begins is None or ends is None:
            begins, ends = _places(text)
        raw, begins, ends = _undone(raw, begins, ends)
        yield _View(text, raw, begins, ends)


def _places(text: str) -> tuple[list[int], list[int]]:
    """Begin and end in the text of each byte of its UTF-8."""
    if text.isascii():
        return list(range(len(text))), list(range(1, len(text) + 1))
    begins = [at for at, character in enumerate(text) for _ in character.encode("utf-8", "surrogatepass")]
    return begins, [at + 1 for at in begins]


def _undone(raw: bytes, begins: list[int], ends: list[int]) -> tuple[bytes, list[int], list[int]]:
    """One round of decoding, with the places of what came of it."""
    out, out_begins, out_ends = bytearray(), list[int](), list[int]()
    last = 0
    for match in _ESCAPED.finditer(raw):
        start, stop = match.span()
        out += raw[last:start]
        out_begins += begins[last:start]
        out_ends += ends[last:start]
        meant = _meant(match.group())
        out += meant
        out_begins += [begins[start]] * len(meant)
        out_ends += [ends[stop - 1]] * len(meant)
        last = stop
    out += raw[last:]
    return bytes(out), out_begins + begins[last:], out_ends + ends[last:]


def _meant(escaped: bytes) -> bytes:
    """What an escape stands for, in UTF-8."""
    if escaped[:1] in b"%=":
        code = escaped[1:3]
        return bytes([int(code, 16)]) if len(code) == 2 and code.isalnum() else b""
    if escaped[:1] == b"&":
        return html.unescape(escaped.decode()).encode("utf-8", "surrogatepass")
    if escaped[1:2] in b"ux":
        return _character(int(escaped[2:].strip(b"{}"), 16))
    if escaped[1:2].isdigit() and len(escaped) == 4:
        return bytes([int(escaped[1:], 8) & 255])
    return escaped[1:] if escaped[1:] in (b"/", b'"', b"'", b"\\") else b""


def _character(code: int) -> bytes:
    return chr(code).encode("utf-8", "surrogatepass") if code <= 0x10FFFF else b""


def _plain(raw: bytes) -> bytes:
    return raw.translate(_LOWER, _DROPPED)


def _forms(secret: bytes) -> Iterator[bytes]:
    """The secret and its usual encodings; those that take several bytes at once, at every alignment."""
    yield secret
    yield secret.hex().encode()
    yield b"".join(b"0x%02x" % byte for byte in secret)
    yield b"".join(b"%d" % byte for byte in secret)
    yield base64.b85encode(secret)
    yield base64.a85encode(secret)
    for shift in range(5):
        yield _inner(base64.b32encode(b"\0" * shift + secret), shift, 8, 5, len(secret))
    for once in _base64(secret):
        yield once
        yield from _base64(once)


def _base64(raw: bytes) -> list[bytes]:
    """base64 at every alignment, of both alphabets (which differ in no letter or digit)."""
    shifted = [_inner(base64.b64encode(b"\0" * shift + raw), shift, 4, 3, len(raw)) for shift in range(3)]
    return [*shifted, base64.b64encode(raw).rstrip(b"=")]


def _inner(encoded: bytes, shift: int, wide: int, narrow: int, length: int) -> bytes:
    """The characters that depend on the secret alone, not on what stands before or after it."""
    bits = 8 * narrow // wide
    begin = -(-8 * shift // bits)
    return encoded[begin : 8 * (shift + length) // bits]


def _merged(spans: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    merged: list[tuple[int, int, int]] = []
    for begin, end, number in sorted(spans):
        if merged and begin <= merged[-1][1]:
            before = merged[-1]
            merged[-1] = (before[0], max(before[1], end), before[2])
        else:
            merged.append((begin, end, number))
    return merged


_PUBLIC = b" ".join([_plain(word) for word in _PUBLIC_WORDS.split()])
"""Words that a report holds anyway: a password such as "braintrust-7" does not blank them."""
